//! The loop over an in-process log: lists of calls, what of them is refused, and what comes back.

use serde_json::{Value, json};
use winback_bus::memory::MemoryLog;
use winback_bus::{Outgoing, dead_letter::put_back};
use winback_contract::{EventId, EventRecord, SourceKind};
use winback_service::{Clock, Metrics as Registry};

use super::*;
use crate::formats::Format;

const TOPIC: &str = "shop.raw";

struct Stage {
    log: MemoryLog,
    names: TopicNames,
    service: Service,
    registry: Registry,
}

impl Stage {
    async fn new(format: Format) -> Self {
        let log = MemoryLog::new(Clock::at(1_772_438_400_000));
        let names = TopicNames::new("w.");
        log.create(TOPIC, 1);
        for topic in [
            Topic::Events,
            Topic::Failed,
            Topic::Campaigns,
            Topic::Catalogue,
        ] {
            log.create(&names.name(topic), 1);
        }
        let source = SourceConfig {
            name: "shop".into(),
            topic: TOPIC.into(),
            format,
            rows: Format::Segment,
            map: None,
            kind: SourceKind::Live,
            arrival: Arrival::CreateTime,
            required: true,
        };
        let config = Config {
            sources: Vec::new(),
            max_bytes: 100_000,
            batch: 100,
            nobody: vec!["Web-Shop".into()],
            price_change: 0,
        };
        let shop = Shop {
            id: "shop".into(),
            currency: Currency::parse("EUR").unwrap(),
        };
        let registry = Registry::new();
        let metrics = Metrics::register(&registry);
        let place = (&names, "", PartitionCount::new(1).unwrap());
        let shared: Arc<dyn Log> = Arc::new(log.clone());
        let service = Service::start(source, config, shop, shared, place, metrics)
            .await
            .unwrap();
        Self {
            log,
            names,
            service,
            registry,
        }
    }

    async fn put(&mut self, value: Option<&Value>) {
        let record = Outgoing {
            topic: TOPIC.into(),
            partition: Some(Partition(0)),
            key: b"k".to_vec(),
            value: value.map(Value::to_string).unwrap_or_default().into_bytes(),
            headers: Vec::new(),
        };
        self.log.produce(vec![record]).await.unwrap();
        self.settle().await;
    }

    async fn settle(&mut self) {
        for _ in 0..10 {
            self.service.step(Duration::ZERO).await.unwrap();
        }
    }

    fn dump<T: serde::de::DeserializeOwned>(&self, topic: Topic) -> Vec<T> {
        let records = self.log.dump(&self.names.name(topic)).into_iter();
        records
            .map(|record| serde_json::from_slice(&record.value.unwrap()).unwrap())
            .collect()
    }

    /// Names and positions of the profiles' own events.
    fn events(&self) -> Vec<(String, u32, EventId)> {
        let records = self.dump::<EventRecord>(Topic::Events).into_iter();
        records
            .filter_map(|record| match record.body {
                Body::Storefront(event) => Some((event.name, record.source.index, record.id)),
                _ => None,
            })
            .collect()
    }
}

fn view(user: &str) -> Value {
    json!({ "type": "track", "event": "Product Viewed", "userId": user, "properties": { "product_id": "p" } })
}

/// INV-8: a call that is refused costs itself, not those beside it; what goes back is that call alone, and once.
#[tokio::test]
async fn a_call_that_is_refused_costs_itself_alone() {
    let nobody =
        json!({ "type": "track", "event": "Product Viewed", "properties": { "product_id": "p" } });
    let list = json!([view("u1"), nobody, view("u2"), 7]);
    let context = json!({ "locale": "de-DE" });
    for (payload, back) in [
        (
            json!({ "batch": list, "sentAt": "2026-03-01T10:00:00Z", "context": context }),
            json!({ "batch": [nobody, 7], "context": context }),
        ),
        (list.clone(), json!([nobody, 7])),
    ] {
        let mut stage = Stage::new(Format::Segment).await;
        stage.put(Some(&payload)).await;
        let events = stage.events();
        assert_eq!(events.len(), 2, "{events:?}");
        assert!(events[0].1 < events[1].1, "positions grow: {events:?}");
        let failed = stage.dump::<Failed>(Topic::Failed);
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].reason, FailedReason::MissingIdentity);
        assert!(
            failed[0].detail.starts_with("call 2 of 4: "),
            "{}",
            failed[0].detail
        );
        assert!(
            failed[0].detail.ends_with("; and 1 more"),
            "{}",
            failed[0].detail
        );
        let kept: Value = serde_json::from_slice(&failed[0].payload.0).unwrap();
        assert_eq!(kept, back);
        // Put back as it is, it fails again and does nothing else.
        let back = put_back(&failed[0]);
        stage.log.produce(vec![back]).await.unwrap();
        stage.settle().await;
        assert_eq!(stage.events().len(), 2);
        assert_eq!(stage.dump::<Failed>(Topic::Failed).len(), 2);
    }
}

/// A call without an id of its own is known again, however it comes.
#[tokio::test]
async fn a_call_is_the_same_in_any_list() {
    let mut stage = Stage::new(Format::Segment).await;
    stage.put(Some(&json!([view("u1"), view("u2")]))).await;
    stage.put(Some(&json!({ "batch": [view("u2")] }))).await;
    let ids: Vec<EventId> = stage.events().into_iter().map(|(_, _, id)| id).collect();
    assert_eq!(ids[1], ids[2]);
    assert_ne!(ids[0], ids[1]);
    // Two alike in one list are two.
    let mut stage = Stage::new(Format::Segment).await;
    stage.put(Some(&json!([view("u1"), view("u1")]))).await;
    let twice: Vec<EventId> = stage.events().into_iter().map(|(_, _, id)| id).collect();
    assert_eq!(twice[0], ids[0]);
    assert_ne!(twice[0], twice[1]);
}

#[tokio::test]
async fn a_batch_says_where_its_calls_are_from() {
    let mut stage = Stage::new(Format::Segment).await;
    let own = json!({ "type": "identify", "userId": "u", "traits": { "email": "ann@example.com" },
        "context": { "locale": "de-DE" } });
    let batch = json!({ "batch": [own, view("u")], "context": { "locale": "en-GB", "timezone": "Europe/Berlin" } });
    stage.put(Some(&batch)).await;
    let events = stage.dump::<EventRecord>(Topic::Events);
    let locale = |record: &EventRecord| match &record.body {
        Body::Storefront(event) => event.traits.as_ref()?.locale.clone(),
        _ => None,
    };
    let locales: Vec<String> = events.iter().filter_map(locale).collect();
    assert_eq!(locales, ["de-DE", "en-GB"]);
}

/// INV-12, and nothing vanishes: what is too much is refused as a whole, and what says nothing is counted.
#[tokio::test]
async fn lists_are_bounded_and_silence_is_counted() {
    let mut stage = Stage::new(Format::Segment).await;
    stage.put(Some(&vec![json!(1); 1_001].into())).await;
    let failed = stage.dump::<Failed>(Topic::Failed);
    assert_eq!(failed[0].reason, FailedReason::TooLarge);
    stage.put(Some(&json!({ "batch": [] }))).await;
    assert_eq!(stage.dump::<Failed>(Topic::Failed).len(), 1);
    let text = stage.registry.text();
    let counted = "winback_records_without_event_total{source=\"shop\"} 1";
    assert!(text.contains(counted), "{text}");

    let mut stage = Stage::new(Format::Debezium).await;
    let row =
        json!({ "event": "Product Viewed", "userId": "u", "properties": "{\"product_id\":\"p\"}" });
    stage
        .put(Some(&json!({ "before": null, "after": row, "op": "c", "source": { "lsn": 7, "ts_ms": 1_772_438_300_000_i64 } })))
        .await;
    stage
        .put(Some(&json!({ "before": row, "after": null, "op": "d" })))
        .await;
    stage.put(None).await;
    assert_eq!(stage.events().len(), 1);
    assert_eq!(stage.dump::<Failed>(Topic::Failed).len(), 0);
    assert!(
        stage
            .registry
            .text()
            .contains("winback_records_without_event_total{source=\"shop\"} 2")
    );
}

/// INV-12: what all calls of a batch have in common is not copied without a bound.
#[tokio::test]
async fn a_small_record_does_not_become_a_large_one() {
    let common = "a".repeat(40_000);
    for (format, payload) in [
        (
            Format::Segment,
            json!({ "context": { "x": common }, "batch": vec![json!({}); 900] }),
        ),
        (
            Format::Segment,
            json!({ "context": { "x": common }, "batch": vec![json!(0); 20_000] }),
        ),
        (
            Format::Ga4,
            json!({ "client_id": "1.2", "x": common, "events": vec![json!({}); 900] }),
        ),
    ] {
        let mut stage = Stage::new(format).await;
        stage.put(Some(&payload)).await;
        let failed = stage.dump::<Failed>(Topic::Failed);
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].reason, FailedReason::TooLarge);
    }
}

/// What is refused of a batch goes back in records that fit, with what the batch has in common once in each.
#[tokio::test]
async fn dead_letters_of_a_batch_fit() {
    let common = "c".repeat(2_000);
    let nobody: Vec<Value> = (0..270)
        .map(|number| json!({ "type": "track", "event": "X", "properties": { "number": number, "text": "t".repeat(200) } }))
        .collect();
    let batch = json!({ "batch": nobody, "context": { "app": common } });
    let mut stage = Stage::new(Format::Segment).await;
    stage.put(Some(&batch)).await;
    let failed = stage.dump::<Failed>(Topic::Failed);
    assert!(failed.len() > 1, "{}", failed.len());
    let mut calls = 0;
    for letter in failed {
        assert!(letter.bytes <= 64 << 10, "{}", letter.bytes);
        let value: Value = serde_json::from_slice(&letter.payload.0).unwrap();
        assert_eq!(value["context"]["app"], json!(common));
        calls += value["batch"].as_array().unwrap().len();
    }
    assert_eq!(calls, 270);
}

/// A record whose one call is refused comes back for that call: the others were applied.
#[tokio::test]
async fn what_was_applied_of_a_record_is_not_applied_again() {
    const MAP: &str = "apiVersion: winback/v1
kind: Map
events:
  - name: Product Added
    each: record.lines
    identities: { user: item.who }
    fields: { product_id: item.art }
";
    let mut stage = Stage::new(Format::Segment).await;
    let (mapping, _) = crate::formats::mapping::Mapping::read("shop.map.yaml", MAP).unwrap();
    stage.service.shape = Shape {
        format: Format::Map,
        rows: Format::Segment,
        mapping: Some(Arc::new(mapping)),
    };
    let lines =
        json!([{ "who": "u1", "art": "p1" }, { "art": "p2" }, { "who": "u3", "art": "p3" }]);
    stage.put(Some(&json!({ "lines": lines }))).await;
    assert_eq!(stage.events().len(), 2);
    let failed = stage.dump::<Failed>(Topic::Failed);
    assert_eq!(failed.len(), 1);
    stage.log.produce(vec![put_back(&failed[0])]).await.unwrap();
    stage.settle().await;
    assert_eq!(stage.events().len(), 2, "the others were applied before");
    assert_eq!(stage.dump::<Failed>(Topic::Failed).len(), 2);
}
