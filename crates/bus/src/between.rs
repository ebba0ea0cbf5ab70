//! Reads what lies between two positions of a partition, to its end, without a group: for commands that look back.
//!
//! Offsets may be used up by what no reader is handed, as the marks of transactions are: where a read brings nothing the
//! log is asked whether anything is left. What is not here: following a topic that grows; see [`crate::Follower`].

use std::time::Duration;

use winback_contract::Offset;

use crate::error::Error;
use crate::log::{Log, TopicPartition};
use crate::record::Record;

/// Most records of one read.
const MOST: usize = 1_000;
/// So long one read waits.
const PATIENCE: Duration = Duration::from_secs(1);
/// So many reads that bring nothing although something is left mean that the log does not answer.
const SILENT: u32 = 10;

/// Hands every record of `topic_partition` from `from` up to and without `to` to `take`, in order.
///
/// # Errors
/// When the log does not answer.
pub async fn between(
    log: &dyn Log,
    group: &str,
    topic_partition: &TopicPartition,
    (from, to): (Offset, Offset),
    mut take: impl FnMut(Record) + Send,
) -> Result<(), Error> {
    let mut reader = log.read(group).await?;
    reader.start(topic_partition, from, None).await?;
    let (mut next, mut silent) = (from, 0);
    while next < to {
        let found = reader.poll(MOST, PATIENCE).await?;
        if found.is_empty() {
            if !log.has_records(topic_partition, next, to).await? {
                break;
            }
            silent += 1;
            if silent == SILENT {
                return Err(Error::Unavailable(format!(
                    "topic {} does not answer",
                    topic_partition.topic
                )));
            }
            continue;
        }
        silent = 0;
        for record in found {
            next = record.offset.next();
            if record.offset < to {
                take(record);
            }
        }
    }
    Ok(())
}
