//! The log on Kafka through librdkafka: idempotent producer, manual positions, no auto-anything.
//!
//! While the brokers are away a produce waits. Blocking calls run on threads made for them.

mod admin;
mod client;
mod member;
mod producer;
mod proof;
mod reader;
mod rights;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Timestamp as KafkaTime, TopicPartitionList};
use tokio::task::JoinHandle;
use winback_contract::{Offset, Partition, Timestamp};
use winback_service::clock::Stopwatch;

pub use admin::{Planned, Setting, TopicSpec};
pub(crate) use client::{ErrorLog, QuietClient, Reachability, log_line};

use crate::error::Error;
use crate::log::{AssignedReader, Commit, GroupConsumer, Log, TopicPartition};
use crate::record::{Outgoing, Record, Stamp};

const PATIENCE: Duration = Duration::from_secs(10);

/// How to reach the brokers.
#[derive(Clone)]
pub struct Options {
    /// `host:port`, several with commas.
    pub bootstrap: String,
    /// Any property of librdkafka: SASL, TLS and the like. They win over winback's own.
    pub properties: BTreeMap<String, String>,
    /// Who connects, as brokers' logs show it.
    pub client_id: String,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Options({}, {} properties)",
            self.bootstrap,
            self.properties.len()
        )
    }
}

/// See the module.
pub struct KafkaLog {
    options: Options,
    producer: producer::Producer,
    /// Asks for metadata and ends; never joins a group.
    asking: Arc<BaseConsumer<QuietClient>>,
    /// The same, but it sees what lies in open transactions, and behind them.
    uncommitted: Arc<BaseConsumer<QuietClient>>,
    /// One for each group whose commits are asked for.
    groups: Mutex<BTreeMap<String, Arc<BaseConsumer<QuietClient>>>>,
    /// Counts of partitions, and when they were asked for.
    counts: Mutex<BTreeMap<String, (u32, Stopwatch)>>,
}

impl std::fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KafkaLog({:?})", self.options)
    }
}

impl Options {
    pub(crate) fn client(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("client.id", &self.client_id);
        config
            .set("log.connection.close", "false")
            .set("statistics.interval.ms", "0");
        config
            .set("topic.metadata.refresh.interval.ms", "60000")
            .set("reconnect.backoff.max.ms", "1000")
            // A server that is there and says nothing is found out in time to be told.
            .set("socket.timeout.ms", "10000")
            .set("socket.keepalive.enable", "true");
        for (name, value) in defaults {
            config.set(*name, *value);
        }
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
    }

    pub(crate) fn consumer(&self, group: &str) -> ClientConfig {
        self.client(&[
            ("group.id", group),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "earliest"),
            ("allow.auto.create.topics", "false"),
            ("partition.assignment.strategy", "roundrobin"),
            // As short as a broker allows by default: a partition has no owner for so long after its process died.
            ("session.timeout.ms", "6000"),
            // Who died is found out at the session's end, and the others hear of it with their next heartbeat.
            ("heartbeat.interval.ms", "250"),
            ("fetch.wait.max.ms", "50"),
            ("queued.max.messages.kbytes", "32768"),
            ("fetch.message.max.bytes", "4194304"),
        ])
    }
}

impl KafkaLog {
    /// Makes the clients; they connect when first used.
    ///
    /// # Errors
    /// When a property is unknown or contradictory.
    pub fn new(options: Options) -> Result<Self, Error> {
        let producer = producer::Producer::new(&options)?;
        let client = |isolation: &str| {
            let mut config = options.consumer("winback-asking");
            config.set("isolation.level", isolation);
            let made: Result<BaseConsumer<QuietClient>, _> =
                config.create_with_context(QuietClient::default());
            made.map(Arc::new).map_err(|error| fatal(&error))
        };
        let (asking, uncommitted) = (client("read_committed")?, client("read_uncommitted")?);
        Ok(Self {
            options,
            producer,
            asking,
            uncommitted,
            groups: Mutex::default(),
            counts: Mutex::default(),
        })
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&BaseConsumer<QuietClient>) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, Error> {
        let asking = self.asking.clone();
        blocking(move || question(&asking)).await
    }

    /// How many partitions a topic has, asked again now and then: a shop may add some to its raw topics.
    async fn count(&self, topic: &str) -> Result<u32, Error> {
        let known = self
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(topic)
            .copied();
        if let Some((count, asked)) = known
            && asked.elapsed() < Duration::from_secs(20)
        {
            return Ok(count);
        }
        match self.partitions(topic).await? {
            None => Err(unknown(topic)),
            Some(count) => {
                let entry = (count, Stopwatch::start());
                self.counts
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(topic.to_owned(), entry);
                Ok(count)
            }
        }
    }

    /// How many partitions a topic has, asked by this client: only then does it know all of them.
    async fn partitions_of(
        &self,
        asking: &Arc<BaseConsumer<QuietClient>>,
        topic: &str,
    ) -> Result<Option<u32>, Error> {
        let (asking, name) = (asking.clone(), topic.to_owned());
        let count = blocking(move || {
            let metadata = asking.fetch_metadata(Some(&name), PATIENCE)?;
            let topic = metadata.topics().iter().find(|topic| topic.name() == name);
            Ok(topic
                .filter(|topic| topic.error().is_none())
                .map(|topic| topic.partitions().len()))
        })
        .await?;
        Ok(count
            .filter(|count| *count > 0)
            .and_then(|count| u32::try_from(count).ok()))
    }

    /// The offsets of so many partitions of a topic, as this client sees them.
    async fn offsets(
        &self,
        asking: &Arc<BaseConsumer<QuietClient>>,
        topic: &str,
        count: u32,
        which: rdkafka::Offset,
    ) -> Result<Vec<Offset>, Error> {
        let topic_partitions =
            (0..count).map(|partition| TopicPartition::new(topic, Partition(partition)));
        let (asking, topic_partitions) = (asking.clone(), topic_partitions.collect::<Vec<_>>());
        blocking(move || list_offsets(&asking, &topic_partitions, which)).await
    }

    /// The offset of the first record at or behind `from` that a reader is handed; `None` at the end. Asks for the right
    /// to read.
    async fn first_record(
        &self,
        topic_partition: &TopicPartition,
        from: Offset,
    ) -> Result<Option<Offset>, Error> {
        let mut config = self.options.consumer("winback-asking");
        config
            .set("enable.partition.eof", "true")
            .set("queued.max.messages.kbytes", "1024");
        let topic_partition = topic_partition.clone();
        blocking(move || {
            let reader: BaseConsumer<QuietClient> =
                config.create_with_context(QuietClient::default())?;
            let mut list = TopicPartitionList::new();
            let offset = rdkafka::Offset::Offset(from.0);
            list.add_partition_offset(
                &topic_partition.topic,
                number(topic_partition.partition),
                offset,
            )?;
            reader.assign(&list)?;
            let watch = Stopwatch::start();
            while watch.elapsed() < PATIENCE {
                match reader.poll(Duration::from_millis(50)) {
                    Some(Ok(message)) => return Ok(Some(Offset(message.offset()))),
                    // The end that was reached is not before the one the caller knows.
                    Some(Err(KafkaError::PartitionEOF(_))) => return Ok(None),
                    Some(Err(error)) => return Err(error),
                    None => {}
                }
            }
            Err(KafkaError::MessageConsumption(
                rdkafka::types::RDKafkaErrorCode::OperationTimedOut,
            ))
        })
        .await
    }

    fn group(&self, group: &str) -> Result<Arc<BaseConsumer<QuietClient>>, Error> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asking) = groups.get(group) {
            return Ok(asking.clone());
        }
        let made: BaseConsumer<QuietClient> = self
            .options
            .consumer(group)
            .create_with_context(QuietClient::default())
            .map_err(|error| fatal(&error))?;
        let made = Arc::new(made);
        groups.insert(group.to_owned(), made.clone());
        Ok(made)
    }
}

fn unknown(topic: &str) -> Error {
    Error::Unavailable(format!("kafka: topic {topic} is not known now"))
}

/// Offsets of some partitions in one question, in the order asked: the special times -1 and -2 mean the end and the
/// beginning.
pub(crate) fn list_offsets<'p, C: ConsumerContext>(
    asking: &BaseConsumer<C>,
    topic_partitions: impl IntoIterator<Item = &'p TopicPartition>,
    which: rdkafka::Offset,
) -> Result<Vec<Offset>, KafkaError> {
    let mut list = TopicPartitionList::new();
    for topic_partition in topic_partitions {
        list.add_partition_offset(
            &topic_partition.topic,
            number(topic_partition.partition),
            which,
        )?;
    }
    if list.count() == 0 {
        return Ok(Vec::new());
    }
    let answer = asking.offsets_for_times(list, PATIENCE)?;
    answer
        .elements()
        .iter()
        .map(|element| {
            element.error()?;
            Ok(match element.offset() {
                rdkafka::Offset::Offset(offset) => Offset(offset),
                _ => Offset(0),
            })
        })
        .collect()
}

/// What a group committed for a partition. An answer that is no answer is not "nothing was committed".
pub(crate) fn commit_of(
    element: &TopicPartitionListElem<'_>,
) -> Result<Option<Commit>, KafkaError> {
    element.error()?;
    Ok(match element.offset() {
        rdkafka::Offset::Offset(next) => Some(Commit {
            next: Offset(next),
            metadata: element.metadata().to_owned(),
        }),
        _ => None,
    })
}

/// Begins a blocking call where it may block.
#[allow(
    clippy::disallowed_methods,
    reason = "librdkafka's questions block; whoever begins one awaits it"
)]
pub(crate) fn begin_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
) -> JoinHandle<Result<T, KafkaError>> {
    tokio::task::spawn_blocking(work)
}

/// Runs a blocking call where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
) -> Result<T, Error> {
    match begin_blocking(work).await {
        Ok(result) => result.map_err(|error| unavailable(&error)),
        Err(_) => Err(Error::Fatal(
            "a call to the kafka client was aborted".into(),
        )),
    }
}

pub(crate) fn fatal(error: &KafkaError) -> Error {
    Error::Fatal(format!("kafka: {error}"))
}

pub(crate) fn unavailable(error: &KafkaError) -> Error {
    use rdkafka::types::RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        Some(
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed,
        ) => Error::Denied(format!("kafka: {error}")),
        Some(Code::SaslAuthenticationFailed | Code::Fatal) => fatal(error),
        _ => Error::Unavailable(format!("kafka: {error}")),
    }
}

pub(crate) fn number(partition: Partition) -> i32 {
    i32::try_from(partition.0).unwrap_or(i32::MAX)
}

/// Names of topics, made once: a record shares its topic's name.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<Arc<str>>);

impl Names {
    fn share(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.iter().find(|known| known.as_ref() == name) {
            return known.clone();
        }
        let made: Arc<str> = Arc::from(name);
        self.0.push(made.clone());
        made
    }
}

pub(crate) fn record(message: &BorrowedMessage<'_>, names: &mut Names) -> Record {
    let (time, stamp) = match message.timestamp() {
        KafkaTime::LogAppendTime(millis) => (millis, Stamp::Broker),
        KafkaTime::CreateTime(millis) => (millis, Stamp::Producer),
        KafkaTime::NotAvailable => (0, Stamp::Producer),
    };
    let headers = message.headers().map(|headers| {
        headers
            .iter()
            .map(|header| {
                (
                    header.key.to_owned(),
                    header.value.unwrap_or_default().to_vec(),
                )
            })
            .collect()
    });
    Record {
        topic: names.share(message.topic()),
        partition: Partition(u32::try_from(message.partition()).unwrap_or(0)),
        offset: Offset(message.offset()),
        time: Timestamp::from_millis(time),
        stamp,
        key: message.key().unwrap_or_default().to_vec(),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
    }
}

#[async_trait]
impl Log for KafkaLog {
    async fn produce(&self, records: Vec<Outgoing>) -> Result<(), Error> {
        self.producer.produce(records).await
    }

    async fn partitions(&self, topic: &str) -> Result<Option<u32>, Error> {
        self.partitions_of(&self.asking, topic).await
    }

    async fn ends(&self, topic: &str) -> Result<Vec<Offset>, Error> {
        let (count, end) = (self.count(topic).await?, rdkafka::Offset::End);
        self.offsets(&self.asking, topic, count, end).await
    }

    async fn arrived(&self, topic: &str) -> Result<Vec<Offset>, Error> {
        // Asked each time: a shop may have added a partition a moment ago, and an order may lie in it (INV-6).
        let count = self.partitions_of(&self.uncommitted, topic).await?;
        let count = count.ok_or_else(|| unknown(topic))?;
        self.offsets(&self.uncommitted, topic, count, rdkafka::Offset::End)
            .await
    }

    async fn starts(&self, topic: &str) -> Result<Vec<Offset>, Error> {
        let (count, beginning) = (self.count(topic).await?, rdkafka::Offset::Beginning);
        self.offsets(&self.asking, topic, count, beginning).await
    }

    async fn edges(
        &self,
        topic_partitions: &[TopicPartition],
    ) -> Result<Vec<(Offset, Offset)>, Error> {
        let (asking, topic_partitions) = (self.asking.clone(), topic_partitions.to_vec());
        blocking(move || {
            let starts = list_offsets(&asking, &topic_partitions, rdkafka::Offset::Beginning)?;
            let ends = list_offsets(&asking, &topic_partitions, rdkafka::Offset::End)?;
            Ok(starts.into_iter().zip(ends).collect())
        })
        .await
    }

    async fn has_records(
        &self,
        topic_partition: &TopicPartition,
        from: Offset,
        to: Offset,
    ) -> Result<bool, Error> {
        // Behind an open transaction nobody knows yet: what is there has arrived, and is waited for.
        let (asking, asked) = (self.asking.clone(), [topic_partition.clone()]);
        let readable = blocking(move || list_offsets(&asking, &asked, rdkafka::Offset::End));
        if readable.await?.iter().any(|end| *end < to) {
            return Ok(true);
        }
        let first = self.first_record(topic_partition, from).await?;
        Ok(first.is_some_and(|offset| offset < to))
    }

    async fn committed(&self, group: &str, topic: &str) -> Result<Vec<Option<Commit>>, Error> {
        let count = self.count(topic).await?;
        let (asking, topic) = (self.group(group)?, topic.to_owned());
        blocking(move || {
            let mut list = TopicPartitionList::new();
            for index in 0..count {
                list.add_partition(&topic, i32::try_from(index).unwrap_or(i32::MAX));
            }
            let answer = asking.committed_offsets(list, PATIENCE)?;
            answer.elements().iter().map(commit_of).collect()
        })
        .await
    }

    async fn commit_for(
        &self,
        group: &str,
        topic_partition: &TopicPartition,
        to: &Commit,
    ) -> Result<(), Error> {
        let (asking, topic_partition, to) =
            (self.group(group)?, topic_partition.clone(), to.clone());
        blocking(move || {
            let mut list = TopicPartitionList::new();
            let mut element =
                list.add_partition(&topic_partition.topic, number(topic_partition.partition));
            element.set_offset(rdkafka::Offset::Offset(to.next.0))?;
            element.set_metadata(&to.metadata);
            asking.commit(&list, CommitMode::Sync)
        })
        .await
    }

    async fn join(&self, group: &str, topics: &[String]) -> Result<Box<dyn GroupConsumer>, Error> {
        Ok(Box::new(member::KafkaMember::join(
            &self.options,
            group,
            topics,
        )?))
    }

    async fn read(&self, group: &str) -> Result<Box<dyn AssignedReader>, Error> {
        Ok(Box::new(reader::KafkaReader::new(&self.options, group)?))
    }

    async fn cluster_id(&self) -> Result<String, Error> {
        let id = self
            .ask(|asking| Ok(asking.client().fetch_cluster_id(PATIENCE)))
            .await?;
        id.ok_or_else(|| {
            Error::Unavailable("kafka: the brokers did not tell their cluster id".into())
        })
    }
}
