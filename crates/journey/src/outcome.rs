//! What became of a message: the cascade goes on, tries the next channel, or judges the step again.
//!
//! Invariant: INV-4. A definite refusal tries another channel under the same message id; a lost answer follows the
//! channel's policy and is counted; an answer nobody waits for changes nothing but reactions.

use winback_contract::{
    Body, ConsentChange, ConsentStatus, EventId, JourneyId, JourneyRecord, MessageId, Outcome,
    OutcomeStatus, SourceKind, Standing, Timestamp, Transition,
};

use crate::address::person::{Report, report};
use crate::book;
use crate::consent::consent;
use crate::customer::{Booking, Customer, limit};
use crate::effects::{Count, Effects, Forward, GrantChange};
use crate::program::settle;
use crate::reacted::excuse;
use crate::records::record;
use crate::scene::Scene;
use crate::state::{DecisionTrace, Journey, Pending, Stage, What};
use crate::world::World;

pub(crate) mod attempt;

pub(crate) use attempt::{Said, settle_message};

/// Applies an outcome.
pub fn apply(customer: &mut Customer, outcome: &Outcome, world: &World<'_>) -> Effects {
    Scene::play(customer, world, |scene| applied(scene, outcome))
}

fn applied(scene: &mut Scene<'_>, outcome: &Outcome) {
    if let Some(mark) = scene.customer.forward {
        scene.out.forwards.push(Forward {
            to: mark.owner,
            id: EventId(outcome.message.0),
            kind: SourceKind::Live,
            arrival: outcome.at,
            at: outcome.at,
            body: Body::Outcome(Box::new(outcome.clone())),
        });
        // What customers do with a message says nothing of its claim: a copy that is read again must find it taken (INV-4).
        if ends_an_attempt(outcome.status) {
            scene.out.grants.push(GrantChange::Remove(outcome.message));
        }
        scene.out.count(Count::Forwarded);
        return;
    }
    use OutcomeStatus as S;
    match outcome.status {
        S::Sent | S::Refused | S::Unknown | S::Deferred | S::Moved => hand_over(scene, outcome),
        S::Delivered | S::Opened | S::Clicked | S::Replied => {
            reaction(scene, outcome);
            excuse(scene, outcome.at);
        }
        S::Bounced => of_address(scene, outcome, Standing::Unreachable),
        S::Complained => {
            // It is about the person, whatever address comes next: only an explicit, newer "yes" undoes it.
            deny(scene, outcome);
            of_address(scene, outcome, Standing::Complained);
        }
        S::Unsubscribed => {
            deny(scene, outcome);
            of_address(scene, outcome, Standing::Denied);
        }
    }
}

/// Whether it says how an attempt to send ended.
fn ends_an_attempt(status: OutcomeStatus) -> bool {
    use OutcomeStatus as S;
    match status {
        S::Sent | S::Refused | S::Unknown | S::Deferred | S::Moved => true,
        S::Delivered | S::Opened | S::Clicked | S::Replied => false,
        S::Bounced | S::Complained | S::Unsubscribed => false,
    }
}

/// What became of a message is also said of the address it went to, and to everybody who holds it.
fn of_address(scene: &mut Scene<'_>, outcome: &Outcome, standing: Standing) {
    let said = Report {
        channel: outcome.channel,
        topic: None,
        standing,
        clocks: (outcome.at, outcome.at),
        id: EventId(outcome.message.0),
        message: Some(outcome.message),
    };
    report(scene, said);
}

/// The person wants nothing more on this channel.
fn deny(scene: &mut Scene<'_>, outcome: &Outcome) {
    let change = ConsentChange {
        channel: outcome.channel,
        topic: None,
        status: ConsentStatus::Denied,
        every: false,
    };
    consent(scene, &change, (outcome.at, outcome.at));
}

fn hand_over(scene: &mut Scene<'_>, outcome: &Outcome) {
    let Some(index) = scene
        .customer
        .messages
        .iter()
        .position(|pending| pending.message == outcome.message)
    else {
        scene.out.count(Count::Stale);
        if outcome.status == OutcomeStatus::Sent {
            sent_after_all(scene, outcome);
        }
        return;
    };
    let pending = scene.customer.messages[index].clone();
    // What an older attempt could not do says nothing about the newer one. If it was sent, it was sent.
    if outcome.attempt != 0
        && outcome.attempt < pending.attempt
        && outcome.status != OutcomeStatus::Sent
    {
        scene.out.count(Count::Stale);
        return;
    }
    scene.customer.messages.remove(index);
    if reached_somebody(outcome) {
        book::offer::shown(scene, pending.journey);
    }
    let said = Said {
        status: outcome.status,
        reason: outcome.reason,
        retry_at: outcome.retry_at,
    };
    settle_message(scene, &pending, said, outcome.at);
    // Dispatch says that it did not send it. That nobody answered would not be enough to give its code to another.
    if !scene
        .customer
        .journeys
        .iter()
        .any(|journey| journey.id == pending.journey)
        && outcome.status != OutcomeStatus::Moved
    {
        book::offer::take_back(scene, pending.journey);
    }
}

/// Whether somebody may have seen the message, and what it offers.
fn reached_somebody(outcome: &Outcome) -> bool {
    matches!(outcome.status, OutcomeStatus::Sent | OutcomeStatus::Unknown) && !outcome.rehearsed
}

/// A message went out that was thought not to: its step must not be sent again (INV-4).
fn sent_after_all(scene: &mut Scene<'_>, outcome: &Outcome) {
    let world = scene.world;
    let step_of = |journey: &Journey| {
        let step = book::step_of(journey, world)?.name.as_str();
        (MessageId::of(journey.id, step) == outcome.message).then_some(step)
    };
    let mut journeys = scene.customer.journeys.iter_mut();
    let found = journeys.find_map(|journey| step_of(journey).map(|step| (journey, step)));
    let Some((journey, step)) = found.filter(|(journey, _)| journey.station == Stage::Step) else {
        return;
    };
    let sent = Transition::Sent {
        step: step.to_owned(),
        message: outcome.message,
    };
    let told = record(journey, world, outcome.at, sent);
    journey.station = Stage::Sending;
    journey.first_message_at = journey.first_message_at.or(Some(outcome.at));
    journey.last_message_at = Some(outcome.at);
    let id = journey.id;
    let booking = Booking {
        message: outcome.message,
        channel: outcome.channel,
        at: outcome.at,
        counts: true,
        campaign: journey.campaign.clone(),
    };
    Customer::push_bounded(&mut scene.customer.bookings, booking, limit::BOOKINGS);
    if reached_somebody(outcome) {
        book::offer::shown(scene, id);
    }
    scene.out.journeys.push(told);
    step_done(scene, id, outcome.at);
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
    let decided = |kept: &&DecisionTrace| {
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

fn step_done(scene: &mut Scene<'_>, id: JourneyId, at: Timestamp) {
    let is_sending = |journey: &&Journey| journey.station == Stage::Sending;
    let Some(journey) = scene.journey(id).filter(is_sending) else {
        return;
    };
    // Waits count from the decision: how long a provider took is no part of the campaign.
    let base = journey.last_message_at.unwrap_or(at);
    let next = journey.at.saturating_add(1);
    settle(scene, id, next, base);
}

/// The step is judged again; whether the journey stands at a step then.
fn again(journey: &mut Journey) -> bool {
    if journey.station == Stage::Sending {
        journey.station = Stage::Step;
        journey.hold = None;
    }
    journey.station == Stage::Step
}

fn unbook(scene: &mut Scene<'_>, pending: &Pending) {
    scene
        .customer
        .bookings
        .retain(|booking| booking.message != pending.message);
    let Some(journey) = scene.journey_mut(pending.journey) else {
        return;
    };
    journey.sent.retain(|step| *step != pending.step);
    if journey.first_message_at != journey.last_message_at {
        return;
    }
    // Nothing of it went out: it counts neither for re-entry nor for a goal.
    journey.first_message_at = None;
    journey.last_message_at = None;
    let campaign = journey.campaign.clone();
    let history = scene.customer.history_mut(&campaign);
    history.won = None;
    history.count = history.count.saturating_sub(1);
    history.firsts.pop();
    history.first_message_at = history.firsts.last().copied();
    // What was offered with it never reached anybody, unless an earlier attempt of it may have.
    book::offer::take_back(scene, pending.journey);
    let offers = &scene.customer.behaviour.offers;
    if !offers.iter().any(|given| given.journey == pending.journey)
        && let Some(journey) = scene.journey_mut(pending.journey)
    {
        journey.offer = None;
    }
}

fn reaction(scene: &mut Scene<'_>, outcome: &Outcome) {
    let human = matches!(
        outcome.status,
        OutcomeStatus::Clicked | OutcomeStatus::Replied
    );
    if human && !outcome.bot {
        // The channel that draws reactions is the one the person prefers (playbook P39), also after the journey's end.
        let behaviour = &mut scene.customer.behaviour;
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
    let journey = scene
        .customer
        .journeys
        .iter_mut()
        .find(|journey| is_of(journey, outcome));
    let Some(journey) = journey else {
        scene.out.count(Count::Stale);
        return;
    };
    use OutcomeStatus as S;
    let by_person = !outcome.bot;
    let reactions = &mut journey.reactions;
    match outcome.status {
        S::Delivered => reactions.delivered = true,
        S::Opened => reactions.opened |= by_person,
        S::Clicked => reactions.clicked |= by_person,
        S::Replied => reactions.replied |= by_person,
        S::Sent | S::Refused | S::Unknown | S::Deferred | S::Moved => {}
        S::Bounced | S::Complained | S::Unsubscribed => {}
    }
}

/// Whether a message belongs to a journey: ids are made from the journey and the step's name.
fn is_of(journey: &Journey, outcome: &Outcome) -> bool {
    journey.messages.contains(&outcome.message)
}
