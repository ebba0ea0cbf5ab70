//! A storefront's transaction stands open on a raw topic: what is acknowledged behind it has arrived, though nobody may
//! read it yet, and no timer fires past it (INV-6).

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test runs blocking clients by itself"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use winback_bus::frontier::{Applied, Frontier, Source};
use winback_bus::kafka::{KafkaLog, Options, TopicSpec};
use winback_bus::{Log as _, TopicPartition};
use winback_contract::{Offset, Partition, Timestamp};
use winback_testkit::Kafka;

const PATIENCE: Duration = Duration::from_secs(30);

async fn topics(log: &KafkaLog) {
    let spec = |name: &str| TopicSpec {
        name: name.to_owned(),
        partitions: 1,
        replication: 1,
        settings: BTreeMap::from([(
            "message.timestamp.type".to_owned(),
            "LogAppendTime".to_owned(),
        )]),
    };
    let specs = ["raw", "events", "outcomes"].map(spec);
    log.create(&specs).await.unwrap();
}

fn put(producer: &BaseProducer, payload: &str) {
    let record = BaseRecord::<str, str>::to("raw").partition(0).key("k");
    producer.send(record.payload(payload)).unwrap();
    producer.flush(PATIENCE).unwrap();
}

/// A checkpointing job with an open transaction, and a plain producer's order behind it; both are acknowledged.
fn open_and_order(bootstrap: &str) -> BaseProducer {
    let client = |transactional: bool| -> BaseProducer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", bootstrap);
        if transactional {
            config.set("transactional.id", "checkpointing-job");
        }
        config.create().unwrap()
    };
    let job = client(true);
    job.init_transactions(PATIENCE).unwrap();
    job.begin_transaction().unwrap();
    put(&job, "{\"event\":\"Page Viewed\"}");
    put(&client(false), "{\"event\":\"Order Completed\"}");
    job
}

#[tokio::test(flavor = "multi_thread")]
async fn no_timer_fires_past_an_order_behind_an_open_transaction() {
    let kafka = Kafka::start().unwrap();
    let log = KafkaLog::new(Options {
        bootstrap: kafka.bootstrap().to_owned(),
        properties: BTreeMap::new(),
        client_id: "transactions".into(),
    })
    .unwrap();
    topics(&log).await;
    let bootstrap = kafka.bootstrap().to_owned();
    let job = tokio::task::spawn_blocking(move || open_and_order(&bootstrap))
        .await
        .unwrap();
    let source = Source {
        topic: "raw".into(),
        group: "ingest".into(),
    };
    let mut frontier = Frontier::new(vec![source], "events", "outcomes", 1);
    let now = Timestamp::from_millis(1_000_000);
    // More often than it has patience before it asks what lies there.
    for _ in 0..6 {
        frontier
            .probe(&log, now, &[Applied::default()])
            .await
            .unwrap();
        assert!(
            frontier.of(Partition(0)) < now,
            "the order behind the transaction is not read"
        );
    }
    assert_eq!(frontier.waits_for(), "raw");
    // Whoever only reads what is there is not told of more than can be read.
    assert_eq!(log.ends("raw").await.unwrap(), [Offset(0)]);
    assert_eq!(log.arrived("raw").await.unwrap(), [Offset(2)]);
    // It is given up: its record is void, the order is there to be read, and ingest commits behind it.
    let job = tokio::task::spawn_blocking(move || {
        job.abort_transaction(PATIENCE).unwrap();
        job
    })
    .await
    .unwrap();
    // The broker writes the mark of the abort behind its answer.
    let mut readable = log.ends("raw").await.unwrap();
    for _ in 0..300 {
        if readable == log.arrived("raw").await.unwrap() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        readable = log.ends("raw").await.unwrap();
    }
    let raw = TopicPartition::new("raw", Partition(0));
    let (begin, order, end) = (Offset(0), Offset(1), Offset(2));
    assert!(!log.has_records(&raw, begin, order).await.unwrap(), "void");
    assert!(
        log.has_records(&raw, order, end).await.unwrap(),
        "the order"
    );
    let mut member = log.join("ingest", &["raw".to_owned()]).await.unwrap();
    let mut next = None;
    for _ in 0..300 {
        let polled = member.poll(10, Duration::from_millis(100)).await.unwrap();
        next = polled.records.last().map(|record| record.offset.next());
        if next.is_some() {
            break;
        }
    }
    let position = (raw, next.unwrap(), String::new());
    member.commit(&[position]).await.unwrap();
    for _ in 0..300 {
        if frontier.of(Partition(0)) == now {
            break;
        }
        // The commit travels on its own.
        member.poll(10, Duration::from_millis(100)).await.unwrap();
        frontier
            .probe(&log, now, &[Applied::default()])
            .await
            .unwrap();
    }
    assert_eq!(
        frontier.of(Partition(0)),
        now,
        "it goes on behind the order"
    );
    drop(job);
}
