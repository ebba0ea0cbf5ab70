//! `winback failed redrive`: payloads go back on their topic as they came, with their first arrival and their id, so that
//! what is told of an earlier day counts as of that day, and what was applied meanwhile is known for a repeat (INV-8).
//!
//! A payload that was cut can't go back: it is named, and the exit code says so.

use std::collections::BTreeSet;

use winback_bus::{Log, Record, put_back};
use winback_contract::failed::KEPT_BYTES;
use winback_contract::{EventRecord, Failed, FailedReason, Topic};

use super::failed;
use crate::command::connect;
use crate::config::Config;
use crate::error::Error;
use crate::output;

/// Which failures.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Only those of this reason; may be given again
    #[arg(long, value_name = "REASON", value_parser = reason)]
    reason: Vec<FailedReason>,
    /// From this number of the list on
    #[arg(long, value_name = "OFFSET", default_value_t = 0)]
    pub(super) from: i64,
    /// Up to this number of the list, with it
    #[arg(long, value_name = "OFFSET", default_value_t = i64::MAX)]
    pub(super) to: i64,
    /// Say what would go back; nothing does
    #[arg(long)]
    dry_run: bool,
}

fn reason(word: &str) -> Result<FailedReason, String> {
    let found = FailedReason::ALL
        .iter()
        .find(|reason| reason.as_str() == word);
    found.copied().ok_or_else(|| {
        let words: Vec<&str> = FailedReason::ALL
            .iter()
            .map(|reason| reason.as_str())
            .collect();
        format!("it is one of: {}", words.join(", "))
    })
}

/// Runs it.
pub(super) async fn run(
    arguments: &Arguments,
    config: &Config,
    log: &dyn Log,
    kept: &[Record],
) -> Result<(), Error> {
    let topics: BTreeSet<String> = connect::topics(config)
        .into_iter()
        .map(|spec| spec.name)
        .collect();
    let (mut back, mut left) = (0_u32, 0_u32);
    for record in kept {
        // What was applied, without what could not be read of it, has nowhere to go back to.
        let Some(failed) = failed(record).filter(|failed| !failed.applied) else {
            continue;
        };
        if !arguments.reason.is_empty() && !arguments.reason.contains(&failed.reason) {
            continue;
        }
        let line = format!(
            "{:<6} {} {} of {}/{}@{}",
            record.offset,
            failed.stage.as_str(),
            failed.reason,
            failed.topic,
            failed.partition,
            failed.offset
        );
        if let Some(why) = obstacle(&failed, &topics) {
            output::print(&format!("left    {line}: {why}"));
            left += 1;
            continue;
        }
        output::print(&format!("back    {line}"));
        back += 1;
        if !arguments.dry_run {
            let mut outgoing = put_back(&failed);
            // What is told to every partition stays with the one that missed it.
            if failed.reason == FailedReason::WrongPartition
                && failed.topic == config.names().name(Topic::Events)
                && let Ok(event) = serde_json::from_slice::<EventRecord>(&failed.payload.0)
            {
                outgoing.partition = Some(config.kafka.partitions.of(event.to));
            }
            log.produce(vec![outgoing]).await?;
        }
    }
    let would = if arguments.dry_run {
        "would go"
    } else {
        "went"
    };
    output::print(&format!("{back} {would} back, {left} can't"));
    if left == 0 {
        Ok(())
    } else {
        Err(Error::Findings(format!("{left} can't go back")))
    }
}

/// Why a payload can't go back.
fn obstacle(failed: &Failed, topics: &BTreeSet<String>) -> Option<String> {
    if !failed.is_whole() {
        return Some(format!(
            "cut at {} KiB of {} bytes: send it anew from where it came from, or read it in the topic at its position",
            KEPT_BYTES / 1_024,
            failed.bytes
        ));
    }
    if !topics.contains(&failed.topic) {
        return Some(format!("this installation has no topic {}", failed.topic));
    }
    None
}
