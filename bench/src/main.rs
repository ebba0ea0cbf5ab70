//! The drain of the sessions step: canonical events already in Kafka, applied and committed to Redis.
//!
//! Figures come from outside: positions in Redis and process statistics. Nothing is asserted. The durability is that
//! of the shipped config: `appendfsync always`.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use winback_bus::{Log, Outgoing};
use winback_contract::PartitionCount;
use winback_service::clock::{Stopwatch, pause};
use winback_testkit::Result;

mod ground;
mod stops;
mod workload;

use ground::{Ground, PARTITIONS};
use workload::Workload;

const BATCH: u64 = 20_000;

fn main() {
    let argument = |index: usize, default: u64| {
        std::env::args()
            .nth(index)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let (events, customers) = (argument(1, 2_000_000), argument(2, 500_000));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) if std::env::args().nth(1).as_deref() == Some("stops") => {
            runtime.block_on(stops::stops())
        }
        Ok(runtime) => runtime.block_on(drain(events, customers)),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = result {
        say(&format!("bench: {error}"));
        std::process::exit(3);
    }
}

fn say(line: &str) {
    drop(writeln!(std::io::stdout(), "{line}"));
}

async fn drain(events: u64, customers: u64) -> Result<()> {
    let ground = Ground::open().await?;
    let watch = Stopwatch::start();
    let bytes = fill(ground.log.as_ref(), events, customers).await?;
    say(&format!(
        "{events} events, {customers} customers, {} bytes each, {PARTITIONS} partitions; filled in {:.1} s",
        bytes / events.max(1),
        watch.elapsed().as_secs_f64()
    ));
    let goal = ground.end("winback.events").await?;
    let sessions = ground.serve("sessions")?;
    let (mut begun, mut rates): (Option<(Stopwatch, i64)>, Vec<f64>) = (None, Vec::new());
    let mut last = (0.0, 0);
    loop {
        let done = ground.applied().await?;
        match &begun {
            None if done > 0 => begun = Some((Stopwatch::start(), done)),
            Some((watch, first)) => {
                let now = watch.elapsed().as_secs_f64();
                if now - last.0 >= 2.0 {
                    rates.push((done - first - last.1) as f64 / (now - last.0));
                    last = (now, done - first);
                }
            }
            None => {}
        }
        if done >= goal {
            break;
        }
        pause(Duration::from_millis(50)).await;
    }
    if let Some((watch, first)) = begun {
        let seconds = watch.elapsed().as_secs_f64();
        say(&format!(
            "sessions step: {:.0} events/s over the drain ({seconds:.1} s)",
            (goal - first) as f64 / seconds
        ));
    }
    rates.sort_by(f64::total_cmp);
    say(&format!(
        "in 2-s intervals, median: {:.0} events/s",
        rates.get(rates.len() / 2).copied().unwrap_or(0.0)
    ));
    let (cpu, resident) = statistics(sessions.id());
    say(&format!(
        "sessions process: {:.2} us of CPU an event, {} MB resident",
        cpu * 1e6 / events as f64,
        resident / 1024
    ));
    Ok(())
}

/// Seconds of CPU and kilobytes resident of a process.
fn statistics(id: u32) -> (f64, u64) {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let field = |index: usize| {
        after_name
            .split_whitespace()
            .nth(index)
            .and_then(|text| text.parse::<f64>().ok())
    };
    // Fields 14 and 15 of proc(5), in ticks of which Linux has a hundred a second.
    let ticks = field(11).unwrap_or(0.0) + field(12).unwrap_or(0.0);
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let resident = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    (ticks / 100.0, resident.unwrap_or(0))
}

/// Writes the workload into the topic; returns how many bytes the records have.
async fn fill(log: &dyn Log, events: u64, customers: u64) -> Result<u64> {
    let count = PartitionCount::new(PARTITIONS).ok_or("no partitions")?;
    let mut workload = Workload::new(42, customers, count);
    let topic: Arc<str> = "winback.events".into();
    let (mut batch, mut bytes) = (Vec::new(), 0_u64);
    for _ in 0..events {
        let (partition, record) = workload.next().ok_or("the workload ended")?;
        let value = serde_json::to_vec(&record).map_err(|error| error.to_string())?;
        bytes += value.len() as u64;
        batch.push(Outgoing {
            topic: topic.clone(),
            partition: Some(partition),
            key: record.to.to_string().into_bytes(),
            value,
            headers: Vec::new(),
        });
        if batch.len() as u64 == BATCH {
            log.produce(std::mem::take(&mut batch))
                .await
                .map_err(|error| error.to_string())?;
        }
    }
    log.produce(batch)
        .await
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}
