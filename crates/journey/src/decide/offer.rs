//! The offer guard G (playbook P56 to P58): not too many offers, and none for those who wait for them.

use winback_campaign::model::{Offer, Otherwise};
use winback_campaign::policy::Policy;
use winback_contract::{Reason, Timestamp};

use crate::customer::Customer;
use crate::facts::Facts;
use crate::state::Journey;

/// Whether the offer goes with the step; if not, what becomes of the step.
pub(super) fn judge(
    offer: &Offer,
    customer: &Customer,
    journey: &Journey,
    facts: &Facts<'_>,
    now: Timestamp,
) -> Result<bool, Reason> {
    // An offer belongs to the journey: what was made is not made again, past its end there is none.
    if let Some(made) = &journey.offer {
        return Ok(made.expires_at > now);
    }
    if !is_refused(offer, customer, facts, now) {
        return Ok(true);
    }
    match offer.otherwise {
        Otherwise::Without => Ok(false),
        Otherwise::Skip | Otherwise::End => Err(Reason::OfferGuard),
    }
}

fn is_refused(offer: &Offer, customer: &Customer, facts: &Facts<'_>, now: Timestamp) -> bool {
    let policy: &Policy = facts.policy;
    if offer.outside_guard || !counts(offer, policy) {
        return false;
    }
    let too_soon = customer
        .behaviour
        .offers
        .iter()
        .any(|given| given.counts && given.at + policy.guard.one_offer_per > now);
    too_soon || facts.waits_for_offers()
}

/// Whether the guard counts this kind of offer.
pub(crate) fn counts(offer: &Offer, policy: &Policy) -> bool {
    !offer.outside_guard
        && policy
            .guard
            .counts
            .iter()
            .any(|kind| kind == offer.kind.word())
}
