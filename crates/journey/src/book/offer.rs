//! Offers: made with the first step that names them, kept by the journey, remembered for the guard.

use winback_campaign::model::{Offer, OfferKind, Otherwise};
use winback_contract::Timestamp;

use crate::behaviour::{Given, limit, push};
use crate::customer::Customer;
use crate::decide;
use crate::state::KeptOffer;
use crate::world::World;

fn part<'w>(customer: &Customer, index: usize, step: &str, world: &World<'w>) -> Option<&'w Offer> {
    let journey = &customer.journeys[index];
    let campaign = world.bundles.campaign(journey.bundle, &journey.campaign)?;
    campaign.step(step)?.offer.as_ref()
}

/// The offer of a step, and whether the guard counts it; `None` when there is nothing to give.
pub(super) fn issue(
    customer: &Customer,
    index: usize,
    step: &str,
    now: Timestamp,
    world: &World<'_>,
) -> Option<(KeptOffer, bool)> {
    let offer = part(customer, index, step, world)?;
    let policy = &world.bundles.get(customer.journeys[index].bundle)?.policy;
    let (pool, code, worth) = match &offer.kind {
        OfferKind::Coupon(pool) => {
            let coupon = policy.coupons.get(pool)?;
            (
                pool.clone(),
                Some(coupon.code.clone()?),
                coupon.worth.clone(),
            )
        }
        OfferKind::Points(points) => (points.to_string(), None, Some(points.to_string())),
        OfferKind::FreeDelivery => (String::new(), None, None),
        OfferKind::Gift(name) | OfferKind::Terms(name) => (name.clone(), None, None),
    };
    let kept = KeptOffer {
        kind: offer.kind.word().to_owned(),
        pool,
        code,
        worth,
        expires_at: now + offer.valid,
    };
    Some((kept, decide::offer::counts(offer, policy)))
}

/// The journey keeps it, and the guard remembers it.
pub(super) fn give(
    customer: &mut Customer,
    index: usize,
    (kept, counts): (KeptOffer, bool),
    now: Timestamp,
) {
    let given = Given {
        journey: customer.journeys[index].id,
        at: now,
        until: kept.expires_at,
        counts,
    };
    push(&mut customer.behaviour.offers, given, limit::OFFERS);
    customer.journeys[index].offer = Some(kept);
}

/// Whether a step without its offer is not sent.
pub(super) fn is_vital(customer: &Customer, index: usize, step: &str, world: &World<'_>) -> bool {
    part(customer, index, step, world).is_some_and(|offer| offer.otherwise != Otherwise::Without)
}

/// Whether the journey ends when the offer is refused.
pub(super) fn ends(customer: &Customer, index: usize, step: &str, world: &World<'_>) -> bool {
    part(customer, index, step, world).is_some_and(|offer| offer.otherwise == Otherwise::End)
}
