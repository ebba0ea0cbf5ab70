//! Real payloads, mutated in everything but their name and one identifier: none is refused, none panics, no order is lost.
//!
//! Seeded: a failure names its seed and shows the record. `WINBACK_FUZZ` is how many records there are (`make fuzz`
//! takes a million). It does not go through `catch_unwind` of the service: a panic here is a failure.

use serde_json::{Map, Value, json};
use winback_contract::{Currency, Event, FailedReason};
use winback_scenario::Random;
use winback_scenario::damage::damage;

use crate::customs::Customs;
use crate::fields::Refusal;
use crate::formats::Format;
use crate::normalise::normalise;
use crate::notes::Notes;
use crate::tests::{envelope, record};

/// Larger than any of the mutated: size is a refusal of its own.
const MAX_BYTES: usize = 8 << 20;

fn below(random: &mut Random, count: usize) -> usize {
    usize::try_from(random.below(count as u64)).unwrap()
}

/// What a call of Segment is nothing without.
const NEEDED: &[&str] = &["event", "userId", "type"];

/// Payloads as shops send them.
fn payloads() -> Vec<Value> {
    let line = json!({ "product_id": "p1", "sku": "s-1", "name": "Käse", "category": "food", "price": "1 250,00 €",
        "quantity": 2, "url": "https://shop.example/p1", "image_url": "https://shop.example/p1.png", "variant": "L" });
    let context = json!({ "locale": "uk-UA", "timezone": "Europe/Kyiv", "ip": "192.0.2.1", "active": true,
        "traits": { "email": "ann@shop.example" }, "page": { "url": "https://shop.example/p1" } });
    let known = json!({ "email": "Ann@Shop.example", "phone": "+380 50 123 45 67", "firstName": "Ann", "last_name": "Ko",
        "birthday": "1990-05-14", "address": { "country": "UA", "city": "Kyiv" }, "plan": "gold", "points": 12 });
    let track = |event: &str, properties: Value| {
        json!({ "type": "track", "event": event, "userId": "u-7", "anonymousId": "a-1", "messageId": "m-1",
            "timestamp": "2026-03-02T08:00:00+02:00", "properties": properties, "context": context })
    };
    vec![
        track(
            "Order Completed",
            json!({ "order_id": "o-1", "total": "1,250.00", "revenue": 1250.0, "currency": "EUR", "coupon": "X",
                "products": [line, line], "email": "ann@shop.example", "shipping": 5, "tax": "2" }),
        ),
        track(
            "purchase",
            json!({ "transaction_id": "t-1", "value": 12.5, "currency": "USD",
                "items": [{ "item_id": "p1", "item_name": "Cup", "price": 12.5, "quantity": 1 }] }),
        ),
        track(
            "order_completed",
            json!({ "orderId": 17, "$value": 12, "Items": [line] }),
        ),
        track(
            "Cart Updated",
            json!({ "cart_id": "c-1", "total": 99, "products": [line] }),
        ),
        track(
            "Product Added",
            json!({ "cart_id": "c-1", "product_id": "p1", "name": "Cup", "price": 3, "quantity": 1 }),
        ),
        track("Product Viewed", line.clone()),
        track(
            "Checkout Started",
            json!({ "checkout_id": "k-1", "order_id": "o-1", "value": 9, "products": [line] }),
        ),
        track(
            "Order Refunded",
            json!({ "order_id": "o-1", "total": 5, "products": [line] }),
        ),
        track(
            "Order Updated",
            json!({ "order_id": "o-1", "status": "cancelled", "total": 5 }),
        ),
        track(
            "Consent Updated",
            json!({ "channel": "email", "status": "granted", "topic": "marketing" }),
        ),
        track("Unsubscribed", json!({ "channel": "sms" })),
        json!({ "type": "identify", "userId": "u-7", "traits": known, "context": context,
            "timestamp": 1_772_438_400, "messageId": "m-2" }),
        json!({ "type": "page", "userId": "u-7", "name": "Home", "properties": { "url": "https://shop.example" },
            "timestamp": "2026-03-02 08:00:00" }),
        track(
            "Feedback Given",
            json!({ "stars": 5, "text": "good", "deep": { "a": { "b": [1, 2, { "c": null }] } } }),
        ),
    ]
}

fn take(payload: &[u8]) -> Result<Event, Refusal> {
    take_as(Format::Segment, &[], payload)
}

fn take_as(format: Format, headers: &[(&str, &str)], payload: &[u8]) -> Result<Event, Refusal> {
    let record = record(payload, headers);
    let customs = Customs::new(Currency::parse("EUR").unwrap());
    let notes = Notes::default();
    let envelope = envelope(&record, MAX_BYTES, &format.into(), &customs, &notes)?;
    normalise(envelope, &customs, &notes).map(|normal| normal.event)
}

fn count() -> u64 {
    std::env::var("WINBACK_FUZZ").ok().map_or(20_000, |count| {
        count.parse().expect("WINBACK_FUZZ is a number of records")
    })
}

#[test]
fn a_record_with_a_name_and_an_identifier_is_taken() {
    let payloads = payloads();
    for seed in 0..count() {
        let mut random = Random::new(seed);
        let mut payload = payloads[below(&mut random, payloads.len())].clone();
        let plain = take(payload.to_string().as_bytes()).expect("a payload as shops send it");
        for _ in 0..=below(&mut random, 6) {
            damage(&mut payload, &mut random, NEEDED);
        }
        let event = match take(payload.to_string().as_bytes()) {
            Ok(event) => event,
            // News of an order that names none is nothing that anybody could apply.
            Err(refusal)
                if refusal.reason == FailedReason::MissingField
                    && ["Order Updated", "Order Refunded"].contains(&plain.name.as_str()) =>
            {
                continue;
            }
            Err(refusal) => panic!("seed {seed}: {refusal:?}: {payload}"),
        };
        // A cart of which nothing can be read was only looked at: it is not empty.
        let is_unread = plain.name == "Cart Updated" && event.name == "Cart Viewed";
        assert!(
            event.name == plain.name || is_unread,
            "seed {seed}: {} became {}: {payload}",
            plain.name,
            event.name
        );
        assert_eq!(
            event.identities.user.as_deref(),
            Some("u-7"),
            "seed {seed}: {payload}"
        );
        assert!(
            event.name != "Unsubscribed" || event.consent.is_some(),
            "seed {seed}: a refusal was lost: {payload}"
        );
        let text = serde_json::to_vec(&event).unwrap();
        let again: Event = serde_json::from_slice(&text).unwrap();
        assert!(
            again == event,
            "seed {seed}: it is read as it was written: {payload}"
        );
        assert!(text.len() < 256 << 10, "seed {seed}: {} bytes", text.len());
    }
}

#[test]
fn bytes_of_any_kind_are_refused_for_a_reason() {
    let payloads = payloads();
    let others = [
        Value::Object(Map::new()),
        json!([]),
        json!("x"),
        json!({ "userId": "u", "event": 5 }),
    ];
    for seed in 0..count() {
        let mut random = Random::new(!seed);
        let at = below(&mut random, payloads.len() + others.len());
        let value = payloads
            .get(at)
            .unwrap_or_else(|| &others[at - payloads.len()]);
        let mut bytes = value.to_string().into_bytes();
        for _ in 0..=below(&mut random, 4) {
            let place = below(&mut random, bytes.len());
            bytes[place] = u8::try_from(random.below(256)).unwrap();
        }
        if let Err(refusal) = take(&bytes) {
            assert!(
                matches!(
                    refusal.reason,
                    FailedReason::MalformedJson
                        | FailedReason::MissingField
                        | FailedReason::MissingIdentity
                        | FailedReason::WrongType
                        | FailedReason::DerivedEvent
                        | FailedReason::UnsupportedCloudevent
                        | FailedReason::UnsupportedCall
                ),
                "seed {seed}: {refusal:?}"
            );
        }
    }
}

#[test]
fn an_order_of_a_platform_is_an_order_whatever_else_is_wrong_with_it() {
    let line = json!({ "product_id": 1, "variant_id": 2, "title": "Cup", "name": "Cup", "price": "49.00", "quantity": 2 });
    let shopify = json!({ "id": 62, "customer": { "id": 7 }, "cart_token": "c", "email": "ann@shop.example",
        "created_at": "2026-03-01T23:10:15-05:00", "cancelled_at": null, "currency": "EUR", "total_price": "98.00",
        "financial_status": "paid", "discount_codes": [{ "code": "X" }], "line_items": [line], "customer_locale": "en" });
    let woocommerce = json!({ "id": 727, "status": "processing", "customer_id": 7, "currency": "EUR", "total": "98.00",
        "date_created_gmt": "2026-03-01T10:00:00", "date_paid_gmt": "2026-03-01T10:03:00", "coupon_lines": [{ "code": "x" }],
        "billing": { "email": "ann@shop.example", "phone": "+15555555555" }, "line_items": [line] });
    let platforms = [
        (
            Format::Shopify,
            ("X-Shopify-Topic", "orders/create"),
            shopify,
            &["customer"][..],
        ),
        (
            Format::Woocommerce,
            ("X-WC-Webhook-Topic", "order.updated"),
            woocommerce,
            &["customer_id", "status"][..],
        ),
    ];
    for seed in 0..count() {
        let mut random = Random::new(seed);
        let (format, header, payload, needed) = &platforms[below(&mut random, platforms.len())];
        let mut payload = payload.clone();
        for _ in 0..=below(&mut random, 6) {
            damage(&mut payload, &mut random, needed);
        }
        let event = take_as(*format, &[*header], payload.to_string().as_bytes())
            .unwrap_or_else(|refusal| panic!("seed {seed}: {refusal:?}: {payload}"));
        assert_eq!(event.name, "Order Completed", "seed {seed}: {payload}");
        assert_eq!(
            event.identities.user.as_deref(),
            Some("7"),
            "seed {seed}: {payload}"
        );
    }
}
