//! What is told of a journey: records of `journeys`, and the last decisions that a customer keeps for `why` (INV-9).

use winback_contract::{JourneyRecord, Timestamp, Transition};

use crate::customer::Customer;
use crate::state::{Journey, Kept, What};
use crate::world::World;

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
