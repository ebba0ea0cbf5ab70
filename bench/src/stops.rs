//! From an order to the end of the cascade, at half of what the machine drains: raw records of a storefront through ingest and
//! sessions, with evaluator and dispatch beside them. Figures come from the broker's times alone: when the order was appended,
//! and when the record came that says that the journey ended by it, which is written after the commit. Nothing is asserted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use winback_bus::{Outgoing, Record, TopicPartition};
use winback_contract::{
    CustomerId, Identity, IdentityKind, JourneyRecord, Offset, Partition, Reason, Timestamp,
    Transition,
};
use winback_service::clock::{Stopwatch, pause};
use winback_testkit::Result;

use crate::ground::{Ground, PARTITIONS};
use crate::say;

/// Records that are drained to find out how fast that goes.
const DRAINED: u64 = 200_000;
/// People who look around.
const PEOPLE: u64 = 20_000;
/// Each of them has a cart that is left, and orders at some moment.
const BUYERS: u64 = 6_000;
/// Seconds of load.
const SECONDS: u64 = 60;
/// From one batch of the load to the next.
const STEP: Duration = Duration::from_millis(50);
const RAW: &str = "winback.raw";

fn record(user: &str, event: &str, properties: &Value) -> Outgoing {
    let track =
        json!({ "type": "track", "event": event, "userId": user, "properties": properties });
    Outgoing {
        topic: Arc::from(RAW),
        partition: None,
        key: user.as_bytes().to_vec(),
        value: track.to_string().into_bytes(),
        headers: Vec::new(),
    }
}

fn look(number: u64) -> Outgoing {
    let product = format!("p{}", number % 500);
    let viewed = json!({ "product_id": product, "price": 12.5, "name": "Cup" });
    record(&format!("v{}", number % PEOPLE), "Product Viewed", &viewed)
}

/// Waits until all that is in the topic of raw records was applied.
async fn drained(ground: &Ground) -> Result<()> {
    let group = "winback.ingest.raw";
    loop {
        let committed = ground.log.committed(group, RAW).await;
        let committed = committed.map_err(|error| error.to_string())?;
        let taken: i64 = committed.iter().flatten().map(|commit| commit.next.0).sum();
        if taken >= ground.end(RAW).await?
            && ground.applied().await? >= ground.end("winback.events").await?
        {
            return Ok(());
        }
        pause(Duration::from_millis(50)).await;
    }
}

async fn put(ground: &Ground, records: Vec<Outgoing>) -> Result<()> {
    let put = ground.log.produce(records).await;
    put.map_err(|error| error.to_string())
}

/// Everything that is in a topic.
async fn all(ground: &Ground, topic: &str) -> Result<Vec<Record>> {
    let told = |error: winback_bus::Error| error.to_string();
    let mut reader = ground.log.read("bench").await.map_err(told)?;
    let count = ground
        .log
        .partitions(topic)
        .await
        .map_err(told)?
        .unwrap_or(0);
    for partition in (0..count).map(Partition) {
        let topic_partition = TopicPartition::new(topic, partition);
        reader
            .start(&topic_partition, Offset(0), None)
            .await
            .map_err(told)?;
    }
    let (end, mut found) = (ground.end(topic).await?, Vec::new());
    while (found.len() as i64) < end {
        found.extend(
            reader
                .poll(10_000, Duration::from_millis(200))
                .await
                .map_err(told)?,
        );
    }
    Ok(found)
}

/// See the module.
pub(crate) async fn stops() -> Result<()> {
    let ground = Ground::open().await?;
    for from in (0..DRAINED).step_by(20_000) {
        put(&ground, (from..from + 20_000).map(look).collect()).await?;
    }
    let watch = Stopwatch::start();
    let mut services = Vec::new();
    for service in ["sessions", "evaluator", "dispatch", "ingest"] {
        services.push(ground.serve(service)?);
    }
    drained(&ground).await?;
    let drain = DRAINED as f64 / watch.elapsed().as_secs_f64();
    let carts = (0..BUYERS).map(|number| {
        let line = json!({ "cart_id": format!("k{number}"), "product_id": "p1", "price": 1_250 });
        record(&format!("b{number}"), "Product Added", &line)
    });
    put(&ground, carts.collect()).await?;
    drained(&ground).await?;
    let steps = SECONDS * 1_000 / STEP.as_millis() as u64;
    let looks = (drain / 2.0 * STEP.as_secs_f64()).round() as u64;
    let (watch, mut number, mut buyer) = (Stopwatch::start(), 0, 0);
    for step in 0..steps {
        let mut batch: Vec<Outgoing> = (number..number + looks).map(look).collect();
        number += looks;
        while buyer < BUYERS * (step + 1) / steps {
            let order = json!({ "order_id": format!("o{buyer}"), "total": 1_250 });
            batch.push(record(&format!("b{buyer}"), "Order Completed", &order));
            buyer += 1;
        }
        put(&ground, batch).await?;
        let next = STEP * u32::try_from(step + 1).unwrap_or(u32::MAX);
        if let Some(early) = next.checked_sub(watch.elapsed()) {
            pause(early).await;
        }
    }
    let rate = (number + buyer) as f64 / watch.elapsed().as_secs_f64();
    drained(&ground).await?;
    let mut ordered: HashMap<CustomerId, Timestamp> = HashMap::new();
    for record in all(&ground, RAW).await? {
        let value: Value = serde_json::from_slice(&record.value.unwrap_or_default())
            .map_err(|error| error.to_string())?;
        let user = value["userId"].as_str().unwrap_or_default();
        if value["event"] == "Order Completed"
            && let Some(who) = Identity::new(IdentityKind::User, user)
        {
            ordered.insert(who.customer("shop"), record.time);
        }
    }
    let mut took = Vec::new();
    for record in all(&ground, "winback.journeys").await? {
        let told: JourneyRecord = serde_json::from_slice(&record.value.unwrap_or_default())
            .map_err(|error| error.to_string())?;
        if let (
            Transition::Ended {
                outcome: Reason::Converted,
                ..
            },
            Some(at),
        ) = (&told.transition, ordered.get(&told.customer))
        {
            took.push(record.time.since(*at).as_millis());
        }
    }
    took.sort_unstable();
    let share =
        |percent: usize| took.get((took.len() * percent / 100).min(took.len().saturating_sub(1)));
    say(&format!(
        "{PARTITIONS} partitions; {drain:.0} records/s are drained from the start of the services on; {rate:.0} records/s for {SECONDS} s"
    ));
    say(&format!(
        "from the order to the end of the cascade, {} journeys of {} orders: median {:?} ms, p99 {:?} ms, most {:?} ms",
        took.len(),
        ordered.len(),
        share(50),
        share(99),
        took.last()
    ));
    drop(services);
    Ok(())
}
