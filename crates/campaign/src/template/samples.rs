//! Sample customers: every text is rendered for them before it goes live, and shown to whoever asks.

use minijinja::Value;
use minijinja::value::Serde;
use serde_json::{Value as Json, json};

/// Three people: one of whom much is known, one with a name and little else, one of whom nothing is known.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    let names = ["full", "some", "none"].into_iter().zip(values());
    names
        .map(|(name, value)| (name, Value::from(Serde(value))))
        .collect()
}

/// The same people with the offer a step makes, or without one, and with goods recommended only where it has any.
pub(super) fn samples_with(offer: Option<&Json>, recommends: bool) -> Vec<(&'static str, Value)> {
    let names = ["full", "some", "none"].into_iter().zip(values());
    let with = |(name, mut value): (&'static str, Json)| {
        if let Some(map) = value.as_object_mut() {
            if !recommends {
                map.remove("recommended");
            }
            let had = map.remove("offer").is_some();
            if let Some(offer) = offer.filter(|_| had) {
                map.insert("offer".to_owned(), offer.clone());
            }
        }
        (name, Value::from(Serde(value)))
    };
    names.map(with).collect()
}

/// What is known of them.
pub(super) fn values() -> [Json; 3] {
    let item = json!({ "product_id": "p1", "name": "Blue mug", "quantity": 2, "price": { "minor": 1_999, "currency": "EUR" }, "url": "https://shop.example/p1", "image_url": "https://shop.example/p1.jpg", "variant": "L", "sku": "BM-1", "brand": "Lavo", "fields": { "colour": "blue" } });
    let bare = json!({ "product_id": "p2", "quantity": 1 });
    let cart = json!({ "items": [item, bare], "more": 1, "total": { "minor": 3_998, "currency": "EUR" }, "url": "https://shop.example/cart" });
    let offer = json!({ "kind": "coupon", "what": "CART10", "code": "CART10", "worth": "10%", "expires_at": "2026-12-01T00:00:00Z", "expires_on": "2026-12-01", "upon": "Product Reviewed" });
    let shop = json!({ "name": "shop", "unsubscribe": "https://shop.example/out" });
    let entry = json!({ "name": "Order Completed", "order_id": "o77", "product_id": "p1", "campaign": "cart-left", "outcome": "converted", "total": { "minor": 3_998, "currency": "EUR" }, "date": "2026-12-01T00:00:00Z", "city": "Kyiv", "held_at": "2026-12-01T17:00:00Z", "ends_at": "2026-12-24T00:00:00Z", "complaint_id": "c1", "item": item });
    let order = json!({ "id": "o77", "total": { "minor": 3_998, "currency": "EUR" }, "placed_at": "2026-11-01T10:00:00Z", "promised_at": "2026-11-03T10:00:00Z", "product_ids": ["p1", "p2"] });
    let points = json!({ "balance": 320.0, "expiring": 120.0, "expires_at": "2026-12-01T00:00:00Z", "to_next_level": 80.0 });
    let news = json!({ "title": "Delivery on Sundays", "url": "https://shop.example/news", "text": "From now on we come on Sundays too." });
    let task = json!({ "team": "care", "due": "2026-11-24T10:00:00Z", "may_offer": ["gift"] });
    let full = json!({
        "customer": { "first_name": "Olha <b>", "last_name": "K", "city": "Kyiv", "level": "gold", "locale": "uk", "traits": { "size": "M" } },
        "cart": cart, "offer": offer, "orders": 3, "shop": shop, "items": [item, bare], "recommended": [item, bare], "entry": entry,
        "answer": { "name": "Call Completed", "agreed": "priority service", "remedy": "discount" },
        "order": order, "points": points, "news": news, "task": task,
    });
    let gift = json!({ "kind": "gift", "what": "unique-goods", "expires_at": "2026-12-01T00:00:00Z", "expires_on": "2026-12-01" });
    let some = json!({ "customer": { "first_name": "Ann", "traits": {} }, "offer": gift, "orders": 1, "shop": shop, "items": [], "entry": { "name": "Session Ended" }, "answer": {}, "task": task });
    let none = json!({ "customer": { "traits": {} }, "orders": 0, "shop": shop, "items": [], "entry": { "name": "x" }, "answer": {} });
    [full, some, none]
}
