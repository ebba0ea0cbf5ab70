//! A reader that keeps no positions at the brokers: it is told where to start, and sees whether the topic still is the
//! one the position is of.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use winback_contract::Offset;

use super::{
    Names, Options, QuietClient, Reachability, blocking, fatal, list_offsets, number, record,
    unavailable,
};
use crate::error::Error;
use crate::log::{AssignedReader, TopicPartition};
use crate::mark::{Mark, Misfit};
use crate::record::Record;

pub(super) struct KafkaReader {
    consumer: Arc<BaseConsumer<QuietClient>>,
    /// An error that came behind records: they are handed out first.
    later: Option<Error>,
    reading: HashSet<TopicPartition>,
    /// The record before the position, which is read to be compared, and then the position.
    unproven: HashMap<TopicPartition, (Offset, Mark)>,
    names: Names,
}

impl KafkaReader {
    pub(super) fn new(options: &Options, group: &str) -> Result<Self, Error> {
        let mut config = options.consumer(group);
        // A position that retention has passed is an error, never a silent jump.
        config.set("auto.offset.reset", "error");
        Ok(Self {
            consumer: Arc::new(
                config
                    .create_with_context(QuietClient::default())
                    .map_err(|error| fatal(&error))?,
            ),
            later: None,
            reading: HashSet::new(),
            unproven: HashMap::new(),
            names: Names::default(),
        })
    }

    /// Begins to read, where the first offset that is kept is known.
    pub(super) async fn begin_behind(
        &mut self,
        topic_partition: &TopicPartition,
        from: Offset,
        (start, mark): (Offset, Option<Mark>),
    ) -> Result<(), Error> {
        if start > from {
            return Err(Error::Fatal(
                Misfit::Deleted { start }.problem(topic_partition, from),
            ));
        }
        // Where retention took what was applied, and no more, nothing is left to compare.
        match mark.filter(|_| start < from) {
            None => self.begin(topic_partition, from).await,
            Some(mark) => {
                self.begin(topic_partition, from.before()).await?;
                self.unproven.insert(topic_partition.clone(), (from, mark));
                Ok(())
            }
        }
    }

    async fn begin(&mut self, topic_partition: &TopicPartition, from: Offset) -> Result<(), Error> {
        if self.reading.contains(topic_partition) {
            // An earlier try was cut short: begin anew from the caller's position.
            self.stop(topic_partition).await?;
        }
        self.reading.insert(topic_partition.clone());
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(
            &topic_partition.topic,
            number(topic_partition.partition),
            KafkaOffset::Offset(from.0),
        )
        .map_err(|error| fatal(&error))?;
        self.consumer
            .incremental_assign(&list)
            .map_err(|error| unavailable(&error))?;
        // The client remembers a pause beyond the assignment it was made for.
        self.consumer
            .resume(&one(topic_partition))
            .map_err(|error| unavailable(&error))
    }

    /// Whether a record is to be handed out: the one before the position is only compared.
    fn prove(&mut self, record: &Record) -> Result<bool, Error> {
        if self.unproven.is_empty() {
            return Ok(true);
        }
        let topic_partition = record.topic_partition();
        let Some((from, mark)) = self.unproven.remove(&topic_partition) else {
            return Ok(true);
        };
        if record.offset < from && Mark::of(record) == mark {
            return Ok(false);
        }
        // What is not proven is proven anew after the next try.
        let problem = Misfit::MadeAnew.problem(&topic_partition, from);
        self.unproven.insert(topic_partition, (from, mark));
        Err(Error::Fatal(problem))
    }

    pub(super) fn drain(&mut self, most: usize) -> Result<Vec<Record>, Error> {
        if let Some(error) = self.later.take() {
            return Err(error);
        }
        let mut records = Vec::new();
        let mut empty = 0;
        // Errors of an outage lie in the queue one behind the other: what they say together is said once.
        let mut away = None;
        while records.len() < most && empty < 3 {
            match self.consumer.poll(Duration::ZERO) {
                None => empty += 1,
                Some(Ok(message)) => {
                    empty = 0;
                    let record = record(&message, &mut self.names);
                    drop(message);
                    match self.prove(&record) {
                        Ok(false) => {}
                        Ok(true) => records.push(record),
                        Err(error) if records.is_empty() => return Err(error),
                        Err(error) => {
                            self.later = Some(error);
                            break;
                        }
                    }
                }
                Some(Err(error)) if Reachability::of(&error) == Reachability::Passing => empty = 0,
                Some(Err(error)) if Reachability::of(&error) == Reachability::Away => {
                    empty = 0;
                    away = Some(unavailable(&error));
                }
                Some(Err(error)) if records.is_empty() => return Err(explain(&error)),
                Some(Err(error)) => {
                    // The client has moved past these records: dropping them would lose them.
                    self.later = Some(explain(&error));
                    break;
                }
            }
        }
        match away {
            Some(error) if records.is_empty() => Err(error),
            _ => Ok(records),
        }
    }
}

fn explain(error: &KafkaError) -> Error {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => Error::Fatal(
            "kafka: a topic no longer holds a position that was kept: records were deleted before they were applied, or the topic \
             was made anew. `winback recover` shows which, what is given up, and goes on from what is there"
                .into(),
        ),
        _ => unavailable(error),
    }
}

fn one(topic_partition: &TopicPartition) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition(&topic_partition.topic, number(topic_partition.partition));
    list
}

#[async_trait]
impl AssignedReader for KafkaReader {
    async fn start(
        &mut self,
        topic_partition: &TopicPartition,
        from: Offset,
        mark: Option<Mark>,
    ) -> Result<(), Error> {
        let Some(mark) = mark else {
            return self.begin(topic_partition, from).await;
        };
        let (asking, asked) = (self.consumer.clone(), [topic_partition.clone()]);
        let beginning = KafkaOffset::Beginning;
        let starts = blocking(move || list_offsets(&asking, &asked, beginning)).await?;
        let start = starts.first().copied().unwrap_or_default();
        self.begin_behind(topic_partition, from, (start, Some(mark)))
            .await
    }

    async fn stop(&mut self, topic_partition: &TopicPartition) -> Result<(), Error> {
        self.unproven.remove(topic_partition);
        if !self.reading.remove(topic_partition) {
            return Ok(());
        }
        self.consumer
            .incremental_unassign(&one(topic_partition))
            .map_err(|error| unavailable(&error))
    }

    async fn hold(&mut self, topic_partition: &TopicPartition, held: bool) -> Result<(), Error> {
        let list = one(topic_partition);
        let done = if held {
            self.consumer.pause(&list)
        } else {
            self.consumer.resume(&list)
        };
        done.map_err(|error| unavailable(&error))
    }

    async fn poll(&mut self, most: usize, wait: Duration) -> Result<Vec<Record>, Error> {
        let watch = winback_service::clock::Stopwatch::start();
        let mut nap = Duration::from_millis(1);
        loop {
            let records = self.drain(most)?;
            if !records.is_empty() || watch.elapsed() >= wait {
                return Ok(records);
            }
            winback_service::clock::pause(nap).await;
            nap = (nap * 2).min(Duration::from_millis(16));
        }
    }
}
