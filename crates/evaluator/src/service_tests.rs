//! What the evaluator does with triggers that it can't decide: to whom they are left, and whom they hold up.

use serde_json::{Value, json};
use winback_bus::memory::MemoryLog;
use winback_contract::{Offset, Partition};
use winback_service::Clock;

use super::*;

struct Stage {
    log: MemoryLog,
    names: TopicNames,
    service: Service,
}

impl Stage {
    async fn new() -> Self {
        let log = MemoryLog::new(Clock::at(0));
        let names = TopicNames::new("t.");
        for topic in [Topic::Triggers, Topic::Decisions] {
            log.create(&names.name(topic), 2);
        }
        for topic in [Topic::Campaigns, Topic::Failed] {
            log.create(&names.name(topic), 1);
        }
        let config = Config {
            names: names.clone(),
            groups: "t.".into(),
            partitions: PartitionCount::new(2).unwrap(),
            batch: 10,
        };
        let metrics = Metrics::register(&winback_service::Metrics::new());
        let service = Service::start(config, Arc::new(log.clone()), metrics);
        let service = service.await.unwrap();
        Self {
            log,
            names,
            service,
        }
    }

    async fn trigger(&self, partition: u32, value: &Value) {
        let record = Outgoing {
            topic: Arc::from(self.names.name(Topic::Triggers)),
            partition: Some(Partition(partition)),
            key: Vec::new(),
            value: serde_json::to_vec(value).unwrap(),
            headers: Vec::new(),
        };
        self.log.produce(vec![record]).await.unwrap();
    }

    async fn rounds(&mut self) {
        for _ in 0..20 {
            self.service.step(Duration::ZERO).await.unwrap();
        }
    }

    /// How far each partition is committed.
    async fn committed(&self) -> Vec<Option<i64>> {
        let topic = self.names.name(Topic::Triggers);
        let all = self.log.committed("t.evaluator", &topic).await.unwrap();
        let next = |commit: Option<winback_bus::Commit>| commit.map(|commit| commit.next.0);
        all.into_iter().map(next).collect()
    }

    fn failed(&self) -> Vec<FailedReason> {
        let records = self.log.dump(&self.names.name(Topic::Failed));
        let reason = |record: Record| {
            let failed: winback_contract::Failed =
                serde_json::from_slice(&record.value.unwrap()).unwrap();
            failed.reason
        };
        records.into_iter().map(reason).collect()
    }
}

/// To skip it would lose the message of everybody who is due during an upgrade.
#[tokio::test]
async fn a_trigger_of_a_newer_release_is_left_to_one_that_reads_it() {
    let mut stage = Stage::new().await;
    stage
        .trigger(0, &json!({ "v": 9, "of_the_next_release": true }))
        .await;
    stage.trigger(1, &json!({ "v": 1 })).await;
    stage.rounds().await;
    assert_eq!(
        stage.failed(),
        [FailedReason::MalformedTrigger],
        "the other partition goes on"
    );
    assert_eq!(stage.committed().await, [Some(0), Some(1)]);
    assert!(
        stage
            .log
            .dump(&stage.names.name(Topic::Decisions))
            .is_empty()
    );
    let why = stage.service.waiting.stands().expect("it is told");
    assert!(
        why.contains("partition 0") && why.contains("version 9"),
        "{why}"
    );
}

#[tokio::test]
async fn what_is_no_trigger_goes_to_failed_and_stops_nobody() {
    let mut stage = Stage::new().await;
    for value in [json!([]), json!("x"), json!({ "v": "1" }), json!({})] {
        stage.trigger(0, &value).await;
    }
    stage.rounds().await;
    assert_eq!(stage.failed(), [FailedReason::MalformedTrigger; 4]);
    assert_eq!(stage.committed().await[0], Some(Offset(4).0));
    assert_eq!(stage.service.waiting.stands(), None);
}
