//! What can't be repaired, named before it is given up: `winback recover`. Nothing here is done without a person's word.
//!
//! Invariants: INV-8 (what is skipped is counted and noted), INV-4 (what is known to have gone out stays known).

use std::fmt;

use winback_bus::{Commit as Position, Fit, Kept, Log, Mark, Place, fit};
use winback_contract::ids::digest;
use winback_contract::{BundleHash, Offset, Partition, Timestamp, Topic};
use winback_store::{Commit, Committed, Marks, Meta, Standing, Store};

use super::recover;
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
        place: Place,
        /// Up to where it was applied.
        from: Offset,
        /// The first offset that is kept.
        start: Offset,
        /// How it does not fit.
        fit: Fit,
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
                place,
                from,
                start,
                fit,
                ..
            } => match fit {
                Fit::Deleted { .. } => write!(
                    f,
                    "{}, partition {}: {} positions are given up ({from} to {}); no timer and no grant is",
                    place.topic,
                    place.partition,
                    start.0 - from.0,
                    start.0 - 1
                ),
                _ => write!(
                    f,
                    "{}, partition {}: the topic was made anew. What the old one had from position {from} on is given up, how many is \
                     not known any more; no timer and no grant is. The new one is read from its start",
                    place.topic, place.partition
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
    let marks = super::marks(log, config, &partitions).await?;
    let echoes = log
        .committed(&config.group(), &config.names.name(Topic::Events))
        .await?;
    let mut losses = Vec::new();
    for (partition, meta) in partitions.iter().zip(store.metas(&partitions).await?) {
        let echo = echoes.get(partition.0 as usize).and_then(Option::as_ref);
        let echo = echo.and_then(|commit| super::read(&commit.metadata));
        let known = [echo, marks.get(partition).copied()]
            .into_iter()
            .flatten()
            .max();
        match (meta, known) {
            (None, Some(known)) => losses.push(Loss::Empty {
                partition: *partition,
                known,
            }),
            (None, None) => {}
            (Some(meta), _) if meta.last_commit.is_none() => {}
            (Some(meta), _) => {
                for (topic, from, mark) in positions(&meta) {
                    let place = Place::new(&config.names.name(topic), *partition);
                    let who = PositionOf(Who::Sessions(topic, known.unwrap_or_default()));
                    let mark = mark_at(from, mark);
                    losses.extend(judge(config, log, place, (from, mark), who).await?);
                }
            }
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
            let place = Place::new(&group.topic, partition);
            let kept = Kept::read(&commit.metadata);
            let start = starts.get(index).copied().unwrap_or_default();
            let from = kept.go_on(commit.next, start).unwrap_or(commit.next);
            let who = PositionOf(Who::Group(group.name.clone(), kept.generation));
            losses.extend(judge(config, log, place, (from, kept.mark), who).await?);
        }
    }
    Ok(losses)
}

fn positions(meta: &Meta) -> [(Topic, Offset, &str); 3] {
    let (positions, marks) = (meta.positions, &meta.marks);
    [
        (Topic::Events, positions.events, &marks.events),
        (Topic::Decisions, positions.decisions, &marks.decisions),
        (Topic::Outcomes, positions.outcomes, &marks.outcomes),
    ]
}

async fn judge(
    config: &Config,
    log: &dyn Log,
    place: Place,
    (from, mark): (Offset, Option<Mark>),
    who: PositionOf,
) -> Result<Option<Loss>, Error> {
    let (fit, start) = fit(log, &config.group(), &place, from, mark).await?;
    Ok((fit != Fit::Fits).then_some(Loss::Position {
        place,
        from,
        start,
        fit,
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
                begin(config, *partition, *known, (now, active), log, store).await?
            }
            Loss::Position {
                place,
                start,
                fit,
                who: PositionOf(who),
                ..
            } => match who {
                Who::Sessions(topic, known) => {
                    let mut meta = store.acquire(place.partition, *known).await?;
                    let base = meta.clone();
                    set(&mut meta, *topic, *start);
                    note(&mut meta, now, loss);
                    commit(place.partition, meta, base, store).await?;
                }
                Who::Group(group, generation) => {
                    let seconds = u32::try_from(now.as_millis() / 1_000).unwrap_or(u32::MAX);
                    let generation = match fit {
                        Fit::MadeAnew => seconds.max(generation.saturating_add(1)),
                        _ => *generation,
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
                    log.commit_for(group, place, &to).await?;
                }
            },
        }
    }
    Ok(())
}

fn set(meta: &mut Meta, topic: Topic, start: Offset) {
    let (positions, marks) = (&mut meta.positions, &mut meta.marks);
    let (position, mark) = match topic {
        Topic::Decisions => (&mut positions.decisions, &mut marks.decisions),
        Topic::Outcomes => (&mut positions.outcomes, &mut marks.outcomes),
        _ => (&mut positions.events, &mut marks.events),
    };
    *position = start;
    mark.clear();
}

/// Begins an empty partition from what Kafka still holds.
async fn begin(
    config: &Config,
    partition: Partition,
    known: Standing,
    (now, active): (Timestamp, Option<BundleHash>),
    log: &dyn Log,
    store: &dyn Store,
) -> Result<(), Error> {
    let mut meta = store.acquire(partition, known).await?;
    let base = meta.clone();
    meta.marks = Marks::default();
    for topic in [Topic::Events, Topic::Decisions, Topic::Outcomes] {
        let starts = log.starts(&config.names.name(topic)).await?;
        let start = starts
            .get(partition.0 as usize)
            .copied()
            .unwrap_or_default();
        set(&mut meta, topic, start);
    }
    meta.bundle = active;
    meta.recovering = Some(0);
    note(&mut meta, now, &Loss::Empty { partition, known });
    let mut meta = commit(partition, meta, base, store).await?;
    recover(partition, config, log, store, &mut meta).await?;
    Ok(())
}

fn note(meta: &mut Meta, now: Timestamp, loss: &Loss) {
    if !meta.given_up.is_empty() {
        meta.given_up.push('\n');
    }
    meta.given_up.push_str(&format!("{now} {loss}"));
}

async fn commit(
    partition: Partition,
    meta: Meta,
    base: Meta,
    store: &dyn Store,
) -> Result<Meta, Error> {
    let parts = [partition.0.to_be_bytes()];
    let id = digest(
        "give up",
        &[
            &parts[0],
            &base.epoch.to_be_bytes(),
            &base.sequence.to_be_bytes(),
        ],
    );
    let next = Meta {
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
        ..Commit::default()
    };
    match store.commit(partition, &commit).await? {
        Committed::Applied | Committed::AlreadyApplied => Ok(next),
        Committed::Fenced { .. } => Err(Error::Fenced(partition)),
    }
}
