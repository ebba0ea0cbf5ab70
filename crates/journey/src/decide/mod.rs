//! The decision: per due step send, hold or skip, from the snapshot alone. All rules about whether and when are here.
//!
//! Invariants: INV-9, INV-10, INV-11. Each step is judged as if it were alone (`gates`), then against the others
//! (`arbitration`).

mod arbitration;
mod caps;
pub(crate) mod channel;
mod gates;
pub(crate) mod offer;
mod quiet;

use winback_campaign::Bundle;
use winback_contract::{Decision, DueStep, Format, Reason, StepDecision, Trigger, Verdict};

use crate::codec;
use crate::customer::Customer;
use crate::decide::arbitration::{Candidate, arbitrate, replace};
use crate::decide::gates::{Question, judge};
use winback_campaign::Bundles;

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
    let is_first = bundles.format() == Format::One;
    let steps = steps.map(|(step, candidate)| StepDecision {
        journey: step.journey,
        campaign: step.campaign.clone(),
        step: step.step.clone(),
        verdict: match candidate.verdict.clone() {
            // Sessions of the release before reads it.
            Verdict::Skip { reason, because } if is_first => Verdict::Skip {
                reason: codec::known(reason),
                because,
            },
            Verdict::Send { .. } | Verdict::Hold { .. } | Verdict::Skip { .. } => candidate.verdict,
        },
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
        (Some(campaign), Some(journey)) => judge(&Question {
            customer,
            active,
            campaign,
            journey,
            step,
            trigger,
        }),
        _ => Verdict::skip(Reason::Error),
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
