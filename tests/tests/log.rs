//! The log in process and the real one give the same answers to the same random commands, and the same errors.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeMap;
use std::time::Duration;

use winback_bus::kafka::{KafkaLog, Options, TopicSpec};
use winback_bus::memory::{Faults, MemoryLog};
use winback_bus::{
    AssignedReader, Assignment, Error, GroupConsumer, Log, Outgoing, Record, TopicPartition,
};
use winback_contract::{Offset, Partition};
use winback_scenario::Random;
use winback_service::Clock;
use winback_testkit::Kafka;

const PARTITIONS: u32 = 3;

fn kafka_log(kafka: &Kafka) -> KafkaLog {
    KafkaLog::new(Options {
        bootstrap: kafka.bootstrap().to_owned(),
        properties: [("session.timeout.ms".into(), "6000".into())].into(),
        client_id: "conformance".into(),
    })
    .unwrap()
}

async fn create(log: &KafkaLog, name: &str) {
    let spec = TopicSpec {
        name: name.to_owned(),
        partitions: PARTITIONS,
        replication: 1,
        settings: BTreeMap::new(),
    };
    log.create(&[spec]).await.unwrap();
}

/// What a reader hands out, by partition: the order between partitions is nobody's promise.
type Seen = BTreeMap<u32, Vec<(i64, Vec<u8>, Vec<u8>)>>;

fn add(seen: &mut Seen, records: Vec<Record>) {
    for record in records {
        seen.entry(record.partition.0).or_default().push((
            record.offset.0,
            record.key,
            record.value.unwrap_or_default(),
        ));
    }
}

fn total(seen: &Seen) -> usize {
    seen.values().map(Vec::len).sum()
}

async fn drain(reader: &mut dyn AssignedReader, least: usize) -> Seen {
    let mut seen = Seen::new();
    let mut empty = 0;
    // Everything that is expected, within ten seconds, and then nothing more.
    while empty < 100 && (total(&seen) < least || empty < 2) {
        let records = reader.poll(7, Duration::from_millis(100)).await.unwrap();
        empty = if records.is_empty() { empty + 1 } else { 0 };
        add(&mut seen, records);
    }
    seen
}

async fn polled(member: &mut dyn GroupConsumer, least: usize) -> Seen {
    let mut seen = Seen::new();
    let mut empty = 0;
    while empty < 100 && (total(&seen) < least || empty < 2) {
        let records = member
            .poll(5, Duration::from_millis(100))
            .await
            .unwrap()
            .records;
        empty = if records.is_empty() { empty + 1 } else { 0 };
        add(&mut seen, records);
    }
    seen
}

/// Joins and waits until all partitions are its own.
async fn joined(log: &dyn Log, group: &str, topic: &str) -> Box<dyn GroupConsumer> {
    let mut member = log.join(group, &[topic.to_owned()]).await.unwrap();
    member.own_only();
    let mut owned = 0;
    for _ in 0..200 {
        let polled = member.poll(1, Duration::from_millis(100)).await.unwrap();
        assert!(polled.records.is_empty(), "it only owns");
        for change in polled.assignments {
            match change {
                Assignment::Assigned(topic_partitions) => owned += topic_partitions.len(),
                Assignment::Revoked(topic_partitions) => owned -= topic_partitions.len(),
            }
        }
        if owned == PARTITIONS as usize {
            return member;
        }
    }
    panic!("{group} was given {owned} partitions");
}

#[allow(clippy::too_many_lines, reason = "a table, or a story told in order")]
async fn compare(seed: u64, kafka: &KafkaLog) {
    let (topic, group) = (format!("log{seed}"), format!("group{seed}"));
    let faults = Faults {
        seed,
        lost_ack_one_in: 0,
        refused_one_in: 0,
    };
    let memory = MemoryLog::new(Clock::real()).with_faults(faults);
    memory.create(&topic, PARTITIONS);
    create(kafka, &topic).await;
    let logs: [&dyn Log; 2] = [&memory, kafka];
    let mut random = Random::new(seed);
    let mut readers = Vec::new();
    let mut members = Vec::new();
    for log in logs {
        readers.push(log.read("conformance").await.unwrap());
        members.push(joined(log, &group, &topic).await);
    }
    for step in 0..50_u32 {
        let at = || format!("seed {seed}, step {step}");
        let partition = Partition(u32::try_from(random.below(PARTITIONS.into())).unwrap());
        let topic_partition = TopicPartition::new(&topic, partition);
        let ends = memory.ends(&topic).await.unwrap();
        assert_eq!(ends, kafka.ends(&topic).await.unwrap(), "{}", at());
        let end = ends[partition.0 as usize].0;
        match random.below(9) {
            0..=2 => {
                let count = random.below(6) + 1;
                let records: Vec<Outgoing> = (0..count)
                    .map(|index| Outgoing {
                        topic: topic.as_str().into(),
                        partition: Some(Partition(
                            (partition.0 + u32::try_from(index % 2).unwrap()) % PARTITIONS,
                        )),
                        key: vec![u8::try_from(index).unwrap()],
                        value: step.to_be_bytes().to_vec(),
                        headers: Vec::new(),
                    })
                    .collect();
                for log in logs {
                    log.produce(records.clone()).await.unwrap();
                }
            }
            3 => {
                let from = Offset(random.between(0, end + 1));
                for reader in &mut readers {
                    reader.start(&topic_partition, from, None).await.unwrap();
                }
            }
            4 => {
                for reader in &mut readers {
                    reader.stop(&topic_partition).await.unwrap();
                }
            }
            5 => {
                let held = random.percent(50);
                for reader in &mut readers {
                    reader.hold(&topic_partition, held).await.unwrap();
                }
            }
            6 => {
                let next = Offset(random.between(0, end + 1));
                for member in &mut members {
                    member
                        .commit(&[(topic_partition.clone(), next, format!("{step}:x"))])
                        .await
                        .unwrap();
                }
                let wanted = memory.committed(&group, &topic).await.unwrap();
                let mut known = Vec::new();
                // A commit is on its way for a moment.
                for _ in 0..100 {
                    known = kafka.committed(&group, &topic).await.unwrap();
                    if known == wanted {
                        break;
                    }
                    members[1].poll(0, Duration::from_millis(50)).await.unwrap();
                }
                assert_eq!(wanted, known, "{}", at());
            }
            7 => {
                let from = random.between(0, end + 1);
                let to = random.between(from, end + 1);
                let mut answers = Vec::new();
                for log in logs {
                    answers.push(
                        log.has_records(&topic_partition, Offset(from), Offset(to))
                            .await
                            .unwrap(),
                    );
                }
                assert_eq!(answers[0], answers[1], "{}: {from}..{to} of {end}", at());
            }
            _ => {
                let expected = drain(readers[0].as_mut(), 0).await;
                let seen = drain(readers[1].as_mut(), total(&expected)).await;
                assert_eq!(expected, seen, "{}", at());
            }
        }
    }
    let expected = drain(readers[0].as_mut(), 0).await;
    assert_eq!(expected, drain(readers[1].as_mut(), total(&expected)).await);
    drop(members);
    go_on(logs, &group, &topic).await;
}

/// Another member goes on where the group stands.
async fn go_on(logs: [&dyn Log; 2], group: &str, topic: &str) {
    let mut expected = None;
    for log in logs {
        let mut member = log.join(group, &[topic.to_owned()]).await.unwrap();
        let least = expected.as_ref().map_or(1, total);
        let seen = polled(member.as_mut(), least).await;
        match &expected {
            None => expected = Some(seen),
            Some(expected) => assert_eq!(*expected, seen, "{topic}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_agree() {
    let kafka = Kafka::start().unwrap();
    let log = kafka_log(&kafka);
    for seed in 0..4 {
        compare(seed, &log).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_refuse_alike() {
    let kafka = Kafka::start().unwrap();
    let real = kafka_log(&kafka);
    let memory = MemoryLog::new(Clock::real());
    memory.create("some", PARTITIONS);
    create(&real, "some").await;
    let logs: [&dyn Log; 2] = [&memory, &real];
    for log in logs {
        assert_eq!(log.partitions("none").await.unwrap(), None);
        assert_eq!(log.partitions("some").await.unwrap(), Some(PARTITIONS));
        let unknown = log.ends("none").await;
        assert!(matches!(unknown, Err(Error::Unavailable(_))), "{unknown:?}");
        let unknown = log.committed("group", "none").await;
        assert!(matches!(unknown, Err(Error::Unavailable(_))), "{unknown:?}");
        let lost = Outgoing {
            topic: "some".into(),
            partition: Some(Partition(PARTITIONS)),
            key: vec![],
            value: vec![1],
            headers: Vec::new(),
        };
        let refused = log.produce(vec![lost]).await;
        assert!(matches!(refused, Err(Error::Fatal(_))), "{refused:?}");
        // A position that the topic does not hold is an error, never a silent jump.
        let mut reader = log.read("conformance").await.unwrap();
        let topic_partition = TopicPartition::new("some", Partition(0));
        reader
            .start(&topic_partition, Offset(5), None)
            .await
            .unwrap();
        let mut answer = Ok(Vec::new());
        for _ in 0..100 {
            answer = reader.poll(10, Duration::from_millis(100)).await;
            if answer.is_err() {
                break;
            }
        }
        assert!(matches!(answer, Err(Error::Fatal(_))), "{answer:?}");
        assert!(!log.cluster_id().await.unwrap().is_empty());
    }
}

/// INV-6: a shop adds a partition to its topic, and an order lies in it a moment later.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_was_added_a_moment_ago_counts() {
    let kafka = Kafka::start().unwrap();
    let log = kafka_log(&kafka);
    create(&log, "raw").await;
    assert_eq!(log.arrived("raw").await.unwrap().len(), PARTITIONS as usize);
    let more = (PARTITIONS + 1).to_string();
    let alter = ["--alter", "--topic", "raw", "--partitions", &more];
    kafka
        .tool("org.apache.kafka.tools.TopicCommand", &alter)
        .unwrap();
    assert_eq!(
        log.arrived("raw").await.unwrap().len(),
        PARTITIONS as usize + 1
    );
}
