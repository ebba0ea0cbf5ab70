//! The decision: per due step send, hold or skip, from the snapshot alone. All rules about whether and when are here.
//!
//! Invariants: INV-9, INV-10, INV-11. The order of the questions is the order of the reasons a person is told:
//! expired, paused, lag, audience, channel (address, suppression, consent), quiet hours, caps, arbitration, holdout.

mod caps;
pub(crate) mod channel;
pub(crate) mod offer;

use winback_campaign::model::{Campaign, Mode};
use winback_campaign::{Bundle, calendar};
use winback_contract::{
    Decision, DueStep, Reason, Span, StepDecision, Timestamp, Trigger, Verdict, ids::bucket,
    is_paused,
};

use self::offer::Judged;
use crate::advance::zone;
use crate::codec;
use crate::customer::Customer;
use crate::facts::Facts;
use crate::state::Journey;
use crate::world::Bundles;

/// A step that would be sent this much after it was due, in a campaign that does not wait for lagging input.
const LAG_ALLOWED: Span = Span::from_mins(10);

/// What a kill switch holds is looked at again a minute later, and the longer it waits the later, up to a quarter of an
/// hour: a pause of everything must not make a decision of everybody every minute.
fn look_again(due: Timestamp, now: Timestamp) -> Timestamp {
    let waited = now.since(due).as_millis() / 4;
    now + Span::from_millis(waited.clamp(60_000, 900_000))
}

/// Why no decision can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The snapshot can't be read.
    #[error("the snapshot of the customer can't be read: {0}")]
    Snapshot(#[from] codec::Error),
    /// A bundle is not here yet.
    #[error("bundle {0} is not loaded yet")]
    NoBundle(winback_contract::BundleHash),
}

/// Decides all due steps of a trigger together.
///
/// # Errors
/// [`Error`] when the snapshot is damaged or a bundle is missing; nothing is decided then.
pub fn decide(bundles: &Bundles, trigger: &Trigger) -> Result<Decision, Error> {
    let customer = codec::decode(&trigger.snapshot.0)?;
    let active = bundles
        .get(trigger.bundle)
        .ok_or(Error::NoBundle(trigger.bundle))?;
    let mut candidates = Vec::new();
    for step in &trigger.steps {
        let bundle = bundles
            .get(step.bundle)
            .ok_or(Error::NoBundle(step.bundle))?;
        candidates.push(candidate(&customer, active, bundle, step, trigger));
    }
    replace(&mut candidates);
    arbitrate(&mut candidates, active, trigger);
    let steps = trigger
        .steps
        .iter()
        .zip(candidates)
        .filter(|(step, _)| !step.competitor);
    let steps = steps.map(|(step, candidate)| StepDecision {
        journey: step.journey,
        campaign: step.campaign.clone(),
        step: step.step.clone(),
        verdict: candidate.verdict,
    });
    Ok(Decision {
        v: Decision::VERSION,
        trigger: trigger.id,
        customer: trigger.customer,
        now: trigger.now,
        bundle: trigger.bundle,
        seen: trigger.seen.clone(),
        steps: steps.collect(),
    })
}

/// A step with what it would do if it were alone.
struct Candidate<'a> {
    verdict: Verdict,
    campaign: Option<&'a Campaign>,
    key: String,
    has_sent: bool,
    due: Timestamp,
    expires: Timestamp,
    competitor: bool,
}

fn candidate<'a>(
    customer: &Customer,
    active: &Bundle,
    bundle: &'a Bundle,
    step: &DueStep,
    trigger: &Trigger,
) -> Candidate<'a> {
    let campaign = bundle.campaign(&step.campaign);
    let journey = customer
        .journeys
        .iter()
        .find(|journey| journey.id == step.journey);
    let verdict = match (campaign, journey) {
        (Some(campaign), Some(journey)) => {
            judge(customer, active, campaign, journey, step, trigger)
        }
        _ => Verdict::Skip {
            reason: Reason::Error,
        },
    };
    Candidate {
        verdict,
        campaign,
        key: journey
            .map(|journey| journey.key.clone())
            .unwrap_or_default(),
        has_sent: journey.is_some_and(|journey| journey.first_message_at.is_some()),
        due: step.due,
        expires: step.expires,
        competitor: step.competitor,
    }
}

fn judge(
    customer: &Customer,
    active: &Bundle,
    campaign: &Campaign,
    journey: &Journey,
    step: &DueStep,
    trigger: &Trigger,
) -> Verdict {
    let now = trigger.now;
    let skip = |reason| Verdict::Skip { reason };
    // The hold that ends with the step itself: then it is judged once more, and expires.
    let hold = |until: Timestamp, reason| Verdict::Hold {
        until: until.min(step.expires + Span::from_millis(1)),
        reason,
    };
    if now > step.expires {
        return skip(Reason::Expired);
    }
    // Pausing is for now, not for the version the journey began with.
    let paused = active
        .campaign(&campaign.name)
        .map_or(campaign.mode, |newest| newest.mode)
        == Mode::Paused;
    if paused {
        return hold(now + Span::from_hours(1), Reason::Paused);
    }
    if is_paused(&trigger.paused, &campaign.name, None) {
        return hold(look_again(step.due, now), Reason::Paused);
    }
    let ready = crate::due::ready_at(journey);
    if campaign.lag_expires && now.since(ready) > LAG_ALLOWED {
        return skip(Reason::InputLag);
    }
    let facts = Facts {
        journey: Some(journey),
        topic: Some(&campaign.topic),
        news: &trigger.news,
        ..Facts::of(&active.policy, customer, trigger.customer, now)
    };
    let Some(topic) = active.policy.topics.get(&campaign.topic) else {
        return skip(Reason::Error);
    };
    let Some(part) = campaign.step(&step.step) else {
        return skip(Reason::Error);
    };
    if let Some(audience) = &campaign.audience
        && !audience.holds(&facts).unwrap_or(false)
    {
        return skip(Reason::Audience);
    }
    if let Some(audience) = &topic.audience
        && !audience.holds(&facts).unwrap_or(false)
    {
        // What keeps the whole topic away may pass, as an open complaint does.
        return hold(now + Span::from_hours(1), Reason::Audience);
    }
    if let Some(show) = &part.show
        && show.list(&facts).map_or(true, |list| list.is_empty())
    {
        return skip(Reason::NoStock);
    }
    let channels = channel::order(customer, part);
    let channel = match channel::choose(customer, journey, &channels, &campaign.topic, topic) {
        Ok(channel) => channel,
        Err(reason) => return skip(reason),
    };
    if is_paused(&trigger.paused, &campaign.name, Some(channel)) {
        return hold(look_again(step.due, now), Reason::Paused);
    }
    let judged = part
        .offer
        .as_ref()
        .map(|offer| offer::judge(offer, customer, journey, &facts, &trigger.dry, now));
    let without = match judged {
        None | Some(Judged::Given) => None,
        Some(Judged::Without(reason)) => Some(reason),
        Some(Judged::Refused(reason)) => return skip(reason),
    };
    let zone = zone(customer, &active.policy);
    if !topic.quiet_exempt
        && let Some(until) = calendar::quiet_until(&active.policy, channel, &zone, now)
    {
        return hold(until, Reason::QuietHours);
    }
    if !topic.caps_exempt
        && let Some(until) = caps::free_at(active, customer, campaign, channel, now)
    {
        return hold(until, Reason::Capped);
    }
    let quiet = if topic.quiet_exempt {
        None
    } else {
        calendar::quiet_from(&active.policy, channel, &zone, now)
    };
    let not_after = quiet.map_or(step.expires, |quiet| {
        step.expires.min(quiet - Span::from_millis(1))
    });
    Verdict::Send {
        channel,
        not_before: now,
        not_after,
        offer: judged == Some(Judged::Given),
        without,
    }
}

/// Of campaigns of which only one runs per key, the replacing one goes on if its audience holds (grammar, rule 8).
fn replace(candidates: &mut [Candidate<'_>]) {
    let gone: Vec<usize> = (0..candidates.len())
        .filter(|index| {
            let one = &candidates[*index];
            let Some(campaign) = one.campaign.filter(|_| !one.has_sent) else {
                return false;
            };
            candidates.iter().any(|other| {
                let replaces = other
                    .campaign
                    .is_some_and(|other| other.replaces.contains(&campaign.name));
                let goes = match other.verdict {
                    Verdict::Send { .. } => true,
                    Verdict::Hold { reason, .. } => reason != Reason::Paused,
                    Verdict::Skip { .. } => false,
                };
                let is_live = other
                    .campaign
                    .is_some_and(|campaign| campaign.mode == Mode::Live);
                replaces && other.key == one.key && goes && is_live
            })
        })
        .collect();
    for index in gone {
        candidates[index].verdict = Verdict::Skip {
            reason: Reason::Replaced,
        };
    }
}

/// Several steps want the moment: service first, then priority, then the earlier due, then the name. One gets it.
fn arbitrate(candidates: &mut [Candidate<'_>], active: &Bundle, trigger: &Trigger) {
    let now = trigger.now;
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by_key(|index| {
        let candidate = &candidates[*index];
        let (service, priority, name) = candidate.campaign.map_or((false, 0, ""), |campaign| {
            (
                campaign.topic == "service",
                campaign.priority,
                campaign.name.as_str(),
            )
        });
        (
            std::cmp::Reverse(service),
            std::cmp::Reverse(priority),
            candidate.due,
            name.to_owned(),
        )
    });
    let mut taken: Option<Timestamp> = None;
    for index in order {
        let candidate = &mut candidates[index];
        if !matches!(candidate.verdict, Verdict::Send { .. }) {
            continue;
        }
        let exempt = candidate
            .campaign
            .and_then(|campaign| active.policy.topics.get(&campaign.topic))
            .is_some_and(|topic| topic.caps_exempt);
        if exempt {
            if is_held_out(active, candidate.campaign, trigger, false) {
                candidate.verdict = Verdict::Skip {
                    reason: Reason::Holdout,
                };
            }
            continue;
        }
        if let Some(until) = taken {
            let until = until.min(candidate.expires + Span::from_millis(1));
            candidate.verdict = Verdict::Hold {
                until,
                reason: Reason::Arbitration,
            };
            continue;
        }
        if is_held_out(active, candidate.campaign, trigger, true) {
            candidate.verdict = Verdict::Skip {
                reason: Reason::Holdout,
            };
            continue;
        }
        taken = Some(if candidate.competitor {
            candidate.due
        } else {
            after(active, now)
        });
    }
}

/// When the next may go out behind one that goes out now.
fn after(active: &Bundle, now: Timestamp) -> Timestamp {
    now + active.policy.arbitration.max(Span::from_millis(1))
}

/// Drawn by the person, not by the profile's journey: the same person stays out of a campaign for good.
fn is_held_out(
    active: &Bundle,
    campaign: Option<&Campaign>,
    trigger: &Trigger,
    marketing: bool,
) -> bool {
    let draw = |salt: &str| {
        bucket(
            "holdout",
            &[salt.as_bytes(), trigger.customer.as_bytes()],
            10_000,
        )
    };
    let of_all = u64::from(active.policy.holdout);
    let of_this = campaign.map_or(0, |campaign| u64::from(campaign.holdout));
    (marketing && draw("") < of_all)
        || campaign.is_some_and(|campaign| draw(&campaign.name) < of_this)
}
