//! The loop of dispatch: read messages, render, hand over to be claimed and sent, report, and commit behind the reports.
//!
//! Invariants: INV-4 (each outcome is reported as it comes), INV-8 (a position is committed when everything before it is
//! reported), INV-12 (at most `parallel` in flight). Rendering comes before the claim, so that the time between claim and
//! content is short. A message read again after a crash finds its claim taken and is left alone: sessions finds out and
//! follows the channel's policy.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use winback_bus::{
    Error, Follower, GroupConsumer, Ledger, Log, Outgoing, Progress, Ticket, Waiting,
};
use winback_campaign::{Bundles, Offered};
use winback_contract::{Channel, FailedReason, Outcome, PartitionCount, Span, Topic, TopicNames};
use winback_service::rounds::{self, Rounds};
use winback_service::tasks::{Died, InFlight};
use winback_service::{Clock, Health, Shutdown, clock};
use winback_store::Store;

use crate::catalogue::Catalogue;
use crate::metrics::Metrics;
use crate::provider::Provider;
use crate::send_limit::SendLimit;
use crate::tracking::Tracking;

/// Config of dispatch.
#[derive(Clone, Debug)]
pub struct Config {
    /// Names of topics.
    pub names: TopicNames,
    /// Prefix of groups.
    pub groups: String,
    /// How many partitions there are.
    pub partitions: PartitionCount,
    /// The channel of this deployment.
    pub channel: Channel,
    /// Messages taken at once.
    pub batch: usize,
    /// Sends at the same time.
    pub parallel: usize,
    /// From claim to report.
    pub claim_timeout: Span,
    /// Nothing is claimed where input that arrived longer ago than this may not be applied yet.
    pub most_lag: Span,
    /// If not empty, only these addresses (or `@domain`) get mail; everybody else's goes to files.
    pub only_to: BTreeSet<String>,
    /// Everything goes to files.
    pub shadow: bool,
    /// More messages than this in an hour stop the channel.
    pub send_limit: Option<u32>,
    /// How links of mails lead through the gateway; none leave them as they are.
    pub tracking: Option<Tracking>,
}

impl Config {
    /// How long a provider may take: the answer must have been reported before the claim runs out.
    pub fn answer_within(&self) -> Duration {
        let millis = u64::try_from(self.claim_timeout.as_millis()).unwrap_or(0);
        Duration::from_millis(millis - (millis / 4).min(10_000))
    }
}

mod gate;
mod prepare;
mod sender;

use prepare::{Prepared, Ready};
use sender::Sender;

/// See the module.
pub struct Service {
    log: Arc<dyn Log>,
    member: Box<dyn GroupConsumer>,
    campaigns: Follower,
    bundles: Bundles,
    catalogue: Arc<Catalogue>,
    /// Claims and sends; shared with what is in flight.
    sender: Arc<Sender>,
    /// On their way, at most `parallel`.
    flights: InFlight<Landed>,
    /// What waits for its bundle, or for its turn.
    waiting: Waiting,
    ledger: Ledger,
    progress: Progress,
    /// A question for the store's sign of life, and when it was asked.
    pulse: (InFlight<()>, Option<clock::Stopwatch>),
}

/// From one sign of life of the store to the next.
const PULSE: Duration = Duration::from_secs(2);

/// A message whose send is over: whose it was, and what there is to report.
type Landed = (Ticket, Result<Option<Outcome>, Error>);

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "dispatch({})", self.sender.config.channel)
    }
}

/// The provider of live messages, the one of all others, and the goods of the shop.
pub(crate) type Sources = (Arc<dyn Provider>, Arc<dyn Provider>, Arc<Catalogue>);

impl Service {
    /// Joins the group of its channel. `token` tells this process's claims from all others'.
    ///
    /// # Errors
    /// When the log refuses.
    pub async fn start(
        config: Config,
        log: Arc<dyn Log>,
        store: Arc<dyn Store>,
        clock: Clock,
        (provider, files, catalogue): Sources,
        metrics: Metrics,
        (shutdown, token): (Shutdown, u64),
    ) -> Result<Self, Error> {
        metrics.begin_channel(config.channel);
        let group = format!("{}dispatch.{}", config.groups, config.channel);
        let member = log
            .join(
                &group,
                &[config.names.name(Topic::Dispatch(config.channel))],
            )
            .await?;
        let campaigns =
            Follower::start(log.as_ref(), &config.names.name(Topic::Campaigns), &group).await?;
        let sender = Sender {
            send_limit: Mutex::new(SendLimit::new(config.send_limit)),
            paused: Mutex::default(),
            config,
            store,
            clock,
            provider,
            files,
            metrics,
            shutdown,
            token: AtomicU64::new(token),
            troubles: Mutex::default(),
            unanswered: Mutex::default(),
        };
        Ok(Self {
            log,
            member,
            campaigns,
            bundles: Bundles::of_a_topic(),
            catalogue,
            sender: Arc::new(sender),
            flights: InFlight::default(),
            waiting: Waiting::default(),
            ledger: Ledger::default(),
            progress: Progress::default(),
            pulse: (InFlight::default(), None),
        })
    }

    /// Does what is there, within `wait`. Returns how many messages it took.
    ///
    /// # Errors
    /// Transient ones may be retried by calling again; nothing is lost.
    pub async fn step(&mut self, wait: Duration) -> Result<usize, Error> {
        self.land().await?;
        self.follow().await?;
        // Before all switches are read a pause might be passed over.
        if !self.catalogue.follow().await? || !self.campaigns.has_caught_up() {
            return Ok(1);
        }
        // Where a bundle is awaited nothing more is taken: what waits is bounded (INV-12). And no more is taken than is
        // sent at the same time, so that a crash leaves few in doubt.
        self.waiting.hold(self.member.as_mut()).await?;
        let parallel = self.sender.config.parallel.max(1);
        let free = parallel.saturating_sub(self.flights.len());
        let most = self.sender.config.batch.min(free);
        let is_idle = self.flights.is_empty();
        let poll_for = if is_idle { wait } else { Duration::ZERO };
        let polled = self
            .ledger
            .poll(self.member.as_mut(), most, poll_for)
            .await?;
        self.waiting.revoke(&polled.assignments);
        self.progress.revoke(&polled.assignments);
        let mut taken = polled.records.len();
        for record in self.waiting.retry().into_iter().chain(polled.records) {
            // What waited for a bundle may be more than may be in flight at once.
            let is_full = self.flights.len() >= parallel;
            if is_full || self.waiting.blocks(&record) {
                self.waiting.push(record);
                taken = taken.saturating_sub(1);
                continue;
            }
            self.ledger.begin(record.topic_partition());
            match self.prepare(&record).await? {
                Prepared::Waits => {
                    self.waiting.push(record);
                    taken = taken.saturating_sub(1);
                }
                Prepared::Done => {
                    let ticket = self.progress.open(&record);
                    self.progress.close(&ticket, &mut self.ledger);
                }
                Prepared::Ready(ready) => {
                    let ticket = self.progress.open(&record);
                    self.send(ticket, ready).await?;
                }
            }
        }
        if taken == 0 && !is_idle && !self.sender.clock.is_virtual() {
            // Nothing new: whatever lands first is reported at once.
            let landed = clock::within(wait, self.flights.next()).await;
            if let Ok(Some(landed)) = landed {
                self.landed(landed)?;
            }
        }
        self.land().await?;
        Ok(taken)
    }

    /// Reads bundles and switches.
    async fn follow(&mut self) -> Result<(), Error> {
        let news = self.campaigns.records(Duration::ZERO).await?;
        for record in &news {
            let offered = self.bundles.take(&record.key, record.value.as_deref());
            if let Offered::Switched(switch) = offered {
                tracing::warn!(
                    scope = %switch.scope,
                    paused = switch.paused,
                    "a switch was thrown"
                );
                if !switch.paused && switch.scope == self.sender.scope() {
                    self.sender.send_limit().reset(switch.at);
                }
            }
        }
        for reason in self.bundles.untold() {
            tracing::error!(reason, "a published bundle is left aside");
        }
        if !news.is_empty() {
            self.sender.pause(self.bundles.paused());
        }
        Ok(())
    }

    /// Begins a send. In virtual time it is over at once: what is reported must not depend on which was faster.
    async fn send(&mut self, ticket: Ticket, ready: Ready) -> Result<(), Error> {
        let sender = self.sender.clone();
        // Whether it went out is not known then: its claim runs out, and sessions goes by the channel's policy.
        let handled = async move {
            let handled = AssertUnwindSafe(sender.handle(ready)).catch_unwind().await;
            handled.unwrap_or_else(|_| {
                tracing::error!(channel = %sender.config.channel, "a send panicked: this is a fault of winback");
                let reason = FailedReason::Panicked.as_str();
                let metrics = &sender.metrics.dead_letters;
                metrics.with_label_values(&["dispatch", reason]).inc();
                Ok(None)
            })
        };
        if self.sender.clock.is_virtual() {
            let outcome = handled.await;
            return self.landed(Ok((ticket, outcome)));
        }
        self.flights.begin(async move { (ticket, handled.await) });
        Ok(())
    }

    /// Reports what is over, and commits behind it: each as it comes, the slow ones hold up nobody (INV-4).
    async fn land(&mut self) -> Result<(), Error> {
        while let Some(landed) = self.flights.try_next() {
            self.landed(landed)?;
        }
        self.tell_of_fuse()?;
        self.settle().await
    }

    fn landed(&mut self, landed: Result<Landed, Died>) -> Result<(), Error> {
        let (ticket, outcome) = landed.map_err(|died| Error::Fatal(died.to_string()))?;
        self.ledger.begin(ticket.topic_partition().clone());
        if let Some(outcome) = outcome? {
            self.report(&outcome)?;
        }
        self.progress.close(&ticket, &mut self.ledger);
        Ok(())
    }

    fn report(&mut self, outcome: &Outcome) -> Result<(), Error> {
        let topic = self.sender.config.names.name(Topic::Outcomes);
        let partition = self.sender.config.partitions.of(outcome.customer);
        self.put(
            &topic,
            Some(partition),
            outcome.customer.to_string().into_bytes(),
            serde_json::to_vec(outcome),
        )
    }

    fn put(
        &mut self,
        topic: &str,
        partition: Option<winback_contract::Partition>,
        key: Vec<u8>,
        value: serde_json::Result<Vec<u8>>,
    ) -> Result<(), Error> {
        let value =
            value.map_err(|error| Error::Fatal(format!("a report can't be written: {error}")))?;
        self.ledger.put(Outgoing {
            topic: Arc::from(topic),
            partition,
            key,
            value,
            headers: Vec::new(),
        });
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), Error> {
        self.ledger.settle(&self.log, self.member.as_mut()).await
    }

    /// Runs until shutdown; while log or store are away it waits and says so.
    ///
    /// # Errors
    /// Only those that no waiting mends.
    pub async fn run(mut self, health: Health) -> Result<(), Error> {
        let part = format!("dispatch.{}", self.sender.config.channel);
        let shutdown = self.sender.shutdown.clone();
        let went = rounds::go(&mut self, &part, (&shutdown, &health)).await;
        let drained = self.drain().await;
        if let (Err(_), Err(other)) = (&went, &drained) {
            tracing::warn!(error = %other, "what was on its way could not be reported");
        }
        went.and(drained)
    }

    /// Asks for the store's pulse beside the loop, one question at a time, every two seconds.
    fn feel_pulse(&mut self) {
        while self.pulse.0.try_next().is_some() {}
        let lasts = self.pulse.1.is_some_and(|asked| asked.elapsed() < PULSE);
        if self.pulse.0.is_empty() && !lasts {
            self.pulse.1 = Some(clock::Stopwatch::start());
            let sender = self.sender.clone();
            self.pulse.0.begin(async move { sender.feel_pulse().await });
        }
    }

    /// What is on its way has its deadline, and is reported whatever else went wrong.
    async fn drain(&mut self) -> Result<(), Error> {
        let mut first = Ok(());
        while let Some(landed) = self.flights.next().await {
            let landed = self.landed(landed);
            let settled = self.settle().await;
            first = first.and(landed).and(settled);
        }
        first.and(self.settle().await)
    }
}

impl Rounds for Service {
    type Error = Error;

    async fn round(&mut self) -> Result<Option<String>, Error> {
        self.feel_pulse();
        self.step(Duration::from_millis(50)).await?;
        let stands = self.waiting.stands().or_else(|| self.ledger.stands());
        Ok(stands.or_else(|| self.sender.stands()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
#[path = "service_tests.rs"]
mod tests;
