//! A reader that keeps no positions at the brokers: it is told where to start.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use winback_contract::Offset;

use super::{Names, Options, Quiet, fatal, number, record, unavailable};
use crate::error::Error;
use crate::log::{Place, Reader};
use crate::record::Record;

pub(super) struct KafkaReader {
    consumer: BaseConsumer<Quiet>,
    /// An error that came behind records: they are handed out first.
    later: Option<Error>,
    reading: HashSet<Place>,
    names: Names,
}

impl KafkaReader {
    pub(super) fn new(options: &Options, group: &str) -> Result<Self, Error> {
        let mut config = options.consumer(group);
        // A position that retention has passed is an error, never a silent jump.
        config.set("auto.offset.reset", "error");
        Ok(Self {
            consumer: config
                .create_with_context(Quiet)
                .map_err(|error| fatal(&error))?,
            later: None,
            reading: HashSet::new(),
            names: Names::default(),
        })
    }

    fn drain(&mut self, most: usize) -> Result<Vec<Record>, Error> {
        if let Some(error) = self.later.take() {
            return Err(error);
        }
        let mut records = Vec::new();
        let mut empty = 0;
        while records.len() < most && empty < 3 {
            match self.consumer.poll(Duration::ZERO) {
                None => empty += 1,
                Some(Ok(message)) => {
                    empty = 0;
                    records.push(record(&message, &mut self.names));
                }
                Some(Err(error)) if records.is_empty() => return Err(explain(&error)),
                Some(Err(error)) => {
                    // The client has moved past these records: dropping them would lose them.
                    self.later = Some(explain(&error));
                    break;
                }
            }
        }
        Ok(records)
    }
}

fn explain(error: &KafkaError) -> Error {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => Error::Fatal(
            "kafka: the topic no longer holds the position that Redis has: records were deleted before they were applied; \
             restore the topic, or start anew with an empty key prefix and an import"
                .into(),
        ),
        _ => unavailable(error),
    }
}

fn one(place: &Place) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition(&place.topic, number(place.partition));
    list
}

#[async_trait]
impl Reader for KafkaReader {
    async fn start(&mut self, place: &Place, from: Offset) -> Result<(), Error> {
        if self.reading.contains(place) {
            // An earlier try was cut short: begin anew from the caller's position.
            self.stop(place).await?;
        }
        self.reading.insert(place.clone());
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(
            &place.topic,
            number(place.partition),
            KafkaOffset::Offset(from.0),
        )
        .map_err(|error| fatal(&error))?;
        self.consumer
            .incremental_assign(&list)
            .map_err(|error| unavailable(&error))?;
        // The client remembers a pause beyond the assignment it was made for.
        self.consumer
            .resume(&one(place))
            .map_err(|error| unavailable(&error))
    }

    async fn stop(&mut self, place: &Place) -> Result<(), Error> {
        if !self.reading.remove(place) {
            return Ok(());
        }
        self.consumer
            .incremental_unassign(&one(place))
            .map_err(|error| unavailable(&error))
    }

    async fn hold(&mut self, place: &Place, held: bool) -> Result<(), Error> {
        let list = one(place);
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
