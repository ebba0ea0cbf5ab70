//! One damaged state, one newer record, one panic: whom it stops, and whom it must not (INV-8).
#![allow(
    clippy::disallowed_methods,
    reason = "a test spawns and waits by itself"
)]

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use winback_bus::{Log as _, Outgoing};
use winback_contract::*;
use winback_store::{Standing, Store as _};

use super::stage::{NOW, Stage, service, who};
use super::tests::{config, files, names};
use crate::Config;
use crate::recover;
use crate::recover::losses::{give_up, losses};

#[tokio::test]
async fn a_damaged_state_costs_its_customer_alone() {
    let mut stage = Stage::new().await;
    let (damaged, other) = (who(0, 1), who(0, 2));
    stage.order(other, 1, "o1").await;
    stage.rounds().await;
    let known = stage.blob(other).await.unwrap();
    stage.plant(damaged, vec![known[0], 255, 255, 255]).await;
    stage.order(damaged, 2, "o2").await;
    stage.order(other, 3, "o3").await;
    stage.order(who(1, 3), 4, "o4").await;
    stage.rounds().await;
    assert_eq!(stage.failed(), [FailedReason::DamagedState]);
    assert_eq!(
        (stage.applied(0).await, stage.applied(1).await),
        (3, 1),
        "everybody else goes on"
    );
    assert_ne!(stage.blob(other).await.unwrap(), known);
    let kept = stage.blob(damaged).await.unwrap();
    assert_eq!(kept[1..], [255, 255, 255], "what is damaged stays as it is");
    // Its timer is due, and put off: no round is spent on it again and again.
    let due = stage
        .store
        .due(Partition(0), Timestamp::from_millis(NOW), 10)
        .await
        .unwrap();
    assert!(due.iter().all(|(id, _)| *id != damaged), "{due:?}");
    assert_eq!(stage.service.stands(), None);
    // Its timer comes again, and so does an event: it still is as it was.
    stage.clock.advance_to(NOW + 10 * 60_000);
    stage.rounds().await;
    stage.order(damaged, 5, "o5").await;
    stage.rounds().await;
    assert_eq!(stage.failed(), [FailedReason::DamagedState; 2]);
    assert_eq!(stage.blob(damaged).await.unwrap()[1..], [255, 255, 255]);
}

#[tokio::test]
async fn a_state_of_a_newer_release_stops_its_partition_and_no_other() {
    let mut stage = Stage::new().await;
    let newer = who(0, 1);
    stage.plant(newer, vec![200, 1, 2, 3]).await;
    stage.order(newer, 1, "o1").await;
    stage.order(who(1, 2), 2, "o2").await;
    stage.rounds().await;
    assert_eq!((stage.applied(0).await, stage.applied(1).await), (0, 1));
    let why = stage.service.stands().expect("it is told");
    assert!(
        why.contains("partition 0") && why.contains("newer release"),
        "{why}"
    );
    assert_eq!(stage.blob(newer).await.unwrap(), [200, 1, 2, 3]);
    // Whoever restores it is seen without a restart.
    let readable = stage.blob(who(1, 2)).await.unwrap();
    stage.write(newer, readable).await;
    stage.clock.advance_to(NOW + 60_000);
    stage.rounds().await;
    assert_eq!(stage.applied(0).await, 1);
    assert_eq!(stage.service.stands(), None);
}

#[tokio::test]
async fn a_record_of_a_newer_release_is_left_where_it_is() {
    let mut stage = Stage::new().await;
    stage.order(who(0, 1), 1, "o1").await;
    let mut record = stage.order(who(1, 9), 9, "o9").await;
    // The next release may write the body in quite another way.
    record["v"] = json!(EventRecord::ADDRESS + 1);
    record["body"] = json!({ "of_the_next_release": true });
    stage.put(Topic::Events, 0, &record).await;
    stage.order(who(0, 1), 3, "o3").await;
    stage.rounds().await;
    assert_eq!(
        stage.applied(0).await,
        1,
        "what lies before it is applied, what lies behind it waits"
    );
    assert_eq!(stage.failed(), []);
    let why = stage.service.stands().expect("it is told");
    assert!(
        why.contains("version 4") && why.contains("partition 0"),
        "{why}"
    );
    assert_eq!(
        stage.service.step(Duration::ZERO).await.unwrap(),
        0,
        "it is idle"
    );
}

#[tokio::test]
async fn a_newer_state_that_is_handed_over_is_not_dropped() {
    let mut stage = Stage::new().await;
    let mut record = stage.order(who(1, 9), 9, "o9").await;
    record["to"] = json!(who(0, 1).to_string());
    let handover = Body::Handover {
        from: who(1, 5),
        from_kind: IdentityKind::Anonymous,
        state: Blob(vec![200, 7]),
    };
    record["body"] = serde_json::to_value(&handover).unwrap();
    stage.put(Topic::Events, 0, &record).await;
    stage.rounds().await;
    assert_eq!(stage.applied(0).await, 0);
    assert!(stage.service.stands().is_some());
    // One that is damaged in a version that is known is looked at by a person.
    let mut stage = Stage::new().await;
    let handover = Body::Handover {
        from: who(1, 5),
        from_kind: IdentityKind::Anonymous,
        state: Blob(vec![1, 255, 255]),
    };
    record["body"] = serde_json::to_value(&handover).unwrap();
    stage.put(Topic::Events, 0, &record).await;
    stage.rounds().await;
    assert_eq!(stage.applied(0).await, 1);
    assert_eq!(stage.failed(), [FailedReason::MalformedEvent]);
}

#[tokio::test]
async fn a_panic_costs_the_input_that_causes_it() {
    let mut stage = Stage::new().await;
    stage.order(who(0, 1), 1, "o1").await;
    stage.order(who(0, 2), 2, "panic").await;
    stage.order(who(0, 3), 3, "o3").await;
    stage.order(who(1, 4), 4, "o4").await;
    stage.rounds().await;
    assert_eq!(stage.failed(), [FailedReason::Panicked]);
    assert_eq!((stage.applied(0).await, stage.applied(1).await), (3, 1));
    for (id, is_known) in [(who(0, 1), true), (who(0, 2), false), (who(0, 3), true)] {
        assert_eq!(stage.blob(id).await.is_some(), is_known, "{id}");
    }
}

/// What waits for a newer release is bounded, whatever comes behind it, and no topic that waits keeps the loop awake.
#[tokio::test]
async fn what_waits_is_bounded_and_waited_for_by_topic() {
    let mut stage = Stage::new().await;
    stage.rounds().await;
    let newer = json!({ "v": 9 });
    for topic in [Topic::Events, Topic::Decisions, Topic::Outcomes] {
        for _ in 0..500 {
            stage.put(topic, 0, &newer).await;
        }
    }
    stage.rounds().await;
    let most = 2 * config().batch;
    let owned = &stage.service.owned[&Partition(0)];
    for waiting in [&owned.events, &owned.decisions, &owned.outcomes] {
        assert!(
            !waiting.is_empty() && waiting.len() <= most,
            "{}",
            waiting.len()
        );
    }
    assert!(!owned.has_input(), "the loop would never rest");
    // The others go on, and this one too when the release comes that reads it.
    stage.order(who(1, 2), 2, "o2").await;
    stage.rounds().await;
    assert_eq!(stage.applied(1).await, 1);
}

/// A panic that does not come back is no reason to go one by one for ever.
#[tokio::test]
async fn a_panic_that_does_not_come_back_is_forgotten() {
    let mut stage = Stage::new().await;
    stage.rounds().await;
    stage.service.owned.get_mut(&Partition(0)).unwrap().careful = 3;
    for offset in 1..8 {
        stage.order(who(0, 1), offset, &format!("o{offset}")).await;
    }
    stage.rounds().await;
    assert_eq!(stage.applied(0).await, 7);
    assert_eq!(stage.service.owned[&Partition(0)].careful, 0);
}

/// A position that retention has passed, in a store that also went back: who gives the one up must not hide the other.
#[tokio::test]
async fn what_is_given_up_hides_no_step_back() {
    let mut stage = Stage::new().await;
    stage.order(who(0, 1), 1, "o1").await;
    stage.rounds().await;
    let known = stage.service.owned[&Partition(0)].standing();
    let ahead = Standing {
        sequence: known.sequence + 10,
        ..known
    };
    let marked = Outgoing {
        topic: Arc::from(names().name(Topic::Journeys)),
        partition: Some(Partition(0)),
        key: Vec::new(),
        value: b"{}".to_vec(),
        headers: vec![(recover::MARK.into(), recover::write(ahead).into_bytes())],
    };
    stage.log.produce(vec![marked]).await.unwrap();
    stage.order(who(0, 1), 2, "o2").await;
    stage.order(who(0, 1), 3, "o3").await;
    let topic_partition =
        winback_bus::TopicPartition::new(&names().name(Topic::Events), Partition(0));
    stage.log.delete_before(&topic_partition, Offset(2));
    let two = Config {
        partitions: PartitionCount::new(2).unwrap(),
        ..config()
    };
    let (log, store) = (&stage.log, &stage.store);
    let found = losses(&two, &[], log, store).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    let now = Timestamp::from_millis(NOW);
    give_up(&two, &found, (now, None), log, store)
        .await
        .unwrap();
    let meta = store
        .metas(&[Partition(0)])
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    assert_eq!(meta.positions.events, Offset(2));
    assert!(
        meta.recovering.is_some(),
        "the step back is not seen any more"
    );
}

/// An announcement reaches everybody of a partition, and concerns nobody: nobody is written anew.
#[tokio::test]
async fn a_sweep_writes_only_what_it_changes() {
    let mut stage = Stage::new().await;
    let swept = who(0, 1);
    stage.order(swept, 1, "o1").await;
    stage.rounds().await;
    // As the release before wrote it: it would be written as this one does.
    let known = stage.blob(swept).await.unwrap();
    let mut customer = winback_journey::decode(&known).unwrap();
    customer.told.clear();
    let mut before = winback_journey::encode(&customer);
    before[0] = 2;
    before.truncate(before.len() - 2);
    assert!(winback_journey::decode(&before).unwrap() == customer);
    stage.write_due(swept, before.clone(), 4 * NOW).await;
    stage.service = service(&stage.log, &stage.store, &stage.clock).await;
    let mut told = stage.order(who(0, 2), 2, "o2").await;
    told["source"]["offset"] = json!(7);
    told["id"] = json!(EventId([7; 16]));
    told["body"] = serde_json::to_value(Body::Announcement(Box::new(Event {
        name: "Sale Announced".into(),
        ..Event::default()
    })))
    .unwrap();
    stage.put(Topic::Events, 0, &told).await;
    stage.rounds().await;
    assert_eq!(stage.applied(0).await, 3);
    let meta = stage.store.metas(&[Partition(0)]).await.unwrap().remove(0);
    let meta = meta.unwrap();
    assert!(meta.news.contains_key("Sale Announced") && meta.sweep.is_none());
    assert_eq!(stage.blob(swept).await, Some(before));
}

/// A release that checks more than the one before must not stop the shop for a bundle that is active already: what it
/// can't use of it waits, and a bundle that mends it is heard.
#[tokio::test]
async fn an_upgrade_does_not_refuse_what_is_active() {
    for policy_too in [false, true] {
        let mut stage = Stage::new().await;
        let good = files("on: Product Added, idle: 20m");
        let mut active = good.clone();
        let second = active.0["cart/campaign.yaml"].replace("name: cart,", "name: second,");
        let text = "Come";
        active.0.insert(
            "second/campaign.yaml".into(),
            format!("{second}  of_another_release: 1\n"),
        );
        active
            .0
            .insert("second/templates/reminder.sms.en.txt".into(), text.into());
        if policy_too {
            let policy = active.0.get_mut("policy.yaml").unwrap();
            *policy = policy.replace("not_denied", "of_another_release");
        }
        assert!(winback_campaign::Bundle::compile(&active).is_err());
        let value = |files| serde_json::to_value(files).unwrap();
        stage.put(Topic::Campaigns, 0, &value(&active)).await;
        stage.activate(active.hash()).await;
        stage.service = service(&stage.log, &stage.store, &stage.clock).await;
        stage.order(who(0, 1), 1, "o1").await;
        stage.rounds().await;
        assert_eq!(
            stage.applied(0).await,
            1,
            "{policy_too}: {:?}",
            stage.service.stands()
        );
        let bundles = &stage.service.shared.bundles;
        let used = bundles.get(active.hash()).unwrap();
        assert_eq!(used.campaign("cart").is_some(), !policy_too);
        assert!(
            used.campaign("second").is_none(),
            "half of a campaign is another one"
        );
        // A bundle without the fault is behind it, and becomes active.
        stage.put(Topic::Campaigns, 0, &value(&good)).await;
        let mut switch = stage.order(who(0, 2), 2, "o2").await;
        switch["body"] = serde_json::to_value(Body::Activation {
            bundle: good.hash(),
        })
        .unwrap();
        stage.put(Topic::Events, 0, &switch).await;
        stage.rounds().await;
        let metas = stage.store.metas(&[Partition(0)]).await.unwrap();
        assert_eq!(metas[0].as_ref().unwrap().bundle, Some(good.hash()));
    }
}

/// What failed and was put back lies below the mark of its source: it is applied all the same, and once.
#[tokio::test]
async fn what_is_put_back_is_applied_once() {
    let mut stage = Stage::new().await;
    let customer = who(0, 1);
    let first = stage.order(customer, 1, "o1").await;
    stage.order(customer, 5, "o5").await;
    stage.rounds().await;
    let orders = |blob: Option<Vec<u8>>| {
        winback_journey::decode(&blob.unwrap())
            .unwrap()
            .orders
            .count
    };
    assert_eq!(orders(stage.blob(customer).await), 2);
    let mut late = first;
    late["source"]["offset"] = json!(3);
    late["id"] = json!(EventId([3; 16]).to_string());
    late["body"]["storefront"]["order_id"] = json!("o3");
    let put = |headers| Outgoing {
        topic: Arc::from(names().name(Topic::Events)),
        partition: Some(Partition(0)),
        key: Vec::new(),
        value: serde_json::to_vec(&late).unwrap(),
        headers,
    };
    // A repeat by its position, unless it says that it was put back.
    let failed = Failed::new(
        FailedStage::Sessions,
        FailedReason::Panicked,
        String::new(),
        (
            &names().name(Topic::Events),
            Partition(0),
            Offset(1),
            Timestamp::from_millis(NOW - 1),
        ),
        &[],
    );
    let back = winback_bus::put_back(&failed).headers;
    for (headers, count) in [(Vec::new(), 2), (back.clone(), 3), (back, 3)] {
        stage.log.produce(vec![put(headers)]).await.unwrap();
        stage.rounds().await;
        assert_eq!(orders(stage.blob(customer).await), count);
    }
}
