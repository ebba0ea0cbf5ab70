//! Time passes: delays run out, waits end, steps become due. Nothing is sent here.
//!
//! Invariant: INV-10. It is called with the arrival of every input before the input is applied, and with the
//! frontier, so the result does not depend on how inputs were batched.

use winback_campaign::calendar;
use winback_campaign::model::{Entry, Reaction, StartKind};
use winback_contract::{JourneyRecord, Reason, Span, Timestamp, Transition};

use crate::customer::Customer;
use crate::effects::{Count, Effects};
use crate::state::{Journey, Kept, Station, What};
use crate::world::World;

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
        let is_due =
            journey.due <= now && matches!(journey.station, Station::Armed | Station::Wait);
        if !is_due
            || world
                .bundles
                .campaign(journey.bundle, &journey.campaign)
                .is_none()
        {
            index += 1;
            continue;
        }
        let at = journey.due;
        let went_on = match journey.station {
            Station::Armed => enter(customer, index, at, world, out),
            _ => end_wait(customer, index, at, world, out),
        };
        // A journey that ended has left its place to the next one; one that went on may be due again.
        let _went_on: bool = went_on;
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
    let reentry = campaign
        .starts
        .get(usize::from(journey.start))
        .map(|start| start.reentry);
    if !reentry_allows(customer, &campaign.name, reentry.unwrap_or_default(), at) {
        out.count(Count::Reentry);
        customer.journeys.remove(index);
        return false;
    }
    let is_silence = matches!(
        campaign
            .starts
            .get(usize::from(journey.start))
            .map(|start| &start.kind),
        Some(StartKind::Silence { .. })
    );
    if is_silence {
        let occasion = journey.key.clone();
        let name = journey.campaign.clone();
        customer.history_mut(&name).occasion = Some(occasion);
    }
    let journey = &mut customer.journeys[index];
    journey.entered_at = Some(at);
    out.journeys
        .push(record(journey, world, at, Transition::Entered));
    settle(customer, index, 0, at, world, out)
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

fn end_wait(
    customer: &mut Customer,
    index: usize,
    at: Timestamp,
    world: &World<'_>,
    out: &mut Effects,
) -> bool {
    let journey = &customer.journeys[index];
    let entry = world
        .bundles
        .campaign(journey.bundle, &journey.campaign)
        .and_then(|campaign| campaign.entries.get(usize::from(journey.at)));
    let reacted = match entry {
        Some(Entry::Wait { unless, .. }) => unless.iter().any(|reaction| has(journey, *reaction)),
        _ => false,
    };
    if reacted {
        end(customer, index, Reason::Reacted, at, world, out);
        return false;
    }
    let next = journey.at.saturating_add(1);
    settle(customer, index, next, at, world, out)
}

/// Whoever reacts after a wait has ended and before the next step is sent is excused from it all the same.
pub(crate) fn excuse(customer: &mut Customer, at: Timestamp, world: &World<'_>, out: &mut Effects) {
    let mut index = 0;
    while index < customer.journeys.len() {
        let journey = &customer.journeys[index];
        if journey.station != Station::Step {
            index += 1;
            continue;
        }
        let before = usize::from(journey.at).checked_sub(1);
        let entry = before.and_then(|before| {
            let campaign = world.bundles.campaign(journey.bundle, &journey.campaign)?;
            campaign.entries.get(before)
        });
        let excused = matches!(entry, Some(Entry::Wait { unless, .. })
            if unless.iter().any(|reaction| has(journey, *reaction)));
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

/// Puts a journey on entry `to` at `base`. False when that ended it.
pub fn settle(
    customer: &mut Customer,
    index: usize,
    to: u16,
    base: Timestamp,
    world: &World<'_>,
    out: &mut Effects,
) -> bool {
    let journey = &customer.journeys[index];
    let Some(bundle) = world.bundles.get(journey.bundle) else {
        return true;
    };
    let Some(campaign) = bundle.campaign(&journey.campaign) else {
        return true;
    };
    let zone = zone(customer, &bundle.policy);
    let entry = campaign.entries.get(usize::from(to));
    let (station, due) = match entry {
        None => {
            end(customer, index, Reason::Finished, base, world, out);
            return false;
        }
        Some(Entry::Step(step)) => {
            let due = step
                .at
                .map_or(base, |at| calendar::next_local(at, &zone, base));
            (Station::Step, due)
        }
        Some(Entry::Wait { span, .. }) => {
            let span = span.value(&[journey.id.as_bytes(), &to.to_be_bytes()]);
            let before_a_clock_time = match campaign.entries.get(usize::from(to) + 1) {
                Some(Entry::Step(step)) => step.at,
                _ => None,
            };
            (
                Station::Wait,
                wait_until(base, span, before_a_clock_time, &zone),
            )
        }
    };
    let journey = &mut customer.journeys[index];
    journey.at = to;
    journey.station = station;
    journey.due = due;
    journey.hold = None;
    journey.refused.clear();
    true
}

/// Whole days before a clock time are calendar days (grammar, rule 4): the wait ends as the last day begins.
fn wait_until(
    base: Timestamp,
    span: Span,
    clock: Option<jiff::civil::Time>,
    zone: &jiff::tz::TimeZone,
) -> Timestamp {
    let day = Span::from_days(1).as_millis();
    if clock.is_none() || span.as_millis() % day != 0 || span == Span::ZERO {
        return base + span;
    }
    let whole = (base + span).as_millis();
    // From the same clock time that many days later, back to midnight.
    let later = Timestamp::from_millis(whole);
    calendar::start_of_day(zone, later).max(base)
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
    let journey = customer.journeys.remove(index);
    let entered = journey.entered_at.is_some();
    out.journeys.push(record(
        &journey,
        world,
        at,
        Transition::Ended { outcome, entered },
    ));
    for pending in customer
        .messages
        .iter()
        .filter(|pending| pending.journey == journey.id)
    {
        out.grants
            .push(crate::effects::GrantChange::Remove(pending.message));
    }
    // A message that nobody has claimed by now never will be: its outcome is not waited for.
    if let Some(last) = journey.last_message_at {
        let within = world
            .bundles
            .campaign(journey.bundle, &journey.campaign)
            .map_or(Span::ZERO, |campaign| campaign.goal_within);
        let goal = (outcome != Reason::Converted).then_some((journey.id, last + within));
        customer.history_mut(&journey.campaign).goal = goal;
    }
    if entered {
        keep(customer, &journey, String::new(), What::Ended(outcome), at);
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
