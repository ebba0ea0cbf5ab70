//! Time passes: delays run out, waits end, steps become due. Nothing is sent here.
//!
//! Invariant: INV-10. It is called with the arrival of every input before the input is applied, and with the
//! frontier, so the result does not depend on how inputs were batched.

use winback_contract::{Reason, Timestamp, Transition};

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
use crate::state::Station;

/// Lets time pass up to and including `now`.
pub(crate) fn advance(scene: &mut Scene<'_>, now: Timestamp) {
    let mut index = 0;
    while index < scene.customer.journeys.len() {
        let journey = &scene.customer.journeys[index];
        let over = journey.over_at.filter(|over| *over <= now);
        let due = matches!(
            journey.station,
            Station::Armed | Station::Wait | Station::Await
        ) && journey.due <= now;
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
                end(scene, index, Reason::Over, over);
                continue;
            }
            _ => {}
        }
        if !due || !known {
            index += 1;
            continue;
        }
        let at = journey.due;
        match journey.station {
            Station::Armed => enter(scene, index, at),
            Station::Await => {
                let next = journey.at.saturating_add(1);
                settle(scene, index, next, at)
            }
            // Of the others nothing is due here; see above.
            Station::Wait | Station::Step | Station::Sending => end_wait(scene, index, at),
        };
        // A journey that ended has left its place to the next one; one that went on may be due again.
    }
}

fn enter(scene: &mut Scene<'_>, index: usize, at: Timestamp) -> bool {
    let journey = &scene.customer.journeys[index];
    let Some(campaign) = scene
        .world
        .bundles
        .campaign(journey.bundle, &journey.campaign)
    else {
        return true;
    };
    let start = campaign.starts.get(usize::from(journey.start));
    let reentry = start.map(|start| start.reentry).unwrap_or_default();
    let limit = start.and_then(|start| start.limit);
    if !reentry_allows(scene.customer, &campaign.name, reentry, at)
        || !limit_allows(scene.customer, &campaign.name, limit, at)
    {
        scene.out.count(Count::Reentry);
        let journey = scene.customer.journeys.remove(index);
        let why = Reason::Reentry.into();
        not_begun(scene, campaign, journey.id, at, why);
        next_year(scene, campaign, at);
        return false;
    }
    if is_replaced(scene.customer, index, scene.world) {
        // Another one of those of which only one runs has this key already: this one never began.
        end(scene, index, Reason::Replaced, at);
        next_year(scene, campaign, at);
        return false;
    }
    if start.is_some_and(|start| start.kind.answers().has_occasion) {
        let journey = &scene.customer.journeys[index];
        let occasion = journey.key.clone();
        let name = journey.campaign.clone();
        scene.customer.history_mut(&name).occasion = Some(occasion);
    }
    let journey = &mut scene.customer.journeys[index];
    journey.entered_at = Some(at);
    let id = journey.id;
    // Its end may be told by its beginning.
    note_end(scene.customer, index, scene.world);
    let journey = &scene.customer.journeys[index];
    scene
        .out
        .journeys
        .push(record(journey, scene.world, at, Transition::Entered));
    let stays = settle(scene, index, 0, at);
    next_year(scene, campaign, at);
    stays
        && scene
            .customer
            .journeys
            .get(index)
            .is_some_and(|journey| journey.id == id)
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

fn end_wait(scene: &mut Scene<'_>, index: usize, at: Timestamp) -> bool {
    if is_excused(
        &scene.customer.journeys[index],
        scene.customer.journeys[index].at,
        scene.world,
    ) {
        end(scene, index, Reason::Reacted, at);
        return false;
    }
    let journey = &mut scene.customer.journeys[index];
    journey.waited = Some(journey.at);
    let next = journey.at.saturating_add(1);
    settle(scene, index, next, at)
}
