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
use crate::state::{Hold, Journey, Pending, Station, What};
use crate::world::World;

mod message;
pub(crate) mod offer;

pub use message::message;

/// Applies the first decision of the open trigger; any other is stale.
pub fn apply(customer: &mut Customer, decision: &Decision, world: &World<'_>) -> Effects {
    let mut out = Effects::default();
    if customer.trigger.as_ref().map(|trigger| trigger.id) != Some(decision.trigger) {
        out.count(Count::Stale);
        return out;
    }
    customer.trigger = None;
    for step in &decision.steps {
        apply_step(customer, step, decision.now, world, &mut out);
    }
    out
}

fn apply_step(
    customer: &mut Customer,
    step: &StepDecision,
    now: Timestamp,
    world: &World<'_>,
    out: &mut Effects,
) {
    let Some(index) = customer
        .journeys
        .iter()
        .position(|journey| journey.id == step.journey)
    else {
        // The journey ended while the decision was on its way; its end has its own record.
        return;
    };
    let journey = &customer.journeys[index];
    if journey.station != Station::Step
        || current_step(customer, index, world) != Some(step.step.as_str())
    {
        out.count(Count::Stale);
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
                customer,
                index,
                &step.step,
                (*channel, *not_before, *not_after, *offer, *without),
                now,
                world,
                out,
            );
        }
        Verdict::Hold {
            until,
            reason,
            because,
        } => {
            let journey = journey.clone();
            let news = journey.hold.map(|hold| hold.reason) != Some(*reason);
            customer.journeys[index].hold = Some(Hold {
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
                out.journeys.push(record(&journey, world, now, held));
                keep(
                    customer,
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
            skip(customer, index, &step.step, why, now, world, out);
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
    match campaign.entries.get(usize::from(journey.at))? {
        winback_campaign::Entry::Step(step) => Some(step),
        _ => None,
    }
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
    customer: &mut Customer,
    index: usize,
    step: &str,
    (channel, not_before, not_after, offer, mut without): Sends,
    now: Timestamp,
    world: &World<'_>,
    out: &mut Effects,
) {
    if customer.messages.len() >= limit::MESSAGES {
        // Too many answers are awaited: the step waits for one of them.
        let until = now + world.limits.claim_timeout;
        customer.journeys[index].hold = Some(Hold {
            until,
            reason: Reason::Arbitration,
        });
        out.count(Count::Truncated);
        return;
    }
    // The decision is of an older moment: what the person has said since holds (INV-5, INV-11).
    if let Some(reason) = refusal(customer, index, channel, world) {
        customer.journeys[index].hold = Some(Hold {
            until: now + MOMENT,
            reason,
        });
        out.count(Count::Stale);
        return;
    }
    if customer.journeys[index].first_message_at.is_none() && is_replaced(customer, index, world) {
        let why = Reason::Replaced.into();
        skip(customer, index, step, why, now, world, out);
        return;
    }
    let journey = &customer.journeys[index];
    let id = MessageId::of(journey.id, step);
    if offer && journey.offer.is_none() {
        // The pool may have run dry since the decision.
        match offer::issue(customer, index, step, now, world, out) {
            Some(made) => offer::give(customer, index, made, now, out),
            None if offer::is_vital(customer, index, step, world) => {
                let why = Reason::NoCoupon.into();
                skip(customer, index, step, why, now, world, out);
                return;
            }
            None => without = Some(Reason::NoCoupon),
        }
    }
    let counts = counts(customer, index, world);
    let journey = &mut customer.journeys[index];
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
    let history = customer.history_mut(&journey.campaign);
    if journey.first_message_at == Some(now) {
        history.count = history.count.saturating_add(1);
        history.first_message_at = Some(now);
        history.won = Some(journey.key.clone());
        history.firsts.push(now);
        let over = history.firsts.len().saturating_sub(limit::FIRSTS);
        history.firsts.drain(..over);
    }
    let pending = Pending {
        message: id,
        journey: journey.id,
        campaign: journey.campaign.clone(),
        step: step.to_owned(),
        channel,
        attempt: journey.attempts,
        holder: world.customer,
        partition: world.partition,
        not_after,
        check_at: now + world.limits.claim_timeout,
        checks: 0,
    };
    let booked = Transition::Booked {
        step: step.to_owned(),
        channel,
        message: id,
    };
    out.journeys.push(record(&journey, world, now, booked));
    keep(
        customer,
        &journey,
        step.to_owned(),
        What::Send(channel),
        now,
    );
    if let Some(reason) = without {
        if reason == Reason::NoCoupon {
            out.count(Count::CouponMissing);
        }
        let what = What::Without(reason);
        keep(customer, &journey, step.to_owned(), what, now);
    }
    customer.bookings.retain(|booking| booking.message != id);
    if Customer::push_bounded(
        &mut customer.bookings,
        Booking {
            message: id,
            channel,
            at: now,
            counts,
            campaign: journey.campaign.clone(),
        },
        limit::BOOKINGS,
    ) {
        out.count(Count::Truncated);
    }
    grant(customer, &pending, not_before, world, out);
    customer.messages.push(pending);
    if journey.first_message_at == Some(now) {
        replace_others(customer, &journey, now, world, out);
    }
}

/// Whichever of those of which only one runs sends first has the key: the others end as replaced.
fn replace_others(
    customer: &mut Customer,
    first: &Journey,
    now: Timestamp,
    world: &World<'_>,
    out: &mut Effects,
) {
    let tied = tied(first, world);
    let is_live = world
        .bundles
        .campaign(first.bundle, &first.campaign)
        .is_some_and(|campaign| campaign.mode == winback_campaign::model::Mode::Live);
    if tied.is_empty() || !is_live {
        return;
    }
    let mut index = 0;
    while index < customer.journeys.len() {
        let other = &customer.journeys[index];
        let goes = tied.contains(&other.campaign.as_str())
            && other.key == first.key
            && other.first_message_at.is_none();
        if goes {
            end(customer, index, Reason::Replaced, now, world, out);
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
pub(crate) fn grant(
    customer: &Customer,
    pending: &Pending,
    not_before: Timestamp,
    world: &World<'_>,
    out: &mut Effects,
) {
    let Some(made) = message(customer, pending, not_before, world) else {
        return;
    };
    out.grants.push(GrantChange::Grant {
        message: pending.message,
        attempt: pending.attempt,
        not_before,
        not_after: pending.not_after,
    });
    out.messages.push(made);
}

/// A step that will not be sent: the cascade goes on, or the journey ends if its audience does not hold.
pub(crate) fn skip(
    customer: &mut Customer,
    index: usize,
    step: &str,
    Why { reason, because }: Why,
    now: Timestamp,
    world: &World<'_>,
    out: &mut Effects,
) {
    let journey = customer.journeys[index].clone();
    out.journeys.push(record(
        &journey,
        world,
        now,
        Transition::Skipped {
            step: step.to_owned(),
            reason,
            because,
        },
    ));
    keep(customer, &journey, step.to_owned(), What::Skip(reason), now);
    if reason == Reason::NoCoupon {
        out.count(Count::CouponMissing);
    }
    let refused = matches!(reason, Reason::OfferGuard | Reason::NoCoupon)
        && offer::ends(customer, index, step, world);
    if refused
        || matches!(
            reason,
            Reason::Audience | Reason::OtherCurrency | Reason::Erased | Reason::Replaced
        )
    {
        end(customer, index, reason, now, world, out);
        return;
    }
    if reason == Reason::Holdout && journey.first_message_at.is_none() {
        // In a holdout it would have been sent: that counts for re-entry.
        customer.journeys[index].first_message_at = Some(now);
        let history = customer.history_mut(&journey.campaign);
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
    let next_is_wait = world
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
    settle(customer, index, next, now, world, out);
}
