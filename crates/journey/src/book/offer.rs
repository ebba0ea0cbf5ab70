//! Offers: made with the first step that names them, kept by the journey, remembered for the guard. What reached
//! nobody is taken back: the code to its pool, the offer out of the guard's sight.

use winback_campaign::model::{Mode, Offer, OfferKind, Otherwise};
use winback_contract::{JourneyId, Timestamp};

use crate::behaviour::{Given, limit, push};
use crate::decide;
use crate::effects::{Count, CouponMove};
use crate::scene::Scene;
use crate::state::{Journey, KeptOffer};
use crate::world::World;

fn part<'w>(journey: &Journey, step: &str, world: &World<'w>) -> Option<&'w Offer> {
    let campaign = world.bundles.campaign(journey.bundle, &journey.campaign)?;
    campaign.step(step)?.offer.as_ref()
}

/// What is given.
pub(super) struct Made {
    kept: KeptOffer,
    counts: bool,
    /// Its code is nobody else's.
    single_use: bool,
}

/// The offer of a step; `None` when there is nothing to give.
pub(super) fn issue(
    scene: &Scene<'_>,
    journey: &Journey,
    step: &str,
    now: Timestamp,
) -> Option<Made> {
    let Scene { world, out, .. } = scene;
    let offer = part(journey, step, world)?;
    let policy = &world.bundles.get(journey.bundle)?.policy;
    let mut single_use = false;
    let (pool, code, worth) = match &offer.kind {
        OfferKind::Coupon(pool) => {
            let coupon = policy.coupons.get(pool)?;
            // A campaign that is rehearsed takes nobody's code.
            let is_live = world
                .bundles
                .campaign(journey.bundle, &journey.campaign)
                .is_some_and(|campaign| campaign.mode != Mode::Shadow);
            single_use = is_live && coupon.code.is_none();
            let code = match &coupon.code {
                Some(code) => code.clone(),
                None if !is_live => format!("{pool}-SHADOW"),
                None => {
                    let taken = out.coupons.iter().filter(
                        |moved| matches!(moved, CouponMove::Taken(other, _) if other == pool),
                    );
                    let journey = journey.id.to_string();
                    let made_up = format!("{pool}-{}", &journey[..journey.len().min(8)]);
                    world.coupons.next(pool, taken.count(), &made_up)?
                }
            };
            (pool.clone(), Some(code), coupon.worth.clone())
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
    Some(Made {
        kept,
        counts: decide::offer::counts(offer, policy),
        single_use,
    })
}

/// The journey keeps it, and the guard remembers it.
pub(super) fn give(scene: &mut Scene<'_>, id: JourneyId, made: Made, now: Timestamp) {
    let kept = made.kept;
    let code = kept.code.clone().filter(|_| made.single_use);
    let coupon = code.map(|code| (kept.pool.clone(), code));
    if let Some((pool, code)) = coupon.clone() {
        scene.out.coupons.push(CouponMove::Taken(pool, code));
        scene.out.count(Count::CouponReserved);
    }
    let given = Given {
        journey: id,
        at: now,
        until: kept.expires_at,
        counts: made.counts,
        shown: false,
        coupon,
    };
    push(&mut scene.customer.behaviour.offers, given, limit::OFFERS);
    if let Some(journey) = scene.journey_mut(id) {
        journey.offer = Some(Box::new(kept));
    }
}

/// Whether a step without its offer is not sent.
pub(super) fn is_vital(journey: &Journey, step: &str, world: &World<'_>) -> bool {
    part(journey, step, world).is_some_and(|offer| offer.otherwise != Otherwise::Without)
}

/// Whether the journey ends when the offer is refused.
pub(super) fn ends(journey: &Journey, step: &str, world: &World<'_>) -> bool {
    part(journey, step, world).is_some_and(|offer| offer.otherwise == Otherwise::End)
}

/// A message of the journey went out, or may have: what it offered is in the person's hands.
pub(crate) fn shown(scene: &mut Scene<'_>, journey: JourneyId) {
    let given = scene.customer.behaviour.offers.iter_mut();
    for given in given.filter(|given| given.journey == journey && !given.shown) {
        given.shown = true;
        if given.coupon.is_some() {
            scene.out.count(Count::CouponAttached);
        }
    }
}

/// What the journey offered is taken back if it reached nobody and no message of it is on its way.
pub(crate) fn take_back(scene: &mut Scene<'_>, journey: JourneyId) {
    let on_its_way = |pending: &crate::state::Pending| pending.journey == journey;
    if scene.customer.messages.iter().any(on_its_way) {
        return;
    }
    scene.customer.behaviour.offers.retain(|given| {
        let back = given.journey == journey && !given.shown;
        if let (true, Some((pool, code))) = (back, &given.coupon) {
            let moved = CouponMove::Returned(pool.clone(), code.clone());
            scene.out.coupons.push(moved);
            scene.out.count(Count::CouponReturned);
        }
        !back
    });
}

/// An order named this code.
pub(crate) fn redeemed(scene: &mut Scene<'_>, code: &str) {
    let of = |given: &Given| given.coupon.as_ref().is_some_and(|(_, own)| own == code);
    if scene.customer.behaviour.offers.iter().any(of) {
        scene.out.count(Count::CouponRedeemed);
    }
}
