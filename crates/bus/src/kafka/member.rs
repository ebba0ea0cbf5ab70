//! A member of a consumer group. Rebalances are noted in callbacks and handed out by the next poll.

use std::collections::HashMap;
use std::collections::VecDeque;
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
use winback_contract::{Offset, Partition};

use super::{Names, Options, fatal, log_line, number, record, unavailable};
use crate::error::Error;
use crate::log::{Assignment, Member, Place, Polled};

type News = Arc<Mutex<VecDeque<Assignment>>>;

struct Context {
    news: News,
    own_only: Arc<AtomicBool>,
    commit_failed: Arc<AtomicBool>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka consumer");
    }
    fn stats_raw(&self, _json: &[u8]) {}
}

fn places(list: &TopicPartitionList) -> Vec<Place> {
    list.elements()
        .iter()
        .map(|element| {
            Place::new(
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
            self.tell(Assignment::Revoked(places(list)));
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance {
            if self.own_only.load(Ordering::SeqCst)
                && let Err(error) = consumer.pause(list)
            {
                tracing::warn!(%error, "a partition that is only owned could not be paused");
            }
            self.tell(Assignment::Assigned(places(list)));
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

pub(super) struct KafkaMember {
    consumer: BaseConsumer<Context>,
    news: News,
    own_only: Arc<AtomicBool>,
    topics: HashMap<String, ()>,
    /// An error that came behind records: they are handed out first.
    later: Option<Error>,
    /// The newest positions that were committed, until revoked.
    latest: HashMap<Place, (Offset, String)>,
    /// Raised by the client when a commit failed behind our back.
    commit_failed: Arc<AtomicBool>,
    names: Names,
}

impl KafkaMember {
    pub(super) fn join(options: &Options, group: &str, topics: &[String]) -> Result<Self, Error> {
        let news: News = Arc::default();
        let own_only = Arc::new(AtomicBool::new(false));
        let commit_failed = Arc::new(AtomicBool::new(false));
        let context = Context {
            news: news.clone(),
            own_only: own_only.clone(),
            commit_failed: commit_failed.clone(),
        };
        let consumer: BaseConsumer<Context> = options
            .consumer(group)
            .create_with_context(context)
            .map_err(|error| fatal(&error))?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&names).map_err(|error| fatal(&error))?;
        let topics = topics.iter().map(|topic| (topic.clone(), ())).collect();
        Ok(Self {
            consumer,
            news,
            own_only,
            topics,
            later: None,
            latest: HashMap::new(),
            commit_failed,
            names: Names::default(),
        })
    }

    fn send_commit(&self, positions: &[(Place, Offset, String)]) -> Result<(), Error> {
        let mut list = TopicPartitionList::new();
        for (place, next, metadata) in positions {
            let mut element = list.add_partition(&place.topic, number(place.partition));
            let next = KafkaOffset::Offset(next.0);
            element.set_offset(next).map_err(|error| fatal(&error))?;
            element.set_metadata(metadata);
        }
        self.consumer
            .commit(&list, CommitMode::Async)
            .map_err(|error| unavailable(&error))
    }

    /// A commit that failed behind our back is repeated: the frontier of timers waits for it.
    fn repeat_commit(&mut self, assignments: &[Assignment]) -> Result<(), Error> {
        for change in assignments {
            if let Assignment::Revoked(lost) = change {
                lost.iter().for_each(|place| {
                    self.latest.remove(place);
                });
            }
        }
        if !self.commit_failed.swap(false, Ordering::SeqCst) || self.latest.is_empty() {
            return Ok(());
        }
        let again: Vec<_> = self
            .latest
            .iter()
            .map(|(place, (next, metadata))| (place.clone(), *next, metadata.clone()))
            .collect();
        self.send_commit(&again)
    }

    fn explain(&self, error: &KafkaError) -> Error {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition) => {
                let known: Vec<_> = self.topics.keys().cloned().collect();
                let known = known.join(", ");
                Error::Fatal(format!(
                    "kafka: a topic is missing ({known}): run `winback topics apply`"
                ))
            }
            _ => unavailable(error),
        }
    }

    /// Everything that is there without waiting. `None` from librdkafka may only mean that an event was served.
    fn drain(&mut self, most: usize) -> Result<Polled, Error> {
        if let Some(error) = self.later.take() {
            return Err(error);
        }
        let mut polled = Polled::default();
        let mut empty = 0;
        // Rebalances are served by polling, also where no record is wanted.
        while polled.records.len() < most.max(1) && empty < 3 {
            match self.consumer.poll(Duration::ZERO) {
                None => empty += 1,
                Some(Ok(message)) => {
                    empty = 0;
                    polled.records.push(record(&message, &mut self.names));
                }
                Some(Err(error)) if polled.records.is_empty() => return Err(self.explain(&error)),
                Some(Err(error)) => {
                    // The client has moved past these records: dropping them would lose them.
                    self.later = Some(self.explain(&error));
                    break;
                }
            }
        }
        polled.assignments.extend(
            self.news
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .drain(..),
        );
        // What was revoked in this very poll is not ours to handle.
        for change in &polled.assignments {
            if let Assignment::Revoked(lost) = change {
                polled.records.retain(|record| {
                    !lost.iter().any(|place| {
                        place.topic == record.topic && place.partition == record.partition
                    })
                });
            }
        }
        Ok(polled)
    }
}

#[async_trait]
impl Member for KafkaMember {
    async fn poll(&mut self, most: usize, wait: Duration) -> Result<Polled, Error> {
        let watch = winback_service::clock::Stopwatch::start();
        let mut nap = Duration::from_millis(1);
        loop {
            let polled = self.drain(most)?;
            if let Err(error) = self.repeat_commit(&polled.assignments) {
                tracing::info!(%error, "a commit could not be repeated yet");
                self.commit_failed.store(true, Ordering::SeqCst);
            }
            if !polled.records.is_empty()
                || !polled.assignments.is_empty()
                || watch.elapsed() >= wait
            {
                return Ok(polled);
            }
            winback_service::clock::pause(nap).await;
            nap = (nap * 2).min(Duration::from_millis(16));
        }
    }

    async fn commit(&mut self, positions: &[(Place, Offset, String)]) -> Result<(), Error> {
        for (place, next, metadata) in positions {
            self.latest.insert(place.clone(), (*next, metadata.clone()));
        }
        if positions.is_empty() {
            return Ok(());
        }
        self.send_commit(positions)
    }

    fn own_only(&mut self) {
        self.own_only.store(true, Ordering::SeqCst);
    }
}
