//! A service of two partitions on the log and the store in process, for tests: what is put in, and what came of it.
#![allow(
    clippy::disallowed_methods,
    reason = "a test spawns and waits by itself"
)]

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use winback_bus::memory::MemoryLog;
use winback_bus::{Log as _, Outgoing};
use winback_contract::*;
use winback_service::{Clock, Shutdown};
use winback_store::{Commit, Committed, MemoryStore, Standing, Store as _};

use super::tests::{config, names};
use crate::{Config, Service};

pub(super) const NOW: i64 = 1_000_000;

pub(super) struct Stage {
    pub(super) clock: Clock,
    pub(super) log: MemoryLog,
    pub(super) store: MemoryStore,
    pub(super) service: Service,
}

pub(super) async fn service(log: &MemoryLog, store: &MemoryStore, clock: &Clock) -> Service {
    let two = Config {
        partitions: PartitionCount::new(2).unwrap(),
        ..config()
    };
    Service::start(
        two,
        Arc::new(log.clone()),
        Arc::new(store.clone()),
        clock.clone(),
        crate::metrics::Metrics::register(&winback_service::Metrics::new()),
        Shutdown::new(),
    )
    .await
    .unwrap()
}

/// A customer of a partition of two.
pub(super) fn who(partition: u8, number: u8) -> CustomerId {
    let mut id = [number; 16];
    id[7] = partition;
    let id = CustomerId(id);
    assert_eq!(
        PartitionCount::new(2).unwrap().of(id),
        Partition(u32::from(partition))
    );
    id
}

impl Stage {
    pub(super) async fn new() -> Self {
        let clock = Clock::at(NOW);
        let log = MemoryLog::new(clock.clone());
        log.create("raw", 1);
        for topic in [
            Topic::Events,
            Topic::Decisions,
            Topic::Outcomes,
            Topic::Triggers,
            Topic::Journeys,
        ] {
            log.create(&names().name(topic), 2);
        }
        for topic in [Topic::Campaigns, Topic::Failed] {
            log.create(&names().name(topic), 1);
        }
        let store = MemoryStore::new(clock.clone());
        let service = service(&log, &store, &clock).await;
        Self {
            clock,
            log,
            store,
            service,
        }
    }

    pub(super) async fn put(&self, topic: Topic, partition: u32, value: &Value) {
        let record = Outgoing {
            topic: Arc::from(names().name(topic)),
            partition: Some(Partition(partition)),
            key: Vec::new(),
            value: serde_json::to_vec(value).unwrap(),
            headers: Vec::new(),
        };
        self.log.produce(vec![record]).await.unwrap();
    }

    pub(super) async fn order(&self, to: CustomerId, offset: i64, order: &str) -> Value {
        let record = EventRecord {
            v: 1,
            to,
            // Short ids are of the first half.
            id: EventId((i128::from(offset) << 64).to_be_bytes()),
            source: SourcePosition {
                stream: "raw:raw".into(),
                partition: Partition(0),
                offset: Offset(offset),
                index: 0,
            },
            kind: SourceKind::Live,
            arrival: Timestamp::from_millis(NOW),
            at: Timestamp::from_millis(NOW),
            body: Body::Storefront(Box::new(Event {
                name: "Order Completed".into(),
                identities: Identities {
                    anonymous: Some(format!("d{offset}")),
                    ..Identities::default()
                },
                order_id: Some(order.into()),
                ..Event::default()
            })),
        };
        let value = serde_json::to_value(record).unwrap();
        let partition = PartitionCount::new(2).unwrap().of(to);
        self.put(Topic::Events, partition.0, &value).await;
        value
    }

    pub(super) async fn rounds(&mut self) {
        for _ in 0..30 {
            self.service.step(Duration::ZERO).await.unwrap();
        }
    }

    pub(super) async fn applied(&self, partition: u32) -> i64 {
        let metas = self.store.metas(&[Partition(partition)]).await.unwrap();
        metas[0].as_ref().map_or(0, |meta| meta.positions.events.0)
    }

    pub(super) async fn blob(&self, id: CustomerId) -> Option<Vec<u8>> {
        let partition = PartitionCount::new(2).unwrap().of(id);
        self.store.load(partition, &[id]).await.unwrap().remove(0)
    }

    /// What went to `failed`: reasons.
    pub(super) fn failed(&self) -> Vec<FailedReason> {
        let records = self.log.dump(&names().name(Topic::Failed));
        let reason = |record: winback_bus::Record| {
            let failed: Failed = serde_json::from_slice(&record.value.unwrap()).unwrap();
            failed.reason
        };
        records.into_iter().map(reason).collect()
    }

    /// Writes a state, as something else than sessions might.
    pub(super) async fn write(&self, id: CustomerId, blob: Vec<u8>) {
        self.write_due(id, blob, NOW).await;
    }

    pub(super) async fn write_due(&self, id: CustomerId, blob: Vec<u8>, due: i64) {
        let partition = PartitionCount::new(2).unwrap().of(id);
        let meta = self.acquired(partition).await;
        let commit = Commit {
            epoch: meta.epoch,
            sequence: meta.sequence,
            id: ids::digest("test", &[&meta.epoch.to_be_bytes()]),
            base: Some(meta.clone()),
            meta,
            customers: vec![(id, Some(blob))],
            timers: vec![(id, Some(Timestamp::from_millis(due)))],
            ..Commit::default()
        };
        let answer = self.store.commit(partition, &commit).await.unwrap();
        assert_eq!(answer, Committed::Applied);
    }

    pub(super) async fn acquired(&self, partition: Partition) -> winback_store::PartitionMeta {
        let standing = Standing::default();
        self.store.acquire(partition, standing).await.unwrap()
    }

    /// The release before made this bundle active.
    pub(super) async fn activate(&self, bundle: BundleHash) {
        for partition in [0, 1].map(Partition) {
            let base = self.acquired(partition).await;
            let commit = Commit {
                epoch: base.epoch,
                sequence: base.sequence,
                id: ids::digest("test", &[&base.epoch.to_be_bytes()]),
                meta: winback_store::PartitionMeta {
                    bundle: Some(bundle),
                    ..base.clone()
                },
                base: Some(base),
                ..Commit::default()
            };
            let answer = self.store.commit(partition, &commit).await.unwrap();
            assert_eq!(answer, Committed::Applied);
        }
    }

    /// The same, and its owner begins anew as after a restart.
    pub(super) async fn plant(&mut self, id: CustomerId, blob: Vec<u8>) {
        self.write(id, blob).await;
        self.service = service(&self.log, &self.store, &self.clock).await;
    }
}
