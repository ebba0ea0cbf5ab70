//! The loop of sessions beside parts that are sick: what one of them holds up, and what is seen of it.
#![allow(
    clippy::disallowed_methods,
    reason = "a test spawns and waits by itself"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use winback_bus::frontier::Source;
use winback_bus::memory::MemoryLog;
use winback_bus::{
    AssignedReader, Commit as Committed_, Error as BusError, GroupConsumer, Log, Outgoing,
    TopicPartition,
};
use winback_contract::*;
use winback_journey::Limits;
use winback_service::{Clock, Shutdown};
use winback_store::{MemoryStore, PartitionMeta, Store};

use crate::{Config, Service};

/// The log, of which one topic does not answer for its ends: it refuses, or says nothing at all.
#[derive(Clone)]
struct Sick {
    log: MemoryLog,
    topic: &'static str,
    sick: Arc<AtomicBool>,
    is_silent: bool,
}

#[async_trait]
impl Log for Sick {
    async fn produce(&self, records: Vec<Outgoing>) -> Result<(), BusError> {
        self.log.produce(records).await
    }
    async fn partitions(&self, topic: &str) -> Result<Option<u32>, BusError> {
        self.log.partitions(topic).await
    }
    async fn ends(&self, topic: &str) -> Result<Vec<Offset>, BusError> {
        if topic == self.topic && self.sick.load(Ordering::SeqCst) {
            if self.is_silent {
                std::future::pending::<()>().await;
            }
            return Err(BusError::Unavailable("kafka: leader not available".into()));
        }
        self.log.ends(topic).await
    }
    async fn starts(&self, topic: &str) -> Result<Vec<Offset>, BusError> {
        self.log.starts(topic).await
    }
    async fn edges(
        &self,
        topic_partitions: &[TopicPartition],
    ) -> Result<Vec<(Offset, Offset)>, BusError> {
        self.log.edges(topic_partitions).await
    }
    async fn has_records(
        &self,
        topic_partition: &TopicPartition,
        from: Offset,
        to: Offset,
    ) -> Result<bool, BusError> {
        self.log.has_records(topic_partition, from, to).await
    }
    async fn committed(
        &self,
        group: &str,
        topic: &str,
    ) -> Result<Vec<Option<Committed_>>, BusError> {
        self.log.committed(group, topic).await
    }
    async fn commit_for(
        &self,
        group: &str,
        topic_partition: &TopicPartition,
        to: &Committed_,
    ) -> Result<(), BusError> {
        self.log.commit_for(group, topic_partition, to).await
    }
    async fn join(
        &self,
        group: &str,
        topics: &[String],
    ) -> Result<Box<dyn GroupConsumer>, BusError> {
        self.log.join(group, topics).await
    }
    async fn read(&self, group: &str) -> Result<Box<dyn AssignedReader>, BusError> {
        self.log.read(group).await
    }
    async fn cluster_id(&self) -> Result<String, BusError> {
        self.log.cluster_id().await
    }
}

pub(super) fn names() -> TopicNames {
    TopicNames::new("t.")
}

fn topics(log: &MemoryLog) {
    log.create("raw", 1);
    for topic in [
        Topic::Events,
        Topic::Decisions,
        Topic::Outcomes,
        Topic::Triggers,
        Topic::Journeys,
        Topic::Campaigns,
        Topic::Failed,
    ] {
        log.create(&names().name(topic), 1);
    }
}

pub(super) fn config() -> Config {
    Config {
        names: names(),
        groups: "t.".into(),
        partitions: PartitionCount::new(1).unwrap(),
        sources: vec![Source {
            topic: "raw".into(),
            group: "t.ingest.raw".into(),
        }],
        batch: 100,
        due_batch: 10,
        sweep_batch: 10,
        sweep_rate: 1_000,
        shop: "shop".into(),
        most_open: 100,
        nearly_full: 0.8,
        cache: 1_000,
        probe_every: Duration::from_millis(1),
        sample_coupons: true,
        limits: Limits::default(),
    }
}

async fn event(log: &MemoryLog, who: u8, offset: i64, at: Timestamp) {
    let record = EventRecord {
        v: 1,
        to: CustomerId([who; 16]),
        id: EventId([u8::try_from(offset).unwrap(); 16]),
        source: SourcePosition {
            stream: "raw:raw".into(),
            partition: Partition(0),
            offset: Offset(offset),
            index: 0,
        },
        kind: SourceKind::Live,
        arrival: at,
        at,
        body: Body::Storefront(Box::new(Event {
            name: "Order Completed".into(),
            identities: Identities {
                anonymous: Some(format!("d{who}")),
                ..Identities::default()
            },
            order_id: Some(format!("o{offset}")),
            ..Event::default()
        })),
    };
    let out = Outgoing {
        topic: Arc::from(names().name(Topic::Events)),
        partition: Some(Partition(0)),
        key: Vec::new(),
        value: serde_json::to_vec(&record).unwrap(),
        headers: Vec::new(),
    };
    log.produce(vec![out]).await.unwrap();
}

/// A raw topic that does not answer must hold timers, not the application of orders that are in `events` already.
#[tokio::test]
async fn a_sick_raw_topic_does_not_hold_up_orders() {
    let clock = Clock::at(1_000_000);
    let log = MemoryLog::new(clock.clone());
    topics(&log);
    let sick = Sick {
        log: log.clone(),
        topic: "raw",
        sick: Arc::default(),
        is_silent: false,
    };
    let store = MemoryStore::new(clock.clone());
    let mut service = started(Arc::new(sick.clone()), &store, &clock).await;
    event(&log, 7, 1, Timestamp::from_millis(1_000_000)).await;
    for _ in 0..10 {
        service.step(Duration::ZERO).await.unwrap();
    }
    let applied = |metas: Vec<Option<PartitionMeta>>| metas[0].as_ref().unwrap().positions.events.0;
    assert_eq!(applied(store.metas(&[Partition(0)]).await.unwrap()), 1);
    // Something is due: the retention of the first customer.
    clock.advance_to(1_000_000 + 6 * 365 * 86_400_000);
    sick.sick.store(true, Ordering::SeqCst);
    event(&log, 8, 2, Timestamp::from_millis(clock.now_millis())).await;
    for _ in 0..200 {
        service.step(Duration::ZERO).await.unwrap();
    }
    let events = applied(store.metas(&[Partition(0)]).await.unwrap());
    assert_eq!(events, 2, "the order was not applied in 200 rounds");
}

/// Rounds until it owns its partition: what Kafka knows of it is asked beside the loop.
async fn owning(service: &mut Service) {
    let owned = async {
        while service.owned.is_empty() {
            service.step(Duration::from_millis(1)).await.unwrap();
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(20), owned).await;
    assert!(ended.is_ok(), "it never owns its partition");
}

/// The same where it says nothing for as long as it is waited for: a round must not wait with it.
#[tokio::test]
async fn a_silent_raw_topic_does_not_hold_up_orders() {
    let clock = Clock::real();
    let log = MemoryLog::new(clock.clone());
    topics(&log);
    let silent = Sick {
        log: log.clone(),
        topic: "raw",
        sick: Arc::new(AtomicBool::new(true)),
        is_silent: true,
    };
    let store = MemoryStore::new(clock.clone());
    let mut service = started(Arc::new(silent), &store, &clock).await;
    let work = async {
        // Of long ago: its retention is due at once, and so the frontier is asked for.
        owning(&mut service).await;
        event(&log, 7, 1, Timestamp::from_millis(1_000_000)).await;
        for _ in 0..20 {
            service.step(Duration::ZERO).await.unwrap();
        }
        assert!(
            service.frontier.is_asked(),
            "nothing asks: the test shows nothing"
        );
        event(&log, 8, 2, Timestamp::from_millis(clock.now_millis())).await;
        for _ in 0..20 {
            service.step(Duration::ZERO).await.unwrap();
        }
        let metas = store.metas(&[Partition(0)]).await.unwrap();
        assert_eq!(metas[0].as_ref().unwrap().positions.events, Offset(2));
    };
    let ended = tokio::time::timeout(Duration::from_secs(20), work).await;
    assert!(ended.is_ok(), "a round waits for the frontier");
}

/// A shop of one campaign that begins so, as files.
pub(crate) fn files(enter: &str) -> winback_campaign::Files {
    let policy = "apiVersion: winback/v1
kind: Policy
metadata: { name: shop }
spec:
  shop: { zone: Europe/Kyiv, locale: en, currency: EUR }
  topics: { marketing: { consent: not_denied } }
  groups: { cart: {} }
  senders: { sms: { from: SHOP } }
";
    let campaign = format!(
        "apiVersion: winback/v1
kind: Campaign
metadata: {{ name: cart, group: cart }}
spec:
  enter: {{ {enter} }}
  exit: {{ converted: Order Completed }}
  cascade: [ {{ step: reminder, send: [sms] }} ]
"
    );
    let files = [
        ("policy.yaml", policy),
        ("cart/campaign.yaml", &campaign),
        ("cart/templates/reminder.sms.en.txt", "Your cart waits"),
    ];
    winback_campaign::Files(
        files
            .map(|(path, text)| (path.to_owned(), text.to_owned()))
            .into(),
    )
}

async fn started(log: Arc<dyn Log>, store: &MemoryStore, clock: &Clock) -> Service {
    Service::start(
        config(),
        log,
        Arc::new(store.clone()),
        clock.clone(),
        crate::metrics::Metrics::register(&winback_service::Metrics::new()),
        Shutdown::new(),
    )
    .await
    .unwrap()
}

fn activation(bundle: BundleHash) -> Vec<u8> {
    let record = EventRecord {
        v: 1,
        to: CustomerId([0; 16]),
        id: EventId(bundle.0),
        source: SourcePosition {
            stream: "publish".into(),
            partition: Partition(0),
            offset: Offset(0),
            index: 0,
        },
        kind: SourceKind::Live,
        arrival: Timestamp::default(),
        at: Timestamp::default(),
        body: Body::Activation { bundle },
    };
    serde_json::to_vec(&record).unwrap()
}

pub(super) async fn put(log: &MemoryLog, topic: Topic, value: Vec<u8>) {
    let record = Outgoing {
        topic: Arc::from(names().name(topic)),
        partition: Some(Partition(0)),
        key: Vec::new(),
        value,
        headers: Vec::new(),
    };
    log.produce(vec![record]).await.unwrap();
}

/// A bundle that this release can't use, published by a newer command line, and then taken back.
#[tokio::test]
async fn a_bundle_that_is_refused_does_not_stop_the_shop() {
    let clock = Clock::real();
    let log = MemoryLog::new(clock.clone());
    topics(&log);
    let store = MemoryStore::new(clock.clone());
    let mut service = started(Arc::new(log.clone()), &store, &clock).await;
    let good = files("on: Product Added, idle: 20m");
    let mut newer = good.clone();
    newer
        .0
        .get_mut("policy.yaml")
        .unwrap()
        .push_str("  of_the_next_release: 1\n");
    assert!(
        winback_campaign::Bundle::compile(&newer).is_err()
            && winback_campaign::Bundle::compile(&good).is_ok()
    );
    for files in [&newer, &good] {
        put(&log, Topic::Campaigns, serde_json::to_vec(files).unwrap()).await;
    }
    put(&log, Topic::Events, activation(newer.hash())).await;
    put(&log, Topic::Events, activation(good.hash())).await;
    event(&log, 8, 1, Timestamp::from_millis(clock.now_millis())).await;
    owning(&mut service).await;
    for _ in 0..20 {
        service.step(Duration::ZERO).await.unwrap();
    }
    let metas = store.metas(&[Partition(0)]).await.unwrap();
    let position = metas[0].as_ref().map_or(0, |meta| meta.positions.events.0);
    let active = metas[0].as_ref().and_then(|meta| meta.bundle);
    assert_eq!(
        active,
        Some(good.hash()),
        "the bundle published behind it is active"
    );
    assert_eq!(position, 3, "the order behind it is not applied");
}

/// A bundle that has not come is waited for, in order, without turning round and round; what waits is told.
#[tokio::test]
async fn a_bundle_that_has_not_come_is_waited_for_and_told() {
    let clock = Clock::at(1_000_000);
    let log = MemoryLog::new(clock.clone());
    topics(&log);
    let store = MemoryStore::new(clock.clone());
    let mut service = started(Arc::new(log.clone()), &store, &clock).await;
    put(&log, Topic::Events, activation(BundleHash([7; 16]))).await;
    event(&log, 8, 1, Timestamp::from_millis(1_000_000)).await;
    for _ in 0..10 {
        service.step(Duration::ZERO).await.unwrap();
    }
    let metas = store.metas(&[Partition(0)]).await.unwrap();
    assert_eq!(
        metas[0].as_ref().unwrap().positions.events.0,
        0,
        "nothing passes the switch"
    );
    let why = service.stands().expect("it is told");
    assert!(why.contains("partition 0"), "{why}");
    assert_eq!(
        service.step(Duration::ZERO).await.unwrap(),
        0,
        "a round that can do nothing is idle"
    );
}

/// A clock that was set back must not hold leases, the probe or a sweep until it has caught up.
#[test]
fn a_pause_ends_also_where_the_clock_goes_back() {
    let lasts = |here| super::lasts(1_000, here, 500);
    assert_eq!(
        [999, 1_000, 1_499, 1_500, 5_000, -90_000_000].map(lasts),
        [false, true, true, false, false, false]
    );
}
