//! Time passes: delays run out, waits end, steps become due. Nothing is sent here.
//!
//! Invariant: INV-10. It is called with the arrival of every input before the input is applied, and with the
//! frontier, so the result does not depend on how inputs were batched.

use winback_contract::{JourneyId, Reason, Timestamp, Transition};

use crate::effects::Count;
use crate::eligibility::{is_replaced, limit_allows, reentry_allows};
use crate::end::end;
use crate::over::note_end;
use crate::program::settle;
use crate::reacted::is_excused;
use crate::records::record;
use crate::scene::Scene;
use crate::start::arm::not_begun;
use crate::start::date::arm_dates;
use crate::state::Stage;

/// Lets time pass up to and including `now`.
pub(crate) fn advance(scene: &mut Scene<'_>, now: Timestamp) {
    let mut index = 0;
    while let Some(journey) = scene.customer.journeys.get(index) {
        let id = journey.id;
        let over = journey.over_at.filter(|over| *over <= now);
        let due = matches!(journey.station, Stage::Armed | Stage::Wait | Stage::Await)
            && journey.due <= now;
        if !due && over.is_none() {
            index += 1;
            continue;
        }
        let known = scene
            .world
            .bundles
            .campaign(journey.bundle, &journey.campaign)
            .is_some();
        // What is over goes before what is due later; what was due before the end still happens first.
        match over {
            Some(over) if known && !(due && journey.due < over) => {
                end(scene, id, Reason::Over, over);
                continue;
            }
            _ => {}
        }
        if !due || !known {
            index += 1;
            continue;
        }
        let (at, next) = (journey.due, journey.at.saturating_add(1));
        match journey.station {
            Stage::Armed => enter(scene, id, at),
            Stage::Await => settle(scene, id, next, at),
            // Of the others nothing is due here; see above.
            Stage::Wait | Stage::Step | Stage::Sending => end_wait(scene, id, at),
        }
        // A journey that ended has left its place to the next one; one that went on may be due again.
    }
}

fn enter(scene: &mut Scene<'_>, id: JourneyId, at: Timestamp) {
    let world = scene.world;
    let Some(journey) = scene.journey(id) else {
        return;
    };
    let campaign = world.bundles.campaign(journey.bundle, &journey.campaign);
    let Some(campaign) = campaign else { return };
    let start = campaign.starts.get(usize::from(journey.start));
    let reentry = start.map(|start| start.reentry).unwrap_or_default();
    let limit = start.and_then(|start| start.limit);
    if !reentry_allows(scene.customer, &campaign.name, reentry, at)
        || !limit_allows(scene.customer, &campaign.name, limit, at)
    {
        scene.out.count(Count::Reentry);
        scene.customer.journeys.retain(|journey| journey.id != id);
        not_begun(scene, campaign, id, at, Reason::Reentry.into());
        return next_year(scene, campaign, at);
    }
    if is_replaced(scene.customer, journey, world) {
        // Another one of those of which only one runs has this key already: this one never began.
        end(scene, id, Reason::Replaced, at);
        return next_year(scene, campaign, at);
    }
    if start.is_some_and(|start| start.kind.answers().has_occasion) {
        let occasion = journey.key.clone();
        scene.customer.history_mut(&campaign.name).occasion = Some(occasion);
    }
    if let Some(journey) = scene.journey_mut(id) {
        journey.entered_at = Some(at);
    }
    // Its end may be told by its beginning.
    note_end(scene, id);
    let entered = scene
        .journey(id)
        .map(|journey| record(journey, world, at, Transition::Entered));
    scene.out.journeys.extend(entered);
    settle(scene, id, 0, at);
    next_year(scene, campaign, at);
}

/// The next year's is armed at once: nothing else would remember it.
fn next_year(scene: &mut Scene<'_>, campaign: &winback_campaign::Campaign, at: Timestamp) {
    if campaign
        .starts
        .iter()
        .any(|start| start.kind.answers().is_yearly)
    {
        arm_dates(scene, at);
    }
}

fn end_wait(scene: &mut Scene<'_>, id: JourneyId, at: Timestamp) {
    let world = scene.world;
    let Some(journey) = scene.journey_mut(id) else {
        return;
    };
    if is_excused(journey, journey.at, world) {
        return end(scene, id, Reason::Reacted, at);
    }
    journey.waited = Some(journey.at);
    let next = journey.at.saturating_add(1);
    settle(scene, id, next, at);
}
