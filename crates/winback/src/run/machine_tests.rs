//! The whole system in virtual time: existing customers, a campaign that goes live later, and the sweep between.

use std::sync::Arc;

use serde_json::json;
use winback_contract::{Channel, SourceKind, Span, Timestamp, Transition};

use super::*;
use crate::folder;
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
