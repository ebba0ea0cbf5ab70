//! A decision is applied: bookings, grants, messages and the cascade change together, once per trigger.
//!
//! Invariants: INV-4 (the message id is of the step alone), INV-5 (a journey that ended meanwhile sends nothing),
//! INV-9 (every verdict is kept with its reason).

use winback_contract::{
    Channel, Decision, JourneyId, MessageId, Reason, StepDecision, Timestamp, Transition, Verdict,
};

use crate::customer::{Booking, Customer, limit};
use crate::decide;
use crate::effects::{Count, Effects, GrantChange, Why};
use crate::eligibility::{ends_by_order, is_replaced, tied};
use crate::end::{end, end_each};
use crate::program::settle;
use crate::records::{keep, record};
use crate::scene::Scene;
use crate::state::{Hold, Journey, Pending, Stage, What};
use crate::world::World;

mod message;
pub(crate) mod offer;

pub use message::message;

/// Applies the first decision of the open trigger; any other is stale.
pub fn apply(customer: &mut Customer, decision: &Decision, world: &World<'_>) -> Effects {
    Scene::play(customer, world, |scene| applied(scene, decision))
}

fn applied(scene: &mut Scene<'_>, decision: &Decision) {
    if scene.customer.trigger.as_ref().map(|trigger| trigger.id) != Some(decision.trigger) {
        scene.out.count(Count::Stale);
        return;
    }
    scene.customer.trigger = None;
    for step in &decision.steps {
        apply_step(scene, step, decision.now);
    }
}

fn apply_step(scene: &mut Scene<'_>, step: &StepDecision, now: Timestamp) {
    let Some(journey) = scene.journey(step.journey) else {
        // The journey ended while the decision was on its way; its end has its own record.
        return;
    };
    let id = journey.id;
    let current = step_of(journey, scene.world).map(|step| step.name.as_str());
    if journey.station != Stage::Step || current != Some(step.step.as_str()) {
        scene.out.count(Count::Stale);
        return;
    }
    match &step.verdict {
        Verdict::Send {
            channel,
            not_before,
            not_after,
            offer,
            without,
        } => {
            let sends = Sends {
                step: &step.step,
                channel: *channel,
                not_before: *not_before,
                not_after: *not_after,
                offer: *offer,
                without: *without,
            };
            send(scene, id, sends, now);
        }
        Verdict::Hold {
            until,
            reason,
            because,
        } => {
            let held = Transition::Held {
                step: step.step.clone(),
                reason: *reason,
                until: *until,
                because: because.clone(),
            };
            let until = (*until).max(now + MOMENT);
            let (reason, until) = (*reason, until);
            hold(scene, id, Hold { until, reason }, (held, now));
        }
        Verdict::Skip { reason, because } => {
            let why = Why {
                reason: *reason,
                because: because.clone(),
            };
            skip(scene, id, &step.step, why, now);
        }
    }
}

/// The step waits; that is told when the reason is another one than before.
fn hold(scene: &mut Scene<'_>, id: JourneyId, hold: Hold, (held, now): (Transition, Timestamp)) {
    let Some(journey) = scene.journey_mut(id) else {
        return;
    };
    let before = journey.hold.replace(hold);
    if before.map(|hold| hold.reason) == Some(hold.reason) {
        return;
    }
    let journey = journey.clone();
    if let Transition::Held { step, until, .. } = &held {
        let what = What::Hold(hold.reason, *until);
        keep(scene.customer, &journey, step.clone(), what, now);
    }
    let told = record(&journey, scene.world, now, held);
    scene.out.journeys.push(told);
}

/// A hold always ends later than it began: no loop without time.
const MOMENT: winback_contract::Span = winback_contract::Span::from_millis(1);

/// The step at which a journey stands.
pub(crate) fn step_of<'w>(
    journey: &Journey,
    world: &World<'w>,
) -> Option<&'w winback_campaign::Step> {
    let campaign = world.bundles.campaign(journey.bundle, &journey.campaign)?;
    campaign.entries.get(usize::from(journey.at))?.step()
}

/// When the step at which a journey stands expires.
pub(crate) fn expires_at(journey: &Journey, world: &World<'_>) -> Option<Timestamp> {
    Some(journey.due + step_of(journey, world)?.expires)
}

/// What a decision to send says.
struct Sends<'d> {
    step: &'d str,
    channel: Channel,
    not_before: Timestamp,
    not_after: Timestamp,
    /// Whether the offer goes along.
    offer: bool,
    /// Why it does not.
    without: Option<Reason>,
}

fn send(scene: &mut Scene<'_>, id: JourneyId, mut sends: Sends<'_>, now: Timestamp) {
    if stays(scene, id, &sends, now) || lacks_offer(scene, id, &mut sends, now) {
        return;
    }
    let Some(journey) = goes_out(scene, id, sends.step, now) else {
        return;
    };
    let is_first = journey.first_message_at == Some(now);
    if is_first {
        has_begun(scene, &journey, now);
    }
    let pending = Pending {
        message: MessageId::of(id, sends.step),
        journey: id,
        campaign: journey.campaign.clone(),
        step: sends.step.to_owned(),
        channel: sends.channel,
        attempt: journey.attempts,
        holder: scene.world.customer,
        partition: scene.world.partition,
        not_after: sends.not_after,
        check_at: now + scene.world.limits.claim_timeout,
        checks: 0,
    };
    tell_booked(scene, &journey, (&pending, sends.without), now);
    book(scene, &journey, &pending, now);
    grant(scene, &pending, sends.not_before);
    scene.customer.messages.push(pending);
    if is_first {
        replace_others(scene, &journey, now);
    }
}

/// Makes the offer of the step where it is still to be made. True where the step is nothing without it, and is passed over.
fn lacks_offer(
    scene: &mut Scene<'_>,
    id: JourneyId,
    sends: &mut Sends<'_>,
    now: Timestamp,
) -> bool {
    let Some(journey) = scene
        .journey(id)
        .filter(|journey| sends.offer && journey.offer.is_none())
    else {
        return false;
    };
    // The pool may have run dry since the decision.
    match offer::issue(scene, journey, sends.step, now) {
        Some(made) => offer::give(scene, id, made, now),
        None if offer::is_vital(journey, sends.step, scene.world) => {
            skip(scene, id, sends.step, Reason::NoCoupon.into(), now);
            return true;
        }
        None => sends.without = Some(Reason::NoCoupon),
    }
    false
}

/// The journey as it is once this step goes out.
fn goes_out(scene: &mut Scene<'_>, id: JourneyId, step: &str, now: Timestamp) -> Option<Journey> {
    let message = MessageId::of(id, step);
    let journey = scene.journey_mut(id)?;
    journey.attempts = journey.attempts.saturating_add(1);
    journey.station = Stage::Sending;
    journey.hold = None;
    if !journey.messages.contains(&message) {
        journey.messages.push(message);
    }
    if !journey.sent.iter().any(|known| known == step) {
        journey.sent.push(step.to_owned());
    }
    journey.first_message_at = journey.first_message_at.or(Some(now));
    journey.last_message_at = Some(now);
    Some(journey.clone())
}

/// The record of a booked step, and what the customer remembers of it.
fn tell_booked(
    scene: &mut Scene<'_>,
    journey: &Journey,
    (pending, without): (&Pending, Option<Reason>),
    now: Timestamp,
) {
    let booked = Transition::Booked {
        step: pending.step.clone(),
        channel: pending.channel,
        message: pending.message,
    };
    let told = record(journey, scene.world, now, booked);
    scene.out.journeys.push(told);
    let what = What::Send(pending.channel);
    keep(scene.customer, journey, pending.step.clone(), what, now);
    if let Some(reason) = without {
        if reason == Reason::NoCoupon {
            scene.out.count(Count::CouponMissing);
        }
        let what = What::Without(reason);
        keep(scene.customer, journey, pending.step.clone(), what, now);
    }
}

/// It counts towards caps as of now.
fn book(scene: &mut Scene<'_>, journey: &Journey, pending: &Pending, now: Timestamp) {
    let booking = Booking {
        message: pending.message,
        channel: pending.channel,
        at: now,
        counts: counts(journey, scene.world),
        campaign: journey.campaign.clone(),
    };
    let bookings = &mut scene.customer.bookings;
    bookings.retain(|booking| booking.message != pending.message);
    if Customer::push_bounded(bookings, booking, limit::BOOKINGS) {
        scene.out.count(Count::Truncated);
    }
}

/// Whether the step does not go out after all, by what has changed since it was decided.
fn stays(scene: &mut Scene<'_>, id: JourneyId, sends: &Sends<'_>, now: Timestamp) -> bool {
    let Some(journey) = scene.journey(id) else {
        return true;
    };
    let (until, reason, count) = if scene.customer.messages.len() >= limit::MESSAGES {
        // Too many answers are awaited: the step waits for one of them.
        let until = now + scene.world.limits.claim_timeout;
        (until, Reason::Arbitration, Count::Truncated)
    } else if let Some(reason) = refusal(scene.customer, journey, sends.channel, scene.world) {
        // The decision is of an older moment: what the person has said since holds (INV-5, INV-11).
        (now + MOMENT, reason, Count::Stale)
    } else {
        let is_first = journey.first_message_at.is_none();
        let stays = is_first && is_replaced(scene.customer, journey, scene.world);
        if stays {
            skip(scene, id, sends.step, Reason::Replaced.into(), now);
        }
        return stays;
    };
    scene.out.count(count);
    if let Some(journey) = scene.journey_mut(id) {
        journey.hold = Some(Hold { until, reason });
    }
    true
}

/// The first message of a journey counts for re-entry, for limits, and for those of which only one runs.
fn has_begun(scene: &mut Scene<'_>, journey: &Journey, now: Timestamp) {
    let history = scene.customer.history_mut(&journey.campaign);
    history.count = history.count.saturating_add(1);
    history.first_message_at = Some(now);
    history.won = Some(journey.key.clone());
    history.firsts.push(now);
    let over = history.firsts.len().saturating_sub(limit::FIRSTS);
    history.firsts.drain(..over);
}

/// Whichever of those of which only one runs sends first has the key: the others end as replaced.
fn replace_others(scene: &mut Scene<'_>, first: &Journey, now: Timestamp) {
    let tied = tied(first, scene.world);
    let is_live = scene
        .world
        .bundles
        .campaign(first.bundle, &first.campaign)
        .is_some_and(|campaign| campaign.mode == winback_campaign::model::Mode::Live);
    if tied.is_empty() || !is_live {
        return;
    }
    end_each(scene, Reason::Replaced, now, |_, other| {
        tied.contains(&other.campaign.as_str())
            && other.key == first.key
            && other.first_message_at.is_none()
    });
}

/// Whether the channel may no longer be used, by the state of this moment.
fn refusal(
    customer: &Customer,
    journey: &Journey,
    channel: Channel,
    world: &World<'_>,
) -> Option<Reason> {
    let campaign = world.bundles.campaign(journey.bundle, &journey.campaign)?;
    let policy = &world.active?.policy;
    let topic = policy.topics.get(&campaign.topic)?;
    let bundle = world.active?;
    let rule = (campaign.topic.as_str(), topic);
    let stops = ends_by_order(campaign, bundle);
    decide::channel::choose(customer, journey, &[channel], rule, stops).err()
}

/// Whether messages of a journey count towards caps.
fn counts(journey: &Journey, world: &World<'_>) -> bool {
    let topic = world.active.and_then(|bundle| {
        let campaign = world.bundles.campaign(journey.bundle, &journey.campaign)?;
        bundle.policy.topics.get(&campaign.topic)
    });
    !topic.is_some_and(|topic| topic.caps_exempt)
}

/// The permission and the message, for a first or a repeated attempt.
pub(crate) fn grant(scene: &mut Scene<'_>, pending: &Pending, not_before: Timestamp) {
    let Some(made) = message(scene.customer, pending, not_before, scene.world) else {
        return;
    };
    scene.out.grants.push(GrantChange::Grant {
        message: pending.message,
        attempt: pending.attempt,
        not_before,
        not_after: pending.not_after,
    });
    scene.out.messages.push(made);
}

/// A step that will not be sent: the cascade goes on, or the journey ends if its audience does not hold.
pub(crate) fn skip(
    scene: &mut Scene<'_>,
    id: JourneyId,
    step: &str,
    Why { reason, because }: Why,
    now: Timestamp,
) {
    let Some(journey) = scene.journey(id).cloned() else {
        return;
    };
    let skipped = Transition::Skipped {
        step: step.to_owned(),
        reason,
        because,
    };
    let told = record(&journey, scene.world, now, skipped);
    scene.out.journeys.push(told);
    let what = What::Skip(reason);
    keep(scene.customer, &journey, step.to_owned(), what, now);
    if reason == Reason::NoCoupon {
        scene.out.count(Count::CouponMissing);
    }
    let refused = matches!(reason, Reason::OfferGuard | Reason::NoCoupon)
        && offer::ends(&journey, step, scene.world);
    if refused
        || matches!(
            reason,
            Reason::Audience | Reason::OtherCurrency | Reason::Erased | Reason::Replaced
        )
    {
        end(scene, id, reason, now);
        return;
    }
    if reason == Reason::Holdout && journey.first_message_at.is_none() {
        // In a holdout it would have been sent: that counts for re-entry.
        if let Some(journey) = scene.journey_mut(id) {
            journey.first_message_at = Some(now);
        }
        let history = scene.customer.history_mut(&journey.campaign);
        history.won = Some(journey.key.clone());
        history.count = history.count.saturating_add(1);
        history.first_message_at = Some(now);
    }
    // For want of a channel nobody was disturbed: the next wait is passed over (ADR 0015).
    let no_channel = matches!(
        reason,
        Reason::NoAddress | Reason::NoConsent | Reason::Suppressed
    );
    let next = journey.at.saturating_add(1);
    let next_is_wait = scene
        .world
        .bundles
        .campaign(journey.bundle, &journey.campaign)
        .is_some_and(|campaign| {
            matches!(
                campaign.entries.get(usize::from(next)),
                Some(winback_campaign::Entry::Wait { .. })
            )
        });
    let next = if no_channel && next_is_wait {
        next.saturating_add(1)
    } else {
        next
    };
    settle(scene, id, next, now);
}
