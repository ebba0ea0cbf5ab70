//! The offer guard G (playbook P56 to P58): not too many offers, and none for those who wait for them; and pools that
//! have run dry.

use winback_campaign::model::{Offer, OfferKind, Otherwise};
use winback_campaign::policy::Policy;
use winback_contract::{Reason, Timestamp};

use crate::customer::Customer;
use crate::facts::Facts;
use crate::state::Journey;

/// What becomes of a step's offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Judged {
    /// It goes with the step.
    Given,
    /// The step goes without it, and why.
    Without(Reason),
    /// The step does not go.
    Refused(Reason),
}

/// Whether the offer goes with the step; if not, what becomes of the step. `dry` are the pools without a code.
pub(super) fn judge(
    offer: &Offer,
    customer: &Customer,
    journey: &Journey,
    facts: &Facts<'_>,
    dry: &[String],
) -> Judged {
    let now = facts.now;
    // An offer belongs to the journey: what was made is not made again, past its end there is none.
    if let Some(made) = &journey.offer {
        return if made.expires_at > now {
            Judged::Given
        } else {
            Judged::Without(Reason::Expired)
        };
    }
    let reason = if is_refused(offer, customer, facts, now) {
        Reason::OfferGuard
    } else if matches!(&offer.kind, OfferKind::Coupon(pool) if dry.contains(pool)) {
        Reason::NoCoupon
    } else {
        return Judged::Given;
    };
    match offer.otherwise {
        Otherwise::Without => Judged::Without(reason),
        Otherwise::Skip | Otherwise::End => Judged::Refused(reason),
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
