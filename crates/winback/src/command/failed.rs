//! `winback failed list|show|redrive`: what could not be applied, with the reason and the payload as it came; and the way
//! back, once the cause is mended (INV-8).

use winback_bus::{Log as _, Record, TopicPartition, between};
use winback_contract::{Failed, Offset, Partition, Topic};

mod redrive;

use super::connect;
use crate::config::Config;
use crate::error::Error;
use crate::output;

/// List or show.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Arguments {
    /// The newest failures, a line each
    List {
        /// How many
        #[arg(long, default_value_t = 50)]
        last: usize,
    },
    /// One failure, whole; the payload goes to stdout as it came
    Show {
        /// Its number in the list
        offset: i64,
    },
    /// Put payloads back on their topic, with their first arrival and id: once their cause is mended
    Redrive(redrive::Arguments),
}

/// Runs it.
pub(crate) async fn run(arguments: Arguments, config: &Config) -> Result<(), Error> {
    let log = connect::kafka(config)?;
    let topic = config.names().name(Topic::Failed);
    let end = log.ends(&topic).await?.first().copied().unwrap_or_default();
    let start = log
        .starts(&topic)
        .await?
        .first()
        .copied()
        .unwrap_or_default();
    match arguments {
        Arguments::Redrive(arguments) => {
            let from = start.max(Offset(arguments.from));
            let end = end.min(Offset(arguments.to).next());
            let kept = read(&log, config, &topic, from, end).await?;
            redrive::run(&arguments, config, &log, &kept).await
        }
        Arguments::List { last } => {
            let from = Offset((end.0 - i64::try_from(last).unwrap_or(50)).max(start.0));
            for record in read(&log, config, &topic, from, end).await? {
                match failed(&record) {
                    Some(failed) => output::print(&format!(
                        "{:<6} {} {} {} at {}/{}@{} ({} bytes): {}",
                        record.offset,
                        failed.arrival,
                        failed.stage.as_str(),
                        failed.reason,
                        failed.topic,
                        failed.partition,
                        failed.offset,
                        failed.bytes,
                        failed.detail
                    )),
                    None => output::print(&format!("{:<6} not a failure record", record.offset)),
                }
            }
            Ok(())
        }
        Arguments::Show { offset } => {
            if offset < start.0 || offset >= end.0 {
                return Err(Error::Findings(format!(
                    "there is no failure {offset}: {} to {} are kept",
                    start,
                    end.0 - 1
                )));
            }
            let records = read(&log, config, &topic, Offset(offset), Offset(offset + 1)).await?;
            let failed = records.first().and_then(failed);
            let failed = failed.ok_or_else(|| {
                Error::Findings(format!("record {offset} is not a failure record"))
            })?;
            output::note(&format!(
                "{} {} at {}/{}@{}, {} bytes, blake3 {}\n{}",
                failed.stage.as_str(),
                failed.reason,
                failed.topic,
                failed.partition,
                failed.offset,
                failed.bytes,
                failed.blake3,
                failed.detail
            ));
            output::print(&String::from_utf8_lossy(&failed.payload.0));
            Ok(())
        }
    }
}

fn failed(record: &Record) -> Option<Failed> {
    serde_json::from_slice(record.value.as_deref()?).ok()
}

async fn read(
    log: &winback_bus::kafka::KafkaLog,
    config: &Config,
    topic: &str,
    from: Offset,
    end: Offset,
) -> Result<Vec<Record>, Error> {
    let topic_partition = TopicPartition::new(topic, Partition(0));
    let group = format!("{}failed", config.kafka.groups);
    let mut records = Vec::new();
    between(log, &group, &topic_partition, (from, end), |record| {
        records.push(record)
    })
    .await?;
    Ok(records)
}
