//! The same loops as in production, stepped by hand on a clock that moves only between inputs and timers.
//!
//! Invariant: INV-10. Nothing here decides anything: it only chooses whose turn it is, always in the same order.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use winback_bus::Outgoing;
use winback_bus::memory::{Faults, MemoryLog};
use winback_campaign::Files;
use winback_contract::{
    Channel, Outcome, Partition, PartitionCount, SourceKind, Span, Timestamp, Topic,
};
use winback_dispatch::{Catalogue, Provider};
use winback_service::{Clock, Metrics, Shutdown};
use winback_store::MemoryStore;

use crate::config::Config;
use crate::error::Error;
use crate::publish::publish;
use crate::wiring::{dispatch, evaluator, start_ingest};

/// All services of one shop.
pub(crate) struct Machine {
    clock: Clock,
    pub(crate) log: MemoryLog,
    #[cfg(test)]
    store: MemoryStore,
    config: Config,
    ingest: Vec<winback_ingest::Service>,
    sessions: winback_sessions::Service,
    evaluator: winback_evaluator::Service,
    dispatch: Vec<winback_dispatch::Service>,
}

/// How a machine is made.
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) start: Timestamp,
    pub(crate) partitions: u32,
    pub(crate) provider: Arc<dyn Provider>,
    /// The channels that campaigns use.
    pub(crate) channels: BTreeSet<Channel>,
    /// Seed of planted faults, if there are to be any.
    pub(crate) faults: Option<u64>,
    /// Whether it is told why journeys do not begin.
    pub(crate) explain: bool,
}

/// A log and a store of this process, with the faults that a seed plants.
fn in_memory(clock: &Clock, faults: Option<u64>) -> (MemoryLog, MemoryStore) {
    let (log, store) = (
        MemoryLog::new(clock.clone()),
        MemoryStore::new(clock.clone()),
    );
    match faults {
        None => (log, store),
        Some(seed) => {
            let planted = Faults {
                seed,
                lost_ack_one_in: 50,
                refused_one_in: 60,
            };
            (log.with_faults(planted), store.with_faults(seed, 50))
        }
    }
}

fn create_topics(log: &MemoryLog, config: &Config, partitions: u32, channels: &BTreeSet<Channel>) {
    let names = config.names();
    for source in &config.sources {
        log.create(&source.topic, 1);
    }
    let many = [
        Topic::Events,
        Topic::Triggers,
        Topic::Decisions,
        Topic::Journeys,
        Topic::Outcomes,
    ];
    let channels = channels.iter().copied().map(Topic::Dispatch);
    for topic in many.into_iter().chain(channels) {
        log.create(&names.name(topic), partitions);
    }
    for topic in [Topic::Campaigns, Topic::Catalogue, Topic::Failed] {
        log.create(&names.name(topic), 1);
    }
}

impl Machine {
    /// Everything started, nothing published.
    pub(crate) async fn new(setup: Setup) -> Result<Self, Error> {
        let Setup {
            mut config,
            start,
            partitions,
            provider,
            channels,
            faults,
            explain,
        } = setup;
        config.kafka.partitions =
            PartitionCount::new(partitions).ok_or_else(|| Error::Usage("no partitions".into()))?;
        let clock = Clock::at(start.as_millis());
        let (log, store) = in_memory(&clock, faults);
        let names = config.names();
        create_topics(&log, &config, partitions, &channels);
        let shared: Arc<dyn winback_bus::Log> = Arc::new(log.clone());
        let states: Arc<dyn winback_store::Store> = Arc::new(store.clone());
        let registry = Metrics::new();
        let shutdown = Shutdown::new();
        let ingest_metrics = winback_ingest::metrics::Metrics::register(&registry);
        let mut ingest = Vec::new();
        for source in config.sources.clone() {
            ingest
                .push(start_ingest(&config, source, shared.clone(), ingest_metrics.clone()).await?);
        }
        let mut sessions = config.sessions();
        sessions.limits.explain = explain;
        let sessions = winback_sessions::Service::start(
            winback_sessions::Config {
                // No shop has loaded codes into a machine in memory.
                sample_coupons: true,
                ..sessions
            },
            shared.clone(),
            states.clone(),
            clock.clone(),
            winback_sessions::metrics::Metrics::register(&registry),
            shutdown.clone(),
        )
        .await?;
        let evaluator = winback_evaluator::Service::start(
            evaluator(&config),
            shared.clone(),
            winback_evaluator::metrics::Metrics::register(&registry),
        )
        .await?;
        let metrics = winback_dispatch::metrics::Metrics::register(&registry);
        let topic = names.name(Topic::Catalogue);
        let catalogue = Arc::new(Catalogue::start(&log, &topic, "dispatch").await?);
        let mut dispatchers = Vec::new();
        for (place, channel) in channels.iter().enumerate() {
            let service = winback_dispatch::Service::start(
                dispatch(&config, *channel),
                shared.clone(),
                states.clone(),
                clock.clone(),
                (provider.clone(), provider.clone(), catalogue.clone()),
                metrics.clone(),
                // Claims of different channels are told apart.
                (shutdown.clone(), (place as u64 + 1) << 40),
            )
            .await?;
            dispatchers.push(service);
        }
        Ok(Self {
            clock,
            log,
            #[cfg(test)]
            store,
            config,
            ingest,
            sessions,
            evaluator,
            dispatch: dispatchers,
        })
    }

    /// Publishes campaigns at the present moment.
    pub(crate) async fn publish(&mut self, files: &Files) -> Result<(), Error> {
        let (names, partitions) = (self.config.names(), self.config.kafka.partitions);
        let now = self.now();
        // A planted fault is met as a person meets a real one.
        while let Err(error) = publish(&self.log, &names, partitions, files, now).await {
            if !matches!(error, Error::Away(_)) {
                return Err(error);
            }
        }
        self.settle().await
    }

    /// The virtual time.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.now_millis())
    }

    /// A record of the storefront arrives on the first source of that kind. Time moves to `at`.
    pub(crate) fn arrive(
        &mut self,
        kind: SourceKind,
        key: &str,
        value: Vec<u8>,
        at: Timestamp,
    ) -> Result<(), Error> {
        self.arrive_with(kind, key, value, Vec::new(), at)
    }

    /// The same with headers.
    pub(crate) fn arrive_with(
        &mut self,
        kind: SourceKind,
        key: &str,
        value: Vec<u8>,
        headers: Vec<(String, Vec<u8>)>,
        at: Timestamp,
    ) -> Result<(), Error> {
        self.clock.advance_to(at.as_millis());
        let source = self
            .config
            .sources
            .iter()
            .find(|source| source.kind == kind);
        let topic = source
            .ok_or_else(|| Error::Usage("no such source".into()))?
            .topic
            .as_str();
        let record = Outgoing {
            topic: topic.into(),
            partition: Some(Partition(0)),
            key: key.as_bytes().to_vec(),
            value,
            headers: Vec::new(),
        };
        self.log.append(record, headers, self.now())?;
        Ok(())
    }

    /// An outcome arrives, as a gateway would report it.
    pub(crate) async fn report(&mut self, outcome: &Outcome) -> Result<(), Error> {
        let record = Outgoing {
            topic: self.config.names().name(Topic::Outcomes).into(),
            partition: Some(self.config.kafka.partitions.of(outcome.customer)),
            key: outcome.customer.to_string().into_bytes(),
            value: serde_json::to_vec(outcome)?,
            headers: Vec::new(),
        };
        self.log.append(record, Vec::new(), self.now())?;
        Ok(())
    }

    /// The next moment at which time alone changes something.
    pub(crate) fn next_timer(&self) -> Option<Timestamp> {
        self.sessions.earliest()
    }

    /// Lets everything happen that is due up to and including `until`, moment by moment.
    pub(crate) async fn run_until(&mut self, until: Timestamp) -> Result<(), Error> {
        self.settle().await?;
        while let Some(next) = self.next_timer().filter(|next| *next <= until) {
            let now = self.now();
            self.clock.advance_to(next.max(now).as_millis());
            self.settle().await?;
            if self.next_timer().is_some_and(|again| again <= now) && next <= now {
                // What is due now and can't be done now waits for time to pass.
                self.clock
                    .advance_to((now + Span::from_millis(1)).as_millis());
            }
        }
        self.clock.advance_to(until.as_millis());
        self.settle().await
    }

    /// Steps all services in turn until none has anything to do.
    pub(crate) async fn settle(&mut self) -> Result<(), Error> {
        let mut idle = 0;
        while idle < 2 {
            let mut done = 0;
            for ingest in &mut self.ingest {
                done += waited(
                    ingest.step(Duration::ZERO).await,
                    winback_bus::Error::is_transient,
                )?;
            }
            let is_transient = |error: &winback_sessions::Error| {
                matches!(error, winback_sessions::Error::Unavailable(_))
            };
            done += waited(self.sessions.step(Duration::ZERO).await, is_transient)?;
            done += waited(
                self.evaluator.step(Duration::ZERO).await,
                winback_bus::Error::is_transient,
            )?;
            for dispatch in &mut self.dispatch {
                done += waited(
                    dispatch.step(Duration::ZERO).await,
                    winback_bus::Error::is_transient,
                )?;
            }
            idle = if done == 0 { idle + 1 } else { 0 };
        }
        Ok(())
    }
}

/// A planted fault is met as a real one: by calling again.
fn waited<E: Into<Error>>(
    result: Result<usize, E>,
    is_transient: impl Fn(&E) -> bool,
) -> Result<usize, Error> {
    match result {
        Ok(done) => Ok(done),
        Err(error) if is_transient(&error) => Ok(1),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "phones_tests.rs"]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod phones_tests;

#[cfg(test)]
#[path = "damage_tests.rs"]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod damage_tests;
