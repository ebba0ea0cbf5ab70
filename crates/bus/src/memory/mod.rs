//! The log in process: topics as vectors, groups with a simple balance, faults on demand.
//!
//! It keeps the promises of the port and none of a disk. With [`Faults`] a produce may report failure after it
//! has appended, and polls come in odd sizes, so that callers meet at-least-once in every test.

mod group;
mod member;
mod reader;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;
use winback_contract::{Offset, Partition, Timestamp};
use winback_service::Clock;

use crate::error::Error;
use crate::log::{AssignedReader, Commit, GroupConsumer, Log, TopicPartition};
use crate::mark::{Mark, Misfit};
use crate::record::{Outgoing, Record, Stamp};
use group::Group;

/// Faults drawn from a seed: the same seed, the same faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// Of the draws.
    pub seed: u64,
    /// One produce in so many reports a failure although it happened; 0 is never.
    pub lost_ack_one_in: u64,
    /// One produce, read or poll in so many fails and nothing happened; 0 is never.
    pub refused_one_in: u64,
}

/// A log in process. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct MemoryLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) arrived: Notify,
    elected: Notify,
    clock: Clock,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) topics: BTreeMap<String, Vec<Vec<Record>>>,
    pub(crate) groups: BTreeMap<String, Group>,
    /// The first offset that is kept, where retention took some.
    starts: BTreeMap<TopicPartition, Offset>,
    /// Offsets that no reader is handed, as a broker's marks of transactions.
    marks: BTreeSet<(TopicPartition, Offset)>,
    /// Partitions without a leader: what is written there waits.
    leaderless: BTreeSet<TopicPartition>,
    faults: Option<Faults>,
    draws: u64,
}

impl Shared {
    /// Returns once all that the records go to have a leader.
    async fn led(&self, records: &[Outgoing]) {
        loop {
            let elected = self.elected.notified();
            let is_led = {
                let state = self.lock();
                let waits = |record: &Outgoing| {
                    let count = state.topics.get(record.topic.as_ref()).map_or(1, Vec::len);
                    let partition = record
                        .partition
                        .unwrap_or_else(|| by_key(&record.key, count));
                    let topic_partition = TopicPartition::new(&record.topic, partition);
                    state.leaderless.contains(&topic_partition)
                };
                state.leaderless.is_empty() || !records.iter().any(waits)
            };
            if is_led {
                return;
            }
            elected.await;
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A call that fails now and then, before it does anything.
    pub(crate) fn may_fail(&mut self) -> Result<(), Error> {
        let one_in = self.faults.map_or(0, |faults| faults.refused_one_in);
        if one_in > 0 && self.draw(one_in) == Some(0) {
            return Err(Error::Unavailable("planted: no answer".into()));
        }
        Ok(())
    }

    /// Whether a reader is handed this offset.
    pub(crate) fn is_record(&self, topic_partition: &TopicPartition, offset: Offset) -> bool {
        let partition = self
            .topics
            .get(topic_partition.topic.as_ref())
            .and_then(|topic| topic.get(topic_partition.partition.0 as usize));
        let end = partition.map_or(0, Vec::len);
        usize::try_from(offset.0).is_ok_and(|offset| offset < end)
            && (self.marks.is_empty() || !self.marks.contains(&(topic_partition.clone(), offset)))
    }

    /// The first offset that is kept.
    pub(crate) fn start(&self, topic_partition: &TopicPartition) -> Offset {
        self.starts
            .get(topic_partition)
            .copied()
            .unwrap_or_default()
    }

    /// Why `topic_partition` can't be read from `from` on, if the record before it must be the marked one.
    pub(crate) fn problem(
        &self,
        topic_partition: &TopicPartition,
        from: Offset,
        mark: Option<Mark>,
    ) -> Option<String> {
        let before = || {
            let topic = self.topics.get(topic_partition.topic.as_ref())?;
            let records = topic.get(topic_partition.partition.0 as usize)?;
            let before = usize::try_from(from.before().0).ok()?;
            records.get(before).map(Mark::of)
        };
        let misfit = Misfit::of(from, self.start(topic_partition), mark, before)?;
        Some(misfit.problem(topic_partition, from))
    }

    /// A seeded draw in `0..bound`.
    pub(crate) fn draw(&mut self, bound: u64) -> Option<u64> {
        let faults = self.faults?;
        self.draws += 1;
        let mut mixed = faults
            .seed
            .wrapping_add(self.draws.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Some((mixed ^ (mixed >> 31)) % bound.max(1))
    }

    /// How many records the next poll may bring: odd sizes under faults.
    pub(crate) fn poll_size(&mut self, most: usize) -> usize {
        match self.draw(7) {
            Some(draw) if draw < 3 => most.min(1 + usize::try_from(draw).unwrap_or(0)),
            _ => most,
        }
    }
}

impl MemoryLog {
    /// An empty log; records get their time from `clock`, as a broker would give it.
    pub fn new(clock: Clock) -> Self {
        let state = State {
            topics: BTreeMap::new(),
            groups: BTreeMap::new(),
            starts: BTreeMap::new(),
            marks: BTreeSet::new(),
            leaderless: BTreeSet::new(),
            faults: None,
            draws: 0,
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                arrived: Notify::new(),
                elected: Notify::new(),
                clock,
            }),
        }
    }

    /// From now on with faults.
    #[must_use]
    pub fn with_faults(self, faults: Faults) -> Self {
        self.shared.lock().faults = Some(faults);
        self
    }

    /// Retention takes everything before `start`.
    pub fn delete_before(&self, topic_partition: &TopicPartition, start: Offset) {
        self.shared
            .lock()
            .starts
            .insert(topic_partition.clone(), start);
    }

    /// Takes the leader of a partition away, or gives it one: meanwhile nothing can be written there, and no write fails.
    pub fn lead(&self, topic_partition: &TopicPartition, leads: bool) {
        let mut state = self.shared.lock();
        if leads {
            state.leaderless.remove(topic_partition);
        } else {
            state.leaderless.insert(topic_partition.clone());
        }
        drop(state);
        self.shared.elected.notify_waiters();
    }

    /// Deletes a topic and makes it anew.
    pub fn make_anew(&self, topic: &str) {
        let mut state = self.shared.lock();
        state
            .starts
            .retain(|topic_partition, _| topic_partition.topic.as_ref() != topic);
        for partition in state.topics.get_mut(topic).into_iter().flatten() {
            partition.clear();
        }
    }

    /// Creates a topic; an existing one stays as it is.
    pub fn create(&self, topic: &str, partitions: u32) {
        let mut state = self.shared.lock();
        state
            .topics
            .entry(topic.to_owned())
            .or_insert_with(|| (0..partitions).map(|_| Vec::new()).collect());
    }

    /// Appends with a header list and a time of the caller's, as a storefront would.
    ///
    /// # Errors
    /// [`Error::Fatal`] when the topic or partition does not exist.
    pub fn append(
        &self,
        record: Outgoing,
        headers: Vec<(String, Vec<u8>)>,
        time: Timestamp,
    ) -> Result<Offset, Error> {
        let offset = append(&mut self.shared.lock(), record, headers, time)?;
        self.shared.arrived.notify_waiters();
        Ok(offset)
    }

    /// Uses up an offset without a record, as the end of a producer's transaction does.
    ///
    /// # Errors
    /// [`Error::Fatal`] when the topic or partition does not exist.
    pub fn mark(&self, topic_partition: &TopicPartition) -> Result<Offset, Error> {
        let mut state = self.shared.lock();
        let record = Outgoing {
            topic: topic_partition.topic.clone(),
            partition: Some(topic_partition.partition),
            key: Vec::new(),
            value: Vec::new(),
            headers: Vec::new(),
        };
        let offset = append(&mut state, record, Vec::new(), Timestamp::default())?;
        state.marks.insert((topic_partition.clone(), offset));
        Ok(offset)
    }

    /// All records of a topic, partition by partition. For tests and summaries.
    pub fn dump(&self, topic: &str) -> Vec<Record> {
        self.shared
            .lock()
            .topics
            .get(topic)
            .into_iter()
            .flatten()
            .flatten()
            .cloned()
            .collect()
    }
}

fn append(
    state: &mut State,
    record: Outgoing,
    headers: Vec<(String, Vec<u8>)>,
    time: Timestamp,
) -> Result<Offset, Error> {
    let topic = state
        .topics
        .get_mut(record.topic.as_ref())
        .ok_or_else(|| Error::Fatal(format!("topic {} does not exist", record.topic)))?;
    let count = topic.len();
    let partition = record
        .partition
        .unwrap_or_else(|| by_key(&record.key, count));
    let records = topic.get_mut(partition.0 as usize).ok_or_else(|| {
        Error::Fatal(format!(
            "topic {} has {count} partitions, not a partition {partition}",
            record.topic
        ))
    })?;
    let offset = Offset(i64::try_from(records.len()).unwrap_or(i64::MAX));
    records.push(Record {
        topic: record.topic,
        partition,
        offset,
        time,
        stamp: Stamp::Broker,
        key: record.key,
        value: (!record.value.is_empty()).then_some(record.value),
        headers,
    });
    Ok(offset)
}

fn unknown(topic: &str) -> Error {
    Error::Unavailable(format!("topic {topic} is not known now"))
}

fn by_key(key: &[u8], count: usize) -> Partition {
    let sum = key.iter().fold(0_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(*byte))
    });
    Partition(sum % u32::try_from(count.max(1)).unwrap_or(1))
}

#[async_trait]
impl Log for MemoryLog {
    async fn produce(&self, records: Vec<Outgoing>) -> Result<(), Error> {
        self.shared.led(&records).await;
        let now = Timestamp::from_millis(self.shared.clock.now_millis());
        let lost = {
            let mut state = self.shared.lock();
            state.may_fail()?;
            for mut record in records {
                let headers = std::mem::take(&mut record.headers);
                append(&mut state, record, headers, now)?;
            }
            let one_in = state.faults.map_or(0, |faults| faults.lost_ack_one_in);
            one_in > 0 && state.draw(one_in) == Some(0)
        };
        self.shared.arrived.notify_waiters();
        if lost {
            Err(Error::Unavailable(
                "planted: the acknowledgement was lost".into(),
            ))
        } else {
            Ok(())
        }
    }

    async fn partitions(&self, topic: &str) -> Result<Option<u32>, Error> {
        let state = self.shared.lock();
        Ok(state
            .topics
            .get(topic)
            .map(|partitions| u32::try_from(partitions.len()).unwrap_or(u32::MAX)))
    }

    async fn ends(&self, topic: &str) -> Result<Vec<Offset>, Error> {
        let state = self.shared.lock();
        let partitions = state.topics.get(topic).ok_or_else(|| unknown(topic))?;
        Ok(partitions
            .iter()
            .map(|records| Offset(i64::try_from(records.len()).unwrap_or(i64::MAX)))
            .collect())
    }

    async fn starts(&self, topic: &str) -> Result<Vec<Offset>, Error> {
        let state = self.shared.lock();
        let partitions = state.topics.get(topic).ok_or_else(|| unknown(topic))?;
        let topic_partition = |index: usize| {
            TopicPartition::new(topic, Partition(u32::try_from(index).unwrap_or(u32::MAX)))
        };
        Ok((0..partitions.len())
            .map(|index| state.start(&topic_partition(index)))
            .collect())
    }

    async fn edges(
        &self,
        topic_partitions: &[TopicPartition],
    ) -> Result<Vec<(Offset, Offset)>, Error> {
        let state = self.shared.lock();
        let edge = |topic_partition: &TopicPartition| {
            if state.leaderless.contains(topic_partition) {
                return Err(Error::Unavailable(format!(
                    "{}/{}: no leader",
                    topic_partition.topic, topic_partition.partition
                )));
            }
            let topic = state.topics.get(&*topic_partition.topic);
            let records = topic.and_then(|topic| topic.get(topic_partition.partition.0 as usize));
            let records = records.ok_or_else(|| unknown(&topic_partition.topic))?;
            let end = Offset(i64::try_from(records.len()).unwrap_or(i64::MAX));
            Ok((state.start(topic_partition), end))
        };
        topic_partitions.iter().map(edge).collect()
    }

    async fn has_records(
        &self,
        topic_partition: &TopicPartition,
        from: Offset,
        to: Offset,
    ) -> Result<bool, Error> {
        let state = self.shared.lock();
        let from = from.max(state.start(topic_partition));
        Ok((from.0..to.0).any(|offset| state.is_record(topic_partition, Offset(offset))))
    }

    async fn committed(&self, group: &str, topic: &str) -> Result<Vec<Option<Commit>>, Error> {
        let state = self.shared.lock();
        let count = state.topics.get(topic).ok_or_else(|| unknown(topic))?.len();
        let group = state.groups.get(group);
        Ok((0..count)
            .map(|index| {
                let partition = Partition(u32::try_from(index).unwrap_or(u32::MAX));
                group.and_then(|group| group.committed.get(&(topic.to_owned(), partition)).cloned())
            })
            .collect())
    }

    async fn commit_for(
        &self,
        group: &str,
        topic_partition: &TopicPartition,
        to: &Commit,
    ) -> Result<(), Error> {
        let mut state = self.shared.lock();
        let group = state.groups.entry(group.to_owned()).or_default();
        let topic_partition = (topic_partition.topic.to_string(), topic_partition.partition);
        group.committed.insert(topic_partition, to.clone());
        Ok(())
    }

    async fn join(&self, group: &str, topics: &[String]) -> Result<Box<dyn GroupConsumer>, Error> {
        Ok(Box::new(member::MemoryMember::join(
            self.shared.clone(),
            group,
            topics,
        )))
    }

    async fn read(&self, _group: &str) -> Result<Box<dyn AssignedReader>, Error> {
        Ok(Box::new(reader::MemoryReader::new(self.shared.clone())))
    }

    async fn cluster_id(&self) -> Result<String, Error> {
        Ok("in-process".into())
    }
}
