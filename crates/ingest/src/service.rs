//! The loop of ingest: read, normalise, write, and commit only what is acknowledged.
//!
//! A failed write is repeated as a whole before anything later is read: order per source partition is kept, and
//! what arrives twice is dropped by its position (INV-3).

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use winback_bus::{Error, GroupConsumer, Ledger, Log, Outgoing, Record, Stamp, dead_letter};
use winback_contract::{
    Body, Currency, Failed, FailedReason, FailedStage, Partition, PartitionCount, Timestamp, Topic,
    TopicNames, failed::KEPT_BYTES,
};
use winback_service::rounds::{self, Rounds};
use winback_service::{Health, Shutdown};

use crate::calls::again;
use crate::catalogue::Catalogue;
use crate::config::{Arrival, Config, SourceConfig};
use crate::coupons;
use crate::customs::Customs;
use crate::fields::Refusal;
use crate::formats::Shape;
use crate::links::Links;
use crate::metrics::Metrics;
use crate::policy::Published;

/// The shop, as far as ingest needs it.
#[derive(Debug, Clone)]
pub struct Shop {
    /// Part of every profile key; never change it.
    pub id: String,
    /// Currency of amounts that name none.
    pub currency: Currency,
}

/// One source being ingested.
pub struct Service {
    source: SourceConfig,
    stream: Arc<str>,
    /// Its name by partition, with the generation it is of.
    streams: HashMap<Partition, (u32, Arc<str>)>,
    config: Config,
    shop: Shop,
    log: Arc<dyn Log>,
    member: Box<dyn GroupConsumer>,
    partitions: PartitionCount,
    events: Arc<str>,
    failed: Arc<str>,
    catalogue_topic: Arc<str>,
    catalogue: Option<Catalogue>,
    links: Links,
    metrics: Metrics,
    ledger: Ledger,
    published: Published,
    customs: Customs,
    nobody: Arc<[String]>,
    shape: Shape,
    /// When a field that could not be read was last told of, by event, field and reason.
    sampled: HashMap<(&'static str, &'static str, &'static str), Timestamp>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ingest({})", self.source.name)
    }
}

/// Words that name nobody, as they are compared.
pub fn nobody(words: &[String]) -> Arc<[String]> {
    let words = words.iter();
    words.map(|word| word.trim().to_lowercase()).collect()
}

/// The consumer group of a source.
pub fn group(prefix: &str, source: &str) -> String {
    format!("{prefix}ingest.{source}")
}

mod reading;

use reading::{CALLS, Refused};

impl Service {
    /// Joins the source's group.
    ///
    /// # Errors
    /// When the log refuses.
    pub async fn start(
        source: SourceConfig,
        config: Config,
        shop: Shop,
        log: Arc<dyn Log>,
        (names, groups, partitions): (&TopicNames, &str, PartitionCount),
        metrics: Metrics,
    ) -> Result<Self, Error> {
        let member = log
            .join(
                &group(groups, &source.name),
                std::slice::from_ref(&source.topic),
            )
            .await?;
        let catalogue_topic = names.name(Topic::Catalogue);
        let catalogue = Catalogue::start(
            log.as_ref(),
            &catalogue_topic,
            &group(groups, &source.name),
            config.price_change,
        )
        .await?;
        if catalogue.is_none() {
            tracing::warn!(
                topic = catalogue_topic,
                "there is no catalogue: `winback topics apply` makes it"
            );
        }
        let nobody = nobody(&config.nobody);
        // They begin at 0: an increase is seen from the first on.
        for counter in [
            &metrics.received,
            &metrics.idle,
            &metrics.nearly,
            &metrics.unknown,
        ] {
            counter.with_label_values(&[source.name.as_str()]).inc_by(0);
        }
        Ok(Self {
            published: Published::start(
                log.as_ref(),
                &names.name(Topic::Campaigns),
                &group(groups, &source.name),
            )
            .await?,
            customs: Customs::new(shop.currency).without(&nobody),
            nobody,
            shape: source.shape().map_err(Error::Fatal)?,
            sampled: HashMap::new(),
            catalogue_topic: Arc::from(catalogue_topic),
            catalogue,
            stream: Arc::from(format!("raw:{}", source.name)),
            streams: HashMap::new(),
            events: Arc::from(names.name(Topic::Events)),
            failed: Arc::from(names.name(Topic::Failed)),
            links: Links::new(100_000),
            ledger: Ledger::default(),
            source,
            config,
            shop,
            log,
            member,
            partitions,
            metrics,
        })
    }

    /// Does what is there, within `wait`. Returns how many records it took.
    ///
    /// # Errors
    /// Transient ones may be retried by calling again; nothing is lost.
    pub async fn step(&mut self, wait: Duration) -> Result<usize, Error> {
        self.send().await?;
        if let Some(customs) = self.published.follow().await? {
            self.customs = customs.without(&self.nobody);
        }
        if !self.published.has_caught_up() {
            // How the shop writes its numbers is known before the first of them. The group is served meanwhile.
            let polled = self.member.poll(0, wait).await?;
            self.ledger.revoke(&polled.assignments);
            return Ok(1);
        }
        if let Some(catalogue) = &mut self.catalogue
            && !catalogue.follow().await?
        {
            // An update is compared with what is known: that comes first.
            return Ok(1);
        }
        let most = self.config.batch;
        let polled = self.ledger.poll(self.member.as_mut(), most, wait).await?;
        let taken = polled.records.len();
        for record in polled.records {
            if self.source.arrival == Arrival::LogAppendTime && record.stamp != Stamp::Broker {
                return Err(Error::Fatal(format!(
                    "topic {} carries producers' time: set message.timestamp.type=LogAppendTime, or arrival: create_time \
                     for source {}",
                    record.topic, self.source.name
                )));
            }
            self.ledger.begin(record.topic_partition());
            self.take(&record)?;
            self.ledger.pass(&record);
        }
        self.metrics
            .received
            .with_label_values(&[&self.source.name])
            .inc_by(taken as u64);
        self.send().await?;
        Ok(taken)
    }

    /// Writes what is waiting and commits behind it.
    async fn send(&mut self) -> Result<(), Error> {
        let settled = self.ledger.settle(&self.log, self.member.as_mut()).await;
        if settled.is_err() {
            // A link that was written may not have arrived.
            self.links.forget();
        }
        settled
    }

    fn take(&mut self, record: &Record) -> Result<(), Error> {
        // A fault of our own costs the record that meets it, not the process.
        let read = catch_unwind(AssertUnwindSafe(|| self.events_of(record)));
        let read = read.unwrap_or_else(|_| {
            let reason = FailedReason::Panicked;
            Err(Refusal::new(reason, reason.explanation()))
        });
        match read {
            Ok((events, refused)) => {
                for event in events {
                    let value = serde_json::to_vec(&event).map_err(|error| {
                        Error::Fatal(format!("an event can't be written: {error}"))
                    })?;
                    let to: Vec<Partition> = match event.body {
                        Body::Announcement(_) | Body::Goods(_) => self.partitions.all().collect(),
                        Body::Coupons { .. } => vec![coupons::partition(&event)],
                        _ => vec![self.partitions.of(event.to)],
                    };
                    for partition in to {
                        self.ledger.put(Outgoing {
                            topic: self.events.clone(),
                            partition: Some(partition),
                            key: event.to.to_string().into_bytes(),
                            value: value.clone(),
                            headers: Vec::new(),
                        });
                    }
                }
                if let Some(refused) = refused {
                    self.refuse(record, refused)?;
                }
            }
            Err(refusal) => {
                self.count_refusal(&refusal);
                // A link that was not written may be told as written.
                self.links.forget();
                self.refuse(record, refusal.into())?;
            }
        }
        Ok(())
    }

    /// The stream of a record's partition. A topic that was begun anew has the offsets of the old one: its generation in the
    /// name tells them apart.
    fn stream_of(&mut self, record: &Record) -> Arc<str> {
        let topic_partition = record.topic_partition();
        let generation = self.member.generation(&topic_partition);
        match self.streams.get(&topic_partition.partition) {
            Some((known, stream)) if *known == generation => stream.clone(),
            _ => {
                let stream: Arc<str> = match generation {
                    0 => self.stream.clone(),
                    generation => Arc::from(format!("{}@{generation}", self.stream)),
                };
                self.streams
                    .insert(topic_partition.partition, (generation, stream.clone()));
                stream
            }
        }
    }

    /// Dead letters: one of the whole record, or of those parts of it alone, as many as fit into each.
    fn refuse(&mut self, record: &Record, refused: Refused) -> Result<(), Error> {
        let Refused {
            refusal,
            parts,
            calls,
        } = refused;
        let reason = refusal.reason;
        let mut detail = refusal.detail;
        if let more @ 1.. = parts.len().saturating_sub(1) {
            detail = format!("{detail}; and {more} more");
        }
        let mut letters = Vec::new();
        for value in again(parts, KEPT_BYTES) {
            letters.push(Record {
                value: Some(value.to_string().into_bytes()),
                ..record.clone()
            });
        }
        if letters.is_empty() {
            let mut whole = record.clone();
            whole
                .headers
                .retain(|(name, _)| !name.eq_ignore_ascii_case(CALLS));
            if let Some(calls) = calls {
                let calls: Vec<String> = calls.iter().map(ToString::to_string).collect();
                let calls = calls.join(",").into_bytes();
                whole.headers.push((CALLS.to_owned(), calls));
            }
            letters.push(whole);
        }
        for letter in letters {
            let failed = dead_letter(&letter, FailedStage::Ingest, reason, detail.clone());
            debug_assert!(failed.payload.0.len() <= KEPT_BYTES);
            self.put_failed(record, &failed)
                .map_err(|error| Error::Fatal(format!("a failure can't be written: {error}")))?;
        }
        Ok(())
    }

    /// A dead letter, under the key of its record.
    fn put_failed(&mut self, record: &Record, failed: &Failed) -> serde_json::Result<()> {
        self.ledger.put(Outgoing {
            topic: self.failed.clone(),
            partition: None,
            key: record.key.clone(),
            value: serde_json::to_vec(failed)?,
            headers: Vec::new(),
        });
        Ok(())
    }

    /// Runs until shutdown; while the log is away it waits and says so.
    ///
    /// # Errors
    /// Only those that no waiting mends.
    pub async fn run(mut self, shutdown: Shutdown, health: Health) -> Result<(), Error> {
        let part = format!("ingest.{}", self.source.name);
        rounds::go(&mut self, &part, (&shutdown, &health)).await?;
        self.send().await
    }
}

impl Rounds for Service {
    type Error = Error;

    async fn round(&mut self) -> Result<Option<String>, Error> {
        self.step(Duration::from_millis(50)).await?;
        if !self.published.has_caught_up() {
            let why = "it reads what is published: the campaigns topic says nothing yet";
            return Ok(Some(why.into()));
        }
        Ok(self.ledger.stands())
    }
}

#[cfg(test)]
#[path = "service_tests.rs"]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests;
