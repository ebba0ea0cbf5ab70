//! Sources of other shapes beside the storefront's own, on real Kafka and Redis: a table told by Debezium, read by a map, and
//! batches. Their orders stop the mail, and what is refused of a batch comes back alone.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::{Value, json};
use winback_testkit::until;
use winback_tests::{carts, run};

const MAP: &str = "apiVersion: winback/v1
kind: Map
events:
  - name: Order Completed
    when: record.state == 'placed'
    message_id: \"'order-' + record.no\"
    time: record.at
    identities: { user: record.customer }
    fields: { order_id: record.no, cart_id: record.cart, total: record.total }
";

const SOURCES: &str = "sources:
  - { name: raw, topic: winback.raw }
  - { name: tables, topic: winback.tables, format: debezium, rows: map, map: orders.map.yaml, arrival: create_time }
";

fn put(bootstrap: &str, topic: &str, values: &[Value]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .create()
        .unwrap();
    for value in values {
        let text = value.to_string();
        let record = BaseRecord::to(topic).key("k").payload(&text);
        producer.send(record).unwrap();
    }
    producer.flush(Duration::from_secs(20)).unwrap();
}

#[test]
fn orders_of_a_table_and_of_a_batch_stop_the_mail() {
    let mut shop = carts::open("8s", &[]).unwrap();
    shop.folder.write("orders.map.yaml", MAP).unwrap();
    shop.folder.write("sources.yaml", SOURCES).unwrap();
    let file = shop.folder.path().join("sources.yaml");
    shop.file(&file.display().to_string());
    let bad = MAP.replace("record.state ==", "recrod.state ==");
    shop.folder.write("orders.map.yaml", &bad).unwrap();
    let refused = run(&mut shop.command(&["serve", "ingest"]).unwrap()).unwrap();
    assert_eq!(refused.0, 3, "{refused:?}");
    assert!(refused.2.contains("did you mean `record`?"), "{refused:?}");
    shop.folder.write("orders.map.yaml", MAP).unwrap();
    shop.expect(&["topics", "apply"]).unwrap();
    let _all = shop.serve("all").unwrap();

    let mut storefront = shop.storefront().unwrap();
    for user in ["ann", "ben", "cid"] {
        storefront.leave_cart(user).unwrap();
    }
    storefront.close().unwrap();
    let row = json!({ "state": "placed", "no": "o1", "customer": "ann", "cart": "kann", "total": "12.50", "at": null });
    let change = json!({ "before": null, "after": row, "op": "c", "source": { "connector": "postgresql", "lsn": 7 } });
    put(
        shop.kafka.bootstrap(),
        "winback.tables",
        &[change.clone(), change],
    );
    let order = json!({ "type": "track", "event": "Order Completed", "userId": "ben",
        "properties": { "order_id": "o2", "total": 12.5 } });
    let nobody =
        json!({ "type": "track", "event": "Order Completed", "properties": { "order_id": "o3" } });
    let batch = json!({ "batch": [order, nobody] });
    put(shop.kafka.bootstrap(), "winback.raw", &[batch]);

    let limit = Duration::from_secs(40);
    until(limit, "the one who did not buy is mailed", || {
        !shop.smtp.received().is_empty()
    })
    .unwrap();
    for user in ["ann", "ben"] {
        let known = || {
            shop.expect(&["why", &format!("user:{user}")])
                .unwrap_or_default()
        };
        until(limit, "the order is counted once", || {
            known().contains("orders: 1,")
        })
        .unwrap();
    }
    let mails = shop.smtp.received();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].content.contains("cid@example.com"));
    let failed = shop.expect(&["failed", "show", "0"]).unwrap();
    assert!(failed.contains("o3") && !failed.contains("o2"), "{failed}");
}
