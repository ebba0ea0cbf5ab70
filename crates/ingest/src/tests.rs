//! Tables: what becomes of a raw record. One `check` touches the code, the cases do not.

use std::sync::Arc;

use serde_json::{Value, json};
use winback_bus::{Record, Stamp};
use winback_contract::{
    Body, Currency, Event, IdentityKind, Offset, Partition, SourceKind, Timestamp,
};

use crate::decode::decode;
use crate::links::Links;
use crate::normalise::normalise;
use crate::route::{Arrived, event_id, route};

fn record(value: &[u8], headers: &[(&str, &str)]) -> Record {
    Record {
        topic: Arc::from("raw"),
        partition: Partition(0),
        offset: Offset(7),
        time: Timestamp::from_millis(1_000),
        stamp: Stamp::Broker,
        key: Vec::new(),
        value: Some(value.to_vec()),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect(),
    }
}

fn read(value: &Value, headers: &[(&str, &str)]) -> Result<Event, &'static str> {
    let record = record(value.to_string().as_bytes(), headers);
    let euro = Currency::parse("EUR").unwrap();
    let envelope = decode(&record, 10_000).map_err(|refusal| refusal.reason.as_str())?;
    normalise(envelope, euro)
        .map(|(event, _)| event)
        .map_err(|refusal| refusal.reason.as_str())
}

#[test]
fn ga4_names_and_fields_are_aliases() {
    let event = read(
        &json!({ "type": "track", "event": "purchase", "userId": 42, "properties": {
            "transaction_id": "t1", "value": "19.99", "currency": "usd",
            "items": [{ "item_id": "sku1", "item_name": "Mug", "price": 9.995, "quantity": 2 }],
        } }),
        &[],
    )
    .unwrap();
    assert_eq!(event.name, "Order Completed");
    assert_eq!(event.order_id.as_deref(), Some("t1"));
    assert_eq!(event.identities.user.as_deref(), Some("42"));
    assert_eq!(
        event
            .total
            .map(|money| (money.minor, money.currency.to_string())),
        Some((1_999, "USD".into()))
    );
    assert_eq!(event.products[0].name.as_deref(), Some("Mug"));
    assert_eq!(event.products[0].quantity, 2);
}

#[test]
fn version_one_names_are_aliases() {
    for (old, new) in [
        ("Viewed Product", "Product Viewed"),
        ("Added Product", "Product Added"),
        ("Completed Order", "Order Completed"),
        ("Started Order", "Checkout Started"),
    ] {
        let properties = json!({ "product_id": "p", "cart_id": "c", "order_id": "o" });
        let event = read(
            &json!({ "type": "track", "event": old, "userId": "u", "properties": properties }),
            &[],
        );
        assert_eq!(event.unwrap().name, new);
    }
}

#[test]
fn cloudevents_in_binary_mode_carry_properties_or_a_whole_envelope() {
    let headers = [
        ("ce_specversion", "1.0"),
        ("ce_type", "add_to_cart"),
        ("ce_id", "e1"),
        ("ce_subject", "u9"),
    ];
    let event = read(&json!({ "cart_id": "c", "product_id": "p" }), &headers).unwrap();
    assert_eq!(
        (event.name.as_str(), event.identities.user.as_deref()),
        ("Product Added", Some("u9"))
    );
    let whole = json!({ "type": "page", "anonymousId": "d", "properties": { "path": "/" } });
    assert_eq!(read(&whole, &headers).unwrap().name, "Page Viewed");
    assert_eq!(
        read(&whole, &[("ce_specversion", "0.3")]),
        Err("unsupported_cloudevent")
    );
    assert_eq!(
        read(&whole, &[("content-type", "application/cloudevents+json")]),
        Err("unsupported_cloudevent")
    );
}

#[test]
fn identifiers_come_only_from_where_they_may() {
    let order = json!({ "type": "track", "event": "Order Completed", "anonymousId": "d", "properties": {
        "order_id": "o", "email": " Ann@Example.com ", "phone": "+380 44 123 45 67",
        "shipping_address": { "email": "gift@example.com" },
    } });
    let event = read(&order, &[]).unwrap();
    assert_eq!(event.identities.email.as_deref(), Some("ann@example.com"));
    assert_eq!(event.identities.phone.as_deref(), Some("+380441234567"));
    let viewed = json!({ "type": "page", "anonymousId": "d", "properties": { "email": "x@example.com" }, "context": { "traits": { "email": "y@example.com" } } });
    assert_eq!(read(&viewed, &[]).unwrap().identities.email, None);
}

#[test]
fn links_that_a_mail_must_not_carry_are_dropped() {
    let cart = json!({ "type": "track", "event": "Product Added", "userId": "u", "properties": {
        "cart_id": "c", "product_id": "p", "url": "javascript:alert(1)", "image_url": "https://shop.example/p.jpg",
    } });
    let event = read(&cart, &[]).unwrap();
    assert_eq!(event.products[0].url, None);
    assert_eq!(
        event.products[0].image_url.as_deref(),
        Some("https://shop.example/p.jpg")
    );
}

#[test]
fn a_conversion_reaches_every_identifier_before_the_links() {
    let order = json!({ "type": "track", "event": "Order Completed", "userId": "u", "anonymousId": "d", "messageId": "m",
        "properties": { "order_id": "o", "email": "ann@example.com" } });
    let event = read(&order, &[]).unwrap();
    let raw = record(b"x", &[]);
    let arrived = Arrived {
        stream: "raw:raw",
        kind: SourceKind::Live,
        partition: Partition(0),
        offset: Offset(7),
        arrival: raw.time,
        at: raw.time,
        id: event_id(Some("m"), &raw),
    };
    let mut links = Links::new(100);
    let first = route(event.clone(), &arrived, "shop", &mut links);
    let shape = |records: &[winback_contract::EventRecord]| -> Vec<(u32, &'static str)> {
        let word = |body: &Body| match body {
            Body::Storefront(_) => "own",
            Body::Copy(_) => "copy",
            Body::Link {
                owner_kind: IdentityKind::User,
                ..
            } => "link",
            _ => "other",
        };
        records
            .iter()
            .map(|record| (record.source.index, word(&record.body)))
            .collect()
    };
    assert_eq!(
        shape(&first),
        [
            (0, "own"),
            (1, "copy"),
            (2, "link"),
            (3, "copy"),
            (4, "link")
        ]
    );
    // Known pairs are not linked again, and the other positions stay the same.
    assert_eq!(
        shape(&route(event, &arrived, "shop", &mut links)),
        [(0, "own"), (1, "copy"), (3, "copy")]
    );
}

#[test]
fn without_a_message_id_the_payload_is_the_identity() {
    let (one, two) = (record(b"{\"a\":1}", &[]), record(b"{\"a\":2}", &[]));
    assert_eq!(event_id(None, &one), event_id(None, &one));
    assert_ne!(event_id(None, &one), event_id(None, &two));
}
