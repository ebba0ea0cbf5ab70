//! The in-process log keeps the promises of the port.

use std::time::Duration;

use winback_contract::{Offset, Partition};
use winback_service::Clock;

use super::{Faults, MemoryLog};
use crate::log::{Assignment, Log, TopicPartition};
use crate::record::Outgoing;

fn record(partition: u32, value: &str) -> Outgoing {
    Outgoing {
        topic: "t".into(),
        partition: Some(Partition(partition)),
        key: vec![],
        value: value.into(),
        headers: Vec::new(),
    }
}

fn log() -> MemoryLog {
    let log = MemoryLog::new(Clock::at(5));
    log.create("t", 2);
    log
}

#[tokio::test]
async fn a_second_member_takes_half_and_goes_on_where_the_first_committed() {
    let log = log();
    for n in 0..4 {
        log.produce(vec![record(0, &n.to_string()), record(1, &n.to_string())])
            .await
            .unwrap();
    }
    let mut first = log.join("g", &["t".into()]).await.unwrap();
    let polled = first.poll(100, Duration::ZERO).await.unwrap();
    assert_eq!(polled.records.len(), 8);
    first
        .commit(&[(
            TopicPartition::new("t", Partition(1)),
            Offset(3),
            "m".into(),
        )])
        .await
        .unwrap();
    let mut second = log.join("g", &["t".into()]).await.unwrap();
    let polled = second.poll(100, Duration::ZERO).await.unwrap();
    assert_eq!(
        polled.assignments,
        vec![Assignment::Assigned(vec![TopicPartition::new(
            "t",
            Partition(1)
        )])]
    );
    assert_eq!(
        polled.records.iter().map(|r| r.offset).collect::<Vec<_>>(),
        vec![Offset(3)]
    );
    let polled = first.poll(100, Duration::ZERO).await.unwrap();
    assert_eq!(
        polled.assignments,
        vec![Assignment::Revoked(vec![TopicPartition::new(
            "t",
            Partition(1)
        )])]
    );
    drop(second);
    let polled = first.poll(100, Duration::ZERO).await.unwrap();
    assert_eq!(polled.records.len(), 1);
}

#[tokio::test]
async fn a_held_partition_keeps_its_position() {
    let log = log();
    log.produce(vec![record(0, "a"), record(0, "b")])
        .await
        .unwrap();
    let topic_partition = TopicPartition::new("t", Partition(0));
    let mut reader = log.read("g").await.unwrap();
    reader
        .start(&topic_partition, Offset(1), None)
        .await
        .unwrap();
    reader.hold(&topic_partition, true).await.unwrap();
    assert!(reader.poll(10, Duration::ZERO).await.unwrap().is_empty());
    reader.hold(&topic_partition, false).await.unwrap();
    let read = reader.poll(10, Duration::ZERO).await.unwrap();
    assert_eq!(read[0].value.as_deref(), Some(b"b".as_slice()));
    assert_eq!(log.ends("t").await.unwrap(), vec![Offset(2), Offset(0)]);
}

#[tokio::test]
async fn faults_repeat_by_seed_and_lose_only_answers() {
    let outcomes = |seed| async move {
        let log = log().with_faults(Faults {
            seed,
            lost_ack_one_in: 3,
            refused_one_in: 0,
        });
        let mut seen = Vec::new();
        for n in 0..30 {
            seen.push(log.produce(vec![record(0, &n.to_string())]).await.is_ok());
        }
        assert_eq!(log.ends("t").await.unwrap()[0], Offset(30));
        seen
    };
    let first = outcomes(1).await;
    assert!(first.contains(&false) && first.contains(&true));
    assert_eq!(first, outcomes(1).await);
    assert_ne!(first, outcomes(2).await);
}
