//! What the gateway knows while it runs, and the loop that writes to the log what it has heard.
//!
//! Invariants: INV-11 (a "no" is written before it is answered with yes; one that could not be waits here as well), INV-12.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use winback_bus::{Error, Log, Outgoing};
use winback_contract::{
    Link, LinkKeys, Outcome, OutcomeStatus, PartitionCount, Span, Timestamp, Topic, TopicNames,
};
use winback_service::rounds::{self, Rounds};
use winback_service::{Clock, Health, Shutdown, clock};

use crate::grade::{Click, Grader};
use crate::metrics::Metrics;
use crate::routes;
use crate::spool::Spool;

/// Config of the gateway.
#[derive(Clone, Debug)]
pub struct Config {
    /// Names of topics.
    pub names: TopicNames,
    /// How many partitions there are.
    pub partitions: PartitionCount,
    /// What verifies links.
    pub keys: LinkKeys,
    /// A click sooner after its mail was made than this is a machine's.
    pub machine_within: Span,
}

/// From one look at what waits to the next.
const ROUND: Duration = Duration::from_millis(200);
/// So long a "no" waits for the log before it is answered that it did not work.
const PATIENCE: Duration = Duration::from_secs(5);
/// Outcomes written at once.
const BATCH: usize = 500;

/// What requests and the loop share.
pub(crate) struct Shared {
    config: Config,
    log: Arc<dyn Log>,
    clock: Clock,
    metrics: Metrics,
    clicks: Mutex<Grader<Outcome>>,
    spool: Mutex<Spool>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn keys(&self) -> &LinkKeys {
        &self.config.keys
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.now_millis())
    }

    pub(crate) fn outcome(&self, link: &Link, status: OutcomeStatus, at: Timestamp) -> Outcome {
        Outcome {
            v: Outcome::VERSION,
            message: link.message,
            customer: link.customer,
            channel: link.channel,
            attempt: 0,
            status,
            reason: None,
            provider_id: None,
            bot: false,
            rehearsed: false,
            retry_at: None,
            at,
        }
    }

    /// A click waits to be judged.
    pub(crate) fn clicked(&self, click: Click<Outcome>) {
        if !lock(&self.clicks).put(click) {
            self.metrics.count("click", "dropped");
        }
    }

    pub(crate) fn opened(&self, link: &Link, by_machine: bool) {
        let opened = self.outcome(link, OutcomeStatus::Opened, self.now());
        self.put(opened, by_machine, "open");
    }

    fn put(&self, outcome: Outcome, by_machine: bool, word: &str) {
        let outcome = Outcome {
            bot: by_machine,
            ..outcome
        };
        let result = match (lock(&self.spool).put(outcome), by_machine) {
            (false, _) => "dropped",
            (true, true) => "machine",
            (true, false) => "ok",
        };
        self.metrics.count(word, result);
    }

    /// Whether a "no" is in the log. One that is not waits to be written all the same.
    pub(crate) async fn refused(&self, link: &Link) -> bool {
        let outcome = self.outcome(link, OutcomeStatus::Unsubscribed, self.now());
        let Ok(record) = self.record(&outcome) else {
            return false;
        };
        let written = clock::within(PATIENCE, self.log.produce(vec![record])).await;
        let is_written = matches!(written, Ok(Ok(_)));
        if !is_written && !lock(&self.spool).put(outcome) {
            self.metrics.count("unsubscribe", "dropped");
        }
        is_written
    }

    fn record(&self, outcome: &Outcome) -> Result<Outgoing, Error> {
        let value = serde_json::to_vec(outcome)
            .map_err(|error| Error::Fatal(format!("an outcome can't be written: {error}")))?;
        Ok(Outgoing {
            topic: Arc::from(self.config.names.name(Topic::Outcomes)),
            partition: Some(self.config.partitions.of(outcome.customer)),
            key: outcome.customer.to_string().into_bytes(),
            value,
            headers: Vec::new(),
        })
    }

    /// Clicks that have waited long enough are to be written.
    fn judge(&self, ripe: Vec<(Outcome, bool)>) {
        for (outcome, by_machine) in ripe {
            self.put(outcome, by_machine, "click");
        }
    }

    /// Writes what waits.
    async fn write(&self) -> Result<(), Error> {
        loop {
            let next = lock(&self.spool).next(BATCH);
            let waiting = lock(&self.spool).len();
            let waiting = i64::try_from(waiting).unwrap_or(i64::MAX);
            self.metrics
                .waiting
                .with_label_values::<&str>(&[])
                .set(waiting);
            if next.is_empty() {
                return Ok(());
            }
            let records: Result<Vec<_>, _> = next.iter().map(|one| self.record(one)).collect();
            let written = clock::within(PATIENCE, self.log.produce(records?)).await;
            let away = |_| Error::Unavailable("kafka: it does not take outcomes".into());
            written.map_err(away)??;
            lock(&self.spool).done(&next);
        }
    }
}

/// See the module.
pub struct Service {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("gateway")
    }
}

impl Service {
    /// Nothing heard yet.
    pub fn new(config: Config, log: Arc<dyn Log>, clock: Clock, metrics: Metrics) -> Self {
        let clicks = Mutex::new(Grader::new(config.machine_within));
        Self {
            shared: Arc::new(Shared {
                config,
                log,
                clock,
                metrics,
                clicks,
                spool: Mutex::default(),
            }),
        }
    }

    /// What answers requests, for as long as the process runs; also while the log is away.
    pub fn router(&self) -> axum::Router {
        routes::router(self.shared.clone())
    }

    /// Writes what is heard until shutdown, and then what is left.
    ///
    /// # Errors
    /// Only those that no waiting mends.
    pub async fn run(mut self, shutdown: Shutdown, health: Health) -> Result<(), Error> {
        let went = rounds::go(&mut self, "gateway", (&shutdown, &health)).await;
        let rest = lock(&self.shared.clicks).rest();
        self.shared.judge(rest);
        went.and(self.shared.write().await)
    }
}

impl Rounds for Service {
    type Error = Error;

    async fn round(&mut self) -> Result<Option<String>, Error> {
        clock::pause(ROUND).await;
        let ripe = lock(&self.shared.clicks).ripe(self.shared.now());
        self.shared.judge(ripe);
        self.shared.write().await?;
        Ok(None)
    }
}
