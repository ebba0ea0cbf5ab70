//! What the gateway knows while it runs, and the loop that writes to the log what it has heard.
//!
//! Invariants: INV-11 (a "no" is written before it is answered with yes; one that could not be waits here as well), INV-12.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use winback_bus::{Error, Log, Outgoing};
use winback_contract::{
    Link, LinkKeys, Outcome, OutcomeStatus, PartitionCount, Span, Timestamp, Topic, TopicNames,
};
use winback_service::clock::Stopwatch;
use winback_service::rounds::{self, Rounds};
use winback_service::tasks::{Died, InFlight};
use winback_service::{Clock, Health, Shutdown, clock};

use crate::grade::{Grader, Heard, What};
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
/// So long what is left may take at the end of the process.
const LAST: Duration = Duration::from_secs(4);
/// Outcomes written at once.
const BATCH: usize = 500;

/// What requests and the loop share.
pub(crate) struct Shared {
    config: Config,
    log: Arc<dyn Log>,
    clock: Clock,
    metrics: Metrics,
    heard: Mutex<Grader<Outcome>>,
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

    /// What was heard waits to be judged.
    pub(crate) fn heard(&self, heard: Heard<Outcome>) {
        let word = match heard.what {
            What::Link(_) => "click",
            What::Page => "page",
            What::Picture => "open",
        };
        if !lock(&self.heard).put(heard) {
            self.metrics.count(word, "dropped");
        }
    }

    fn put(&self, outcome: Outcome, by_machine: bool) {
        let word = match outcome.status {
            OutcomeStatus::Opened => "open",
            _ => "click",
        };
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

    /// Whether a "no" is in the log. One that is not there in time is written as soon as it can be, once: what was handed over
    /// is never handed over again.
    pub(crate) async fn refused(&self, link: &Link) -> bool {
        let outcome = self.outcome(link, OutcomeStatus::Unsubscribed, self.now());
        let Ok(record) = self.record(&outcome) else {
            return false;
        };
        match clock::within(PATIENCE, self.log.produce(vec![record])).await {
            Ok(Ok(_)) => true,
            // The client holds it until the brokers take it.
            Err(_) => false,
            Ok(Err(_)) => {
                if !lock(&self.spool).put(outcome) {
                    self.metrics.count("unsubscribe", "dropped");
                }
                false
            }
        }
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

    /// What has waited long enough is to be written.
    fn judge(&self, ripe: Vec<(Outcome, bool)>) {
        for (outcome, by_machine) in ripe {
            self.put(outcome, by_machine);
        }
        let waiting = lock(&self.heard).len() + lock(&self.spool).len();
        let waiting = i64::try_from(waiting).unwrap_or(i64::MAX);
        self.metrics
            .waiting
            .with_label_values::<&str>(&[])
            .set(waiting);
    }
}

/// A batch on its way to the log, and what became of it.
type Written = (Vec<Outcome>, Result<(), Error>);

/// See the module.
pub struct Service {
    shared: Arc<Shared>,
    /// At most one batch: one that is on its way is never sent again beside itself, however long the log is away.
    writing: InFlight<Written>,
    since: Stopwatch,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("gateway")
    }
}

impl Service {
    /// Nothing heard yet.
    pub fn new(config: Config, log: Arc<dyn Log>, clock: Clock, metrics: Metrics) -> Self {
        let heard = Mutex::new(Grader::new(config.machine_within));
        Self {
            shared: Arc::new(Shared {
                config,
                log,
                clock,
                metrics,
                heard,
                spool: Mutex::default(),
            }),
            writing: InFlight::default(),
            since: Stopwatch::start(),
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
        let rest = lock(&self.shared.heard).rest();
        self.shared.judge(rest);
        let drained = clock::within(LAST, self.drain()).await;
        let left = lock(&self.shared.spool).len();
        if left > 0 {
            tracing::warn!(
                left,
                "what customers did was not written: kafka did not take it"
            );
        }
        let drained = drained.unwrap_or(Ok(()));
        went.and(drained)
    }

    /// Begins to write what waits, if nothing is on its way.
    fn begin(&mut self) -> Result<(), Error> {
        let next = lock(&self.shared.spool).next(BATCH);
        if !self.writing.is_empty() || next.is_empty() {
            return Ok(());
        }
        let records: Result<Vec<_>, _> = next.iter().map(|one| self.shared.record(one)).collect();
        let (log, records) = (self.shared.log.clone(), records?);
        self.since = Stopwatch::start();
        self.writing.begin(async move {
            let written = log.produce(records).await.map(|_| ());
            (next, written)
        });
        Ok(())
    }

    fn written(&self, ended: Result<Written, Died>) -> Result<(), Error> {
        let (batch, result) = ended.map_err(|died| Error::Fatal(died.to_string()))?;
        result?;
        lock(&self.shared.spool).done(&batch);
        Ok(())
    }

    /// Writes all that is left.
    async fn drain(&mut self) -> Result<(), Error> {
        loop {
            self.begin()?;
            let Some(ended) = self.writing.next().await else {
                return Ok(());
            };
            self.written(ended)?;
        }
    }
}

impl Rounds for Service {
    type Error = Error;

    async fn round(&mut self) -> Result<Option<String>, Error> {
        clock::pause(ROUND).await;
        let ripe = lock(&self.shared.heard).ripe(self.shared.now());
        self.shared.judge(ripe);
        while let Some(ended) = self.writing.try_next() {
            self.written(ended)?;
        }
        self.begin()?;
        let is_stuck = !self.writing.is_empty() && self.since.elapsed() > PATIENCE;
        let why = "kafka does not take what customers did: it waits here";
        Ok(is_stuck.then(|| why.to_owned()))
    }
}
