//! The frontier on the log in process.

use super::*;
use crate::memory::MemoryLog;
use crate::record::Outgoing;
use winback_service::Clock;

fn record(topic: &str) -> Outgoing {
    Outgoing {
        topic: topic.into(),
        partition: Some(Partition(0)),
        key: vec![],
        value: vec![],
        headers: Vec::new(),
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

async fn setup() -> (MemoryLog, Frontier) {
    let log = MemoryLog::new(Clock::at(0));
    for topic in ["raw", "events", "outcomes"] {
        log.create(topic, 1);
    }
    let source = Source {
        topic: "raw".into(),
        group: "ingest".into(),
    };
    (log, Frontier::new(vec![source], "events", "outcomes", 1))
}

#[tokio::test]
async fn an_unread_order_holds_the_frontier() {
    let (log, mut frontier) = setup().await;
    frontier
        .probe(&log, at(10), &[Applied::default()])
        .await
        .unwrap();
    assert_eq!(frontier.of(Partition(0)), at(10));
    // An order arrives before 20 and nobody has read it.
    log.produce(vec![record("raw")]).await.unwrap();
    frontier
        .probe(&log, at(20), &[Applied::default()])
        .await
        .unwrap();
    assert_eq!(
        (frontier.of(Partition(0)), frontier.waits_for()),
        (at(10), "raw")
    );
    // Ingest passes it on and commits; sessions has not applied it yet.
    log.produce(vec![record("events")]).await.unwrap();
    let mut member = log.join("ingest", &["raw".into()]).await.unwrap();
    member.poll(10, std::time::Duration::ZERO).await.unwrap();
    member
        .commit(&[(
            crate::log::TopicPartition::new("raw", Partition(0)),
            Offset(1),
            String::new(),
        )])
        .await
        .unwrap();
    frontier
        .probe(&log, at(30), &[Applied::default()])
        .await
        .unwrap();
    assert_eq!(
        (frontier.of(Partition(0)), frontier.waits_for()),
        (at(10), "events")
    );
    let applied = Applied {
        events: Offset(1),
        ..Applied::default()
    };
    frontier.probe(&log, at(40), &[applied]).await.unwrap();
    // It is the time of the probe's beginning, not of its end.
    assert_eq!(frontier.of(Partition(0)), at(20));
}

#[tokio::test]
async fn a_forward_in_an_outbox_holds_the_frontier() {
    let (log, mut frontier) = setup().await;
    let with = |pushed, trimmed, events| Applied {
        pushed,
        trimmed,
        events: Offset(events),
        ..Applied::default()
    };
    frontier
        .probe(&log, at(10), &[with(3, 2, 0)])
        .await
        .unwrap();
    assert_eq!(frontier.waits_for(), "outboxes");
    // The forward arrives as an event and must be applied too.
    log.produce(vec![record("events")]).await.unwrap();
    frontier
        .probe(&log, at(20), &[with(3, 3, 0)])
        .await
        .unwrap();
    assert_ne!(frontier.of(Partition(0)), at(10));
    frontier
        .probe(&log, at(30), &[with(4, 3, 1)])
        .await
        .unwrap();
    assert_eq!(frontier.of(Partition(0)), at(10));
}

#[tokio::test]
async fn the_mark_of_a_transaction_at_a_tail_does_not_stop_it() {
    let (log, mut frontier) = setup().await;
    let topic_partition = crate::log::TopicPartition::new("raw", Partition(0));
    log.produce(vec![record("raw")]).await.unwrap();
    let mut member = log.join("ingest", &["raw".into()]).await.unwrap();
    let polled = member.poll(10, std::time::Duration::ZERO).await.unwrap();
    assert_eq!(polled.records.len(), 1);
    let commit = [(topic_partition.clone(), Offset(1), String::new())];
    member.commit(&commit).await.unwrap();
    // The producer ends its transaction: an offset that ingest is never handed.
    log.mark(&topic_partition).unwrap();
    for millis in 1..=4 {
        let nothing = [Applied::default()];
        frontier
            .probe(&log, at(millis * 10), &nothing)
            .await
            .unwrap();
    }
    assert_eq!(frontier.waits_for(), "");
    assert!(frontier.of(Partition(0)) > at(0));
    // A record behind the mark is waited for as ever.
    let before = frontier.of(Partition(0));
    log.produce(vec![record("raw")]).await.unwrap();
    for millis in 5..=9 {
        let nothing = [Applied::default()];
        frontier
            .probe(&log, at(millis * 10), &nothing)
            .await
            .unwrap();
    }
    assert_eq!(
        (frontier.of(Partition(0)), frontier.waits_for()),
        (before, "raw")
    );
}
