//! Time passes: delays run out, waits end, steps become due. Nothing is sent here.
//!
//! Invariant: INV-10. It is called with the arrival of every input before the input is applied, and with the
//! frontier, so the result does not depend on how inputs were batched.

use winback_campaign::calendar;
use winback_campaign::model::{Entry, Reaction, StartKind};
use winback_contract::{JourneyRecord, Reason, Span, Timestamp, Transition};

use crate::book::offer;
use crate::customer::Customer;
use crate::effects::{Count, Effects};
use crate::facts::Facts;
use crate::fold::{Ended, after_end, arm_dates, is_an_end, not_begun};
use crate::program;
use crate::state::{Journey, Kept, Station, What};
use crate::world::World;

pub use crate::program::settle;

/// The customer's zone: its own if known and valid, else the shop's.
pub fn zone(customer: &Customer, policy: &winback_campaign::Policy) -> jiff::tz::TimeZone {
    let own = customer
        .profile
        .timezone
        .as_deref()
        .and_then(calendar::zone);
    own.unwrap_or_else(|| policy.zone.clone())
}

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
        not_begun(campaign, journey.id, at, Reason::Reentry, world, out);
        next_year(customer, campaign, at, world, out);
        return false;
    }
    if is_replaced(customer, index, world) {
        // Another one of those of which only one runs has this key already: this one never began.
        end(customer, index, Reason::Replaced, at, world, out);
        next_year(customer, campaign, at, world, out);
        return false;
    }
    let kind = start.map(|start| &start.kind);
    let has_occasion = matches!(
        kind,
        Some(
            StartKind::Silence { .. }
                | StartKind::Date { .. }
                | StartKind::Schedule(_)
                | StartKind::Announced { .. }
        )
    );
    if has_occasion {
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
    let yearly = |start: &winback_campaign::Start| {
        matches!(start.kind, StartKind::Date { yearly: true, .. })
    };
    if campaign.starts.iter().any(yearly) {
        arm_dates(customer, at, world, out);
    }
}

/// Whether a campaign tied to this one by `replaces` has the key: it has sent, or had sent for the same occasion.
pub(crate) fn is_replaced(customer: &Customer, index: usize, world: &World<'_>) -> bool {
    let journey = &customer.journeys[index];
    let tied = tied(journey, world);
    customer.journeys.iter().any(|other| {
        tied.contains(&other.campaign.as_str())
            && other.key == journey.key
            && other.first_message_at.is_some()
    }) || tied.iter().any(|name| {
        customer.history(name).is_some_and(|history| {
            !journey.key.is_empty() && history.won.as_deref() == Some(journey.key.as_str())
        })
    })
}

/// Campaigns of which only one runs per key beside this journey's.
pub(crate) fn tied<'w>(journey: &Journey, world: &World<'w>) -> Vec<&'w str> {
    let Some(bundle) = world.bundles.get(journey.bundle) else {
        return Vec::new();
    };
    let own = bundle.campaign(&journey.campaign);
    bundle
        .campaigns
        .values()
        .filter(|other| {
            other.replaces.contains(&journey.campaign)
                || own.is_some_and(|own| own.replaces.contains(&other.name))
        })
        .map(|other| other.name.as_str())
        .collect()
}

/// Whether enough time has passed since the first message of the campaign's newest journey.
pub fn reentry_allows(
    customer: &Customer,
    campaign: &str,
    reentry: Option<Span>,
    at: Timestamp,
) -> bool {
    match customer
        .history(campaign)
        .and_then(|history| history.first_message_at)
    {
        None => true,
        Some(first) => reentry.is_some_and(|least| first + least <= at),
    }
}

/// Whether the campaign may begin once more in its window.
pub fn limit_allows(
    customer: &Customer,
    campaign: &str,
    limit: Option<(u32, Span)>,
    at: Timestamp,
) -> bool {
    let (Some((at_most, per)), Some(history)) = (limit, customer.history(campaign)) else {
        return true;
    };
    let inside = history.firsts.iter().filter(|first| **first + per > at);
    inside.count() < at_most as usize
}

/// When the journey is over, as its campaign says; judged anew whenever what began it is renewed.
pub(crate) fn note_end(customer: &mut Customer, index: usize, world: &World<'_>) {
    let journey = &customer.journeys[index];
    let Some(bundle) = world.bundles.get(journey.bundle) else {
        return;
    };
    let moment = bundle
        .campaign(&journey.campaign)
        .and_then(|campaign| campaign.over_at.as_ref());
    let Some(moment) = moment else { return };
    let facts = Facts {
        journey: Some(journey),
        ..world.facts(&bundle.policy, customer, journey.due)
    };
    let place = zone(customer, &bundle.policy);
    let at = program::at(moment, &facts, &place, journey.due);
    customer.journeys[index].over_at = at;
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

/// Whether the wait at an entry has been met by a reaction or an event that excuses the customer.
fn is_excused(journey: &Journey, entry: u16, world: &World<'_>) -> bool {
    let of_campaign = world
        .bundles
        .campaign(journey.bundle, &journey.campaign)
        .and_then(|campaign| campaign.entries.get(usize::from(entry)));
    match of_campaign {
        Some(Entry::Wait { unless, .. }) => {
            journey.met.contains(&entry)
                || unless
                    .reactions
                    .iter()
                    .any(|reaction| has(journey, *reaction))
        }
        _ => false,
    }
}

/// Whoever reacts after a wait has ended and before the next step is sent is excused from it all the same.
pub(crate) fn excuse(customer: &mut Customer, at: Timestamp, world: &World<'_>, out: &mut Effects) {
    let mut index = 0;
    while index < customer.journeys.len() {
        let journey = &customer.journeys[index];
        let excused = journey.station == Station::Step
            && journey
                .waited
                .is_some_and(|waited| is_excused(journey, waited, world));
        if excused {
            end(customer, index, Reason::Reacted, at, world, out);
        } else {
            index += 1;
        }
    }
}

fn has(journey: &Journey, reaction: Reaction) -> bool {
    match reaction {
        Reaction::Delivered => journey.reactions.delivered,
        Reaction::Opened => journey.reactions.opened,
        Reaction::Clicked => journey.reactions.clicked,
        Reaction::Replied => journey.reactions.replied,
        Reaction::Visited => journey.reactions.visited,
    }
}

/// How a journey ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending<'e> {
    /// A reason of the contract.
    pub(crate) outcome: Reason,
    /// The campaign's own name for it.
    pub(crate) name: Option<&'e str>,
    /// The order that ended it.
    pub(crate) order_id: Option<&'e str>,
}

/// Ends a journey for one recorded reason.
pub fn end(
    customer: &mut Customer,
    index: usize,
    outcome: Reason,
    at: Timestamp,
    world: &World<'_>,
    out: &mut Effects,
) {
    let ending = Ending {
        outcome,
        name: None,
        order_id: None,
    };
    end_as(customer, index, ending, at, world, out);
}

/// Ends a journey; what begins with its end is armed.
pub(crate) fn end_as(
    customer: &mut Customer,
    index: usize,
    ending: Ending<'_>,
    at: Timestamp,
    world: &World<'_>,
    out: &mut Effects,
) {
    let journey = customer.journeys.remove(index);
    let entered = journey.entered_at.is_some();
    let outcome = ending.outcome;
    out.journeys.push(record(
        &journey,
        world,
        at,
        Transition::Ended {
            outcome,
            entered,
            name: ending.name.map(str::to_owned),
        },
    ));
    // A message that nobody has claimed by now never will be: its outcome is not waited for.
    for pending in customer
        .messages
        .iter()
        .filter(|pending| pending.journey == journey.id)
    {
        out.grants
            .push(crate::effects::GrantChange::Withdraw(pending.message));
    }
    offer::take_back(customer, journey.id, out);
    let word = ending.name.unwrap_or(outcome.as_str());
    let campaign = world.bundles.campaign(journey.bundle, &journey.campaign);
    if let Some(last) = journey.last_message_at {
        let within = campaign.map_or(Span::ZERO, |campaign| campaign.goal_within);
        let open = outcome != Reason::Converted && !journey.goal;
        let goal = open.then_some((journey.id, last + within));
        let history = customer.history_mut(&journey.campaign);
        history.goal = goal;
        history.cart_id.clone_from(&journey.entry.cart_id);
    }
    if !entered {
        return;
    }
    let first_step = journey.first_message_at.is_some() || outcome != Reason::Audience;
    if first_step {
        let history = customer.history_mut(&journey.campaign);
        history.outcome = Some(word.to_owned());
        if outcome == Reason::Converted {
            history.converted_at = Some(at);
        }
    }
    keep(customer, &journey, String::new(), What::Ended(outcome), at);
    if is_an_end(outcome) {
        let ended = Ended {
            journey: journey.id,
            campaign: &journey.campaign,
            outcome: word,
            order_id: ending.order_id.or(journey.entry.order_id.as_deref()),
            cart_id: journey.entry.cart_id.as_deref(),
            checkout_id: journey.entry.checkout_id.as_deref(),
            product_id: journey.entry.product_id.as_deref(),
            at,
        };
        after_end(customer, &ended, world, out);
    }
}

/// Remembers something for `why`.
pub fn keep(customer: &mut Customer, journey: &Journey, step: String, what: What, at: Timestamp) {
    let kept = Kept {
        at,
        campaign: journey.campaign.clone(),
        step,
        what,
        bundle: journey.bundle,
    };
    Customer::push_bounded(
        &mut customer.decisions,
        kept,
        crate::customer::limit::DECISIONS,
    );
}

/// A record of `journeys` for this journey. The input is filled in by the caller of the fold.
pub fn record(
    journey: &Journey,
    world: &World<'_>,
    at: Timestamp,
    transition: Transition,
) -> JourneyRecord {
    JourneyRecord {
        v: JourneyRecord::VERSION,
        journey: journey.id,
        customer: world.customer,
        campaign: journey.campaign.clone(),
        bundle: journey.bundle,
        at,
        transition,
        input: None,
    }
}
