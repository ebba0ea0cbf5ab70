//! What dispatch gets: address and facts of the moment, taken from the customer.

use winback_contract::message::{CartFacts, CustomerFacts, Facts};
use winback_contract::{Message, OfferText, Product, Timestamp};

use crate::customer::Customer;
use crate::facts;
use crate::state::Pending;
use crate::world::World;

/// The message of a pending attempt; `None` when the address or the step is gone.
pub fn message(
    customer: &Customer,
    pending: &Pending,
    not_before: Timestamp,
    world: &World<'_>,
) -> Option<Message> {
    let journey = customer
        .journeys
        .iter()
        .find(|journey| journey.id == pending.journey)?;
    let bundle = world.bundles.get(journey.bundle)?;
    let step = bundle.campaign(&journey.campaign)?.step(&pending.step)?;
    let address = customer.profile.address(pending.channel)?.to_owned();
    let facts = facts::Facts {
        policy: &bundle.policy,
        customer,
        journey: Some(journey),
        event: None,
        now: not_before,
    };
    let cart = facts.cart_of_journey().map(|cart| CartFacts {
        items: cart.lines.iter().map(Product::from).collect(),
        more: cart.more,
        total: cart.sum(),
        url: cart.url.clone(),
    });
    let offer = journey.offer.as_ref().map(|offer| OfferText {
        kind: "coupon".into(),
        code: offer.code.clone(),
        worth: offer.worth.clone(),
        expires_at: offer.expires_at,
    });
    let profile = &customer.profile;
    Some(Message {
        v: Message::VERSION,
        id: pending.message,
        attempt: pending.attempt,
        customer: world.customer,
        partition: world.partition,
        journey: journey.id,
        campaign: journey.campaign.clone(),
        step: pending.step.clone(),
        template: step.template.clone(),
        channel: pending.channel,
        address,
        bundle: journey.bundle,
        not_before,
        not_after: pending.not_after,
        facts: Facts {
            customer: CustomerFacts {
                first_name: profile.first_name.clone(),
                last_name: profile.last_name.clone(),
                city: profile.city.clone(),
                locale: profile.locale.clone(),
            },
            cart,
            offer,
            orders: customer.orders.count,
        },
    })
}
