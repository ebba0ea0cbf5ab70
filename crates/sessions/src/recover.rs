//! Going on after the store went back in time: what Kafka knows of the lost time is made known again (ADR 0010).
//!
//! Every record that sessions writes carries the store's standing of that moment, and a message can't be claimed before
//! its record is written: whatever went out lies behind such a mark (INV-4). Outcomes of the lost time are read to their
//! end, and what they tell of as gone out is never granted again; then input is replayed from the older positions.
//! Absent: what was in flight when the store went back and has no outcome; it is counted, and may go out twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use winback_bus::{Log, Record, TopicPartition, between};
use winback_contract::ids::digest;
use winback_contract::{Channel, MessageId, Offset, Outcome, Partition, Span, Timestamp, Topic};
use winback_service::clock::{self, Stopwatch};
use winback_store::{Commit, Committed, GrantWrite, PartitionMeta, Standing, Store};

use crate::config::Config;
use crate::error::Error;

pub mod losses;
pub mod metrics;

/// The header that carries the store's standing when a record was written.
pub const MARK: &str = "winback-commit";

/// How long it is remembered that a message went out in a time that was lost: longer than any step waits.
pub const REMEMBERED: Span = Span::from_days(14);

/// Longest wait for where the newest records of a partition are: a leader that is there says it at once.
const EDGES: Duration = Duration::from_secs(2);

/// Longest wait for the newest record of a partition.
const PATIENCE: Duration = Duration::from_secs(10);

/// Messages in one commit.
const CHUNK: usize = 1_000;

/// What a recovery found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Recovered {
    /// Messages known to have gone out.
    pub sent: usize,
    /// At most so many were handed to dispatch and have no outcome yet.
    pub in_doubt: u64,
}

/// `epoch:sequence`, as it lies in marks and echoes.
pub fn write(standing: Standing) -> String {
    format!("{}:{}", standing.epoch, standing.sequence)
}

/// The standing that was written so; `None` for anything else.
pub fn read(text: &str) -> Option<Standing> {
    let (epoch, sequence) = text.split_once(':')?;
    Some(Standing {
        epoch: epoch.parse().ok()?,
        sequence: sequence.parse().ok()?,
    })
}

/// What is found of each partition: the newest commit that Kafka knows of, or why that is not known.
pub type Found = BTreeMap<Partition, Result<Standing, String>>;

/// The newest commit of each partition that Kafka knows of: by records that were written after it, and by the echo of
/// its positions. Whether the store went back is not known of one whose newest record can't be read, as without a leader;
/// that holds up no other.
///
/// # Errors
/// Only those that a person must mend; what else is wrong is told of its partition.
pub async fn known(
    log: &dyn Log,
    config: &Config,
    partitions: &[Partition],
) -> Result<Found, Error> {
    let all = |why: &Error| {
        let each = partitions
            .iter()
            .map(|partition| (*partition, Err(why.to_string())));
        each.collect::<Found>()
    };
    let mut found = match marks(log, config, partitions).await {
        Err(error @ Error::Unavailable(_)) => return Ok(all(&error)),
        other => other?,
    };
    let events = config.names.name(Topic::Events);
    let echoes = match log
        .committed(&config.group(), &events)
        .await
        .map_err(Error::from)
    {
        Err(error @ Error::Unavailable(_)) => return Ok(all(&error)),
        other => other?,
    };
    for (partition, standing) in &mut found {
        let echo = echoes.get(partition.0 as usize).and_then(Option::as_ref);
        let echo = echo.and_then(|commit| read(&commit.metadata));
        if let (Ok(standing), Some(echo)) = (standing, echo) {
            *standing = (*standing).max(echo);
        }
    }
    Ok(found)
}

/// The places of a partition that have a newest record, with its offset.
async fn newest(
    log: &dyn Log,
    topic_partitions: Vec<TopicPartition>,
) -> Result<Vec<(TopicPartition, Offset)>, String> {
    let edges = match clock::within(EDGES, log.edges(&topic_partitions)).await {
        Ok(Ok(edges)) => edges,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err(format!("kafka: not answered within {} s", EDGES.as_secs())),
    };
    let newest = topic_partitions.into_iter().zip(edges);
    let newest = newest.filter(|(_, (start, end))| end > start);
    Ok(newest
        .map(|(topic_partition, (_, end))| (topic_partition, end.before()))
        .collect())
}

/// The standings that lie on the newest records of each partition.
async fn marks(log: &dyn Log, config: &Config, partitions: &[Partition]) -> Result<Found, Error> {
    let dispatch = Channel::ALL.into_iter().map(Topic::Dispatch);
    let mut topics: Vec<(String, u32)> = Vec::new();
    for topic in dispatch.chain([Topic::Journeys, Topic::Triggers]) {
        let name = config.names.name(topic);
        let count = log.partitions(&name).await?;
        topics.extend(count.map(|count| (name, count)));
    }
    // Side by side, and each for itself: whoever takes a partition over is waited for.
    let asked = partitions.iter().map(|partition| {
        let here = topics.iter().filter(|(_, count)| partition.0 < *count);
        newest(
            log,
            here.map(|(name, _)| TopicPartition::new(name, *partition))
                .collect(),
        )
    });
    let answers = futures::future::join_all(asked).await;
    let mut reader = log.read(&config.group()).await?;
    let (mut found, mut awaited) = (Found::new(), BTreeSet::new());
    for (partition, answer) in partitions.iter().zip(answers) {
        let topic_partitions = match answer {
            Ok(topic_partitions) => topic_partitions,
            Err(why) => {
                found.insert(*partition, Err(why));
                continue;
            }
        };
        found.insert(*partition, Ok(Standing::default()));
        for (topic_partition, at) in topic_partitions {
            reader.start(&topic_partition, at, None).await?;
            awaited.insert(topic_partition);
        }
    }
    let watch = Stopwatch::start();
    while !awaited.is_empty() && watch.elapsed() <= PATIENCE {
        for record in reader.poll(1_000, Duration::from_millis(50)).await? {
            awaited.remove(&record.topic_partition());
            let mark = record.header(MARK).and_then(read);
            if let (Some(mark), Some(Ok(standing))) = (mark, found.get_mut(&record.partition)) {
                *standing = (*standing).max(mark);
            }
        }
    }
    for topic_partition in awaited {
        let why = "kafka: its newest records could not be read: whether Redis went back in time is not known yet";
        found.insert(topic_partition.partition, Err(why.to_owned()));
    }
    Ok(found)
}

/// Reads what became of messages in the lost time, makes it known to the store, and ends the recovery.
///
/// # Errors
/// Transient ones: acquire the partition again, nothing is lost.
pub async fn recover(
    partition: Partition,
    config: &Config,
    log: &dyn Log,
    store: &dyn Store,
    meta: &mut PartitionMeta,
) -> Result<Recovered, Error> {
    let outcomes = config.names.name(Topic::Outcomes);
    let end = partition.among(&log.ends(&outcomes).await?);
    let topic_partition = TopicPartition::new(&outcomes, partition);
    let mut gone: BTreeSet<MessageId> = BTreeSet::new();
    let from = meta.positions.outcomes;
    between(
        log,
        &config.group(),
        &topic_partition,
        (from, end),
        |record| {
            gone.extend(went_out(record));
        },
    )
    .await?;
    let in_doubt = in_flight(partition, config, log).await?;
    let until = store.time().await? + REMEMBERED;
    remember(partition, store, meta, &gone, until).await?;
    Ok(Recovered {
        sent: gone.len(),
        in_doubt,
    })
}

/// Commits what went out, and that the partition has recovered.
async fn remember(
    partition: Partition,
    store: &dyn Store,
    meta: &mut PartitionMeta,
    gone: &BTreeSet<MessageId>,
    until: Timestamp,
) -> Result<(), Error> {
    let gone: Vec<MessageId> = gone.iter().copied().collect();
    let mut chunks: Vec<&[MessageId]> = gone.chunks(CHUNK).collect();
    if chunks.is_empty() {
        chunks.push(&[]);
    }
    let last = chunks.len() - 1;
    for (number, chunk) in chunks.into_iter().enumerate() {
        let mut next = meta.clone();
        if number == last {
            next.recovering = None;
        }
        let sent = |message: &MessageId| GrantWrite::Sent {
            message: *message,
            until,
        };
        let grants = chunk.iter().map(sent).collect();
        *meta = commit_meta(partition, store, meta.clone(), next, grants).await?;
    }
    Ok(())
}

/// Commits a change of a meta beside the steps of its owner, with grants if there are any. The meta after it.
async fn commit_meta(
    partition: Partition,
    store: &dyn Store,
    base: PartitionMeta,
    meta: PartitionMeta,
    grants: Vec<GrantWrite>,
) -> Result<PartitionMeta, Error> {
    let id = digest(
        "recover",
        &[
            &partition.0.to_be_bytes(),
            &base.epoch.to_be_bytes(),
            &base.sequence.to_be_bytes(),
        ],
    );
    let after = PartitionMeta {
        sequence: base.sequence + 1,
        last_commit: Some(id),
        ..meta.clone()
    };
    let commit = Commit {
        epoch: base.epoch,
        sequence: base.sequence,
        id,
        meta,
        base: Some(base),
        grants,
        ..Commit::default()
    };
    match store.commit(partition, &commit).await? {
        Committed::Applied | Committed::AlreadyApplied => Ok(after),
        Committed::Fenced { .. } => Err(Error::Fenced(partition)),
    }
}

/// The message of an outcome that says that it left, or may have. What went to a file may go there again.
fn went_out(record: Record) -> Option<MessageId> {
    let payload = record.value.as_deref().unwrap_or_default();
    // What can't be read is told of when it is applied.
    let outcome: Outcome = serde_json::from_slice(payload).ok()?;
    (outcome.status.may_have_left() && !outcome.rehearsed).then_some(outcome.message)
}

/// How many messages were handed to dispatch and are not reported on, at most.
async fn in_flight(partition: Partition, config: &Config, log: &dyn Log) -> Result<u64, Error> {
    let mut sum = 0;
    for channel in Channel::ALL {
        let name = config.names.name(Topic::Dispatch(channel));
        if log.partitions(&name).await?.is_none() {
            continue;
        }
        let end = partition.among(&log.ends(&name).await?);
        let start = partition.among(&log.starts(&name).await?);
        let group = format!("{}dispatch.{channel}", config.groups);
        let committed = log.committed(&group, &name).await?;
        let next = committed.get(partition.0 as usize).and_then(Option::as_ref);
        let next = next.map_or(start, |commit| commit.next.max(start));
        sum += u64::try_from(end.0 - next.0).unwrap_or(0);
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_is_read_as_it_was_written() {
        let standing = Standing {
            epoch: 7,
            sequence: 1_770_000_000_000_000,
        };
        assert_eq!(read(&write(standing)), Some(standing));
        for text in ["", "7", "7:", ":7", "a:b", "-1:2"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
