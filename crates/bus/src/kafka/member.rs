//! A member of a consumer group: one client owns partitions and commits, another reads them.
//!
//! The owner fetches nothing, so that asking for changes of ownership never takes a record in (INV-12), and a record of
//! an earlier assignment is never handed out, nor one of the next one lost (INV-8). The reader begins where the group
//! committed, and only if the topic still is the one that was read. Rebalances are noted in callbacks.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use tokio::task::JoinHandle;
use winback_contract::{Offset, Partition};
use winback_service::clock::Stopwatch;

use super::proof::{self, Anchors, Seen};
use super::reader::KafkaReader;
use super::{
    ErrorLog, Options, PATIENCE, Reachability, begin_blocking, blocking, commit_of, fatal,
    list_offsets, log_line, number, unavailable,
};
use crate::error::Error;
use crate::log::{AssignedReader as _, Assignment, GroupConsumer, Polled, TopicPartition};
use crate::mark::{Kept, Misfit};
use crate::record::Record;

type News = Arc<Mutex<VecDeque<Assignment>>>;

struct Context {
    news: News,
    commit_failed: Arc<AtomicBool>,
    errors: ErrorLog,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        self.errors.tell("consumer", &error, reason);
    }
    fn stats_raw(&self, _json: &[u8]) {}
}

fn topic_partitions(list: &TopicPartitionList) -> Vec<TopicPartition> {
    list.elements()
        .iter()
        .map(|element| {
            TopicPartition::new(
                element.topic(),
                Partition(u32::try_from(element.partition()).unwrap_or(0)),
            )
        })
        .collect()
}

impl ConsumerContext for Context {
    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::info!(%error, "a commit failed and will be repeated");
            self.commit_failed.store(true, Ordering::SeqCst);
        }
    }

    fn pre_rebalance(&self, _consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance {
            self.tell(Assignment::Revoked(topic_partitions(list)));
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance {
            if let Err(error) = consumer.pause(list) {
                tracing::warn!(%error, "a partition that is only owned could not be paused");
            }
            self.tell(Assignment::Assigned(topic_partitions(list)));
        }
    }
}

impl Context {
    fn tell(&self, change: Assignment) {
        self.news
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(change);
    }
}

/// Which places are not what they were, and which are void.
type Question = JoinHandle<Result<Seen, KafkaError>>;

pub(super) struct KafkaMember {
    /// Owns, and commits; everything of it is paused.
    owner: Arc<BaseConsumer<Context>>,
    /// Reads what is owned; absent where the caller reads by itself.
    reader: Option<KafkaReader>,
    news: News,
    /// An error that came with a change of ownership.
    later: Option<Error>,
    topics: Vec<String>,
    /// Owned, not begun to be read yet.
    wanted: Vec<TopicPartition>,
    /// Generations that are not the first.
    generations: BTreeMap<TopicPartition, u32>,
    /// Begun at their very beginning: Kafka forgets what was committed when a topic is deleted, so there may have been
    /// another one of this name. The time of the first record tells them apart.
    unborn: HashSet<TopicPartition>,
    /// The newest positions that were committed, until revoked.
    latest: HashMap<TopicPartition, (Offset, String)>,
    /// Raised by the client when a commit failed behind our back, and where a position is not committed yet.
    commit_failed: Arc<AtomicBool>,
    /// What proves that a topic is the one that was read.
    anchors: Anchors,
    /// The question whether it is, on its way, and what becomes the anchors when it is.
    proof: Option<(Anchors, Question)>,
    proven: Stopwatch,
    options: Options,
    group: String,
}

impl KafkaMember {
    pub(super) fn join(options: &Options, group: &str, topics: &[String]) -> Result<Self, Error> {
        let news: News = Arc::default();
        let commit_failed = Arc::new(AtomicBool::new(false));
        let context = Context {
            news: news.clone(),
            commit_failed: commit_failed.clone(),
            errors: ErrorLog::default(),
        };
        let owner: BaseConsumer<Context> = options
            .consumer(group)
            .create_with_context(context)
            .map_err(|error| fatal(&error))?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        owner.subscribe(&names).map_err(|error| fatal(&error))?;
        Ok(Self {
            owner: Arc::new(owner),
            reader: Some(KafkaReader::new(options, group)?),
            news,
            later: None,
            topics: topics.to_vec(),
            wanted: Vec::new(),
            generations: BTreeMap::new(),
            unborn: HashSet::new(),
            latest: HashMap::new(),
            commit_failed,
            anchors: Anchors::new(),
            proof: None,
            proven: Stopwatch::start(),
            options: options.clone(),
            group: group.to_owned(),
        })
    }

    fn send_commit(&self, positions: &[(TopicPartition, Offset, String)]) -> Result<(), Error> {
        let mut list = TopicPartitionList::new();
        for (topic_partition, next, metadata) in positions {
            let mut element =
                list.add_partition(&topic_partition.topic, number(topic_partition.partition));
            let next = KafkaOffset::Offset(next.0);
            element.set_offset(next).map_err(|error| fatal(&error))?;
            element.set_metadata(metadata);
        }
        self.owner
            .commit(&list, CommitMode::Async)
            .map_err(|error| unavailable(&error))
    }

    /// A commit that failed behind our back is repeated: the frontier of timers waits for it.
    fn repeat_commit(&mut self) -> Result<(), Error> {
        if !self.commit_failed.swap(false, Ordering::SeqCst) || self.latest.is_empty() {
            return Ok(());
        }
        let again: Vec<_> = self
            .latest
            .iter()
            .map(|(topic_partition, (next, metadata))| {
                (topic_partition.clone(), *next, metadata.clone())
            })
            .collect();
        self.send_commit(&again)
    }

    fn explain(&self, error: &KafkaError) -> Error {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition) => {
                let known = self.topics.join(", ");
                Error::Fatal(format!(
                    "kafka: a topic is missing ({known}): run `winback topics apply`"
                ))
            }
            _ => unavailable(error),
        }
    }

    /// Serves rebalances. `None` from librdkafka may only mean that an event was served.
    fn changes(&mut self) -> Result<Vec<Assignment>, Error> {
        let mut empty = 0;
        // Errors of an outage lie in the queue one behind the other: what they say together is said once.
        let mut away = None;
        while empty < 3 {
            match self.owner.poll(Duration::ZERO) {
                None => empty += 1,
                // What is paused hands out nothing; a record that slipped through before the pause is read by the reader.
                Some(Ok(_)) => empty = 0,
                Some(Err(error)) => match Reachability::of(&error) {
                    Reachability::Passing => empty = 0,
                    Reachability::Away => {
                        empty = 0;
                        away = Some(unavailable(&error));
                    }
                    Reachability::Other => return Err(self.explain(&error)),
                },
            }
        }
        if let Some(error) = away {
            return Err(error);
        }
        let news = self.news.lock();
        Ok(news
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
            .collect())
    }

    async fn follow(&mut self, changes: &[Assignment]) -> Result<(), Error> {
        for change in changes {
            match change {
                Assignment::Revoked(lost) => {
                    for topic_partition in lost {
                        self.latest.remove(topic_partition);
                        self.generations.remove(topic_partition);
                        self.anchors.remove(topic_partition);
                        self.unborn.remove(topic_partition);
                        self.wanted.retain(|wanted| wanted != topic_partition);
                        if let Some(reader) = &mut self.reader {
                            reader.stop(topic_partition).await?;
                        }
                    }
                }
                Assignment::Assigned(won) => self.wanted.extend(won.iter().cloned()),
            }
        }
        Ok(())
    }

    /// Begins to read what is owned from where the group is; where it never was, at the first record that is kept.
    async fn begin(&mut self) -> Result<(), Error> {
        let Some(reader) = &mut self.reader else {
            self.wanted.clear();
            return Ok(());
        };
        if self.wanted.is_empty() {
            return Ok(());
        }
        let (owner, wanted) = (self.owner.clone(), self.wanted.clone());
        let topic_partitions = blocking(move || positions(&owner, &wanted)).await?;
        for found in topic_partitions {
            let Found {
                topic_partition,
                from,
                start,
                kept,
                is_new,
                is_first,
            } = found;
            reader
                .begin_behind(&topic_partition, from, (start, kept.mark))
                .await?;
            if let Some(mark) = kept.mark {
                self.anchors.insert(topic_partition.clone(), (from, mark));
            }
            if is_first {
                // From now on it is known where the group is: what is deleted unread shows also where it never read.
                self.latest
                    .insert(topic_partition.clone(), (from, kept.to_string()));
                self.commit_failed.store(true, Ordering::SeqCst);
            }
            if is_new {
                self.unborn.insert(topic_partition.clone());
            }
            if kept.generation > 0 {
                self.generations
                    .insert(topic_partition.clone(), kept.generation);
            }
            self.wanted.retain(|wanted| *wanted != topic_partition);
        }
        Ok(())
    }

    /// Asks now and then, beside everything else, whether the topics still are the ones that were read.
    async fn prove(&mut self) -> Result<(), Error> {
        if self.reader.is_none() {
            return Ok(());
        }
        if self
            .proof
            .as_ref()
            .is_some_and(|(_, asked)| asked.is_finished())
            && let Some((next, asked)) = self.proof.take()
        {
            self.proven = Stopwatch::start();
            match asked.await {
                Ok(Ok(seen)) if seen.torn.is_empty() => {
                    self.anchors.extend(next);
                    self.note_void(&seen.void)?;
                }
                Ok(Ok(seen)) => return Err(self.refuse(&seen.torn)),
                Ok(Err(error)) => {
                    tracing::info!(%error, "whether topics were made anew could not be asked")
                }
                Err(_) => {}
            }
            let owned = &self.latest;
            self.anchors
                .retain(|topic_partition, _| owned.contains_key(topic_partition));
        }
        if self.proof.is_none() && self.proven.elapsed() > proof::EVERY && !self.latest.is_empty() {
            let latest = self
                .latest
                .iter()
                .filter_map(|(topic_partition, (next, metadata))| {
                    Some((topic_partition.clone(), (*next, Kept::read(metadata).mark?)))
                });
            let latest: Anchors = latest.collect();
            let anchors = self.anchors.clone();
            let (options, group) = (self.options.clone(), self.group.clone());
            let asked = begin_blocking(move || proof::look(&options, &group, &anchors));
            self.proof = Some((latest, asked));
        }
        Ok(())
    }

    /// Keeps beside positions how far nothing lies behind them.
    fn note_void(&mut self, void: &[(TopicPartition, Offset, Offset)]) -> Result<(), Error> {
        let mut again = Vec::new();
        for (topic_partition, from, to) in void {
            let Some((next, metadata)) = self
                .latest
                .get_mut(topic_partition)
                .filter(|(next, _)| next == from)
            else {
                continue;
            };
            let kept = Kept {
                void_to: Some(*to),
                ..Kept::read(metadata)
            };
            let text = kept.to_string();
            if *metadata != text {
                metadata.clone_from(&text);
                again.push((topic_partition.clone(), *next, text));
            }
        }
        if again.is_empty() {
            return Ok(());
        }
        self.send_commit(&again)
    }

    /// A topic was made anew under us: the position of the old one is committed again, so that it is found also later.
    fn refuse(&mut self, torn: &[TopicPartition]) -> Error {
        let mut problems = Vec::new();
        for topic_partition in torn {
            let Some((next, mark)) = self.anchors.get(topic_partition).copied() else {
                continue;
            };
            let kept = Kept {
                generation: self.generation(topic_partition),
                mark: Some(mark),
                void_to: None,
            };
            self.latest
                .insert(topic_partition.clone(), (next, kept.to_string()));
            problems.push(Misfit::MadeAnew.problem(topic_partition, next));
        }
        self.commit_failed.store(true, Ordering::SeqCst);
        if let Err(error) = self.repeat_commit() {
            tracing::warn!(%error, "that a topic was made anew could not be noted");
        }
        Error::Fatal(problems.join("; "))
    }

    fn read(&mut self, most: usize) -> Result<Vec<Record>, Error> {
        let records = match &mut self.reader {
            Some(reader) if most > 0 => reader.drain(most)?,
            _ => return Ok(Vec::new()),
        };
        if self.unborn.is_empty() {
            return Ok(records);
        }
        for record in &records {
            let topic_partition = record.topic_partition();
            if self.unborn.remove(&topic_partition) {
                let born = u32::try_from(record.time.as_millis() / 1_000);
                self.generations.insert(topic_partition, born.unwrap_or(0));
            }
        }
        Ok(records)
    }
}

/// Where the group is in a partition.
struct Found {
    topic_partition: TopicPartition,
    from: Offset,
    /// The first offset that is kept.
    start: Offset,
    kept: Kept,
    /// Nothing was ever applied, and nothing was ever deleted.
    is_new: bool,
    /// Nothing was ever committed.
    is_first: bool,
}

/// Where the group is in each of these partitions.
fn positions(
    owner: &BaseConsumer<Context>,
    topic_partitions: &[TopicPartition],
) -> Result<Vec<Found>, KafkaError> {
    let mut list = TopicPartitionList::new();
    for topic_partition in topic_partitions {
        list.add_partition(&topic_partition.topic, number(topic_partition.partition));
    }
    let committed = owner.committed_offsets(list, PATIENCE)?;
    let starts = list_offsets(owner, topic_partitions, KafkaOffset::Beginning)?;
    let found = topic_partitions
        .iter()
        .zip(starts)
        .map(|(topic_partition, start)| {
            let known =
                committed.find_partition(&topic_partition.topic, number(topic_partition.partition));
            let commit = known
                .map(|element| commit_of(&element))
                .transpose()?
                .flatten();
            let kept = commit.as_ref().map(|commit| Kept::read(&commit.metadata));
            let kept = kept.unwrap_or_default();
            let from = commit.as_ref().map_or(start, |commit| commit.next);
            Ok(Found {
                topic_partition: topic_partition.clone(),
                from: kept.go_on(from, start).unwrap_or(from),
                start,
                kept,
                is_new: from == Offset(0) && start == Offset(0) && kept.generation == 0,
                is_first: commit.is_none(),
            })
        });
    found.collect()
}

#[async_trait]
impl GroupConsumer for KafkaMember {
    async fn poll(&mut self, most: usize, wait: Duration) -> Result<Polled, Error> {
        let watch = Stopwatch::start();
        let mut nap = Duration::from_millis(1);
        loop {
            if let Some(error) = self.later.take() {
                return Err(error);
            }
            let assignments = self.changes()?;
            self.follow(&assignments).await?;
            let mut begun = self.begin().await;
            if begun.is_ok() {
                begun = self.prove().await;
            }
            if let Err(error) = self.repeat_commit() {
                tracing::info!(%error, "a commit could not be repeated yet");
                self.commit_failed.store(true, Ordering::SeqCst);
            }
            // Whoever asks must hear of changes whatever else goes wrong; of that he hears next time.
            let records = match begun.and_then(|()| self.read(most)) {
                Ok(records) => records,
                Err(error) if assignments.is_empty() => return Err(error),
                Err(error) => {
                    self.later = Some(error);
                    Vec::new()
                }
            };
            if !records.is_empty() || !assignments.is_empty() || watch.elapsed() >= wait {
                return Ok(Polled {
                    assignments,
                    records,
                });
            }
            winback_service::clock::pause(nap).await;
            nap = (nap * 2).min(Duration::from_millis(16));
        }
    }

    async fn commit(
        &mut self,
        positions: &[(TopicPartition, Offset, String)],
    ) -> Result<(), Error> {
        for (topic_partition, next, metadata) in positions {
            if let Some(mark) = Kept::read(metadata).mark {
                self.anchors
                    .entry(topic_partition.clone())
                    .or_insert((*next, mark));
            }
            self.latest
                .insert(topic_partition.clone(), (*next, metadata.clone()));
        }
        if positions.is_empty() {
            return Ok(());
        }
        self.send_commit(positions)
    }

    async fn hold(&mut self, topic_partition: &TopicPartition, held: bool) -> Result<(), Error> {
        match &mut self.reader {
            Some(reader) => reader.hold(topic_partition, held).await,
            None => Ok(()),
        }
    }

    fn own_only(&mut self) {
        self.reader = None;
    }

    fn generation(&self, topic_partition: &TopicPartition) -> u32 {
        self.generations.get(topic_partition).copied().unwrap_or(0)
    }
}
