//! An event arms a journey, or renews the one that waits.

use winback_campaign::model::Campaign;
use winback_contract::{JourneyId, JourneyRecord, Reason, Transition};

use crate::customer::Customer;
use crate::effects::Count;
use crate::eligibility::ends_by_order;
use crate::facts::Facts;
use crate::incoming::IncomingEvent;
use crate::matching::Named;
use crate::scene::Scene;
use crate::start::arm::{Arming, arm, due_after, entry, judge, not_begun};
use crate::start::counting::is_counted_out;
use crate::start::item::items;
use crate::state::EntryFacts;
use crate::world::World;

/// Arms what the event begins; the name differs from the event's own for derived events.
pub(crate) fn fold(scene: &mut Scene<'_>, incoming: &IncomingEvent<'_>, named: &Named<'_>) {
    let Some((bundle, concerns)) = named.active() else {
        return;
    };
    let mut fits: Vec<&str> = Vec::new();
    let told = scene.out.journeys.len();
    for (campaign, index) in bundle.starts(&concerns.begins) {
        let start = &campaign.starts[index];
        let Some(key) = judge(scene, (campaign, start), incoming) else {
            continue;
        };
        fits.push(&campaign.name);
        if !is_about_something(scene.customer, incoming)
            || is_bought(scene.customer, campaign, incoming, scene.world)
            || !is_counted_out(scene.customer, campaign, index, incoming)
        {
            continue;
        }
        let elements = items(scene, start, incoming);
        for item in elements {
            let key = match (&start.key, &item) {
                (None, Some(item)) => format!("{}:{}", incoming.id, item.product_id),
                _ => key.clone(),
            };
            let facts = Facts {
                event: Some((incoming.event, incoming.at, incoming.arrival)),
                item: item.as_ref(),
                ..scene
                    .world
                    .facts(&bundle.policy, scene.customer, incoming.arrival)
            };
            let id = JourneyId::of(
                &campaign.name,
                scene.world.customer,
                incoming.id.0.as_slice(),
                &key,
            );
            let due = match (start.kind.answers().idle, start.kind.answers().delay) {
                (Some(span), _) => Some(incoming.arrival + span.value(&[id.as_bytes()])),
                (None, Some(delay)) => due_after(delay, incoming.arrival, id, &facts),
                (None, None) => None,
            };
            let Some(due) = due else {
                scene.out.count(Count::ConditionFailed);
                let (at, why) = (incoming.arrival, Reason::Error.into());
                not_begun(scene, campaign, id, at, why);
                continue;
            };
            let entry = EntryFacts {
                item: item.map(Box::new),
                ..entry(incoming, campaign)
            };
            let arming = Arming {
                campaign,
                start: index,
                key,
                entry,
                id,
                due,
            };
            arm(scene, arming);
        }
    }
    // A campaign of several starts is told of only where none of them fits.
    if scene.world.limits.explain {
        let told = scene.out.journeys.split_off(told);
        let is_of_other_start = |record: &JourneyRecord| {
            matches!(&record.transition, Transition::NotBegun { reason, .. } if *reason == Reason::Condition)
                && fits.contains(&record.campaign.as_str())
        };
        let told = told.into_iter();
        scene
            .out
            .journeys
            .extend(told.filter(|record| !is_of_other_start(record)));
    }
}

/// A campaign that an order ends is not begun by what came before the newest order, by either clock.
fn is_bought(
    customer: &Customer,
    campaign: &Campaign,
    incoming: &IncomingEvent<'_>,
    world: &World<'_>,
) -> bool {
    let orders = &customer.orders;
    let is_that_order =
        incoming.event.order_id.is_some() && incoming.event.order_id == orders.last_id;
    let older = orders.last_at.is_some_and(|at| incoming.at <= at)
        || orders
            .last_arrived
            .is_some_and(|arrived| incoming.arrival <= arrived);
    older
        && !is_that_order
        && world
            .active
            .is_some_and(|bundle| ends_by_order(campaign, bundle))
}

/// A cart event arms only while its cart is there: an order may already have closed it (either clock).
fn is_about_something(customer: &Customer, incoming: &IncomingEvent<'_>) -> bool {
    match incoming.event.name.as_str() {
        "Product Added" | "Cart Updated" => incoming
            .event
            .cart_id
            .as_ref()
            .is_some_and(|id| customer.cart(id).is_some()),
        _ => true,
    }
}
