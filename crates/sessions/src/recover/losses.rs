//! What can't be repaired, named before it is given up: `winback recover`. Nothing here is done without a person's word.
//!
//! Invariants: INV-8 (what is skipped is counted and noted), INV-4 (what is known to have gone out stays known).

use std::fmt;

use winback_bus::{Commit as Position, Kept, Log, Mark, Misfit, TopicPartition, misfit};
use winback_contract::{BundleHash, Offset, Partition, Timestamp, Topic};
use winback_store::{PartitionMeta, Standing, Store};

use super::{commit_meta, recover};
use crate::acquire::{begin, move_to};
use crate::config::Config;
use crate::error::Error;
use crate::partition::mark_at;

/// A consumer group that goes on from what it committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The topic it reads.
    pub topic: String,
}

/// Where somebody reads.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Who {
    /// The partition of a customer, from the store's position; with the newest commit that is known.
    Sessions(Topic, Standing),
    /// A group, from its commit of this generation.
    Group(String, u32),
}

/// What is lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Loss {
    /// The store has nothing of a partition of which Kafka knows commits.
    Empty {
        /// Which.
        partition: Partition,
        /// The newest commit that is known.
        known: Standing,
    },
    /// Somebody's position does not fit the topic.
    Position {
        /// Where.
        topic_partition: TopicPartition,
        /// Up to where it was applied.
        from: Offset,
        /// The first offset that is kept.
        start: Offset,
        /// How it does not fit.
        misfit: Misfit,
        /// Whose it is.
        who: PositionOf,
    },
}

/// Whose position it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PositionOf(Who);

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { partition, known } => write!(
                f,
                "partition {partition}: Redis has nothing, Kafka knows of commit {}. Given up: every customer, timer, grant and \
                 coupon code of it that events still kept do not tell of; how many is not known any more. Messages known to have \
                 gone out stay known; events are replayed from the first that is kept",
                known.sequence
            ),
            Self::Position {
                topic_partition,
                from,
                start,
                misfit,
                ..
            } => match misfit {
                Misfit::Deleted { .. } => write!(
                    f,
                    "{}, partition {}: {} positions are given up ({from} to {}); no timer and no grant is",
                    topic_partition.topic,
                    topic_partition.partition,
                    start.0 - from.0,
                    start.0 - 1
                ),
                Misfit::MadeAnew => write!(
                    f,
                    "{}, partition {}: the topic was made anew. What the old one had from position {from} on is given up, how many is \
                     not known any more; no timer and no grant is. The new one is read from its start",
                    topic_partition.topic, topic_partition.partition
                ),
            },
        }
    }
}

/// All that can't be repaired. A store that went back and is behind is no loss: sessions repairs it.
///
/// # Errors
/// When log or store do not answer.
pub async fn losses(
    config: &Config,
    groups: &[Group],
    log: &dyn Log,
    store: &dyn Store,
) -> Result<Vec<Loss>, Error> {
    let partitions: Vec<Partition> = config.partitions.all().collect();
    let known = super::known(log, config, &partitions).await?;
    let mut losses = Vec::new();
    for (partition, meta) in partitions.iter().zip(store.metas(&partitions).await?) {
        let known = match known.get(partition) {
            Some(Err(why)) => return Err(Error::Unavailable(why.clone())),
            // Kafka knows of no commit.
            Some(Ok(none)) if *none == Standing::default() => None,
            other => other.and_then(|known| known.clone().ok()),
        };
        let Some(meta) = meta else {
            losses.extend(known.map(|known| Loss::Empty {
                partition: *partition,
                known,
            }));
            continue;
        };
        if meta.last_commit.is_none() {
            continue;
        }
        for (topic, from, mark) in meta.inputs() {
            let topic_partition = TopicPartition::new(&config.names.name(topic), *partition);
            let who = PositionOf(Who::Sessions(topic, known.unwrap_or_default()));
            let mark = mark_at(from, mark);
            losses.extend(judge(config, log, topic_partition, (from, mark), who).await?);
        }
    }
    for group in groups {
        if log.partitions(&group.topic).await?.is_none() {
            continue;
        }
        let starts = log.starts(&group.topic).await?;
        for (index, commit) in log
            .committed(&group.name, &group.topic)
            .await?
            .into_iter()
            .enumerate()
        {
            let Some(commit) = commit else { continue };
            let partition = Partition(u32::try_from(index).unwrap_or(u32::MAX));
            let topic_partition = TopicPartition::new(&group.topic, partition);
            let kept = Kept::read(&commit.metadata);
            let start = partition.among(&starts);
            let from = kept.go_on(commit.next, start).unwrap_or(commit.next);
            let who = PositionOf(Who::Group(group.name.clone(), kept.generation));
            losses.extend(judge(config, log, topic_partition, (from, kept.mark), who).await?);
        }
    }
    Ok(losses)
}

async fn judge(
    config: &Config,
    log: &dyn Log,
    topic_partition: TopicPartition,
    (from, mark): (Offset, Option<Mark>),
    who: PositionOf,
) -> Result<Option<Loss>, Error> {
    let (found, start) = misfit(log, &config.group(), &topic_partition, from, mark).await?;
    Ok(found.map(|misfit| Loss::Position {
        topic_partition,
        from,
        start,
        misfit,
        who,
    }))
}

/// Gives up what is lost. `now` tells a topic begun anew from the old one; `active` is the bundle that decides.
///
/// # Errors
/// When log or store refuse; a group that has members refuses until its services are stopped.
pub async fn give_up(
    config: &Config,
    losses: &[Loss],
    (now, active): (Timestamp, Option<BundleHash>),
    log: &dyn Log,
    store: &dyn Store,
) -> Result<(), Error> {
    for loss in losses {
        match loss {
            Loss::Empty { partition, known } => {
                begin_anew(config, *partition, *known, (now, active), log, store).await?
            }
            Loss::Position {
                topic_partition,
                start,
                misfit,
                who: PositionOf(who),
                ..
            } => match who {
                Who::Sessions(topic, known) => {
                    let base = store.acquire(topic_partition.partition, *known).await?;
                    let mut meta = base.clone();
                    move_to(&mut meta, *topic, *start);
                    note(&mut meta, now, loss);
                    commit_meta(topic_partition.partition, store, base, meta, Vec::new()).await?;
                }
                Who::Group(group, generation) => {
                    let seconds = u32::try_from(now.as_millis() / 1_000).unwrap_or(u32::MAX);
                    let generation = match misfit {
                        Misfit::MadeAnew => seconds.max(generation.saturating_add(1)),
                        Misfit::Deleted { .. } => *generation,
                    };
                    let kept = Kept {
                        generation,
                        mark: None,
                        void_to: None,
                    };
                    let to = Position {
                        next: *start,
                        metadata: kept.to_string(),
                    };
                    log.commit_for(group, topic_partition, &to).await?;
                }
            },
        }
    }
    Ok(())
}

/// Begins an empty partition from what Kafka still holds.
async fn begin_anew(
    config: &Config,
    partition: Partition,
    known: Standing,
    (now, active): (Timestamp, Option<BundleHash>),
    log: &dyn Log,
    store: &dyn Store,
) -> Result<(), Error> {
    let base = store.acquire(partition, known).await?;
    let mut meta = base.clone();
    begin(&mut meta, partition, config, log).await?;
    meta.bundle = active;
    meta.recovering = Some(0);
    note(&mut meta, now, &Loss::Empty { partition, known });
    let mut meta = commit_meta(partition, store, base, meta, Vec::new()).await?;
    recover(partition, config, log, store, &mut meta).await?;
    Ok(())
}

fn note(meta: &mut PartitionMeta, now: Timestamp, loss: &Loss) {
    if !meta.given_up.is_empty() {
        meta.given_up.push('\n');
    }
    meta.given_up.push_str(&format!("{now} {loss}"));
}
