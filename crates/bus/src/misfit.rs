//! Whether a position fits the topic that is there now, asked once: for commands. Absent: reading on.

use winback_contract::Offset;

use crate::between::between;
use crate::error::Error;
use crate::log::{Log, TopicPartition};
use crate::mark::{Mark, Misfit};

/// Why `from` is no position of the topic, if the record before it must be the marked one, and the first offset that is
/// kept.
///
/// # Errors
/// When the log does not answer.
pub async fn misfit(
    log: &dyn Log,
    group: &str,
    topic_partition: &TopicPartition,
    from: Offset,
    mark: Option<Mark>,
) -> Result<(Option<Misfit>, Offset), Error> {
    let at = topic_partition.partition.0 as usize;
    let start = log.starts(&topic_partition.topic).await?.get(at).copied();
    let end = log.ends(&topic_partition.topic).await?.get(at).copied();
    let (start, end) = (start.unwrap_or_default(), end.unwrap_or_default());
    if from > end {
        return Ok((Some(Misfit::MadeAnew), start));
    }
    let mut before = None;
    if start < from && mark.is_some() {
        between(
            log,
            group,
            topic_partition,
            (from.before(), from),
            |record| {
                before = Some(Mark::of(&record));
            },
        )
        .await?;
    }
    Ok((Misfit::of(from, start, mark, || before), start))
}
