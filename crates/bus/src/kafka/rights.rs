//! What this user may do, asked without leaving a trace: `winback config check --live`.
//!
//! A broker judges rights before contents. A record larger than the topic allows is refused either way, and the
//! refusal tells whether writing is allowed; a commit repeats what is committed.

use std::time::Duration;

use rdkafka::admin::{AdminOptions, ResourceSpecifier};
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::util::Timeout;
use rdkafka::{ClientConfig, Offset as KafkaOffset, TopicPartitionList};
use winback_contract::Partition;

use super::{KafkaLog, PATIENCE, blocking, unavailable};
use crate::error::Error;
use crate::log::{Log as _, TopicPartition};

/// Kafka's own default of `max.message.bytes`.
const DEFAULT_MAX: usize = 1_048_588;

impl KafkaLog {
    /// Whether this user may write to a topic.
    ///
    /// # Errors
    /// When the brokers don't answer.
    pub async fn may_write(&self, topic: &str) -> Result<bool, Error> {
        let most = self.max_message_bytes(topic).await?;
        let mut config: ClientConfig = self.options.client(&[]);
        config
            .set("message.max.bytes", (most + 65_536).to_string())
            .set("compression.type", "none")
            .set("allow.auto.create.topics", "false")
            .set("message.timeout.ms", PATIENCE.as_millis().to_string());
        let producer: FutureProducer = config.create().map_err(|error| super::fatal(&error))?;
        let payload = vec![0_u8; most + 1];
        let record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(topic)
            .partition(0)
            .key(b"right".as_slice())
            .payload(&payload);
        let sent = producer.send(record, Timeout::After(Duration::ZERO)).await;
        let error = match sent {
            Ok(_) => return Ok(true),
            Err((error, _)) => error,
        };
        match error.rdkafka_error_code() {
            Some(Code::MessageSizeTooLarge) => Ok(true),
            Some(Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed) => Ok(false),
            _ => Err(unavailable(&error)),
        }
    }

    async fn max_message_bytes(&self, topic: &str) -> Result<usize, Error> {
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        let described = self
            .admin()?
            .describe_configs([&ResourceSpecifier::Topic(topic)], &options)
            .await
            .map_err(|error| unavailable(&error))?;
        // Where describing settings is not allowed, a size beyond what winback asks for is surely too large.
        let setting = described
            .into_iter()
            .next()
            .and_then(Result::ok)
            .and_then(|config| config.get("max.message.bytes")?.value.clone());
        let value = setting.and_then(|value| value.parse().ok());
        Ok(value.unwrap_or(DEFAULT_MAX * 16))
    }

    /// Whether this user may read a topic.
    ///
    /// # Errors
    /// When the brokers don't answer.
    pub async fn may_read(&self, topic: &str) -> Result<bool, Error> {
        let topic_partition = TopicPartition::new(topic, Partition(0));
        let starts = self.starts(topic).await?;
        let from = starts.first().copied().unwrap_or_default();
        match self.first_record(&topic_partition, from).await {
            Ok(_) => Ok(true),
            Err(Error::Denied(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether this user may commit for a group. Nothing changes: what is committed is committed again, and a group
    /// that has members refuses a stranger.
    ///
    /// # Errors
    /// When the brokers don't answer.
    pub async fn may_commit(&self, group: &str, topic: &str) -> Result<bool, Error> {
        let starts = self.starts(topic).await?;
        let (asking, topic) = (self.group(group)?, topic.to_owned());
        let committed = blocking(move || {
            let mut list = TopicPartitionList::new();
            list.add_partition(&topic, 0);
            let known = asking.committed_offsets(list, PATIENCE)?;
            let mut again = TopicPartitionList::new();
            for element in known.elements() {
                let mut element_again = again.add_partition(&topic, element.partition());
                match element.offset() {
                    KafkaOffset::Offset(next) => {
                        element_again.set_offset(KafkaOffset::Offset(next))?;
                        element_again.set_metadata(element.metadata());
                    }
                    _ => {
                        let start = starts.first().copied().unwrap_or_default();
                        element_again.set_offset(KafkaOffset::Offset(start.0))?;
                    }
                }
            }
            match asking.commit(&again, CommitMode::Sync) {
                Ok(()) => Ok(true),
                Err(error) => verdict(error),
            }
        });
        match committed.await {
            Err(Error::Denied(_)) => Ok(false),
            other => other,
        }
    }
}

/// A group with members refuses a commit from outside, after it has looked at the rights.
fn verdict(error: KafkaError) -> Result<bool, KafkaError> {
    match error.rdkafka_error_code() {
        Some(Code::UnknownMemberId | Code::IllegalGeneration | Code::RebalanceInProgress) => {
            Ok(true)
        }
        Some(Code::GroupAuthorizationFailed | Code::TopicAuthorizationFailed) => Ok(false),
        _ => Err(error),
    }
}
