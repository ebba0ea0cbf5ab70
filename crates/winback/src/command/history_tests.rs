//! What is read back from topics: the past of a person who was known by several profiles, and a raw topic in the order
//! of its arrival.

use std::sync::Arc;

use winback_bus::Outgoing;
use winback_bus::memory::MemoryLog;
use winback_contract::{
    BundleHash, CustomerId, JourneyId, JourneyRecord, Partition, PartitionCount, Timestamp, Topic,
    TopicNames, Transition,
};
use winback_journey::customer::{Absorbed, ForwardMark};
use winback_journey::{Customer, encode};
use winback_service::Clock;
use winback_store::{Commit, MemoryStore, Store as _};

use super::{backtest, past, why};
use crate::config::Config;

fn put(log: &MemoryLog, topic: &str, partition: u32, key: &str, value: &str, at: i64) {
    let record = Outgoing {
        topic: Arc::from(topic),
        partition: Some(Partition(partition)),
        key: key.as_bytes().to_vec(),
        value: value.as_bytes().to_vec(),
        headers: Vec::new(),
    };
    log.append(record, Vec::new(), Timestamp::from_millis(at))
        .unwrap();
}

#[tokio::test]
async fn a_raw_topic_is_played_in_the_order_of_its_arrival() {
    let log = MemoryLog::new(Clock::at(0));
    log.create("raw", 2);
    // Times cross over the partitions; equal times keep the order of their partition, and in it of the offsets.
    for (partition, value, at) in [
        (1, "third", 20),
        (1, "fifth", 30),
        (0, "first", 10),
        (0, "second", 20),
        (1, "sixth", 30),
        (0, "fourth", 30),
    ] {
        put(&log, "raw", partition, "k", value, at);
    }
    let lines = backtest::retained(&log, "raw").await.unwrap();
    let texts: Vec<&str> = lines
        .iter()
        .map(|line| std::str::from_utf8(&line.text).unwrap())
        .collect();
    assert_eq!(
        texts,
        ["first", "second", "third", "fourth", "fifth", "sixth"]
    );
    assert!(backtest::retained(&log, "none").await.is_err());
}

#[tokio::test]
async fn the_past_of_joined_profiles_is_one() {
    let config = Config::embedded().unwrap();
    let partitions = config.kafka.partitions;
    let user = why::profile("user:ann", &config.shop.id).unwrap();
    let device = why::profile("anonymous:d1", &config.shop.id).unwrap();
    let store = MemoryStore::new(Clock::at(0));
    // The device was joined with the user: asked for either, everything of both is told.
    let forwarded = Customer {
        forward: Some(ForwardMark {
            owner: user,
            owner_kind: winback_contract::IdentityKind::User,
            kind: winback_contract::IdentityKind::Anonymous,
        }),
        ..Customer::default()
    };
    let owner = Customer {
        absorbed: vec![Absorbed {
            customer: device,
            kind: winback_contract::IdentityKind::Anonymous,
        }],
        ..Customer::default()
    };
    for (id, customer) in [(device, forwarded), (user, owner)] {
        let partition = partitions.of(id);
        let meta = store
            .acquire(partition, winback_store::Standing::default())
            .await
            .unwrap();
        let commit = Commit {
            epoch: meta.epoch,
            sequence: meta.sequence,
            id: id.0,
            customers: vec![(id, Some(encode(&customer)))],
            ..Commit::default()
        };
        store.commit(partition, &commit).await.unwrap();
    }
    let log = MemoryLog::new(Clock::at(0));
    let names = TopicNames::new("t.");
    for topic in [Topic::Journeys, Topic::Decisions] {
        log.create(&names.name(topic), partitions.get());
    }
    let says = |who: CustomerId, campaign: &str, at: i64| {
        let record = JourneyRecord {
            v: JourneyRecord::VERSION,
            journey: JourneyId([1; 16]),
            customer: who,
            campaign: campaign.to_owned(),
            bundle: BundleHash([2; 16]),
            at: Timestamp::from_millis(at),
            transition: Transition::Entered,
            input: None,
        };
        let value = serde_json::to_string(&record).unwrap();
        let topic = names.name(Topic::Journeys);
        put(&log, &topic, partitions.of(who).0, "", &value, at);
    };
    says(user, "later", 3_000);
    says(device, "earlier", 1_000);
    // Told twice after a crash: it is one thing.
    says(device, "earlier", 1_000);
    says(user, "between", 2_000);
    for (asked, hops) in [("anonymous:d1", 2), ("user:ann", 1)] {
        let found = why::owner(&store, asked, &config).await.unwrap();
        assert_eq!((found.id, found.profiles.len()), (user, hops), "{asked}");
        let lines = past_of(&log, &names, partitions, &found, None).await;
        assert_eq!(lines.len(), 3, "{lines:?}");
        for (line, campaign) in lines.iter().zip(["earlier", "between", "later"]) {
            assert!(line.contains(&format!("{campaign}: entered")), "{line}");
        }
        let only = past_of(&log, &names, partitions, &found, Some("between")).await;
        assert_eq!(only.len(), 1);
    }
}

async fn past_of(
    log: &MemoryLog,
    names: &TopicNames,
    partitions: PartitionCount,
    found: &why::Found,
    only: Option<&str>,
) -> Vec<String> {
    let profiles = found.everybody();
    let lines = past::of(log, names, partitions, &profiles, only).await;
    lines.unwrap().into_iter().map(|(_, line)| line).collect()
}
