//! The loop of sessions: ownership, input, the frontier, and a step of every partition.
//!
//! Order within a loop: changes of ownership first (they must never starve), then reading, then the probe, then
//! the steps of all partitions at once, so that the fold of one runs while the commit of another is on its way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use winback_bus::{
    AssignedReader, Assignment, Follower, GroupConsumer, Log, Record, TopicPartition,
};
use winback_campaign::{Bundles, Offered};
use winback_contract::{Offset, Partition, Timestamp, Topic};
use winback_service::outage::Outage;
use winback_service::tasks::{beside, side_by_side};
use winback_service::{Clock, Health, Shutdown, clock};
use winback_store::{Standing, Store};

use crate::acquire::acquire;
use crate::config::Config;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::partition::OwnedPartition;
use crate::recover;
use crate::turn::Shared;
use newcomers::Newcomers;
use timers::Asked;

/// See the module.
pub struct Service {
    shared: Arc<Shared>,
    /// Owns partitions of `events`; fetches nothing.
    member: Box<dyn GroupConsumer>,
    /// Reads what is owned, from the store's positions.
    reader: Box<dyn AssignedReader>,
    campaigns: Follower,
    owned: BTreeMap<Partition, OwnedPartition>,
    /// Assigned, not acquired yet.
    wanted: Vec<Partition>,
    /// The newest commits of partitions whose store went back while they were owned.
    known: BTreeMap<Partition, Standing>,
    /// Partitions that stand: why, and since when they have not been tried.
    stopped: BTreeMap<Partition, (String, i64)>,
    /// Partitions that go on one input at a time.
    careful: BTreeSet<Partition>,
    frontier: Asked,
    /// What Kafka knows of those that are wanted.
    newcomers: Newcomers,
    /// When leases were renewed.
    vouched: i64,
    weighed: i64,
    echoed: i64,
    shown: i64,
    topics: [Arc<str>; 3],
}

mod gauges;
mod lease;
mod newcomers;
mod stands;
mod timers;
mod weigh;

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sessions({} partitions)", self.owned.len())
    }
}

impl Service {
    /// Joins the group and reads the bundles that are there.
    ///
    /// # Errors
    /// When log or store refuse.
    pub async fn start(
        config: Config,
        log: Arc<dyn Log>,
        store: Arc<dyn Store>,
        clock: Clock,
        metrics: Metrics,
        shutdown: Shutdown,
    ) -> Result<Self, Error> {
        let [events, decisions, outcomes] = [Topic::Events, Topic::Decisions, Topic::Outcomes]
            .map(|topic| config.names.name(topic));
        let mut member = log
            .join(&config.group(), std::slice::from_ref(&events))
            .await?;
        member.own_only();
        let reader = log.read(&config.group()).await?;
        let campaigns = config.names.name(Topic::Campaigns);
        let campaigns = Follower::start(log.as_ref(), &campaigns, &config.group()).await?;
        let frontier = Asked::new(&config);
        Ok(Self {
            topics: [events, decisions, outcomes].map(Arc::from),
            owned: BTreeMap::new(),
            wanted: Vec::new(),
            known: BTreeMap::new(),
            stopped: BTreeMap::new(),
            careful: BTreeSet::new(),
            vouched: 0,
            weighed: 0,
            echoed: 0,
            shown: 0,
            member,
            reader,
            campaigns,
            frontier,
            newcomers: Newcomers::default(),
            shared: Arc::new(Shared {
                log,
                store,
                bundles: Bundles::of_a_topic(),
                config,
                metrics,
                shutdown,
                clock,
                headroom: Arc::default(),
                health: Arc::default(),
            }),
        })
    }

    /// One round. Returns how much was done; zero means idle.
    ///
    /// # Errors
    /// Transient ones may be retried by calling again; nothing is lost.
    pub async fn step(&mut self, wait: Duration) -> Result<usize, Error> {
        self.follow().await?;
        self.ownership().await?;
        let read = self.read(wait).await?;
        // Asked beside the loop: a topic that does not answer holds timers, never the application of what has arrived (INV-5).
        self.look_at_timers().await?;
        self.vouch().await?;
        self.weigh().await?;
        let done = self.turns().await?;
        self.show();
        self.echo().await?;
        Ok(read + done)
    }

    /// Reads what is published.
    async fn follow(&mut self) -> Result<(), Error> {
        let is_news = self.campaigns.has_caught_up() && !self.shared.clock.is_virtual();
        for record in self.campaigns.records(Duration::ZERO).await? {
            // Nobody else holds it between two rounds: this changes it in place.
            let bundles = &mut Arc::make_mut(&mut self.shared).bundles;
            match bundles.take(&record.key, record.value.as_deref()) {
                Offered::Taken(hash) => {
                    tracing::info!(bundle = %hash, "a bundle came");
                    // It will be switched to at once: the loop need not wait for that.
                    if is_news {
                        beside(bundles.compiling(hash));
                    }
                }
                Offered::Switched(switch) => {
                    tracing::warn!(
                        scope = %switch.scope,
                        paused = switch.paused,
                        "a switch was thrown"
                    );
                }
                Offered::Formatted(format) => {
                    tracing::info!(format = format.number(), "the shop is on this format");
                }
                Offered::Unknown => {
                    tracing::error!(
                        "a record of the campaigns topic is none that this release knows"
                    );
                }
                Offered::Known | Offered::Activated(_) => {}
            }
        }
        for reason in self.shared.bundles.untold() {
            tracing::error!(reason, "a published bundle is left aside");
        }
        Ok(())
    }

    /// The earliest moment at which time alone changes something here. For virtual time.
    pub fn earliest(&self) -> Option<Timestamp> {
        self.owned
            .values()
            .flat_map(|owned| [owned.earliest, owned.next_call])
            .flatten()
            .min()
    }

    async fn ownership(&mut self) -> Result<(), Error> {
        let polled = self.member.poll(0, Duration::ZERO).await?;
        for change in polled.assignments {
            match change {
                Assignment::Revoked(topic_partitions) => {
                    for topic_partition in topic_partitions {
                        self.wanted
                            .retain(|wanted| *wanted != topic_partition.partition);
                        self.stopped.remove(&topic_partition.partition);
                        self.newcomers.forget(topic_partition.partition);
                        self.release(topic_partition.partition).await;
                    }
                }
                Assignment::Assigned(topic_partitions) => self.wanted.extend(
                    topic_partitions
                        .iter()
                        .map(|topic_partition| topic_partition.partition),
                ),
            }
        }
        // Without its bundles a partition would let an order end nothing: read them first.
        if !self.campaigns.has_caught_up() {
            return Ok(());
        }
        self.try_again();
        self.ask_of_wanted().await?;
        let (log, store) = (self.shared.log.clone(), self.shared.store.clone());
        while let Some((partition, known)) = self.newcomers.next(&self.wanted) {
            let known = known.max(self.known.get(&partition).copied().unwrap_or_default());
            let config = &self.shared.config;
            let here = self.shared.clock.now_millis();
            let parts = (log.as_ref(), store.as_ref());
            let acquired = acquire(partition, config, parts, known, here).await;
            let (mut owned, recovered) = match acquired {
                Ok(acquired) => acquired,
                Err(Error::Stopped { why, .. }) => {
                    self.wanted.retain(|wanted| *wanted != partition);
                    self.stand(partition, why);
                    continue;
                }
                // Somebody else took it, or it went back once more, while it recovered: it is tried again.
                Err(error @ (Error::Fenced(_) | Error::WentBack { .. })) => {
                    return Err(Error::Unavailable(error.to_string()));
                }
                Err(error) => return Err(error),
            };
            self.known.remove(&partition);
            if self.careful.remove(&partition) {
                // As many as may have been in the batch that panicked.
                let many = self.shared.config.batch.saturating_mul(4);
                owned.careful = u32::try_from(many).unwrap_or(u32::MAX);
            }
            // What is counted of it begins at nothing before anything is counted.
            self.shared.metrics.own(partition);
            if let Some(recovered) = recovered {
                self.shared.metrics.recoveries.count(partition, recovered);
                self.frontier.begin_anew(config);
            }
            owned.acquired = Timestamp::from_millis(self.shared.clock.now_millis());
            owned.plan_call(&self.shared);
            for (topic_partition, from, mark) in owned.topic_partitions(&self.shared.config.names) {
                self.reader.start(&topic_partition, from, mark).await?;
            }
            tracing::info!(
                partition = partition.0,
                epoch = owned.meta.epoch,
                sequence = owned.meta.sequence,
                "partition acquired"
            );
            self.owned.insert(partition, owned);
            self.wanted.retain(|wanted| *wanted != partition);
        }
        Ok(())
    }

    async fn release(&mut self, partition: Partition) {
        if let Some(owned) = self.owned.remove(&partition) {
            for (topic_partition, ..) in owned.topic_partitions(&self.shared.config.names) {
                if let Err(error) = self.reader.stop(&topic_partition).await {
                    tracing::debug!(%error, "a partition could not be stopped; it is started anew when needed");
                }
            }
            self.shared.metrics.forget(partition);
            tracing::info!(partition = partition.0, "partition released");
        }
    }

    async fn read(&mut self, wait: Duration) -> Result<usize, Error> {
        let (bundles, most) = (&self.shared.bundles, self.shared.config.batch);
        let waiting = self
            .owned
            .values()
            .any(|owned| owned.has_work(bundles, most));
        // What there is to do goes first; the next records are read beside it.
        if waiting && !self.shared.clock.is_virtual() {
            return self.balance_all().await.map(|()| 0);
        }
        let wait = if waiting { Duration::ZERO } else { wait };
        let records = self.reader.poll(self.shared.config.batch, wait).await?;
        let read = records.len();
        for record in records {
            self.sort_in(record);
        }
        self.balance_all().await?;
        Ok(read)
    }

    async fn balance_all(&mut self) -> Result<(), Error> {
        for partition in self.owned.keys().copied().collect::<Vec<_>>() {
            self.balance(partition).await?;
        }
        Ok(())
    }

    fn sort_in(&mut self, record: Record) {
        let Some(owned) = self.owned.get_mut(&record.partition) else {
            return;
        };
        let [events, decisions, outcomes] = &self.topics;
        if record.topic == *events {
            owned.events.push_back(record);
        } else if record.topic == *decisions {
            owned.decisions.push_back(record);
        } else if record.topic == *outcomes {
            owned.outcomes.push_back(record);
        }
    }

    /// Back-pressure touches events, and whatever waits for a newer release: else decisions and outcomes free what is
    /// bounded (INV-12).
    async fn balance(&mut self, partition: Partition) -> Result<(), Error> {
        let most = self.shared.config.batch;
        let Some(owned) = self.owned.get_mut(&partition) else {
            return Ok(());
        };
        let [events, decisions, outcomes] = &self.topics;
        for (topic, name, waiting) in [
            (Topic::Events, events, owned.events.len()),
            (Topic::Decisions, decisions, owned.decisions.len()),
            (Topic::Outcomes, outcomes, owned.outcomes.len()),
        ] {
            let may_hold = topic == Topic::Events || owned.waits.contains_key(&topic);
            let hold = may_hold && waiting > most;
            if hold == owned.held.contains(&topic) {
                continue;
            }
            if hold {
                owned.held.insert(topic);
            } else {
                owned.held.remove(&topic);
            }
            let topic_partition = TopicPartition {
                topic: name.clone(),
                partition,
            };
            self.reader.hold(&topic_partition, hold).await?;
        }
        Ok(())
    }

    /// A step of every partition, side by side, while the next records are read. In virtual time one after the
    /// other: what is produced must not depend on which thread was faster.
    async fn turns(&mut self) -> Result<usize, Error> {
        let frontier = &self.frontier;
        let shared = self.shared.clone();
        let turns = std::mem::take(&mut self.owned)
            .into_iter()
            .map(|(partition, mut owned)| {
                let (shared, up_to) = (shared.clone(), frontier.of(partition));
                async move {
                    let result = owned.turn(&shared, up_to).await;
                    (owned, result)
                }
            });
        let (turned, read) = if shared.clock.is_virtual() {
            (Ok(futures::future::join_all(turns).await), Ok(Vec::new()))
        } else {
            let reading = self.reader.poll(shared.config.batch, Duration::ZERO);
            futures::future::join(side_by_side("a step of sessions", turns), reading).await
        };
        drop(shared);
        let turned = turned.map_err(|died| Error::Fatal(died.to_string()))?;
        let mut results = Vec::with_capacity(turned.len());
        for (owned, result) in turned {
            results.push((owned.partition, result));
            self.owned.insert(owned.partition, owned);
        }
        // An error of reading comes last: a turn that failed must give its partition back first.
        let (records, unread) = match read {
            Ok(records) => (records, None),
            Err(error) => (Vec::new(), Some(Error::from(error))),
        };
        let mut done = records.len();
        for record in records {
            self.sort_in(record);
        }
        let mut problem = None;
        for (partition, result) in results {
            match result {
                Ok(work) => done += work,
                Err(error) => {
                    self.give_back(partition, &error).await;
                    if matches!(error, Error::Unavailable(_) | Error::Fatal(_)) {
                        problem = Some(error);
                    }
                }
            }
        }
        problem.or(unread).map_or(Ok(done), Err)
    }

    /// Kafka's committed offsets are an echo of the positions in the store, for lag and for detecting a rollback.
    async fn echo(&mut self) -> Result<(), Error> {
        let here = self.shared.clock.now_millis();
        if lasts(self.echoed, here, 1_000) && !self.shared.clock.is_virtual() {
            return Ok(());
        }
        self.echoed = here;
        self.send_echo().await
    }

    async fn echo_all(&mut self) {
        if let Err(error) = self.send_echo().await {
            tracing::warn!(%error, "the positions could not be echoed");
        }
    }

    async fn send_echo(&mut self) -> Result<(), Error> {
        let positions: Vec<(TopicPartition, Offset, String)> = self
            .owned
            .values()
            .filter(|owned| owned.meta.sequence > 0)
            .map(|owned| {
                let topic_partition = TopicPartition {
                    topic: self.topics[0].clone(),
                    partition: owned.partition,
                };
                (
                    topic_partition,
                    owned.meta.positions.events,
                    recover::write(owned.standing()),
                )
            })
            .collect();
        self.member.commit(&positions).await?;
        Ok(())
    }

    /// Runs until shutdown; while Kafka or Redis are away it waits and says so.
    ///
    /// # Errors
    /// Only those that need a person.
    pub async fn run(mut self, health: Health) -> Result<(), Error> {
        health.goes_round("sessions");
        drop(self.shared.health.set(health.clone()));
        let mut outage = Outage::default();
        while !self.shared.shutdown.is_raised() {
            match self.step(Duration::from_millis(20)).await {
                Ok(_) => match self.stands() {
                    None => {
                        outage.over("sessions");
                        health.goes_round("sessions");
                    }
                    Some(why) => health.not_ready("sessions", why),
                },
                Err(Error::Unavailable(reason)) => {
                    outage.tell("sessions", &reason);
                    health.not_ready("sessions", reason);
                    // Gauges go on: an old value would be a lie.
                    self.show();
                    clock::pause(Duration::from_millis(500)).await;
                }
                Err(error) => return Err(error),
            }
        }
        self.echoed = 0;
        self.echo().await
    }
}

/// Whether a pause of so many milliseconds that began then lasts: a clock that was set back has ended it.
pub(crate) fn lasts(began: i64, here: i64, length: i64) -> bool {
    (0..length).contains(&(here - began))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
#[path = "service_tests.rs"]
pub(crate) mod tests;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
#[path = "stage_tests.rs"]
mod stage;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
#[path = "stands_tests.rs"]
mod stands_tests;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
#[path = "outbox_tests.rs"]
mod outbox_tests;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
#[path = "room_tests.rs"]
mod room_tests;
