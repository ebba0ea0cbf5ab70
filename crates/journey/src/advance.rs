//! Time passes: delays run out, waits end, steps become due. Nothing is sent here.
//!
//! Invariant: INV-10. It is called with the arrival of every input before the input is applied, and with the
//! frontier, so the result does not depend on how inputs were batched.

use winback_contract::{Reason, Timestamp, Transition};

use crate::customer::Customer;
use crate::effects::{Count, Effects};
use crate::eligibility::{is_replaced, limit_allows, reentry_allows};
use crate::end::end;
use crate::over::note_end;
use crate::program::settle;
use crate::reacted::is_excused;
use crate::records::record;
use crate::start::arm::not_begun;
use crate::start::date::arm_dates;
use crate::state::Station;
use crate::world::World;

/// Lets time pass up to and including `now`.
pub fn advance(customer: &mut Customer, now: Timestamp, world: &World<'_>, out: &mut Effects) {
    let mut index = 0;
    while index < customer.journeys.len() {
        let journey = &customer.journeys[index];
        let over = journey.over_at.filter(|over| *over <= now);
        let due = matches!(
            journey.station,
            Station::Armed | Station::Wait | Station::Await
        ) && journey.due <= now;
        if !due && over.is_none() {
            index += 1;
            continue;
        }
        let known = world
            .bundles
            .campaign(journey.bundle, &journey.campaign)
            .is_some();
        // What is over goes before what is due later; what was due before the end still happens first.
        match over {
            Some(over) if known && !(due && journey.due < over) => {
                end(customer, index, Reason::Over, over, world, out);
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
            Station::Armed => enter(customer, index, at, world, out),
            Station::Await => {
                let next = journey.at.saturating_add(1);
                settle(customer, index, next, at, world, out)
            }
            _ => end_wait(customer, index, at, world, out),
        };
        // A journey that ended has left its place to the next one; one that went on may be due again.
    }
}

fn enter(
    customer: &mut Customer,
    index: usize,
    at: Timestamp,
    world: &World<'_>,
    out: &mut Effects,
) -> bool {
    let journey = &customer.journeys[index];
    let Some(campaign) = world.bundles.campaign(journey.bundle, &journey.campaign) else {
        return true;
    };
    let start = campaign.starts.get(usize::from(journey.start));
    let reentry = start.map(|start| start.reentry).unwrap_or_default();
    let limit = start.and_then(|start| start.limit);
    if !reentry_allows(customer, &campaign.name, reentry, at)
        || !limit_allows(customer, &campaign.name, limit, at)
    {
        out.count(Count::Reentry);
        let journey = customer.journeys.remove(index);
        let why = Reason::Reentry.into();
        not_begun(campaign, journey.id, at, why, world, out);
        next_year(customer, campaign, at, world, out);
        return false;
    }
    if is_replaced(customer, index, world) {
        // Another one of those of which only one runs has this key already: this one never began.
        end(customer, index, Reason::Replaced, at, world, out);
        next_year(customer, campaign, at, world, out);
        return false;
    }
    if start.is_some_and(|start| start.kind.has_occasion()) {
        let journey = &customer.journeys[index];
        let occasion = journey.key.clone();
        let name = journey.campaign.clone();
        customer.history_mut(&name).occasion = Some(occasion);
    }
    let journey = &mut customer.journeys[index];
    journey.entered_at = Some(at);
    let id = journey.id;
    // Its end may be told by its beginning.
    note_end(customer, index, world);
    let journey = &customer.journeys[index];
    out.journeys
        .push(record(journey, world, at, Transition::Entered));
    let stays = settle(customer, index, 0, at, world, out);
    next_year(customer, campaign, at, world, out);
    stays
        && customer
            .journeys
            .get(index)
            .is_some_and(|journey| journey.id == id)
}

/// The next year's is armed at once: nothing else would remember it.
fn next_year(
    customer: &mut Customer,
    campaign: &winback_campaign::Campaign,
    at: Timestamp,
    world: &World<'_>,
    out: &mut Effects,
) {
    if campaign.starts.iter().any(|start| start.kind.is_yearly()) {
        arm_dates(customer, at, world, out);
    }
}

fn end_wait(
    customer: &mut Customer,
    index: usize,
    at: Timestamp,
    world: &World<'_>,
    out: &mut Effects,
) -> bool {
    if is_excused(
        &customer.journeys[index],
        customer.journeys[index].at,
        world,
    ) {
        end(customer, index, Reason::Reacted, at, world, out);
        return false;
    }
    let journey = &mut customer.journeys[index];
    journey.waited = Some(journey.at);
    let next = journey.at.saturating_add(1);
    settle(customer, index, next, at, world, out)
}
