//! GA4, Debezium and files of mappings: samples of their documents, through the whole of ingest's reading.

use std::sync::Arc;

use serde_json::{Value, json};
use winback_contract::{Currency, Event, Timestamp};

use super::mapping::Mapping;
use super::{Format, Shape};
use crate::customs::Customs;
use crate::normalise::normalise;
use crate::notes::Notes;
use crate::tests::{envelopes, record};

/// The events of a record with their times, and what was noted.
fn read(shape: &Shape, body: &Value) -> (Vec<(Event, Option<Timestamp>)>, Vec<String>) {
    let record = record(body.to_string().as_bytes(), &[("kind", "sale")]);
    let customs = Customs::new(Currency::parse("EUR").unwrap());
    let notes = Notes::default();
    let all = envelopes(&record, 100_000, shape, &customs, &notes).unwrap();
    let events = all.into_iter().map(|envelope| {
        let envelope = envelope.unwrap();
        let at = envelope.timestamp;
        (normalise(envelope, &customs, &notes).unwrap().event, at)
    });
    let events = events.collect();
    let noted = notes.take().into_iter();
    (events, noted.map(|note| note.field).collect())
}

/// Why a record, or its first call, is refused.
fn refused(shape: &Shape, body: &Value) -> String {
    let record = record(body.to_string().as_bytes(), &[]);
    let customs = Customs::new(Currency::parse("EUR").unwrap());
    let notes = Notes::default();
    match envelopes(&record, 1_000_000, shape, &customs, &notes) {
        Ok(mut all) => all.remove(0).unwrap_err().detail,
        Err(refusal) => refusal.detail,
    }
}

fn one(shape: &Shape, body: &Value) -> Event {
    let (mut events, _) = read(shape, body);
    assert_eq!(events.len(), 1);
    events.remove(0).0
}

#[test]
fn a_row_of_ga4_is_its_event() {
    // As in https://support.google.com/analytics/answer/7029846, with what it writes where nothing is.
    let row = json!({
        "event_date": "20260301", "event_timestamp": 1_772_366_400_000_123_i64, "event_name": "purchase",
        "event_params": [
            { "key": "currency", "value": { "string_value": "EUR", "int_value": null, "float_value": null, "double_value": null } },
            { "key": "transaction_id", "value": { "string_value": "T_12345" } },
            { "key": "value", "value": { "double_value": 72.05 } },
            { "key": "ga_session_id", "value": { "int_value": "1772366000" } },
        ],
        "user_id": null, "user_pseudo_id": "123456.789", "device": { "language": "en-us" },
        "user_properties": [{ "key": "tier", "value": { "string_value": "gold", "set_timestamp_micros": 1 } }],
        "ecommerce": { "total_item_quantity": 3, "purchase_revenue": 72.05, "transaction_id": "T_12345" },
        "items": [{ "item_id": "SKU_1", "item_name": "Cup", "price": 10.01, "quantity": 3, "item_category": "(not set)" }],
    });
    let (events, noted) = read(&Format::Ga4.into(), &row);
    let (event, at) = &events[0];
    assert_eq!(event.name, "Order Completed");
    assert_eq!(*at, Some(Timestamp::from_millis(1_772_366_400_000)));
    assert_eq!(event.order_id.as_deref(), Some("T_12345"));
    assert_eq!(event.total.unwrap().to_string(), "72.05 EUR");
    assert_eq!(event.identities.anonymous.as_deref(), Some("123456.789"));
    assert_eq!(event.products[0].product_id, "SKU_1");
    assert_eq!(
        (
            event.products[0].quantity,
            event.products[0].category.is_none()
        ),
        (3, true)
    );
    assert_eq!(noted, [""; 0]);
    // Rows of BigQuery's older samples: the order's number in `ecommerce` alone.
    let row = json!({ "event_name": "purchase", "user_id": "u", "event_timestamp": "1772366400000123",
        "event_params": [], "ecommerce": { "transaction_id": "T", "purchase_revenue": "10.5" }, "items": [] });
    let event = one(&Format::Ga4.into(), &row);
    assert_eq!(
        (event.order_id.as_deref(), event.total.unwrap().minor),
        (Some("T"), 1_050)
    );
}

#[test]
fn a_measurement_of_ga4_is_all_its_events() {
    let body = json!({ "client_id": "c.1", "timestamp_micros": "1772366400000000", "events": [
        { "name": "add_to_cart", "params": { "currency": "EUR", "items": [{ "item_id": "p1", "price": 5 }] } },
        { "name": "begin_checkout", "params": {}, "timestamp_micros": 1_772_366_401_000_000_i64 },
    ] });
    let (events, _) = read(&Format::Ga4.into(), &body);
    let names: Vec<&str> = events
        .iter()
        .map(|(event, _)| event.name.as_str())
        .collect();
    assert_eq!(names, ["Product Added", "Checkout Started"]);
    assert_eq!(events[1].1, Some(Timestamp::from_millis(1_772_366_401_000)));
    assert!(
        events
            .iter()
            .all(|(event, _)| event.identities.anonymous.as_deref() == Some("c.1"))
    );
}

#[test]
fn a_change_of_a_table_is_what_its_row_says() {
    let source =
        json!({ "connector": "postgresql", "lsn": 24_023_128, "ts_ms": 1_772_366_400_000_i64 });
    let call = json!({ "type": "track", "event": "Order Completed", "userId": "u", "properties": { "order_id": "o1" } });
    let outbox = json!({ "id": "7f", "aggregatetype": "order", "aggregateid": "o1", "type": "OrderPaid",
        "payload": call.to_string() });
    let plain =
        json!({ "event": "Order Completed", "userId": "u", "properties": { "order_id": "o1" } });
    let change = |row: &Value| json!({ "before": null, "after": row, "source": source, "op": "c", "ts_ms": 1_772_366_460_000_i64 });
    let shape: Shape = Format::Debezium.into();
    for body in [
        change(&outbox),
        change(&plain),
        json!({ "schema": { "type": "struct" }, "payload": change(&plain) }),
    ] {
        let (events, _) = read(&shape, &body);
        assert_eq!(events[0].0.order_id.as_deref(), Some("o1"), "{body}");
        assert_eq!(
            events[0].1,
            Some(Timestamp::from_millis(1_772_366_400_000)),
            "{body}"
        );
    }
    // Rows alone, unwrapped on their way.
    let mut row = plain.clone();
    row["__op"] = json!("u");
    row["__deleted"] = json!("false");
    assert_eq!(one(&shape, &row).order_id.as_deref(), Some("o1"));
    row["__deleted"] = json!("true");
    assert!(read(&shape, &row).0.is_empty());
    // What a snapshot tells is not of the moment it was taken.
    let mut snapshot = change(&plain);
    snapshot["op"] = json!("r");
    assert_eq!(read(&shape, &snapshot).0[0].1, None);
    // What Debezium says of itself says nothing.
    for body in [
        json!({ "ts_ms": 1 }),
        json!({ "status": "BEGIN", "id": "571", "event_count": null }),
        json!({ "before": plain, "after": null, "op": "d" }),
        json!({ "op": "t", "source": source }),
    ] {
        assert!(read(&shape, &body).0.is_empty(), "{body}");
    }
    let shape = Shape {
        format: Format::Debezium,
        rows: Format::Woocommerce,
        mapping: None,
    };
    let order = json!({ "id": 727, "status": "processing", "customer_id": 7, "currency": "EUR", "total": "98.00",
        "date_created_gmt": "2026-03-01T10:00:00", "line_items": [] });
    assert_eq!(
        one(&shape, &change(&order)).order_id.as_deref(),
        Some("727")
    );
}

const MAP: &str = r#"
apiVersion: winback/v1
kind: Map
events:
  - name: Order Completed
    when: record.type == 'sale' && record.paid
    message_id: "'sale-' + string(record.no)"
    time: record.at
    identities:
      user: record.customer.id
      email: record.customer.mail
    fields:
      order_id: record.no
      total: record.sum
      currency: "'USD'"
      channel: headers.kind
      weight: record.weight * 2
      gift: false
      products: >-
        record.lines.map(line, {'product_id': line.art, 'quantity': line.n, 'price': line.price})
    traits:
      first_name: record.customer.name
  - name: Product Viewed
    when: record.type == 'seen'
    each: record.seen
    identities: { anonymous: record.device }
    fields: { product_id: item.art, name: item.title }
  - name: =record.name
    when: has(record.name)
    identities: { user: key }
"#;

fn mapped() -> Shape {
    Shape {
        format: Format::Map,
        rows: Format::Segment,
        mapping: Some(Arc::new(Mapping::read("shop.map.yaml", MAP).unwrap().0)),
    }
}

#[test]
fn a_file_says_what_records_mean() {
    let sale = json!({ "type": "sale", "paid": true, "no": 17, "at": "2026-03-01 12:00:00", "sum": "1 250,00",
        "customer": { "id": 5, "mail": "ann@example.com", "name": null }, "weight": "heavy",
        "lines": [{ "art": "p1", "n": 2, "price": 9.5 }, { "art": "p2", "n": 1, "price": 1 }] });
    let (events, noted) = read(&mapped(), &sale);
    let (event, at) = &events[0];
    assert_eq!(event.name, "Order Completed");
    assert_eq!(*at, Some(Timestamp::parse("2026-03-01T12:00:00Z").unwrap()));
    assert_eq!(event.order_id.as_deref(), Some("17"));
    assert_eq!(event.total.unwrap().to_string(), "1250.00 USD");
    // An address of whom it is about is an identity, whatever the event.
    assert_eq!(event.identities.user.as_deref(), Some("5"));
    assert_eq!(event.identities.email.as_deref(), Some("ann@example.com"));
    assert_eq!(event.products.len(), 2);
    assert_eq!(event.properties["channel"], json!("sale"));
    assert_eq!(event.properties["gift"], json!(false));
    // What can't be computed is left out and told; what is absent is absent.
    assert_eq!(noted, ["fields.weight"]);

    let seen = json!({ "type": "seen", "device": "d", "seen": [{ "art": "p1", "title": "Cup" }, { "art": "p2" }] });
    let (events, noted) = read(&mapped(), &seen);
    let goods: Vec<_> = events
        .iter()
        .map(|(event, _)| event.products[0].product_id.as_str())
        .collect();
    assert_eq!(goods, ["p1", "p2"]);
    assert_eq!(noted, [""; 0]);

    for nothing in [json!({ "type": "sale" }), json!({})] {
        assert!(read(&mapped(), &nothing).0.is_empty(), "{nothing}");
    }
    let odd = json!({ "type": "sale", "paid": "perhaps" });
    assert!(refused(&mapped(), &odd).contains("`when` of Order Completed"));
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_place() {
    for (from, to, expected) in [
        (
            "kind: Map",
            "kind: Campaign",
            "3:7: `Campaign` is not `Map`",
        ),
        ("record.sum", "record.sum +", "can't be read"),
        (
            "record.sum",
            "recrod.sum",
            "14:14: there is no `recrod` (did you mean `record`?)",
        ),
        (
            "\"'USD'\"",
            "USD",
            "there is no `USD` (expressions read record, headers, key and item; a constant text is written \"'USD'\")",
        ),
        (
            "record.sum",
            "sise(record.sum)",
            "there is no function `sise` (did you mean `size`?)",
        ),
        (
            "      total: record.sum\n",
            "      total: item.sum\n",
            "there is no `item` without `each`",
        ),
        (
            "    identities: { anonymous: record.device }",
            "    identities: {}",
            "nobody is named",
        ),
        (
            "name: Product Viewed",
            "name: Cart Emptied",
            "winback makes itself",
        ),
        ("    time: record.at", "    tiem: record.at", "tiem"),
        (">-\n        record.lines", "record.lines", "behind `>-`"),
        (
            "order_id: record.no",
            "order_id: [record.no]",
            "a list or a map is written as one expression",
        ),
        (
            "user: record.customer.id",
            "user: 17",
            "`identities.user` is the same for every record",
        ),
    ] {
        assert!(MAP.contains(from), "{from}");
        let report = Mapping::read("m.yaml", &MAP.replace(from, to))
            .unwrap_err()
            .to_string();
        assert!(report.contains(expected), "{expected} is not in: {report}");
    }
}

#[test]
fn a_document_of_mongodb_is_read_and_what_can_not_be_is_refused() {
    let shape: Shape = Format::Debezium.into();
    let call = json!({ "type": "track", "event": "Order Completed", "userId": "u", "properties": { "order_id": "o1" } });
    let change = json!({ "op": "c", "after": call.to_string(), "source": { "collection": "orders", "ord": 1 } });
    assert_eq!(one(&shape, &change).order_id.as_deref(), Some("o1"));
    for after in [json!("no json"), json!(null), json!(7)] {
        let change = json!({ "op": "u", "after": after, "patch": "{}" });
        let problem = refused(&shape, &change);
        assert!(problem.contains("`after` must be a map"), "{problem}");
    }
}

/// Two rows of one statement are two, and one that is told again by a newer connector is one.
#[test]
fn the_id_of_a_change_is_its_place_and_its_row() {
    let id = |source: Value, order: &str, op: &str| {
        let row = json!({ "event": "Order Completed", "userId": "u", "properties": format!("{{\"order_id\":\"{order}\"}}") });
        let change = json!({ "op": op, "after": row, "source": source, "ts_ms": 5 });
        let record = record(change.to_string().as_bytes(), &[]);
        let customs = Customs::new(Currency::parse("EUR").unwrap());
        let notes = Notes::default();
        let mut all =
            envelopes(&record, 100_000, &Format::Debezium.into(), &customs, &notes).unwrap();
        all.remove(0).unwrap().message_id
    };
    let source = json!({ "lsn": 7, "table": "orders", "version": "2.7" });
    let newer = json!({ "lsn": 7, "table": "orders", "version": "3.0", "sequence": "[1]" });
    assert_eq!(id(source.clone(), "o1", "c"), id(newer, "o1", "c"));
    assert_ne!(id(source.clone(), "o1", "c"), id(source.clone(), "o2", "c"));
    assert!(id(source.clone(), "o1", "c").is_some());
    assert_eq!(id(source, "o1", "r"), None, "a snapshot has no place");
}

#[test]
fn converters_of_kafka_connect_are_unwrapped() {
    let call = json!({ "type": "track", "event": "Order Completed", "userId": "u", "properties": { "order_id": "o1" } });
    let shape = Shape::default();
    for body in [
        json!({ "schema": { "type": "string" }, "payload": call.to_string() }),
        json!({ "schema": null, "payload": call }),
        json!(call.to_string()),
    ] {
        assert_eq!(one(&shape, &body).order_id.as_deref(), Some("o1"), "{body}");
    }
    let change = json!({ "schema": {}, "payload": { "op": "c", "after": call } });
    assert!(refused(&shape, &change).contains("format: debezium"));
}

#[test]
fn types_of_cloudevents_end_with_the_name() {
    for kind in [
        "com.example.shop.order_completed",
        "com.example.shop.order.completed",
        "com.example.order.completed.v1",
        "shop:Order Completed",
        "order.completed",
    ] {
        let event = json!({ "specversion": "1.0", "type": kind, "id": "1", "source": "/", "data": { "order_id": "o1", "user_id": "u" } });
        assert_eq!(
            one(&Format::Cloudevents.into(), &event).name,
            "Order Completed",
            "{kind}"
        );
    }
    let text = json!({ "specversion": "1.0", "type": "purchase", "id": "1", "subject": "u", "data": "{\"order_id\":\"o1\"}" });
    assert_eq!(
        one(&Format::Cloudevents.into(), &text).order_id.as_deref(),
        Some("o1")
    );
    let batch = json!({ "specversion": "1.0", "type": "x", "id": "1", "data": { "batch": [] } });
    assert!(refused(&Format::Cloudevents.into(), &batch).contains("a batch inside"));
}

fn of_map(rules: &str) -> Shape {
    let text = format!("apiVersion: winback/v1\nkind: Map\nevents:\n{rules}");
    Shape {
        format: Format::Map,
        rows: Format::Segment,
        mapping: Some(Arc::new(Mapping::read("m.yaml", &text).unwrap().0)),
    }
}

#[test]
fn null_is_null_where_it_is_compared() {
    let shape = of_map(
        "  - name: Order Completed
    when: record.type == 'order' && record.cancelled_at == null && record.paid
    identities: { user: \"record.x != null ? record.x : record.y\" }
    fields: { order_id: string(record.no) }
",
    );
    let order = json!({ "type": "order", "cancelled_at": null, "paid": true, "x": null, "y": "u", "no": u64::MAX });
    let event = one(&shape, &order);
    assert_eq!(event.order_id.as_deref(), Some("18446744073709551615"));
    assert_eq!(event.identities.user.as_deref(), Some("u"));
    let cancelled = json!({ "type": "order", "cancelled_at": "2026-03-01", "paid": true });
    assert!(read(&shape, &cancelled).0.is_empty());
}

/// A rule that can't be judged is no "no".
#[test]
fn what_a_map_can_not_judge_is_refused() {
    let each = of_map(
        "  - name: Product Viewed
    each: record.list
    message_id: record.id
    identities: { user: record.who }
    fields: { product_id: item.art }
",
    );
    let body = json!({ "list": { "a": 1 }, "who": "u" });
    assert!(
        refused(&each, &body).contains("`each` of Product Viewed can't be computed: it is no list")
    );
    assert!(read(&each, &json!({ "who": "u" })).0.is_empty());
    let many = json!({ "list": vec![json!({ "art": "p" }); 1_001], "who": "u" });
    assert!(refused(&each, &many).contains("1001 calls in one record"));
    let when = of_map(
        "  - name: Product Viewed
    when: record.kind
    identities: { user: record.who }
",
    );
    assert!(
        refused(&when, &json!({ "kind": "seen", "who": "u" })).contains("`when` of Product Viewed")
    );
    assert_eq!(read(&when, &json!({ "kind": 1, "who": "u" })).0.len(), 1);
    assert!(
        read(&when, &json!({ "kind": "no", "who": "u" }))
            .0
            .is_empty()
    );
    // A list that can't be built is told, not dropped.
    let lines = of_map(
        "  - name: Cart Updated
    identities: { user: record.who }
    fields: { products: \"record.lines.map(line, {'product_id': line.art, 'price': line.price})\" }
",
    );
    let absent = json!({ "who": "u", "lines": [{ "art": "p1", "price": 1 }, { "art": "p2" }] });
    assert!(
        read(&lines, &absent)
            .1
            .contains(&"fields.products".to_owned())
    );
    let null = json!({ "who": "u", "lines": [{ "art": "p1", "price": 1 }, { "art": "p2", "price": null }] });
    assert_eq!(one(&lines, &null).products.len(), 2);
}

#[test]
fn the_ids_of_elements_differ() {
    let ids = |rules: &str| {
        let shape = of_map(rules);
        let body = json!({ "id": 7, "list": [{ "no": 1 }, { "no": 2 }], "who": "u" });
        let record = record(body.to_string().as_bytes(), &[]);
        let customs = Customs::new(Currency::parse("EUR").unwrap());
        let all = envelopes(&record, 100_000, &shape, &customs, &Notes::default()).unwrap();
        let ids = all
            .into_iter()
            .map(|envelope| envelope.unwrap().message_id.unwrap());
        ids.collect::<Vec<String>>()
    };
    let rule = |id: &str| {
        format!(
            "  - {{ name: X, each: record.list, message_id: {id}, identities: {{ user: record.who }} }}\n"
        )
    };
    assert_eq!(ids(&rule("record.id")), ["7#0", "7#1"]);
    assert_eq!(ids(&rule("item.no")), ["1", "2"]);
}

/// `docs/storefront/from-your-shop.md`: its examples become the events that it says, with nothing left out.
#[test]
fn the_examples_of_the_docs_are_what_they_say() {
    let page = include_str!("../../../../docs/storefront/from-your-shop.md");
    let (mut mapping, mut examples) = (None, 0);
    for block in page.split("<!-- ").skip(1) {
        let (said, rest) = block.split_once(" -->\n").unwrap();
        let (fence, rest) = rest.split_once('\n').unwrap();
        let (text, _) = rest.split_once("```").unwrap();
        if fence == "```yaml" {
            mapping = Some(Arc::new(Mapping::read("docs", text).unwrap().0));
            continue;
        }
        let (format, names) = said.split_once(": ").unwrap();
        let format: Format = format.parse().unwrap();
        let is_outbox = text.contains("aggregatetype");
        let shape = Shape {
            format,
            rows: if format == Format::Debezium && !is_outbox {
                Format::Map
            } else {
                Format::Segment
            },
            mapping: mapping.clone(),
        };
        let (events, noted) = read(&shape, &serde_json::from_str(text).unwrap());
        let found: Vec<&str> = events
            .iter()
            .map(|(event, _)| event.name.as_str())
            .collect();
        assert_eq!(found.join(", "), names, "{text}");
        assert_eq!(noted, [""; 0], "{text}");
        assert!(
            events
                .iter()
                .all(|(event, _)| event.identities.strongest().is_some())
        );
        examples += 1;
    }
    assert!(examples > 10);
}
