//! News of goods: what a customer wants to hear of, and what begins and ends when it comes (playbook C33, C34).
//!
//! Invariants: INV-12 (wants are bounded, and kept only while a live campaign listens), INV-10.

use serde_json::json;
use winback_campaign::model::{GoodsChange, Seen, StartKind};
use winback_contract::{
    Event, EventId, GoodsNews, Identities, JourneyId, Product, Span, Timestamp, spec,
};

use crate::advance::advance;
use crate::behaviour::{Wanted, limit, push};
use crate::customer::{Customer, Line};
use crate::effects::Count;
use crate::facts::Facts;
use crate::incoming::IncomingEvent;
use crate::matching::Named;
use crate::scene::Scene;
use crate::start::arm::{Arming, arm, due_after, entry, judge};
use crate::state::Field;
use crate::{awaits, exit};

/// A list of watchers is told anew of somebody who looks again after so long.
const RENEWED: Span = Span::from_days(1);

/// Notes which goods an event shows interest in.
pub(crate) fn note(scene: &mut Scene<'_>, incoming: &IncomingEvent<'_>) {
    let event = incoming.event;
    let mut forget = |seen: Option<Seen>| {
        scene.customer.behaviour.wanted.retain(|wanted| {
            let named = |product: &Product| product.product_id == wanted.product_id;
            seen.is_some_and(|seen| seen != wanted.seen) || !event.products.iter().any(named)
        });
        let products = event.products.iter();
        let ids = products.map(|product| product.product_id.clone()).collect();
        unwatch(scene, ids);
    };
    let seen = match event.name.as_str() {
        "Product Viewed" | "Product Clicked" => Seen::Viewed,
        "Product Added" | "Cart Updated" => Seen::Carted,
        "Product Added to Wishlist" => Seen::Wished,
        "Stock Alert Requested" => Seen::Asked,
        "Product Removed" => return forget(Some(Seen::Carted)),
        "Product Removed from Wishlist" => return forget(Some(Seen::Wished)),
        // What was bought is not waited for.
        spec::ORDER_COMPLETED => return forget(None),
        _ => return,
    };
    let is_watched = scene
        .world
        .active
        .is_some_and(|bundle| bundle.watched().contains(&seen));
    if !is_watched {
        return;
    }
    let mut given_up = Vec::new();
    let lists = &mut scene.customer.behaviour.wanted;
    for product in &event.products {
        let mut fresh = false;
        lists.retain(|wanted| {
            if wanted.product_id != product.product_id {
                return true;
            }
            fresh |= wanted.at + RENEWED > incoming.at;
            wanted.seen != seen
        });
        let wanted = Wanted {
            product_id: product.product_id.clone(),
            seen,
            price: product.price,
            absent: seen == Seen::Asked || product.in_stock == Some(false),
            at: incoming.at,
        };
        if lists.len() >= limit::WANTED {
            given_up.extend(lists.first().map(|oldest| oldest.product_id.clone()));
        }
        push(lists, wanted, limit::WANTED);
        if !fresh {
            scene
                .out
                .watches
                .push((product.product_id.clone(), incoming.arrival));
        }
    }
    unwatch(scene, given_up);
}

/// The lists of these products forget a customer who waits for news of them no more: what is kept of lists is bounded by
/// what is kept of customers (INV-12).
pub(crate) fn unwatch(scene: &mut Scene<'_>, products: Vec<String>) {
    let gone = products.into_iter();
    let gone = gone.filter(|product| !wants(scene.customer, product));
    scene.out.unwatched.extend(gone);
}

/// The products of which a customer wants news.
pub(crate) fn watched(customer: &Customer) -> Vec<String> {
    let wanted = customer.behaviour.wanted.iter();
    wanted.map(|wanted| wanted.product_id.clone()).collect()
}

/// Whether news of a product concerns this customer at all.
pub fn wants(customer: &Customer, product_id: &str) -> bool {
    let of_journey = |journey: &crate::state::Journey| {
        let item = journey.entry.item.as_deref();
        item.is_some_and(|item| item.product_id == product_id)
    };
    customer.forward.is_none()
        && (customer.journeys.iter().any(of_journey)
            || customer
                .behaviour
                .wanted
                .iter()
                .any(|wanted| wanted.product_id == product_id))
}

/// News that a partition was told.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct PendingProductChange {
    /// Identity of the shop's word.
    pub id: EventId,
    /// Its arrival.
    pub at: Timestamp,
    /// What changed.
    pub news: GoodsNews,
}

/// News of a product comes to this customer.
pub(crate) fn hear(scene: &mut Scene<'_>, told: &PendingProductChange, now: Timestamp) {
    advance(scene, now);
    for name in told.news.names() {
        let event = event(name, &told.news);
        let incoming = IncomingEvent {
            event: &event,
            name,
            at: told.at,
            arrival: told.at,
            live: true,
            id: told.id,
            fresh: true,
        };
        let named = Named::new(name, scene.world);
        exit::fold(scene, &incoming, &named);
        awaits::fold(scene, &incoming, &named);
        begin(scene, &incoming, &told.news);
    }
}

/// The derived event, as conditions see it.
fn event(name: &str, news: &GoodsNews) -> Event {
    let mut properties = serde_json::Map::new();
    let same = |was: &winback_contract::Money| {
        news.product
            .price
            .is_some_and(|price| price.currency == was.currency)
    };
    if let Some(was) = news.before.price.filter(same) {
        properties.insert("was".into(), json!(was.to_major()));
    }
    if let Some(available) = news.available {
        properties.insert("available".into(), json!(available));
    }
    Event {
        name: name.to_owned(),
        identities: Identities::default(),
        cart_id: None,
        order_id: None,
        checkout_id: None,
        products: vec![news.product.clone()],
        total: None,
        currency: news.product.price.map(|price| price.currency),
        url: news.product.url.clone(),
        traits: None,
        passive: false,
        consent: None,
        properties: properties.into_iter().collect(),
    }
}

fn begin(scene: &mut Scene<'_>, incoming: &IncomingEvent<'_>, news: &GoodsNews) {
    let Some(bundle) = scene.world.active.filter(|_| news.sold) else {
        return;
    };
    for (campaign, index) in bundle.goods() {
        let start = &campaign.starts[index];
        let StartKind::Product {
            change,
            seen,
            within,
            delay,
        } = &start.kind
        else {
            continue;
        };
        let fits = |wanted: &&Wanted| {
            wanted.product_id == news.product.product_id
                && seen.contains(&wanted.seen)
                && wanted.at + *within > incoming.at
        };
        let mut fitting = scene.customer.behaviour.wanted.iter().rev().filter(fits);
        let Some(wanted) = fitting
            .find(|wanted| concerns(wanted, *change, news, incoming))
            .cloned()
        else {
            continue;
        };
        let Some(key) = judge(scene, (campaign, start), incoming) else {
            continue;
        };
        let key = if start.key.is_some() {
            key
        } else {
            news.product.product_id.clone()
        };
        let item = Line::from(&news.product);
        let id = JourneyId::of(&campaign.name, scene.world.customer, &incoming.id.0, &key);
        let facts = Facts {
            event: Some((incoming.event, incoming.at, incoming.arrival)),
            item: Some(&item),
            ..scene
                .world
                .facts(&bundle.policy, scene.customer, incoming.arrival)
        };
        let Some(due) = due_after(delay, incoming.arrival, id, &facts) else {
            scene.out.count(Count::ConditionFailed);
            continue;
        };
        let mut entry = entry(incoming, campaign);
        entry.item = Some(Box::new(item));
        let mut put = |name: &str, number: Option<f64>| {
            entry.fields.retain(|(known, _)| known != name);
            entry
                .fields
                .extend(number.map(|number| (name.to_owned(), Field::Number(number))));
        };
        put("was", news.before.price.map(|price| price.to_major()));
        put("seen_price", wanted.price.map(|price| price.to_major()));
        put("available", news.available.map(f64::from));
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

/// Whether this is the change that the start waits for, measured by what this customer saw.
fn concerns(
    wanted: &Wanted,
    change: GoodsChange,
    news: &GoodsNews,
    incoming: &IncomingEvent<'_>,
) -> bool {
    match change {
        GoodsChange::BackInStock => {
            incoming.event.name == spec::BACK_IN_STOCK
                && (wanted.absent || matches!(wanted.seen, Seen::Wished | Seen::Carted))
        }
        GoodsChange::PriceDrop { by } => {
            let (Some(was), Some(is)) = (wanted.price.or(news.before.price), news.product.price)
            else {
                return false;
            };
            let fall = i128::from(was.minor) - i128::from(is.minor);
            incoming.event.name == spec::PRICE_DROPPED
                && was.currency == is.currency
                && fall > 0
                && fall * 10_000 >= i128::from(was.minor) * i128::from(by)
        }
    }
}
