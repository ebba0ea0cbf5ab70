//! A position is of one topic: whoever goes on from it never jumps over what was deleted, and never takes a topic made
//! anew for the old one (INV-8). The log in process says the same as the real one.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use winback_bus::kafka::{KafkaLog, Options, TopicSpec};
use winback_bus::memory::MemoryLog;
use winback_bus::{
    Commit, Error, GroupConsumer, Kept, Ledger, Log, Mark, Outgoing, TopicPartition,
};
use winback_contract::{Offset, Partition};
use winback_service::Clock;
use winback_testkit::{Kafka, until};

const P: Partition = Partition(0);
const GROUP: &str = "goes-on";

fn real(kafka: &Kafka) -> KafkaLog {
    KafkaLog::new(Options {
        bootstrap: kafka.bootstrap().to_owned(),
        properties: [("session.timeout.ms".into(), "6000".into())].into(),
        client_id: "positions".into(),
    })
    .unwrap()
}

async fn create(log: &KafkaLog, name: &str) {
    let settings = [(
        "message.timestamp.type".to_owned(),
        "LogAppendTime".to_owned(),
    )];
    let spec = TopicSpec {
        name: name.to_owned(),
        partitions: 1,
        replication: 1,
        settings: BTreeMap::from(settings),
    };
    log.create(&[spec]).await.unwrap();
}

async fn fill(log: &dyn Log, topic: &str, text: &str, count: usize) {
    let record = |number: usize| Outgoing {
        topic: topic.into(),
        partition: Some(P),
        key: Vec::new(),
        value: format!("{text}{number}").into_bytes(),
        headers: Vec::new(),
    };
    log.produce((0..count).map(record).collect()).await.unwrap();
}

/// What the group is handed next, or why it is handed nothing.
async fn next(member: &mut dyn GroupConsumer) -> Result<Vec<(i64, String)>, String> {
    for _ in 0..200 {
        match member.poll(1_000, Duration::from_millis(100)).await {
            Ok(polled) if polled.records.is_empty() => {}
            Ok(polled) => {
                let seen = polled.records.iter().map(|record| {
                    let value = record.value.as_deref().unwrap_or_default();
                    (record.offset.0, String::from_utf8_lossy(value).into_owned())
                });
                return Ok(seen.collect());
            }
            Err(Error::Unavailable(_)) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("nothing came".into())
}

/// Where these members write, which they don't: only positions are committed.
fn nothing() -> Arc<dyn Log> {
    Arc::new(MemoryLog::new(Clock::at(0)))
}

/// A member deals with what is there and commits as services do.
async fn deal(log: &dyn Log, topic: &str) {
    let mut member = log.join(GROUP, &[topic.to_owned()]).await.unwrap();
    let mut ledger = Ledger::default();
    let mut dealt = 0;
    let end = log.ends(topic).await.unwrap()[0];
    while Offset(dealt) < end {
        let polled = member
            .poll(1_000, Duration::from_millis(100))
            .await
            .unwrap();
        for record in &polled.records {
            ledger.pass(record);
            dealt = record.offset.0 + 1;
        }
        ledger.settle(&nothing(), member.as_mut()).await.unwrap();
    }
    for _ in 0..200 {
        if committed(log, topic)
            .await
            .is_some_and(|commit| commit.next == end)
        {
            return;
        }
        member.poll(0, Duration::from_millis(50)).await.unwrap();
    }
    panic!("the commit did not arrive");
}

async fn committed(log: &dyn Log, topic: &str) -> Option<Commit> {
    log.committed(GROUP, topic).await.unwrap().remove(0)
}

async fn goes_on(log: &dyn Log, topic: &str) -> Result<Vec<(i64, String)>, String> {
    let mut member = log.join(GROUP, &[topic.to_owned()]).await.unwrap();
    next(member.as_mut()).await
}

fn delete_before(kafka: &Kafka, topic: &str, offset: i64) {
    let folder = winback_testkit::files::Folder::new("delete").unwrap();
    let json = format!(
        r#"{{"partitions":[{{"topic":"{topic}","partition":0,"offset":{offset}}}],"version":1}}"#
    );
    folder.write("records.json", &json).unwrap();
    let file = folder.path().join("records.json").display().to_string();
    let class = "org.apache.kafka.tools.DeleteRecordsCommand";
    kafka.tool(class, &["--offset-json-file", &file]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_retention_took_is_not_jumped_over() {
    let kafka = Kafka::start().unwrap();
    let (memory, real) = (MemoryLog::new(Clock::real()), real(&kafka));
    memory.create("raw", 1);
    create(&real, "raw").await;
    let logs: [&dyn Log; 2] = [&memory, &real];
    for log in logs {
        fill(log, "raw", "old", 5).await;
        deal(log, "raw").await;
        fill(log, "raw", "new", 5).await;
    }
    // What was dealt with may go: nothing is missing.
    memory.delete_before(&TopicPartition::new("raw", P), Offset(5));
    delete_before(&kafka, "raw", 5);
    for log in logs {
        assert_eq!(goes_on(log, "raw").await.unwrap()[0], (5, "new0".into()));
    }
    memory.delete_before(&TopicPartition::new("raw", P), Offset(8));
    delete_before(&kafka, "raw", 8);
    for log in logs {
        let told = goes_on(log, "raw").await.unwrap_err();
        assert!(
            told.contains("3 records were deleted before they were applied"),
            "{told}"
        );
        let to = Commit {
            next: Offset(8),
            metadata: Kept::default().to_string(),
        };
        log.commit_for(GROUP, &TopicPartition::new("raw", P), &to)
            .await
            .unwrap();
        assert_eq!(goes_on(log, "raw").await.unwrap()[0], (8, "new3".into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_is_told_from_the_old_one() {
    let kafka = Kafka::start().unwrap();
    let (memory, real) = (MemoryLog::new(Clock::real()), real(&kafka));
    let logs: [&dyn Log; 2] = [&memory, &real];
    // Fewer records than before, as many, and more.
    for (topic, count) in [("fewer", 2_usize), ("as-many", 5), ("more", 9)] {
        memory.create(topic, 1);
        create(&real, topic).await;
        let mut olds = Vec::new();
        for log in logs {
            fill(log, topic, "old", 5).await;
            deal(log, topic).await;
            olds.push(committed(log, topic).await.unwrap());
        }
        memory.make_anew(topic);
        let delete = ["--delete", "--topic", topic];
        kafka
            .tool("org.apache.kafka.tools.TopicCommand", &delete)
            .unwrap();
        let gone = || {
            let answer = tokio::runtime::Handle::current().block_on(real.partitions(topic));
            answer == Ok(None)
        };
        tokio::task::block_in_place(|| until(Duration::from_secs(20), "it is gone", gone)).unwrap();
        create(&real, topic).await;
        // The real one forgets what was committed with the topic; a copy of it is put back, as an old member would.
        fill(&real, topic, "other", count).await;
        let mut member = real.join(GROUP, &[topic.to_owned()]).await.unwrap();
        let first = next(member.as_mut()).await.unwrap()[0].clone();
        assert_eq!(first, (0, "other0".into()));
        let topic_partition = TopicPartition::new(topic, P);
        let (before, now) = (
            Kept::read(&olds[1].metadata).generation,
            member.generation(&topic_partition),
        );
        assert!(before > 0 && now > before, "{before} and {now}");
        drop(member);
        real.commit_for(GROUP, &topic_partition, &olds[1])
            .await
            .unwrap();
        fill(&memory, topic, "other", count).await;
        for log in logs {
            let told = goes_on(log, topic).await.unwrap_err();
            assert!(
                told.contains("made anew") || told.contains("no longer holds"),
                "{topic}: {told}"
            );
            // A person begins it anew: from then on its records are told from the old ones with the same offsets.
            let kept = Kept {
                generation: 7,
                mark: None,
                void_to: None,
            };
            let to = Commit {
                next: Offset(0),
                metadata: kept.to_string(),
            };
            log.commit_for(GROUP, &topic_partition, &to).await.unwrap();
            let mut member = log.join(GROUP, &[topic.to_owned()]).await.unwrap();
            assert_eq!(
                next(member.as_mut()).await.unwrap()[0],
                (0, "other0".into())
            );
            assert_eq!(member.generation(&topic_partition), 7);
            drop(member);
            deal(log, topic).await;
            let kept = Kept::read(&committed(log, topic).await.unwrap().metadata);
            assert!(kept.generation == 7 && kept.mark.is_some(), "{kept:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_no_record_is_handed_none_and_misses_none() {
    let kafka = Kafka::start().unwrap();
    let (memory, real) = (MemoryLog::new(Clock::real()), real(&kafka));
    memory.create("raw", 1);
    create(&real, "raw").await;
    for log in [&memory as &dyn Log, &real] {
        fill(log, "raw", "r", 500).await;
        let mut member = log.join(GROUP, &["raw".to_owned()]).await.unwrap();
        assert_eq!(next(member.as_mut()).await.unwrap()[0].0, 0);
        drop(member);
        let mut member = log.join(GROUP, &["raw".to_owned()]).await.unwrap();
        let mut owns = false;
        // Long enough to own it and to have its records at hand.
        for _ in 0..100 {
            let polled = member.poll(0, Duration::from_millis(50)).await.unwrap();
            assert!(
                polled.records.is_empty(),
                "records were handed out although none was asked for"
            );
            owns |= !polled.assignments.is_empty();
        }
        assert!(owns);
        let first = next(member.as_mut()).await.unwrap()[0].clone();
        assert_eq!(first, (0, "r0".into()));
    }
}

#[tokio::test]
async fn a_reader_is_held_to_its_mark() {
    let log = MemoryLog::new(Clock::at(0));
    log.create("events", 1);
    fill(&log, "events", "r", 3).await;
    let record = log.dump("events").remove(1);
    let mut reader = log.read("sessions").await.unwrap();
    let topic_partition = TopicPartition::new("events", P);
    reader
        .start(&topic_partition, Offset(2), Some(Mark::of(&record)))
        .await
        .unwrap();
    let seen = reader.poll(10, Duration::ZERO).await.unwrap();
    assert_eq!(
        seen.len(),
        1,
        "the record before the position is not handed out"
    );
    let other = Mark::of(&log.dump("events").remove(0));
    let told = reader
        .start(&topic_partition, Offset(2), Some(other))
        .await
        .unwrap_err();
    assert!(told.to_string().contains("made anew"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_under_a_member_that_runs() {
    let kafka = Kafka::start().unwrap();
    let real = real(&kafka);
    create(&real, "raw").await;
    fill(&real, "raw", "old", 5).await;
    let mut member = real.join(GROUP, &["raw".to_owned()]).await.unwrap();
    let mut ledger = Ledger::default();
    let mut dealt = 0;
    while dealt < 5 {
        let polled = member.poll(10, Duration::from_millis(100)).await.unwrap();
        for record in &polled.records {
            ledger.pass(record);
            dealt += 1;
        }
        ledger.settle(&nothing(), member.as_mut()).await.unwrap();
    }
    let delete = ["--delete", "--topic", "raw"];
    kafka
        .tool("org.apache.kafka.tools.TopicCommand", &delete)
        .unwrap();
    while real.partitions("raw").await != Ok(None) {
        member.poll(10, Duration::from_millis(50)).await.unwrap();
    }
    create(&real, "raw").await;
    fill(&real, "raw", "other", 20).await;
    // It goes on at its old position, in another topic: that is found out, and stays found out.
    let mut told = None;
    for _ in 0..600 {
        match member.poll(1_000, Duration::from_millis(50)).await {
            Ok(polled) => polled.records.iter().for_each(|record| ledger.pass(record)),
            Err(Error::Fatal(problem)) => {
                told = Some(problem);
                break;
            }
            Err(error) => panic!("{error}"),
        }
        ledger.settle(&nothing(), member.as_mut()).await.unwrap();
    }
    assert!(
        told.as_ref().is_some_and(|told| told.contains("made anew")),
        "{told:?}"
    );
    for _ in 0..200 {
        let kept = committed(&real, "raw").await;
        if kept.is_some_and(|commit| commit.next == Offset(5)) {
            break;
        }
        drop(member.poll(0, Duration::from_millis(50)).await);
    }
    drop(member);
    let told = goes_on(&real, "raw").await.unwrap_err();
    assert!(told.contains("made anew"), "{told}");
}

/// The mark of a transaction at the end of a quiet partition is nothing that is lost when retention takes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_mark_of_a_transaction_is_no_loss() {
    let kafka = Kafka::start().unwrap();
    let real = real(&kafka);
    create(&real, "raw").await;
    let bootstrap = kafka.bootstrap().to_owned();
    let limit = Duration::from_secs(30);
    tokio::task::block_in_place(|| {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("transactional.id", "storefront")
            .create()
            .unwrap();
        producer.init_transactions(limit).unwrap();
        producer.begin_transaction().unwrap();
        for value in ["a", "b", "c"] {
            let record = BaseRecord::<(), str>::to("raw").partition(0).payload(value);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.commit_transaction(limit).unwrap();
    });
    let mut member = real.join(GROUP, &["raw".to_owned()]).await.unwrap();
    let mut ledger = Ledger::default();
    let mut noted = false;
    for _ in 0..600 {
        let polled = member.poll(10, Duration::from_millis(50)).await.unwrap();
        for record in &polled.records {
            ledger.pass(record);
        }
        ledger.settle(&nothing(), member.as_mut()).await.unwrap();
        let kept = committed(&real, "raw").await;
        let kept = kept.filter(|commit| commit.next == Offset(3));
        noted = kept.is_some_and(|commit| Kept::read(&commit.metadata).void_to == Some(Offset(4)));
        if noted {
            break;
        }
    }
    assert!(noted, "{:?}", committed(&real, "raw").await);
    drop(member);
    delete_before(&kafka, "raw", 4);
    fill(&real, "raw", "next", 1).await;
    assert_eq!(goes_on(&real, "raw").await.unwrap()[0], (4, "next0".into()));
}
