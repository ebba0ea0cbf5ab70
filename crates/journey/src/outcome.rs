//! What became of a message: the cascade goes on, tries the next channel, or judges the step again.
//!
//! Invariant: INV-4. A definite refusal tries another channel under the same message id; a lost answer follows the
//! channel's policy and is counted; an answer nobody waits for changes nothing but reactions.

use winback_contract::{
    Body, ConsentChange, ConsentStatus, EventId, JourneyRecord, Outcome, OutcomeStatus, Reason,
    SourceKind, Span, Standing, Timestamp, Transition,
};

use crate::address::person::{Report, report};
use crate::backoff::backoff;
use crate::book;
use crate::consent::consent;
use crate::customer::{Booking, Customer, limit};
use crate::effects::{Count, Effects, Forward, GrantChange};
use crate::program::settle;
use crate::reacted::excuse;
use crate::records::{is_lost, keep, record};
use crate::state::{Hold, Kept, Pending, Station, What};
use crate::world::{Ambiguous, World};

/// A message whose answer is lost is sent again so often at most, where the channel says `resend` (INV-4).
const RESENDS: u32 = 2;
/// From a lost answer to the first repeat; then twice as long each time.
const RESEND_AFTER: Span = Span::from_secs(30);
/// From a claim that came too early for the input to the next judgement; then twice as long, up to a minute.
const LAG_AFTER: Span = Span::from_secs(1);
const LAG_LONGEST: Span = Span::from_mins(1);
/// No provider is left alone for longer by our own choice.
const LONGEST: Span = Span::from_mins(30);

/// Applies an outcome.
pub fn apply(customer: &mut Customer, outcome: &Outcome, world: &World<'_>) -> Effects {
    let mut out = Effects::default();
    if let Some(mark) = customer.forward {
        out.forwards.push(Forward {
            to: mark.owner,
            id: EventId(outcome.message.0),
            kind: SourceKind::Live,
            arrival: outcome.at,
            at: outcome.at,
            body: Body::Outcome(Box::new(outcome.clone())),
        });
        out.grants.push(GrantChange::Remove(outcome.message));
        out.count(Count::Forwarded);
        return out;
    }
    use OutcomeStatus as S;
    match outcome.status {
        S::Sent | S::Refused | S::Unknown | S::Deferred | S::Moved => {
            hand_over(customer, outcome, world, &mut out)
        }
        S::Delivered | S::Opened | S::Clicked | S::Replied => {
            reaction(customer, outcome, &mut out);
            excuse(customer, outcome.at, world, &mut out);
        }
        S::Bounced => of_address(customer, outcome, Standing::Unreachable, world, &mut out),
        S::Complained => {
            // It is about the person, whatever address comes next: only an explicit, newer "yes" undoes it.
            deny(customer, outcome, &mut out);
            of_address(customer, outcome, Standing::Complained, world, &mut out);
        }
        S::Unsubscribed => {
            deny(customer, outcome, &mut out);
            of_address(customer, outcome, Standing::Denied, world, &mut out);
        }
    }
    out
}

/// What became of a message is also said of the address it went to, and to everybody who holds it.
fn of_address(
    customer: &mut Customer,
    outcome: &Outcome,
    standing: Standing,
    world: &World<'_>,
    out: &mut Effects,
) {
    let said = Report {
        channel: outcome.channel,
        topic: None,
        standing,
        clocks: (outcome.at, outcome.at),
        id: EventId(outcome.message.0),
        message: Some(outcome.message),
    };
    report(customer, said, world, out);
}

/// The person wants nothing more on this channel.
fn deny(customer: &mut Customer, outcome: &Outcome, out: &mut Effects) {
    let change = ConsentChange {
        channel: outcome.channel,
        topic: None,
        status: ConsentStatus::Denied,
        every: false,
    };
    consent(customer, &change, (outcome.at, outcome.at), out);
}

fn hand_over(customer: &mut Customer, outcome: &Outcome, world: &World<'_>, out: &mut Effects) {
    let Some(place) = customer
        .messages
        .iter()
        .position(|pending| pending.message == outcome.message)
    else {
        out.count(Count::Stale);
        if outcome.status == OutcomeStatus::Sent {
            sent_after_all(customer, outcome, world, out);
        }
        return;
    };
    let pending = customer.messages[place].clone();
    // What an older attempt could not do says nothing about the newer one. If it was sent, it was sent.
    if outcome.attempt != 0
        && outcome.attempt < pending.attempt
        && outcome.status != OutcomeStatus::Sent
    {
        out.count(Count::Stale);
        return;
    }
    customer.messages.remove(place);
    if reached_somebody(outcome) {
        book::offer::shown(customer, pending.journey, out);
    }
    let said = Said {
        status: outcome.status,
        reason: outcome.reason,
        retry_at: outcome.retry_at,
    };
    settle_message(customer, &pending, said, outcome.at, world, out);
    // Dispatch says that it did not send it. That nobody answered would not be enough to give its code to another.
    if !customer
        .journeys
        .iter()
        .any(|journey| journey.id == pending.journey)
        && outcome.status != OutcomeStatus::Moved
    {
        book::offer::take_back(customer, pending.journey, out);
    }
}

/// Whether somebody may have seen the message, and what it offers.
fn reached_somebody(outcome: &Outcome) -> bool {
    matches!(outcome.status, OutcomeStatus::Sent | OutcomeStatus::Unknown) && !outcome.rehearsed
}

/// A message went out that was thought not to: its step must not be sent again (INV-4).
fn sent_after_all(
    customer: &mut Customer,
    outcome: &Outcome,
    world: &World<'_>,
    out: &mut Effects,
) {
    let current = |journey: &crate::state::Journey, step: &str| {
        winback_contract::MessageId::of(journey.id, step) == outcome.message
    };
    let index = (0..customer.journeys.len()).find(|index| {
        let step = book::current_step(customer, *index, world);
        step.is_some_and(|step| current(&customer.journeys[*index], step))
    });
    let Some(index) = index.filter(|index| customer.journeys[*index].station == Station::Step)
    else {
        return;
    };
    let booking = Booking {
        message: outcome.message,
        channel: outcome.channel,
        at: outcome.at,
        counts: true,
        campaign: customer.journeys[index].campaign.clone(),
    };
    Customer::push_bounded(&mut customer.bookings, booking, limit::BOOKINGS);
    if reached_somebody(outcome) {
        book::offer::shown(customer, customer.journeys[index].id, out);
    }
    let step = book::current_step(customer, index, world).unwrap_or_default();
    let sent = Transition::Sent {
        step: step.to_owned(),
        message: outcome.message,
    };
    out.journeys
        .push(record(&customer.journeys[index], world, outcome.at, sent));
    let journey = &mut customer.journeys[index];
    journey.station = Station::Sending;
    journey.first_message_at = journey.first_message_at.or(Some(outcome.at));
    journey.last_message_at = Some(outcome.at);
    step_done(customer, index, outcome.at, world, out);
}

/// What is said of an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    pub(crate) status: OutcomeStatus,
    pub(crate) reason: Option<Reason>,
    /// Until when the provider asks to be left alone.
    pub(crate) retry_at: Option<Timestamp>,
}

/// The end of one attempt, reported by dispatch or found out by looking after it.
pub(crate) fn settle_message(
    customer: &mut Customer,
    pending: &Pending,
    said: Said,
    at: Timestamp,
    world: &World<'_>,
    out: &mut Effects,
) {
    let Said { status, reason, .. } = said;
    if pending.holder == world.customer {
        out.grants.push(GrantChange::Remove(pending.message));
    }
    let index = customer
        .journeys
        .iter()
        .position(|journey| journey.id == pending.journey);
    match status {
        OutcomeStatus::Sent => {
            // It reached the person now, however long ago it was decided: caps count from here.
            let mut bookings = customer.bookings.iter_mut();
            if let Some(booking) = bookings.find(|booking| booking.message == pending.message) {
                booking.at = booking.at.max(at);
            }
            let sent = Transition::Sent {
                step: pending.step.clone(),
                message: pending.message,
            };
            out.journeys
                .extend(told(customer, pending, at, sent, world));
            if let Some(index) = index {
                customer.behaviour.unanswered = customer.behaviour.unanswered.saturating_add(1);
                step_done(customer, index, at, world, out);
            }
        }
        OutcomeStatus::Unknown => {
            out.count(Count::Unknown);
            let policy = world
                .limits
                .ambiguous
                .get(&pending.channel)
                .copied()
                .unwrap_or_default();
            let lost = answers_lost(customer, pending);
            match (index, policy) {
                (Some(index), Ambiguous::Resend) if lost < RESENDS => {
                    out.count(Count::Resent);
                    let journey = customer.journeys[index].clone();
                    let what = What::Skip(Reason::Unknown);
                    keep(customer, &journey, pending.step.clone(), what, at);
                    unbook(customer, pending, out);
                    let journey = &mut customer.journeys[index];
                    again(journey);
                    if journey.station == Station::Step {
                        journey.hold = Some(Hold {
                            until: at + backoff(RESEND_AFTER, lost, LONGEST),
                            reason: Reason::Unknown,
                        });
                    }
                }
                (index, _) => {
                    let skipped = Transition::Skipped {
                        step: pending.step.clone(),
                        reason: Reason::Unknown,
                        because: None,
                    };
                    out.journeys
                        .extend(told(customer, pending, at, skipped, world));
                    let Some(index) = index else { return };
                    let journey = customer.journeys[index].clone();
                    let what = What::Skip(Reason::Unknown);
                    keep(customer, &journey, pending.step.clone(), what, at);
                    step_done(customer, index, at, world, out);
                }
            }
        }
        OutcomeStatus::Refused => {
            unbook(customer, pending, out);
            if reason == Some(Reason::Suppressed) {
                let said = Report {
                    channel: pending.channel,
                    topic: None,
                    standing: Standing::Unreachable,
                    clocks: (at, at),
                    id: EventId(pending.message.0),
                    message: Some(pending.message),
                };
                report(customer, said, world, out);
            }
            if let Some(index) = index {
                // No other channel would do better with the same text or the same goods.
                let skipped = reason
                    .filter(|reason| matches!(reason, Reason::TemplateError | Reason::NoStock));
                let journey = &mut customer.journeys[index];
                journey.refused.push(pending.channel);
                again(journey);
                if let Some(reason) = skipped {
                    let why = reason.into();
                    book::skip(customer, index, &pending.step, why, at, world, out);
                }
            }
        }
        // The step is judged again, with all that has been said since; its message id stays the same.
        OutcomeStatus::Deferred | OutcomeStatus::Moved => {
            unbook(customer, pending, out);
            if let Some(index) = index {
                let expires = book::expires_at(customer, index, world);
                let journey = &mut customer.journeys[index];
                again(journey);
                if let (Some(mut hold), Station::Step) = (
                    hold_after(&said, journey.attempts, at, world),
                    journey.station,
                ) {
                    if let Some(expires) = expires {
                        // It ends with the step itself: then the step is judged once more, and expires.
                        hold.until = hold.until.min(expires + Span::from_millis(1));
                    }
                    journey.hold = Some(hold);
                }
            }
        }
        _ => {}
    }
}

/// So often a step whose permission was gone is judged anew at once.
const AT_ONCE: u32 = 2;

/// How long a step waits that could not be sent for now; `attempts` includes the one that failed.
fn hold_after(said: &Said, attempts: u32, at: Timestamp, world: &World<'_>) -> Option<Hold> {
    let failures = attempts.saturating_sub(1);
    // Without a reason: the permission was gone, or outside its time by the store's clock. Once or twice that is a step that
    // was judged anew meanwhile; again and again it is a clock that went back, and must not go round as fast as it can.
    let reason = match said.reason {
        Some(reason) => reason,
        None if failures >= AT_ONCE => Reason::InputLag,
        None => return None,
    };
    let least = world.limits.claim_timeout;
    let until = match reason {
        Reason::Paused => at + least,
        // The frontier has to pass that moment first. Input that stays behind for long must not make a decision of
        // everybody every few seconds.
        Reason::InputLag => at + backoff(LAG_AFTER, failures, LAG_LONGEST),
        // The longer a provider is away the more rarely it is asked; what it asks for itself holds.
        Reason::ProviderDown => {
            let until = at + backoff(least, failures, LONGEST);
            said.retry_at.map_or(until, |retry_at| until.max(retry_at))
        }
        _ => return None,
    };
    Some(Hold { until, reason })
}

/// How often the answer of this step's message was lost already, in this journey.
fn answers_lost(customer: &Customer, pending: &Pending) -> u32 {
    let mut journeys = customer.journeys.iter();
    let began = journeys
        .find(|journey| journey.id == pending.journey)
        .and_then(|journey| journey.entered_at);
    let lost = customer.decisions.iter().filter(|kept| {
        kept.campaign == pending.campaign
            && kept.step == pending.step
            && is_lost(kept)
            && began.is_none_or(|began| kept.at >= began)
    });
    u32::try_from(lost.count()).unwrap_or(u32::MAX)
}

/// A record about a message. Its journey may have ended while it was on its way: what became of it is told all the same.
fn told(
    customer: &Customer,
    pending: &Pending,
    at: Timestamp,
    transition: Transition,
    world: &World<'_>,
) -> Option<JourneyRecord> {
    let mut journeys = customer.journeys.iter();
    let running = journeys.find(|journey| journey.id == pending.journey);
    let decided = |kept: &&Kept| {
        kept.campaign == pending.campaign
            && kept.step == pending.step
            && matches!(kept.what, What::Send(_))
    };
    let ended = || customer.decisions.iter().rev().find(decided);
    let bundle = running
        .map(|journey| journey.bundle)
        .or_else(|| ended().map(|kept| kept.bundle))
        .or_else(|| world.active.map(|bundle| bundle.hash))?;
    Some(JourneyRecord {
        v: JourneyRecord::VERSION,
        journey: pending.journey,
        customer: world.customer,
        campaign: pending.campaign.clone(),
        bundle,
        at,
        transition,
        input: None,
    })
}

fn step_done(
    customer: &mut Customer,
    index: usize,
    at: Timestamp,
    world: &World<'_>,
    out: &mut Effects,
) {
    let journey = &customer.journeys[index];
    if journey.station != Station::Sending {
        return;
    }
    // Waits count from the decision: how long a provider took is no part of the campaign.
    let base = journey.last_message_at.unwrap_or(at);
    let next = journey.at.saturating_add(1);
    settle(customer, index, next, base, world, out);
}

fn again(journey: &mut crate::state::Journey) {
    if journey.station == Station::Sending {
        journey.station = Station::Step;
        journey.hold = None;
    }
}

fn unbook(customer: &mut Customer, pending: &Pending, out: &mut Effects) {
    customer
        .bookings
        .retain(|booking| booking.message != pending.message);
    let id = pending.journey;
    let Some(index) = customer
        .journeys
        .iter()
        .position(|journey| journey.id == id)
    else {
        return;
    };
    let journey = &mut customer.journeys[index];
    journey.sent.retain(|step| *step != pending.step);
    if journey.first_message_at != journey.last_message_at {
        return;
    }
    // Nothing of it went out: it counts neither for re-entry nor for a goal.
    journey.first_message_at = None;
    journey.last_message_at = None;
    let campaign = journey.campaign.clone();
    let history = customer.history_mut(&campaign);
    history.won = None;
    history.count = history.count.saturating_sub(1);
    history.firsts.pop();
    history.first_message_at = history.firsts.last().copied();
    // What was offered with it never reached anybody, unless an earlier attempt of it may have.
    book::offer::take_back(customer, id, out);
    let offers = &customer.behaviour.offers;
    if !offers.iter().any(|given| given.journey == id) {
        customer.journeys[index].offer = None;
    }
}

fn reaction(customer: &mut Customer, outcome: &Outcome, out: &mut Effects) {
    let human = matches!(
        outcome.status,
        OutcomeStatus::Clicked | OutcomeStatus::Replied
    );
    if human && !outcome.bot {
        // The channel that draws reactions is the one the person prefers (playbook P39), also after the journey's end.
        let behaviour = &mut customer.behaviour;
        behaviour.unanswered = 0;
        let known = behaviour
            .reacted
            .iter_mut()
            .find(|(channel, _)| *channel == outcome.channel);
        match known {
            Some((_, count)) => *count = count.saturating_add(1),
            None => behaviour.reacted.push((outcome.channel, 1)),
        }
    }
    let journey = customer
        .journeys
        .iter_mut()
        .find(|journey| is_of(journey, outcome));
    let Some(journey) = journey else {
        out.count(Count::Stale);
        return;
    };
    match outcome.status {
        OutcomeStatus::Delivered => journey.reactions.delivered = true,
        _ if outcome.bot => {}
        OutcomeStatus::Opened => journey.reactions.opened = true,
        OutcomeStatus::Clicked => journey.reactions.clicked = true,
        OutcomeStatus::Replied => journey.reactions.replied = true,
        _ => {}
    }
}

/// Whether a message belongs to a journey: ids are made from the journey and the step's name.
fn is_of(journey: &crate::state::Journey, outcome: &Outcome) -> bool {
    journey.messages.contains(&outcome.message)
}
