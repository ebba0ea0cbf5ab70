//! The idempotent producer: a batch is queued in order and awaited as a whole (INV-3).

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{
    BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer,
};
use rdkafka::types::RDKafkaErrorCode;
use tokio::sync::Notify;

use super::{ErrorLog, Options, fatal, log_line, number};
use crate::error::Error;
use crate::record::Outgoing;

/// What is still awaited of a batch.
#[derive(Debug)]
struct Batch {
    left: Mutex<(usize, Option<KafkaError>)>,
    done: Notify,
}

#[derive(Debug, Default)]
struct Context {
    errors: ErrorLog,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        self.errors.tell("producer", &error, reason);
    }
    fn stats_raw(&self, _json: &[u8]) {}
}

impl ProducerContext for Context {
    type DeliveryOpaque = Arc<Batch>;

    fn delivery(&self, result: &DeliveryResult<'_>, batch: Self::DeliveryOpaque) {
        let mut left = batch.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.0 = left.0.saturating_sub(1);
        if let Err((error, _)) = result {
            left.1.get_or_insert_with(|| error.clone());
        }
        if left.0 == 0 {
            batch.done.notify_one();
        }
    }
}

pub(super) struct Producer {
    inner: ThreadedProducer<Context>,
}

impl Producer {
    pub(super) fn new(options: &Options) -> Result<Self, Error> {
        let config = options.client(&[
            ("enable.idempotence", "true"),
            ("enable.gapless.guarantee", "true"),
            ("acks", "all"),
            ("compression.type", "lz4"),
            ("linger.ms", "2"),
            // A record is never given up while the process lives: giving up would reorder what follows.
            ("message.timeout.ms", "0"),
            ("queue.buffering.max.messages", "200000"),
            ("message.max.bytes", "8388608"),
            ("allow.auto.create.topics", "false"),
        ]);
        Ok(Self {
            inner: config
                .create_with_context(Context::default())
                .map_err(|error| fatal(&error))?,
        })
    }

    pub(super) async fn produce(&self, records: Vec<Outgoing>) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        let batch = Arc::new(Batch {
            left: Mutex::new((records.len(), None)),
            done: Notify::new(),
        });
        for record in &records {
            self.queue(record, &batch).await?;
        }
        batch.done.notified().await;
        let failed = batch
            .left
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .take();
        match failed {
            None => Ok(()),
            Some(error) => Err(self.explain(&error)),
        }
    }

    async fn queue(&self, record: &Outgoing, batch: &Arc<Batch>) -> Result<(), Error> {
        let mut base: BaseRecord<'_, [u8], [u8], Arc<Batch>> =
            BaseRecord::with_opaque_to(&record.topic, batch.clone()).key(record.key.as_slice());
        if !record.value.is_empty() {
            base = base.payload(record.value.as_slice());
        }
        if !record.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(record.headers.len());
            base = base.headers(
                record
                    .headers
                    .iter()
                    .fold(headers, |headers, (key, value)| {
                        let value = Some(value.as_slice());
                        headers.insert(Header { key, value })
                    }),
            );
        }
        if let Some(partition) = record.partition {
            base = base.partition(number(partition));
        }
        loop {
            match self.inner.send(base) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    base = back;
                    winback_service::clock::pause(Duration::from_millis(5)).await;
                }
                Err((error, _)) => return Err(self.explain(&error)),
            }
        }
    }

    fn explain(&self, error: &KafkaError) -> Error {
        if let Some((code, reason)) = self.inner.client().fatal_error() {
            return Error::Fatal(format!(
                "kafka producer gave up ({code}): {reason}; restart the service"
            ));
        }
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => Error::Refused(
                "kafka: a record is larger than the topic allows: raise max.message.bytes as `winback topics plan` shows".into(),
            ),
            Some(
                RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition,
            ) => Error::Fatal(format!("kafka: {error}: run `winback topics apply`")),
            _ => super::unavailable(error),
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // Dropping purges what is queued; everything awaited has been acknowledged by now.
        if let Err(error) = self.inner.flush(Duration::from_secs(2)) {
            tracing::warn!(%error, "kafka producer closed with records on their way");
        }
    }
}
