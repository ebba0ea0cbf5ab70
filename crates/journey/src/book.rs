//! A decision is applied: bookings, grants, messages and the cascade change together, once per trigger.
//!
//! Invariants: INV-4 (the message id is of the step alone), INV-5 (a journey that ended meanwhile sends nothing),
//! INV-9 (every verdict is kept with its reason).

use winback_contract::{
    Channel, Decision, MessageId, Reason, StepDecision, Timestamp, Transition, Verdict,
};

use crate::customer::{Booking, Customer, limit};
use crate::decide;
use crate::effects::{Count, Effects, GrantChange, Why};
use crate::eligibility::{ends_by_order, is_replaced, tied};
use crate::end::end;
use crate::program::settle;
use crate::records::{keep, record};
use crate::scene::Scene;
use crate::state::{Hold, Journey, Pending, Station, What};
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
    let Some(index) = scene.place_of(step.journey) else {
        // The journey ended while the decision was on its way; its end has its own record.
        return;
    };
    let journey = &scene.customer.journeys[index];
    if journey.station != Station::Step
        || current_step(scene.customer, index, scene.world) != Some(step.step.as_str())
    {
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
            send(
                scene,
                index,
                &step.step,
                (*channel, *not_before, *not_after, *offer, *without),
                now,
            );
        }
        Verdict::Hold {
            until,
            reason,
            because,
        } => {
            let journey = journey.clone();
            let news = journey.hold.map(|hold| hold.reason) != Some(*reason);
            scene.customer.journeys[index].hold = Some(Hold {
                until: (*until).max(now + MOMENT),
                reason: *reason,
            });
            if news {
                let held = Transition::Held {
                    step: step.step.clone(),
                    reason: *reason,
                    until: *until,
                    because: because.clone(),
                };
                scene
                    .out
                    .journeys
                    .push(record(&journey, scene.world, now, held));
                keep(
                    scene.customer,
                    &journey,
                    step.step.clone(),
                    What::Hold(*reason, *until),
                    now,
                );
            }
        }
        Verdict::Skip { reason, because } => {
            let why = Why {
                reason: *reason,
                because: because.clone(),
            };
            skip(scene, index, &step.step, why, now);
        }
    }
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

pub(crate) fn current_step<'w>(
    customer: &Customer,
    index: usize,
    world: &World<'w>,
) -> Option<&'w str> {
    step_of(&customer.journeys[index], world).map(|step| step.name.as_str())
}

/// When the step at which a journey stands expires.
pub(crate) fn expires_at(
    customer: &Customer,
    index: usize,
    world: &World<'_>,
) -> Option<Timestamp> {
    let journey = &customer.journeys[index];
    Some(journey.due + step_of(journey, world)?.expires)
}

/// What a decision to send says: the channel, its window, whether the offer goes along, and why not.
type Sends = (Channel, Timestamp, Timestamp, bool, Option<Reason>);

fn send(
    scene: &mut Scene<'_>,
    index: usize,
    step: &str,
    (channel, not_before, not_after, offer, mut without): Sends,
    now: Timestamp,
) {
    if stays(scene, index, step, channel, now) {
        return;
    }
    let journey = &scene.customer.journeys[index];
    let id = MessageId::of(journey.id, step);
    if offer && journey.offer.is_none() {
        // The pool may have run dry since the decision.
        match offer::issue(scene, index, step, now) {
            Some(made) => offer::give(scene, index, made, now),
            None if offer::is_vital(scene.customer, index, step, scene.world) => {
                let why = Reason::NoCoupon.into();
                skip(scene, index, step, why, now);
                return;
            }
            None => without = Some(Reason::NoCoupon),
        }
    }
    let counts = counts(scene.customer, index, scene.world);
    let journey = &mut scene.customer.journeys[index];
    journey.attempts = journey.attempts.saturating_add(1);
    journey.station = Station::Sending;
    journey.hold = None;
    if !journey.messages.contains(&id) {
        journey.messages.push(id);
    }
    if !journey.sent.iter().any(|known| known == step) {
        journey.sent.push(step.to_owned());
    }
    journey.first_message_at = journey.first_message_at.or(Some(now));
    journey.last_message_at = Some(now);
    let journey = journey.clone();
    if journey.first_message_at == Some(now) {
        has_begun(scene, &journey, now);
    }
    let pending = Pending {
        message: id,
        journey: journey.id,
        campaign: journey.campaign.clone(),
        step: step.to_owned(),
        channel,
        attempt: journey.attempts,
        holder: scene.world.customer,
        partition: scene.world.partition,
        not_after,
        check_at: now + scene.world.limits.claim_timeout,
        checks: 0,
    };
    let booked = Transition::Booked {
        step: step.to_owned(),
        channel,
        message: id,
    };
    scene
        .out
        .journeys
        .push(record(&journey, scene.world, now, booked));
    keep(
        scene.customer,
        &journey,
        step.to_owned(),
        What::Send(channel),
        now,
    );
    if let Some(reason) = without {
        if reason == Reason::NoCoupon {
            scene.out.count(Count::CouponMissing);
        }
        let what = What::Without(reason);
        keep(scene.customer, &journey, step.to_owned(), what, now);
    }
    let booking = Booking {
        message: id,
        channel,
        at: now,
        counts,
        campaign: journey.campaign.clone(),
    };
    let bookings = &mut scene.customer.bookings;
    bookings.retain(|booking| booking.message != id);
    if Customer::push_bounded(bookings, booking, limit::BOOKINGS) {
        scene.out.count(Count::Truncated);
    }
    grant(scene, &pending, not_before);
    scene.customer.messages.push(pending);
    if journey.first_message_at == Some(now) {
        replace_others(scene, &journey, now);
    }
}

/// Whether the step does not go out after all, by what has changed since it was decided.
fn stays(
    scene: &mut Scene<'_>,
    index: usize,
    step: &str,
    channel: Channel,
    now: Timestamp,
) -> bool {
    if scene.customer.messages.len() >= limit::MESSAGES {
        // Too many answers are awaited: the step waits for one of them.
        let until = now + scene.world.limits.claim_timeout;
        scene.customer.journeys[index].hold = Some(Hold {
            until,
            reason: Reason::Arbitration,
        });
        scene.out.count(Count::Truncated);
        return true;
    }
    // The decision is of an older moment: what the person has said since holds (INV-5, INV-11).
    if let Some(reason) = refusal(scene.customer, index, channel, scene.world) {
        scene.customer.journeys[index].hold = Some(Hold {
            until: now + MOMENT,
            reason,
        });
        scene.out.count(Count::Stale);
        return true;
    }
    if scene.customer.journeys[index].first_message_at.is_none()
        && is_replaced(scene.customer, index, scene.world)
    {
        let why = Reason::Replaced.into();
        skip(scene, index, step, why, now);
        return true;
    }
    false
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
    let mut index = 0;
    while index < scene.customer.journeys.len() {
        let other = &scene.customer.journeys[index];
        let goes = tied.contains(&other.campaign.as_str())
            && other.key == first.key
            && other.first_message_at.is_none();
        if goes {
            end(scene, index, Reason::Replaced, now);
        } else {
            index += 1;
        }
    }
}

/// Whether the channel may no longer be used, by the state of this moment.
fn refusal(
    customer: &Customer,
    index: usize,
    channel: Channel,
    world: &World<'_>,
) -> Option<Reason> {
    let journey = &customer.journeys[index];
    let campaign = world.bundles.campaign(journey.bundle, &journey.campaign)?;
    let policy = &world.active?.policy;
    let topic = policy.topics.get(&campaign.topic)?;
    let bundle = world.active?;
    let rule = (campaign.topic.as_str(), topic);
    let stops = ends_by_order(campaign, bundle);
    decide::channel::choose(customer, journey, &[channel], rule, stops).err()
}

/// Whether messages of a journey count towards caps.
fn counts(customer: &Customer, index: usize, world: &World<'_>) -> bool {
    let journey = &customer.journeys[index];
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
    index: usize,
    step: &str,
    Why { reason, because }: Why,
    now: Timestamp,
) {
    let journey = scene.customer.journeys[index].clone();
    scene.out.journeys.push(record(
        &journey,
        scene.world,
        now,
        Transition::Skipped {
            step: step.to_owned(),
            reason,
            because,
        },
    ));
    keep(
        scene.customer,
        &journey,
        step.to_owned(),
        What::Skip(reason),
        now,
    );
    if reason == Reason::NoCoupon {
        scene.out.count(Count::CouponMissing);
    }
    let refused = matches!(reason, Reason::OfferGuard | Reason::NoCoupon)
        && offer::ends(scene.customer, index, step, scene.world);
    if refused
        || matches!(
            reason,
            Reason::Audience | Reason::OtherCurrency | Reason::Erased | Reason::Replaced
        )
    {
        end(scene, index, reason, now);
        return;
    }
    if reason == Reason::Holdout && journey.first_message_at.is_none() {
        // In a holdout it would have been sent: that counts for re-entry.
        scene.customer.journeys[index].first_message_at = Some(now);
        let history = scene.customer.history_mut(&journey.campaign);
        history.won = Some(journey.key.clone());
        history.count = history.count.saturating_add(1);
        history.first_message_at = Some(now);
    }
    // For want of a channel nobody was disturbed: the next wait is passed over (grammar, rule 3).
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
    settle(scene, index, next, now);
}
