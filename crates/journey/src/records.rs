//! What is told of a journey: records of `journeys`, and the last decisions that a customer keeps for `why` (INV-9).

use winback_contract::{JourneyRecord, Reason, Timestamp, Transition};

use crate::customer::{Customer, limit};
use crate::state::{DecisionTrace, Journey, What};
use crate::world::World;

/// Remembers something for `why`.
pub(crate) fn keep(
    customer: &mut Customer,
    journey: &Journey,
    step: String,
    what: What,
    at: Timestamp,
) {
    let kept = DecisionTrace {
        at,
        campaign: journey.campaign.clone(),
        step,
        what,
        bundle: journey.bundle,
    };
    customer.decisions.push(kept);
    bound(&mut customer.decisions);
}

/// Whether the answer of a message was lost: it is counted before one is sent again.
pub(crate) fn is_lost(kept: &DecisionTrace) -> bool {
    kept.what == What::Skip(Reason::Unknown)
}

/// Forgets the oldest that are too many; lost answers stay longer, as long as they are not most of it.
pub(crate) fn bound(decisions: &mut Vec<DecisionTrace>) {
    while decisions.len() > limit::DECISIONS {
        let lost = decisions.iter().filter(|kept| is_lost(kept)).count();
        let goes = |kept: &DecisionTrace| is_lost(kept) == (lost > limit::DECISIONS / 2);
        let index = decisions.iter().position(goes);
        decisions.remove(index.unwrap_or(0));
    }
}

/// A record of `journeys` for this journey. The input is filled in by the caller of the fold.
pub(crate) fn record(
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
