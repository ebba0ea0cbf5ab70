//! A new bundle reaches a customer: at the next input, or by the sweep, whichever comes first. Once per bundle.

use winback_campaign::model::{InFlight, Mode};
use winback_contract::{Reason, Timestamp};

use crate::customer::Customer;
use crate::effects::Effects;
use crate::end::end;
use crate::start::date::arm_dates;
use crate::start::silence::arm_silence;
use crate::state::Station;
use crate::world::World;

/// Applies the active bundle to an existing customer. True when it had not been applied before.
pub fn activate(
    customer: &mut Customer,
    now: Timestamp,
    world: &World<'_>,
    out: &mut Effects,
) -> bool {
    let Some(bundle) = world.active else {
        return false;
    };
    if customer.activated == Some(bundle.hash) || customer.forward.is_some() {
        return false;
    }
    customer.activated = Some(bundle.hash);
    let mut index = 0;
    while index < customer.journeys.len() {
        let journey = &customer.journeys[index];
        if world.bundles.get(journey.bundle).is_none() {
            // Its texts and rules can't be read by this release: it can't go on, and says so.
            end(customer, index, Reason::Error, now, world, out);
            continue;
        }
        let dropped = match bundle.campaign(&journey.campaign) {
            // A campaign that is gone ends: nothing may be sent that nobody can see in the files.
            None => true,
            Some(campaign) => {
                journey.bundle != bundle.hash
                    && campaign.in_flight == InFlight::Drop
                    && journey.station != Station::Armed
            }
        };
        if dropped {
            end(customer, index, Reason::Dropped, now, world, out);
            continue;
        }
        // Nothing was sent yet: an armed journey simply goes on under the new version. Silence is armed anew below.
        let journey = &mut customer.journeys[index];
        let renewed = bundle.campaign(&journey.campaign).is_some_and(|campaign| {
            let start = campaign.starts.get(usize::from(journey.start));
            campaign.mode != Mode::Paused && start.is_some_and(|start| !start.kind.is_silence())
        });
        if journey.station == Station::Armed && renewed {
            journey.bundle = bundle.hash;
            // Places in the old cascade mean nothing in the new one.
            journey.answers.clear();
            journey.answer = None;
            journey.met.clear();
            journey.over_at = None;
            crate::over::note_end(customer, index, world);
        }
        index += 1;
    }
    arm_silence(customer, now, world, out);
    arm_dates(customer, now, world, out);
    true
}
