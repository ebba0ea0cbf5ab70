//! One truth of currency, zone, locale and country, and one decision: a file of what a storefront sends goes through `simulate`,
//! `backtest` and the services on real Kafka and Redis, and all decide alike, to the word that tells why.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Message as _};
use serde_json::{Value, json};
use winback_service::Clock;
use winback_testkit::until;
use winback_tests::Shop;

const POLICY: &str = r#"apiVersion: winback/v1
kind: Policy
metadata: { name: shop }
spec:
  shop: { zone: Europe/Berlin, locale: de, currency: UAH, country: DE }
  topics: { marketing: { consent: not_denied } }
  groups: { cart: { ended_by: Order Completed } }
  senders: { email: { from: "Shop <hello@shop.example>", unsubscribe: "mailto:out@shop.example" } }
"#;

const CAMPAIGN: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: cart, group: cart }
spec:
  enter: { on: Product Added, key: event.cart_id, idle: 2s }
  exit: { converted: Order Completed }
  audience: cart.total >= 1000 && !('staff' in customer.traits.groups)
  cascade: [ { step: reminder, send: [email] } ]
";

const MAIL: &str = "<mjml><mj-head><mj-title>Your cart</mj-title></mj-head><mj-body><mj-section><mj-column><mj-text>{% if cart %}{{ cart.total | money }}{% endif %}</mj-text></mj-column></mj-section></mj-body></mjml>";

/// Everybody, with what the cart's line says and what comes behind it.
const PEOPLE: [(&str, &str, &str); 7] = [
    ("sum", r#""price":"1.250""#, ""),
    ("small", r#""price":"9,50""#, ""),
    ("dollar", r#""price":"1.250","currency":"USD""#, ""),
    ("blank", r#""quantity":2"#, ""),
    (
        "staff",
        r#""price":1250"#,
        r#"{"type":"identify","userId":"staff","traits":{"groups":["staff"]}}"#,
    ),
    (
        "no",
        r#""price":1250"#,
        r#"{"type":"track","event":"Unsubscribed","userId":"no","properties":{"email":"no@example.com"}}"#,
    ),
    (
        "bought",
        r#""price":1250"#,
        r#"{"type":"track","event":"placed_order","userId":"bought","properties":{"order_id":"o1","total":"2.500,00"}}"#,
    ),
];

/// The lines of a person, from a moment on, a millisecond apart.
fn lines((user, line, then): (&str, &str, &str), at: i64) -> Vec<Value> {
    let known = json!({ "type": "identify", "userId": user, "traits": { "email": format!("{user}@example.com"), "groups": ["buyers"] } });
    let line: Value = serde_json::from_str(&format!("{{{line}}}")).unwrap();
    let mut added =
        json!({ "type": "track", "event": "Product Added", "userId": user, "properties": line });
    added["properties"]["cart_id"] = json!(format!("k{user}"));
    added["properties"]["product_id"] = json!("p1");
    let mut all = vec![known, added];
    all.extend(serde_json::from_str::<Value>(then).ok());
    for (number, event) in (0..).zip(&mut all) {
        event["timestamp"] = json!(at + number);
    }
    all
}

/// What a decision says, without times and ids that the run makes.
fn said(decision: &Value) -> Vec<String> {
    let steps = decision["steps"].as_array().unwrap().iter();
    let said = steps.map(|step| {
        let verdict = &step["verdict"];
        let (send, skip) = (&verdict["send"], &verdict["skip"]);
        let what = match send.is_null() {
            false => format!("send {}", send["channel"]),
            true => format!("skip {} {}", skip["reason"], skip["because"]),
        };
        format!(
            "{} {} {} {what}",
            decision["customer"], step["campaign"], step["step"]
        )
    });
    said.collect()
}

/// All decisions of the topic.
fn decided(bootstrap: &str) -> BTreeSet<String> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "agree")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let topic = "winback.decisions";
    let metadata = consumer
        .fetch_metadata(Some(topic), Duration::from_secs(10))
        .unwrap();
    let partitions = metadata.topics()[0].partitions().len();
    let mut list = rdkafka::TopicPartitionList::new();
    for partition in 0..i32::try_from(partitions).unwrap() {
        list.add_partition_offset(topic, partition, rdkafka::Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&list).unwrap();
    let (mut ends, mut found) = (0, BTreeSet::new());
    while ends < partitions {
        match consumer.poll(Duration::from_secs(10)).unwrap() {
            Ok(message) => {
                let decision: Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
                found.extend(said(&decision));
            }
            Err(rdkafka::error::KafkaError::PartitionEOF(_)) => ends += 1,
            Err(error) => panic!("{error}"),
        }
    }
    found
}

#[test]
fn all_commands_and_the_services_decide_alike() {
    let campaigns = [
        ("cart/campaign.yaml", CAMPAIGN),
        ("cart/templates/reminder.email.de.mjml", MAIL),
    ];
    let shop = Shop::open(POLICY, &campaigns, &[]).unwrap();
    shop.expect(&["topics", "apply"]).unwrap();
    let _all = shop.serve("all").unwrap();
    let folder = shop.folder.path().to_owned();
    let text = |name: &str| folder.join(name).display().to_string();
    let from = text("campaigns");

    let now = Clock::real().now_millis();
    let mut storefront = shop.storefront().unwrap();
    let mut file = String::new();
    for person in PEOPLE {
        for line in lines(person, now) {
            storefront.send(person.0, &line).unwrap();
            file.push_str(&format!("{line}\n"));
        }
    }
    storefront.close().unwrap();
    shop.folder.write("events.jsonl", &file).unwrap();

    // Backtest.
    let until_then = "2126-01-01T00:00:00Z";
    let (events, out) = (text("events.jsonl"), text("out"));
    shop.expect(&[
        "backtest", &from, "--events", &events, "--until", until_then, "--out", &out,
    ])
    .unwrap();
    let decisions = std::fs::read_to_string(folder.join("out/decisions.jsonl")).unwrap();
    let decisions = decisions
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let tested: BTreeSet<String> = decisions.flat_map(|decision| said(&decision)).collect();
    assert_eq!(tested.len(), 6, "who bought is not asked: {tested:#?}");

    // Simulate, person by person: the same words, without the profile's id.
    for person in PEOPLE {
        let own: String = lines(person, now)
            .iter()
            .map(|line| format!("{line}\n"))
            .collect();
        shop.folder.write("own.jsonl", &own).unwrap();
        let shown = shop
            .expect(&[
                "simulate",
                &from,
                "--events",
                &text("own.jsonl"),
                "--days",
                "2",
            ])
            .unwrap();
        let words = |wanted: &str| shown.contains(wanted);
        let fits = match person.0 {
            "sum" => words("sends `reminder`"),
            "small" => words("[audience]") && words("cart.total 9.5 >= 1000"),
            "dollar" => words("[other_currency]"),
            "blank" => words("[condition]") || words("[audience]"),
            "staff" => words("[audience]") && words("customer.traits.groups"),
            "no" => words("[no_consent]") || words("[suppressed]"),
            _ => words("as converted") && !words("reminder"),
        };
        assert!(fits, "{}: {shown}", person.0);
    }

    // The services.
    let live = || decided(shop.kafka.bootstrap());
    until(Duration::from_secs(60), "everybody is decided", || {
        live().len() >= tested.len()
    })
    .unwrap();
    assert_eq!(live(), tested);
    let mails = || shop.smtp.received();
    until(Duration::from_secs(30), "one mail", || !mails().is_empty()).unwrap();
    let mails = mails();
    assert_eq!(mails.len(), 1);
    let content = mails[0]
        .content
        .replace("=C2=A0", " ")
        .replace("=E2=82=B4", "₴");
    assert!(content.contains("sum@example.com"), "{content}");
    assert!(content.contains("1250"), "{content}");
}
