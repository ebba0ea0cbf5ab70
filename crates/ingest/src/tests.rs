//! Tables: what becomes of a raw record. One `check` touches the code, the cases do not.

use std::sync::Arc;

use serde_json::{Value, json};
use winback_bus::{Record, Stamp};
use winback_contract::{
    Body, Currency, Event, FailedReason, IdentityKind, Offset, Partition, SourceKind, Timestamp,
    spec,
};

use crate::calls::calls;
use crate::customs::Customs;
use crate::decode::{Envelope, decode};
use crate::fields::Refusal;
use crate::formats::{Call, Shape};
use crate::links::Links;
use crate::normalise::normalise;
use crate::notes::Notes;
use crate::route::{Arrived, event_id, route};

mod own;

pub(crate) fn record(value: &[u8], headers: &[(&str, &str)]) -> Record {
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

/// The calls of a record, each as it is read.
pub(crate) fn envelopes(
    record: &Record,
    max_bytes: usize,
    shape: &Shape,
    customs: &Customs,
    notes: &Notes,
) -> Result<Vec<Result<Envelope, Refusal>>, Refusal> {
    let read = |call: Result<Call, Refusal>| decode(record, call?, shape.format, customs, notes);
    let calls = calls(record, max_bytes, shape)?;
    Ok(calls.into_iter().map(read).collect())
}

/// The one call of a record.
pub(crate) fn envelope(
    record: &Record,
    max_bytes: usize,
    shape: &Shape,
    customs: &Customs,
    notes: &Notes,
) -> Result<Envelope, Refusal> {
    let mut all = envelopes(record, max_bytes, shape, customs, notes)?;
    if all.len() == 1 {
        all.remove(0)
    } else {
        let detail = format!("{} calls", all.len());
        Err(Refusal::new(FailedReason::MalformedJson, detail))
    }
}

fn read(value: &Value, headers: &[(&str, &str)]) -> Result<Event, &'static str> {
    let record = record(value.to_string().as_bytes(), headers);
    let customs = Customs::new(Currency::parse("EUR").unwrap());
    let notes = Notes::default();
    let envelope = envelope(&record, 10_000, &Shape::default(), &customs, &notes)
        .map_err(|refusal| refusal.reason.as_str())?;
    normalise(envelope, &customs, &notes)
        .map(|normal| normal.event)
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
    let structured = json!({ "specversion": "1.0", "id": "e2", "source": "/shop", "type": "com.example.order_completed",
        "subject": "u9", "time": "2026-01-05T10:00:00Z", "data": { "order_id": "o1", "total": 5 } });
    let event = read(&structured, &[]).unwrap();
    assert_eq!(
        (event.name.as_str(), event.order_id.as_deref()),
        ("Order Completed", Some("o1"))
    );
    assert_eq!(event.identities.user.as_deref(), Some("u9"));
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
        id: event_id(Some("m"), "Order Completed", b"", 0),
        call: 0,
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
    let (one, two) = (b"{\"a\":1}", b"{\"a\":2}");
    assert_eq!(event_id(None, "x", one, 0), event_id(None, "x", one, 0));
    assert_ne!(event_id(None, "x", one, 0), event_id(None, "x", two, 0));
    assert_ne!(event_id(None, "x", one, 0), event_id(None, "x", one, 1));
}

/// What is read of an order, and what is noted of it.
fn salvaged(properties: &Value) -> (Event, Vec<String>) {
    let order = json!({ "type": "track", "event": "Order Completed", "userId": "u", "properties": properties });
    let record = record(order.to_string().as_bytes(), &[]);
    let customs = Customs::new(Currency::parse("EUR").unwrap());
    let notes = Notes::default();
    let envelope = envelope(&record, 10_000, &Shape::default(), &customs, &notes).unwrap();
    let event = normalise(envelope, &customs, &notes).unwrap().event;
    let noted = notes.take().into_iter();
    let noted = noted.map(|note| format!("{} {}", note.field, note.why.as_str()));
    (event, noted.collect())
}

/// INV-8: a fault of a field costs the field. An order is never refused for one.
#[test]
#[allow(clippy::too_many_lines, reason = "a table, or a story told in order")]
fn an_order_loses_what_can_not_be_read_and_nothing_else() {
    for (properties, noted) in [
        (json!({ "order_id": "o", "total": "1,250.00" }), vec![]),
        (
            json!({ "order_id": "o", "total": "a lot" }),
            vec!["total unreadable"],
        ),
        (
            json!({ "order_id": "o", "total": [1] }),
            vec!["total unreadable"],
        ),
        (
            json!({ "order_id": "o", "total": "25 USD" }),
            vec!["total unreadable"],
        ),
        (json!({ "order_id": "o", "currency": "€" }), vec![]),
        (
            json!({ "order_id": "o", "currency": "money", "total": 5 }),
            vec!["currency unreadable"],
        ),
        (
            json!({ "order_id": "o", "currency": { "code": "EUR" } }),
            vec!["currency unreadable"],
        ),
        (
            json!({ "order_id": "o", "products": "none" }),
            vec!["products unreadable"],
        ),
        (
            json!({ "order_id": "o", "products": [7] }),
            vec!["products[0] unreadable"],
        ),
        (
            json!({ "order_id": "o", "products": [{ "name": "x" }] }),
            vec!["products[0] unreadable"],
        ),
        (
            json!({ "order_id": "o", "products": [{ "product_id": "p", "category": ["a"], "price": "x" }] }),
            vec![
                "products[0].category unreadable",
                "products[0].price unreadable",
            ],
        ),
        (json!({ "order_id": "o", "products": {} }), vec![]),
        (
            json!({ "order_id": "o", "products": "[{\"product_id\":\"p\"}]" }),
            vec![],
        ),
        (
            json!({ "order_id": "o", "email": "no address" }),
            vec!["email unreadable"],
        ),
        (
            json!({ "order_id": "o", "phone": "undefined" }),
            vec!["phone nobody"],
        ),
        (
            json!({ "order_id": "o", "promised_at": "soon" }),
            vec!["promised_at unreadable"],
        ),
        (
            json!({ "order_id": "o", "coupon": true, "url": 5 }),
            vec!["coupon unreadable"],
        ),
        (json!({ "order_id": ["o"] }), vec!["order_id unreadable"]),
        (json!({}), vec![]),
    ] {
        let (event, got) = salvaged(&properties);
        assert_eq!(event.name, "Order Completed");
        assert_eq!(got, noted, "{properties}");
    }
    let (event, _) = salvaged(&json!({ "order_id": "o", "products": [
        { "product_id": "a", "quantity": "2 pcs", "price": "1 250,50 €" }, "broken", { "product_id": "b", "quantity": 0 },
        { "id": 7, "price": 3, "currency": "USD" },
    ] }));
    let lines: Vec<_> = event
        .products
        .iter()
        .map(|line| {
            (
                line.product_id.as_str(),
                line.quantity,
                line.price.map(|price| price.to_string()),
            )
        })
        .collect();
    let price = |text: &str| Some(text.to_owned());
    assert_eq!(
        lines,
        [("a", 2, price("1250.50 EUR")), ("7", 1, price("3.00 USD"))]
    );
    // Without a currency that can be read an amount means nothing.
    let (event, _) = salvaged(&json!({ "order_id": "o", "currency": "money", "total": 5 }));
    assert_eq!(event.total, None);
}

/// Whatever stands in a field, a record that names somebody is an event.
#[test]
fn garbage_in_any_field_refuses_nothing() {
    let garbage = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(""),
        json!("\u{0}\u{202e}"),
        json!([]),
        json!([[[]]]),
        json!({}),
        json!({ "a": { "b": [1] } }),
        json!("NaN"),
        json!("9".repeat(400)),
        json!("2026-02-30T25:61:61Z"),
    ];
    let whole = json!({
        "type": "track", "event": "Order Completed", "userId": "u", "anonymousId": "d", "messageId": "m",
        "timestamp": "2026-01-05T10:00:00Z", "channel": "browser",
        "context": { "active": true, "locale": "en", "timezone": "Europe/Kyiv", "traits": { "email": "a@b.example" } },
        "traits": { "firstName": "Ann", "birthday": "1990-05-14", "address": { "city": "Kyiv" } },
        "properties": {
            "order_id": "o", "checkout_id": "k", "cart_id": "c", "total": 5, "subtotal": 4, "revenue": 5, "value": 5,
            "shipping": 1, "tax": 1, "discount": 0, "coupon": "X", "currency": "EUR", "promised_at": "2026-01-07T10:00:00Z",
            "email": "a@b.example", "phone": "+380501112233", "url": "https://shop.example/",
            "products": [ { "product_id": "p", "name": "Mug", "price": 5, "quantity": 1, "in_stock": true } ], "own": 3,
        },
    });
    let mut paths: Vec<Vec<String>> = Vec::new();
    fn walk(value: &Value, path: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
        if let Value::Object(map) = value {
            for (name, inner) in map {
                path.push(name.clone());
                paths.push(path.clone());
                walk(inner, path, paths);
                path.pop();
            }
        }
    }
    walk(&whole, &mut Vec::new(), &mut paths);
    let mut tried = 0;
    for path in paths {
        // These say what it is, and who.
        if [vec!["type"], vec!["event"], vec!["userId"]]
            .contains(&path.iter().map(String::as_str).collect())
        {
            continue;
        }
        for odd in &garbage {
            let mut record = whole.clone();
            let pointer = format!("/{}", path.join("/"));
            *record.pointer_mut(&pointer).unwrap() = odd.clone();
            let event = read(&record, &[]);
            assert!(
                event.is_ok_and(|event| event.name == "Order Completed"),
                "{pointer} {odd}"
            );
            tried += 1;
        }
    }
    assert!(tried > 400, "{tried}");
}

#[test]
fn who_says_no_is_understood() {
    let says = |event: &str, properties: Value| {
        let body = json!({ "type": "track", "event": event, "properties": properties });
        let event = read(&body, &[]).unwrap();
        let consent = event.consent.unwrap();
        (
            event.identities.email,
            consent.channel.as_str(),
            format!("{:?}", consent.status),
        )
    };
    let ann = || Some("ann@example.com".to_owned());
    for (event, properties, channel, status) in [
        (
            "Consent Updated",
            json!({ "email": "ann@example.com", "channel": "e-mail", "status": "opt_out" }),
            "email",
            "Denied",
        ),
        (
            "consent_updated",
            json!({ "email": "ann@example.com", "channel": "sms", "status": false }),
            "sms",
            "Denied",
        ),
        (
            "Consent Updated",
            json!({ "email": "ann@example.com", "channel": "email", "status": "subscribed" }),
            "email",
            "Granted",
        ),
        (
            "Consent Updated",
            json!({ "email": "ann@example.com", "status": "of_another_tool" }),
            "email",
            "Denied",
        ),
        (
            "Unsubscribed",
            json!({ "email": "ann@example.com" }),
            "email",
            "Denied",
        ),
        (
            "Email Marked as Spam",
            json!({ "email": "ann@example.com" }),
            "email",
            "Denied",
        ),
    ] {
        assert_eq!(
            says(event, properties),
            (ann(), channel, status.to_owned()),
            "{event}"
        );
    }
}

/// What nobody understands is never a yes, and a no that names no channel of ours may mean any.
#[test]
fn a_consent_that_is_not_understood_opens_nothing() {
    let says = |properties: Value| {
        let body = json!({ "type": "track", "event": "Consent Updated", "userId": "u", "properties": properties });
        let consent = read(&body, &[]).unwrap().consent;
        consent.map(|consent| {
            (
                format!("{:?}", consent.status),
                consent.channel.as_str(),
                consent.every,
                consent.topic,
            )
        })
    };
    for yes in [
        json!({ "channel": "postal", "status": "granted" }),
        json!({ "status": "granted" }),
        json!({ "channel": "all", "status": "granted" }),
        json!({ "channel": "email", "status": "granted", "topic": ["promo"] }),
    ] {
        assert_eq!(says(yes.clone()), None, "{yes}");
    }
    for no in [
        json!({ "channel": "all", "status": "denied" }),
        json!({ "channel": "marketing", "status": "unsubscribed" }),
        json!({ "status": "denied" }),
    ] {
        let (status, _, every, _) = says(no.clone()).unwrap();
        assert_eq!((status.as_str(), every), ("Denied", true), "{no}");
    }
    let whole = says(json!({ "channel": "sms", "status": "denied", "topic": { "a": 1 } })).unwrap();
    assert_eq!(whole, ("Denied".into(), "sms", false, None));
}

/// Lines of which none can be read are no empty cart: that would end what the customer left.
#[test]
fn a_cart_that_can_not_be_read_is_not_empty() {
    let name = |products: Value| {
        let body = json!({ "type": "track", "event": "Cart Updated", "userId": "u", "properties": { "cart_id": "c", "products": products } });
        read(&body, &[]).unwrap().name
    };
    for unread in [
        json!("x"),
        json!([{ "name": "x" }]),
        json!(["p1", "p2"]),
        json!(7),
    ] {
        assert_eq!(name(unread.clone()), "Cart Viewed", "{unread}");
    }
    for empty in [json!([]), json!([{ "product_id": "p", "quantity": 0 }])] {
        assert_eq!(name(empty.clone()), "Cart Updated", "{empty}");
    }
    assert_eq!(
        name(json!([{ "product_id": "p" }, "broken"])),
        "Cart Updated"
    );
}

/// Words of stock and of schema.org are no consent, whatever a flag elsewhere may be.
#[test]
fn a_status_is_read_as_a_consent_and_as_nothing_else() {
    for (status, expected) in [
        (json!("available"), "denied"),
        (json!("preorder"), "denied"),
        (json!("in stock"), "denied"),
        (json!("unsubscribed/yes"), "denied"),
        (json!("subscribed"), "granted"),
        (json!("oui"), "granted"),
        (json!("nein"), "denied"),
        (json!(true), "granted"),
        (json!(1), "granted"),
        (json!(0), "denied"),
    ] {
        let event = read(
            &json!({ "type": "track", "event": "Consent Updated", "userId": "u",
                "properties": { "channel": "email", "status": status } }),
            &[],
        )
        .unwrap();
        let consent = serde_json::to_value(event.consent.unwrap()).unwrap();
        assert_eq!(consent["status"].as_str(), Some(expected), "{status}");
    }
}

/// What the reference shows is taken as it stands, with nothing left out.
#[test]
fn every_example_of_the_reference_is_taken_whole() {
    let customs = Customs::new(Currency::parse("EUR").unwrap());
    for spec in spec::events() {
        let call = spec::guide::example(spec);
        let record = record(call.to_string().as_bytes(), &[]);
        let notes = Notes::default();
        let envelope = envelope(&record, 10_000, &Shape::default(), &customs, &notes).unwrap();
        let event = normalise(envelope, &customs, &notes).unwrap().event;
        assert_eq!(event.name, spec.name);
        let notes: Vec<_> = notes.take().into_iter().map(|note| note.field).collect();
        assert_eq!(notes, [""; 0], "{call}");
    }
}
