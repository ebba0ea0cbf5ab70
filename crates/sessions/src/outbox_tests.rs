//! A partition of an output topic that takes nothing: what it holds up, and what it must not (INV-3, INV-5, INV-12).

use std::time::Duration;

use winback_bus::TopicPartition;
use winback_contract::*;
use winback_store::Store as _;

use super::stage::{NOW, Stage, who};
use super::tests::names;

/// A device's order, and the link that makes the device hand its state to somebody of the other partition.
async fn hand_over(stage: &Stage, device: CustomerId, owner: CustomerId, offset: i64) {
    let mut record = stage.order(device, offset, &format!("o{offset}")).await;
    let link = Body::Link {
        owner,
        owner_kind: IdentityKind::User,
        kind: IdentityKind::Anonymous,
    };
    record["body"] = serde_json::to_value(link).unwrap();
    record["source"]["index"] = 1.into();
    stage.put(Topic::Events, 0, &record).await;
}

/// A partition of events that takes nothing, before anything is written to it.
async fn leaderless() -> (Stage, TopicPartition) {
    let mut stage = Stage::new().await;
    stage.rounds().await;
    let sick = TopicPartition::new(&names().name(Topic::Events), Partition(1));
    stage.log.lead(&sick, false);
    (stage, sick)
}

/// Rounds until something is so; the log is waited for in real time.
async fn until(stage: &mut Stage, what: &str, is_so: impl AsyncFn(&Stage) -> bool) {
    for _ in 0..2_000 {
        if is_so(stage).await {
            return;
        }
        stage.service.step(Duration::from_millis(1)).await.unwrap();
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn an_output_partition_without_a_leader_stops_nobody_else() {
    let (mut stage, sick) = leaderless().await;
    hand_over(&stage, who(0, 1), who(1, 1), 1).await;
    until(&mut stage, "the handover is committed", async |stage| {
        stage.applied(0).await == 2
    })
    .await;
    // Partition 0 can't pass it on, and goes on applying what comes.
    stage.order(who(0, 2), 2, "o2").await;
    until(&mut stage, "partition 0 goes on", async |stage| {
        stage.applied(0).await == 3
    })
    .await;
    assert!(stage.blob(who(1, 1)).await.is_none());
    let why = stage.service.stands().expect("it is told");
    assert!(
        why.contains("partition 1 of") && why.contains("leader"),
        "{why}"
    );
    // Whatever is in front of it in the list stays there: a crash must find it.
    let outbox = stage.store.outbox(Partition(0)).await.unwrap();
    assert!(!outbox.is_empty());
    stage.log.lead(&sick, true);
    until(&mut stage, "it is passed on", async |stage| {
        stage.blob(who(1, 1)).await.is_some()
    })
    .await;
    until(&mut stage, "the list is trimmed", async |stage| {
        stage.store.outbox(Partition(0)).await.unwrap().is_empty()
    })
    .await;
    assert_eq!(stage.service.stands(), None);
}

/// What a crash leaves in the list goes out again, also what was taken behind an entry that was not; repeats are known.
/// To take a partition over, its own newest records are read: that another one has no leader holds up that one alone.
#[tokio::test]
async fn a_takeover_needs_no_leader_of_others() {
    let mut stage = Stage::new().await;
    let sick = TopicPartition::new(&names().name(Topic::Journeys), Partition(1));
    stage.log.lead(&sick, false);
    stage.order(who(0, 1), 1, "o1").await;
    stage.order(who(1, 1), 2, "o2").await;
    stage.rounds().await;
    assert_eq!((stage.applied(0).await, stage.applied(1).await), (1, 0));
    let why = stage.service.stands().expect("it is told");
    assert!(
        why.contains("partition 1 and 0 more") && why.contains("no leader"),
        "{why}"
    );
    stage.log.lead(&sick, true);
    stage.clock.advance_to(NOW + 3_000);
    stage.rounds().await;
    assert_eq!((stage.applied(1).await, stage.service.stands()), (1, None));
}

#[tokio::test]
async fn what_was_not_taken_survives_its_owner() {
    let (mut stage, sick) = leaderless().await;
    hand_over(&stage, who(0, 1), who(1, 1), 1).await;
    until(&mut stage, "the handover is committed", async |stage| {
        stage.applied(0).await == 2
    })
    .await;
    stage.service = super::stage::service(&stage.log, &stage.store, &stage.clock).await;
    stage.log.lead(&sick, true);
    until(&mut stage, "the next owner passes it on", async |stage| {
        stage.blob(who(1, 1)).await.is_some()
    })
    .await;
    let customer = stage.blob(who(1, 1)).await.unwrap();
    let orders = winback_journey::decode(&customer).unwrap().orders.count;
    assert_eq!(orders, 1);
}

/// What waits for the log is bounded: then nothing more is taken, and it goes on by itself.
#[tokio::test]
async fn an_outbox_that_is_full_takes_nothing_more() {
    let (mut stage, sick) = leaderless().await;
    let most = i64::try_from(super::tests::config().batch).unwrap();
    for offset in 1..=2 * most {
        let number = u8::try_from(offset).unwrap();
        hand_over(&stage, who(0, number), who(1, number), offset).await;
    }
    until(&mut stage, "it is full", async |stage| {
        stage.store.outbox(Partition(0)).await.unwrap().len() as i64 >= most
    })
    .await;
    let applied = stage.applied(0).await;
    assert!(applied < 4 * most, "it is not bounded");
    // What is read ahead is bounded too; then it is idle.
    stage.rounds().await;
    for _ in 0..20 {
        assert_eq!(
            stage.service.step(Duration::ZERO).await.unwrap(),
            0,
            "it is idle"
        );
    }
    assert_eq!(stage.applied(0).await, applied);
    stage.log.lead(&sick, true);
    until(&mut stage, "all is applied", async |stage| {
        stage.applied(0).await == 4 * most
    })
    .await;
}

/// Also what was taken behind an entry that was not lies in the store's list until then: it is bounded with it.
#[tokio::test]
async fn a_list_that_can_not_be_trimmed_is_bounded() {
    let (mut stage, sick) = leaderless().await;
    // One entry that is not taken, and many behind it that are.
    hand_over(&stage, who(0, 1), who(1, 1), 1).await;
    until(&mut stage, "the handover is committed", async |stage| {
        stage.applied(0).await == 2
    })
    .await;
    let most = i64::try_from(super::tests::config().batch).unwrap();
    for offset in 2..=6 * most {
        let [high, low] = u16::try_from(offset).unwrap().to_be_bytes();
        let mut device = who(0, low);
        device.0[8] = high;
        // Each is handed over within its own partition.
        hand_over(&stage, device, who(0, 255), offset).await;
    }
    for _ in 0..20 {
        stage.rounds().await;
    }
    let list = stage.store.outbox(Partition(0)).await.unwrap().len() as i64;
    assert!((most..4 * most).contains(&list), "{list} entries");
    stage.log.lead(&sick, true);
    until(&mut stage, "all is passed on", async |stage| {
        stage.store.outbox(Partition(0)).await.unwrap().is_empty()
            && stage.service.stands().is_none()
    })
    .await;
}
