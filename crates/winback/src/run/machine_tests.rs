//! The whole system in virtual time: existing customers, a campaign that goes live later, and the sweep between.

use std::sync::Arc;

use serde_json::json;
use winback_bus::Log;
use winback_contract::{Activations, BundleHash, Channel, SourceKind, Span, Timestamp, Transition};

use super::*;
use winback_campaign::Bundle;
use winback_store::Store;

use crate::folder;
use crate::publish::{self, clear::clear};
use crate::run::quiet::Quiet;
use crate::run::report;

async fn machine(faults: Option<u64>) -> Machine {
    machine_at(Timestamp::parse("2026-06-01T00:00:00Z").unwrap(), faults).await
}

/// Everything but campaigns, at a moment.
pub(super) async fn machine_at(start: Timestamp, faults: Option<u64>) -> Machine {
    let setup = Setup {
        config: Config::embedded().unwrap(),
        start,
        partitions: 4,
        provider: Arc::new(Quiet),
        channels: [Channel::Email].into(),
        faults,
        explain: false,
    };
    Machine::new(setup).await.unwrap()
}

/// Imports orders of last year, publishes, and returns when each first mail went out.
async fn reached(faults: Option<u64>) -> Vec<Timestamp> {
    let mut machine = machine(faults).await;
    let now = machine.now();
    for number in 0..60 {
        let order = json!({
            "type": "track", "event": "Order Completed", "userId": format!("u{number}"), "timestamp": "2025-06-01T12:00:00Z",
            "properties": { "order_id": format!("o{number}"), "total": 5, "email": format!("c{number}@example.com") },
        });
        machine
            .arrive(
                SourceKind::History,
                "k",
                serde_json::to_vec(&order).unwrap(),
                now,
            )
            .unwrap();
    }
    machine.settle().await.unwrap();
    let names = Config::embedded().unwrap().names();
    assert!(
        report::journeys(&machine.log, &names).is_empty(),
        "an import triggers nothing at once"
    );
    let campaigns = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/campaigns");
    machine
        .publish(&folder::read(&campaigns).unwrap())
        .await
        .unwrap();
    machine.run_until(now + Span::from_days(17)).await.unwrap();
    let records = report::journeys(&machine.log, &names);
    let first = |record: &&winback_contract::JourneyRecord| matches!(&record.transition, Transition::Sent { step, .. } if step == "we-miss-you");
    records
        .iter()
        .filter(first)
        .map(|record| record.at)
        .collect()
}

/// A shop of one campaign, whose second step comes a third of a year after the first.
fn published(version: usize) -> Files {
    let policy = "apiVersion: winback/v1
kind: Policy
metadata: { name: Shop }
spec:
  shop: { zone: UTC, locale: en, currency: EUR }
  topics: { marketing: { consent: { default: not_denied } } }
  groups: { cart: { ended_by: Order Completed } }
  senders: { email: { from: shop@example.com, unsubscribe: ['https://example.com/?m={message}'] } }
";
    let campaign = format!(
        "apiVersion: winback/v1
kind: Campaign
metadata: {{ name: cart, group: cart, title: Version {version} }}
spec:
  enter: {{ on: Product Added, idle: 20m }}
  exit: {{ converted: Order Completed }}
  cascade:
    - {{ step: first, send: [email] }}
    - wait: 120d
    - {{ step: second, send: [email] }}
"
    );
    let mut files = Files::default();
    files.0.insert("policy.yaml".into(), policy.into());
    files.0.insert("cart/campaign.yaml".into(), campaign);
    let mail = "<mjml><mj-head><mj-title>Your cart</mj-title></mj-head><mj-body></mj-body></mjml>";
    for step in ["first", "second"] {
        let path = format!("cart/templates/{step}.email.en.mjml");
        files.0.insert(path, mail.into());
    }
    assert!(Bundle::compile(&files).is_ok());
    files
}

/// What one may go back to stays, and what a journey began with; the rest is taken out (F20).
#[tokio::test]
async fn bundles_that_nobody_needs_are_taken_out() {
    let mut machine = machine(None).await;
    let first = published(0);
    machine.publish(&first).await.unwrap();
    let track = |event: &str, properties: serde_json::Value| json!({ "type": "track", "event": event, "userId": "ann", "properties": properties });
    let arrive = |machine: &mut Machine, record: serde_json::Value| {
        let (value, now) = (serde_json::to_vec(&record).unwrap(), machine.now());
        machine.arrive(SourceKind::Live, "ann", value, now).unwrap();
    };
    let known =
        json!({ "type": "identify", "userId": "ann", "traits": { "email": "ann@example.com" } });
    arrive(&mut machine, known);
    arrive(
        &mut machine,
        track("Product Added", json!({ "product_id": "p1", "price": 9 })),
    );
    let after = |machine: &Machine, days| machine.now() + Span::from_days(days);
    for version in 1..=60 {
        let until = after(&machine, 1);
        machine.run_until(until).await.unwrap();
        machine.publish(&published(version)).await.unwrap();
    }
    let clear_of = async |machine: &Machine| {
        let here = here(machine).await;
        (here, cleared(machine, &machine.store, machine.now()).await)
    };
    let later = async |machine: &mut Machine, days| {
        let until = after(machine, days);
        machine.run_until(until).await.unwrap();
    };
    assert_eq!(
        clear_of(&machine).await.1,
        0,
        "the newest decides for a moment only"
    );
    later(&mut machine, 2).await;
    let empty = MemoryStore::new(Clock::at(0));
    let now = machine.now() + Span::from_days(400);
    for _ in 0..2 {
        let many = cleared(&machine, &empty, now).await;
        assert_eq!(many, 0, "a store that was lost is going to be restored");
    }
    let (all, gone) = clear_of(&machine).await;
    assert_eq!((all.len(), gone), (61, 0), "they are noted at first");
    later(&mut machine, 2).await;
    assert_eq!(clear_of(&machine).await.1, 10, "50 are kept, and Ann's");
    let (left, none) = clear_of(&machine).await;
    assert_eq!((left.len(), none), (51, 0));
    assert!(left.contains(&first.hash()));
    arrive(
        &mut machine,
        track("Order Completed", json!({ "order_id": "o1", "total": 9 })),
    );
    machine.settle().await.unwrap();
    machine.publish(&published(61)).await.unwrap();
    for gone in [0, 2] {
        later(&mut machine, 2).await;
        // Version 11 is over the fifty, and nobody began with the first any more.
        assert_eq!(clear_of(&machine).await.1, gone);
    }
    let (left, _) = clear_of(&machine).await;
    assert!(!left.contains(&first.hash()) && left.contains(&published(61).hash()));
}

/// What was published lies here.
async fn here(machine: &Machine) -> Vec<BundleHash> {
    let names = machine.config.names();
    let found = publish::published(&machine.log, &names).await.unwrap();
    found.bundles.hashes().collect()
}

/// Takes out what nobody needs; how many.
async fn cleared(machine: &Machine, store: &MemoryStore, now: Timestamp) -> usize {
    let (names, partitions) = (machine.config.names(), machine.config.kafka.partitions);
    let found = publish::published(&machine.log, &names).await.unwrap();
    let place = (&names, partitions);
    clear(&machine.log, store, place, &found, now)
        .await
        .unwrap()
}

/// Days pass, and what nobody needs is taken out; how many.
async fn cleared_after(machine: &mut Machine, days: i64) -> usize {
    let until = machine.now() + Span::from_days(days);
    machine.run_until(until).await.unwrap();
    cleared(machine, &machine.store, machine.now()).await
}

/// A bundle that was good, and one that was published and taken back again.
async fn taken_back() -> (Machine, Files, Files) {
    let mut machine = machine(None).await;
    let (names, partitions) = (machine.config.names(), machine.config.kafka.partitions);
    let (good, bad) = (published(0), published(1));
    machine.publish(&good).await.unwrap();
    machine.publish(&bad).await.unwrap();
    machine.settle().await.unwrap();
    let now = (machine.now(), true);
    publish::activate(&machine.log, &names, partitions, good.hash(), now)
        .await
        .unwrap();
    (machine, good, bad)
}

/// What was taken back stays while its switch may be read again; then nobody waits for it.
#[tokio::test]
async fn a_bundle_that_was_taken_back_is_missed_by_nobody() {
    let (mut machine, good, bad) = taken_back().await;
    let before = machine.now();
    for days in [2, 12] {
        cleared_after(&mut machine, days).await;
        assert!(here(&machine).await.contains(&bad.hash()));
    }
    cleared_after(&mut machine, 2).await;
    assert_eq!(cleared_after(&mut machine, 2).await, 1);
    assert_eq!(here(&machine).await, [good.hash()]);
    // Its switch is read again, as after a recovery: what follows it is applied.
    let (names, partitions) = (machine.config.names(), machine.config.kafka.partitions);
    let again = publish::switches(&names, partitions, bad.hash(), before).unwrap();
    machine.log.produce(again).await.unwrap();
    machine.publish(&published(2)).await.unwrap();
    machine.settle().await.unwrap();
    let partitions = Vec::from_iter(partitions.all());
    for meta in machine.store.metas(&partitions).await.unwrap() {
        assert_eq!(meta.unwrap().bundle, Some(published(2).hash()));
    }
}

/// Whoever publishes at the moment in which a bundle is taken out keeps it, and what was published is not overwritten.
#[tokio::test]
async fn what_is_published_meanwhile_stays() {
    let (mut machine, good, bad) = taken_back().await;
    let (names, partitions) = (machine.config.names(), machine.config.kafka.partitions);
    cleared_after(&mut machine, 16).await;
    let noted = publish::published(&machine.log, &names).await.unwrap();
    assert_eq!(noted.activations.leaving.len(), 1);
    let until = machine.now() + Span::from_days(2);
    machine.run_until(until).await.unwrap();
    machine.publish(&bad).await.unwrap();
    let (place, now) = ((&names, partitions), machine.now());
    let many = clear(&machine.log, &machine.store, place, &noted, now).await;
    assert_eq!(many.unwrap(), 0);
    assert!(here(&machine).await.contains(&bad.hash()), "it is put back");
    // One that is noted only now, by somebody who read before the publication, is not noted.
    let stale = publish::Published {
        activations: Activations {
            leaving: Vec::new(),
            ..noted.activations
        },
        ..noted
    };
    let many = clear(&machine.log, &machine.store, place, &stale, now).await;
    assert_eq!(many.unwrap(), 0);
    let found = publish::published(&machine.log, &names).await.unwrap();
    assert_eq!(found.activations.newest(), Some(bad.hash()));
    assert!(here(&machine).await.contains(&good.hash()));
}

#[tokio::test]
async fn the_sweep_reaches_those_already_silent_over_the_stated_time() {
    let sent = reached(None).await;
    assert_eq!(sent.len(), 60);
    let spread = sent[59].since(sent[0]);
    assert!(
        spread > Span::from_days(9) && spread <= Span::from_days(15),
        "{spread}"
    );
    assert_eq!(
        sent,
        reached(Some(3)).await,
        "lost acknowledgements change nothing"
    );
}
