//! The end of one attempt to send: it went out, it never will by this channel, it may later, or nobody knows.
//!
//! Invariant: INV-4. A definite refusal tries another channel under the same message id; a lost answer follows the channel's
//! policy and is counted. Absent: what customers do with a message; see the parent.

use winback_contract::{EventId, OutcomeStatus, Reason, Span, Standing, Timestamp, Transition};

use super::{again, step_done, told, unbook};
use crate::address::person::{Report, report};
use crate::backoff::backoff;
use crate::book;
use crate::customer::Customer;
use crate::effects::{Count, GrantChange};
use crate::records::{is_lost, keep};
use crate::scene::Scene;
use crate::state::{Hold, Pending, What};
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

/// What is said of an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    pub(crate) status: OutcomeStatus,
    pub(crate) reason: Option<Reason>,
    /// Until when the provider asks to be left alone.
    pub(crate) retry_at: Option<Timestamp>,
}

/// The end of one attempt, reported by dispatch or found out by looking after it.
pub(crate) fn settle_message(scene: &mut Scene<'_>, pending: &Pending, said: Said, at: Timestamp) {
    if pending.holder == scene.world.customer {
        scene.out.grants.push(GrantChange::Remove(pending.message));
    }
    match said.status {
        OutcomeStatus::Sent => sent(scene, pending, at),
        OutcomeStatus::Unknown => lost(scene, pending, at),
        OutcomeStatus::Refused => refused(scene, pending, said.reason, at),
        OutcomeStatus::Deferred | OutcomeStatus::Moved => not_now(scene, pending, &said, at),
        // Of these nobody waits: what they say is about the person, or about a message that was sent.
        OutcomeStatus::Delivered
        | OutcomeStatus::Opened
        | OutcomeStatus::Clicked
        | OutcomeStatus::Replied
        | OutcomeStatus::Bounced
        | OutcomeStatus::Complained
        | OutcomeStatus::Unsubscribed => {}
    }
}

/// It reached the person now, however long ago it was decided: caps count from here.
fn sent(scene: &mut Scene<'_>, pending: &Pending, at: Timestamp) {
    let mut bookings = scene.customer.bookings.iter_mut();
    if let Some(booking) = bookings.find(|booking| booking.message == pending.message) {
        booking.at = booking.at.max(at);
    }
    let sent = Transition::Sent {
        step: pending.step.clone(),
        message: pending.message,
    };
    tell(scene, pending, at, sent);
    if scene.journey(pending.journey).is_some() {
        let unanswered = &mut scene.customer.behaviour.unanswered;
        *unanswered = unanswered.saturating_add(1);
        step_done(scene, pending.journey, at);
    }
}

/// Whether it went out is not known: the channel's policy says what then.
fn lost(scene: &mut Scene<'_>, pending: &Pending, at: Timestamp) {
    scene.out.count(Count::Unknown);
    let policies = &scene.world.limits.ambiguous;
    let policy = policies.get(&pending.channel).copied().unwrap_or_default();
    let before = answers_lost(scene.customer, pending);
    let journey = scene.journey(pending.journey).cloned();
    let what = What::Skip(Reason::Unknown);
    match (journey, policy) {
        (Some(journey), Ambiguous::Resend) if before < RESENDS => {
            scene.out.count(Count::Resent);
            keep(scene.customer, &journey, pending.step.clone(), what, at);
            unbook(scene, pending);
            if let Some(journey) = scene.journey_mut(pending.journey)
                && again(journey)
            {
                journey.hold = Some(Hold {
                    until: at + backoff(RESEND_AFTER, before, LONGEST),
                    reason: Reason::Unknown,
                });
            }
        }
        (journey, _) => {
            let skipped = Transition::Skipped {
                step: pending.step.clone(),
                reason: Reason::Unknown,
                because: None,
            };
            tell(scene, pending, at, skipped);
            let Some(journey) = journey else { return };
            keep(scene.customer, &journey, pending.step.clone(), what, at);
            step_done(scene, pending.journey, at);
        }
    }
}

/// It definitely did not go out, and never will by this channel: the next one is tried.
fn refused(scene: &mut Scene<'_>, pending: &Pending, reason: Option<Reason>, at: Timestamp) {
    unbook(scene, pending);
    if reason == Some(Reason::Suppressed) {
        let said = Report {
            channel: pending.channel,
            topic: None,
            standing: Standing::Unreachable,
            clocks: (at, at),
            id: EventId(pending.message.0),
            message: Some(pending.message),
        };
        report(scene, said);
    }
    let Some(journey) = scene.journey_mut(pending.journey) else {
        return;
    };
    journey.refused.push(pending.channel);
    again(journey);
    // No other channel would do better with the same text or the same goods.
    let vain = |reason: &Reason| matches!(reason, Reason::TemplateError | Reason::NoStock);
    if let Some(reason) = reason.filter(vain) {
        book::skip(scene, pending.journey, &pending.step, reason.into(), at);
    }
}

/// The step is judged again, with all that has been said since; its message id stays the same.
fn not_now(scene: &mut Scene<'_>, pending: &Pending, said: &Said, at: Timestamp) {
    unbook(scene, pending);
    let world = scene.world;
    let Some(journey) = scene.journey_mut(pending.journey) else {
        return;
    };
    let expires = book::expires_at(journey, world);
    let is_judged_again = again(journey);
    if let Some(mut hold) = hold_after(said, journey.attempts, at, world)
        && is_judged_again
    {
        if let Some(expires) = expires {
            // It ends with the step itself: then the step is judged once more, and expires.
            hold.until = hold.until.min(expires + Span::from_millis(1));
        }
        journey.hold = Some(hold);
    }
}

/// A record about a message, if it can be told of what.
fn tell(scene: &mut Scene<'_>, pending: &Pending, at: Timestamp, transition: Transition) {
    let record = told(scene.customer, pending, at, transition, scene.world);
    scene.out.journeys.extend(record);
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
    let until = if reason == Reason::Paused {
        at + least
    } else if reason == Reason::InputLag {
        // The frontier has to pass that moment first. Input that stays behind for long must not make a decision of
        // everybody every few seconds.
        at + backoff(LAG_AFTER, failures, LAG_LONGEST)
    } else if reason == Reason::ProviderDown {
        // The longer a provider is away the more rarely it is asked; what it asks for itself holds.
        let until = at + backoff(least, failures, LONGEST);
        said.retry_at.map_or(until, |retry_at| until.max(retry_at))
    } else {
        return None;
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
