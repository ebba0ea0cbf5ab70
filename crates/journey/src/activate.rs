//! A new bundle reaches a customer: at the next input, or by the sweep, whichever comes first. Once per bundle.

use winback_campaign::model::{InFlight, Mode};
use winback_contract::{Reason, Timestamp};

use crate::end::end;
use crate::over::note_end;
use crate::scene::Scene;
use crate::start::date::arm_dates;
use crate::start::silence::arm_silence;
use crate::state::Stage;

/// Applies the active bundle to an existing customer. True when it had not been applied before.
pub(crate) fn activate(scene: &mut Scene<'_>, now: Timestamp) -> bool {
    let Some(bundle) = scene.world.active else {
        return false;
    };
    if scene.customer.activated == Some(bundle.hash) || scene.customer.forward.is_some() {
        return false;
    }
    scene.customer.activated = Some(bundle.hash);
    let mut index = 0;
    while let Some(journey) = scene.customer.journeys.get(index) {
        let id = journey.id;
        if scene.world.bundles.get(journey.bundle).is_none() {
            // Its texts and rules can't be read by this release: it can't go on, and says so.
            end(scene, id, Reason::Error, now);
            continue;
        }
        let dropped = match bundle.campaign(&journey.campaign) {
            // A campaign that is gone ends: nothing may be sent that nobody can see in the files.
            None => true,
            Some(campaign) => {
                journey.bundle != bundle.hash
                    && campaign.in_flight == InFlight::Drop
                    && journey.station != Stage::Armed
            }
        };
        if dropped {
            end(scene, id, Reason::Dropped, now);
            continue;
        }
        // Nothing was sent yet: an armed journey simply goes on under the new version. Silence is armed anew below.
        let renewed = bundle.campaign(&journey.campaign).is_some_and(|campaign| {
            let start = campaign.starts.get(usize::from(journey.start));
            campaign.mode != Mode::Paused
                && start.is_some_and(|start| !start.kind.answers().is_silence)
        });
        if journey.station == Stage::Armed && renewed {
            let journey = &mut scene.customer.journeys[index];
            journey.bundle = bundle.hash;
            // Places in the old cascade mean nothing in the new one.
            journey.answers.clear();
            journey.answer = None;
            journey.met.clear();
            journey.over_at = None;
            note_end(scene, id);
        }
        index += 1;
    }
    arm_silence(scene, now);
    arm_dates(scene, now);
    true
}
