//! The loop of dispatch: read messages, claim, render, send, report, and commit behind the reports.
//!
//! Rendering comes before the claim, so that the time between claim and content is short. A message read again
//! after a crash finds its claim taken and is left alone: sessions finds out and follows the channel's policy.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use winback_bus::{Error, Follower, Ledger, Log, Member, Outgoing, Record, Waiting};
use winback_campaign::model::Mode;
use winback_contract::{
    Channel, Failed, FailedReason, FailedStage, Message, Outcome, OutcomeStatus, PartitionCount,
    Reason, Span, Timestamp, Topic, TopicNames, is_paused,
};
use winback_journey::{Bundles, Offered};
use winback_service::outage::Outage;
use winback_service::{Clock, Health, Shutdown, clock};
use winback_store::{Claim, ClaimTerms, Store};

use crate::catalogue::Catalogue;
use crate::compose::{Mail, compose};
use crate::fuse::Fuse;
use crate::metrics::Metrics;
use crate::provider::{Provider, Sent};

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
    pub fuse: Option<u32>,
}

mod gate;

use gate::Room;

/// See the module.
pub struct Service {
    config: Config,
    log: Arc<dyn Log>,
    store: Arc<dyn Store>,
    clock: Clock,
    member: Box<dyn Member>,
    campaigns: Follower,
    bundles: Bundles,
    catalogue: Arc<Catalogue>,
    provider: Arc<dyn Provider>,
    files: Arc<dyn Provider>,
    metrics: Metrics,
    shutdown: Shutdown,
    token: AtomicU64,
    /// What waits for its bundle.
    waiting: Waiting,
    ledger: Ledger,
    fuse: Mutex<Fuse>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "dispatch({})", self.config.channel)
    }
}

/// The provider of live messages, the one of all others, and the goods of the shop.
pub type Sources = (Arc<dyn Provider>, Arc<dyn Provider>, Arc<Catalogue>);

/// A message, ready to be sent, or what to report instead.
enum Ready {
    Mail(Box<(Message, Mail, bool)>),
    Report(Box<Message>, OutcomeStatus, Reason),
}

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
        let group = format!("{}dispatch.{}", config.groups, config.channel);
        let member = log
            .join(
                &group,
                &[config.names.name(Topic::Dispatch(config.channel))],
            )
            .await?;
        let campaigns =
            Follower::start(log.as_ref(), &config.names.name(Topic::Campaigns), &group).await?;
        let fuse = Mutex::new(Fuse::new(config.fuse));
        Ok(Self {
            fuse,
            config,
            log,
            store,
            clock,
            member,
            campaigns,
            bundles: Bundles::default(),
            catalogue,
            provider,
            files,
            metrics,
            shutdown,
            token: AtomicU64::new(token),
            waiting: Waiting::default(),
            ledger: Ledger::default(),
        })
    }

    /// Does what is there, within `wait`. Returns how many messages it took.
    ///
    /// # Errors
    /// Transient ones may be retried by calling again; nothing is lost.
    pub async fn step(&mut self, wait: Duration) -> Result<usize, Error> {
        self.send().await?;
        for value in self.campaigns.poll(Duration::ZERO).await? {
            match self.bundles.offer(&value) {
                Offered::Refused(reason) => {
                    tracing::error!(reason, "a published bundle is left aside");
                }
                Offered::Switched(switch) => {
                    tracing::warn!(
                        scope = %switch.scope,
                        paused = switch.paused,
                        "a switch was thrown"
                    );
                    if !switch.paused && switch.scope == self.scope() {
                        self.fuse().mend(switch.at);
                    }
                }
                Offered::Taken(_) | Offered::Known | Offered::Activated(_) => {}
            }
        }
        // Before all switches are read a pause might be passed over.
        if !self.catalogue.follow().await? || !self.campaigns.has_caught_up() {
            return Ok(1);
        }
        // While a bundle is awaited nothing more is taken: what waits is bounded (INV-12). And no more is taken than is
        // sent at the same time: what is sent is reported before the next is claimed, so that a crash leaves few in doubt.
        let most = if self.waiting.is_empty() {
            self.config.batch.min(self.config.parallel.max(1))
        } else {
            0
        };
        let polled = self.member.poll(most, wait).await?;
        self.waiting.revoke(&polled.assignments);
        self.ledger.revoke(&polled.assignments);
        let mut taken = polled.records.len();
        let mut ready = Vec::new();
        for record in self.waiting.retry().into_iter().chain(polled.records) {
            if self.waiting.blocks(&record) || !self.prepare(&record, &mut ready).await? {
                self.waiting.push(record);
                taken = taken.saturating_sub(1);
                continue;
            }
            self.ledger.pass(&record);
        }
        let this = &*self;
        let parallel = this.config.parallel.max(1);
        let outcomes: Vec<Result<Option<Outcome>, Error>> = stream::iter(ready)
            .map(|ready| this.handle(ready))
            .buffered(parallel)
            .collect()
            .await;
        self.tell_of_fuse()?;
        let mut problem = None;
        for outcome in outcomes {
            match outcome {
                Ok(Some(outcome)) => self.report(&outcome)?,
                Ok(None) => {}
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        if let Some(error) = problem {
            // What was sent is reported; nothing is committed, so the rest is read again after a restart.
            self.ledger.forget_positions();
            self.send().await?;
            return Err(error);
        }
        self.send().await?;
        Ok(taken)
    }

    /// Reads and renders. False when the bundle is not here yet.
    async fn prepare(&mut self, record: &Record, ready: &mut Vec<Ready>) -> Result<bool, Error> {
        let payload = record.value.as_deref().unwrap_or_default();
        let mut message: Message = match serde_json::from_slice(payload) {
            Ok(message) => message,
            Err(error) => {
                let detail = format!(
                    "not a message at line {} column {}",
                    error.line(),
                    error.column()
                );
                let place = (
                    record.topic.as_ref(),
                    record.partition,
                    record.offset,
                    record.time,
                );
                let failed = Failed::new(
                    FailedStage::Dispatch,
                    FailedReason::MalformedMessage,
                    detail,
                    place,
                    payload,
                );
                self.metrics
                    .dead_letters
                    .with_label_values(&["dispatch", FailedReason::MalformedMessage.as_str()])
                    .inc();
                let topic = self.config.names.name(Topic::Failed);
                self.put(
                    &topic,
                    None,
                    record.key.clone(),
                    serde_json::to_vec(&failed),
                )?;
                return Ok(true);
            }
        };
        let Some(bundle) = self.bundles.get(message.bundle) else {
            tracing::warn!(bundle = %message.bundle, "a message waits for its bundle");
            return Ok(false);
        };
        let shadow = self.config.shadow
            || bundle
                .campaign(&message.campaign)
                .is_some_and(|campaign| campaign.mode == Mode::Shadow)
            || !self.is_allowed(&message.address);
        if self.catalogue.refresh(&mut message.facts).await.is_err() {
            let message = Box::new(message);
            ready.push(Ready::Report(
                message,
                OutcomeStatus::Refused,
                Reason::NoStock,
            ));
            return Ok(true);
        }
        let composed = if self.provider.reads_texts() {
            compose(bundle, &message)
        } else {
            Ok(Mail::without_texts(&message))
        };
        ready.push(match composed {
            Ok(mail) => Ready::Mail(Box::new((message, mail, shadow))),
            Err(failure) => {
                self.metrics.template_errors.with_label_values(&[self.config.channel.as_str()]).inc();
                tracing::error!(%failure, campaign = message.campaign, step = message.step, "a text could not be made");
                Ready::Report(Box::new(message), OutcomeStatus::Refused, Reason::TemplateError)
            }
        });
        Ok(true)
    }

    async fn handle(&self, ready: Ready) -> Result<Option<Outcome>, Error> {
        let message = match &ready {
            Ready::Report(message, ..) => message.as_ref(),
            Ready::Mail(parts) => &parts.0,
        };
        // Whatever is to be said of a message is said under its claim: a copy that is read again after it went out
        // must not say that it did not (INV-4).
        let token = self.token.fetch_add(1, Ordering::SeqCst);
        let claim = self.claim(message, token).await?;
        let word = match claim {
            Claim::Claimed => "claimed",
            Claim::Gone => "gone",
            Claim::Moved => "moved",
            Claim::Taken => "taken",
            Claim::Stale => "stale",
            Claim::Sent => "sent",
            Claim::OutsideWindow => "window",
            Claim::Lagging => "lag",
        };
        self.metrics
            .claims
            .with_label_values(&[self.config.channel.as_str(), word])
            .inc();
        match claim {
            Claim::Claimed => Ok(Some(self.claimed(ready).await?)),
            // It went out in a time that the store has forgotten: the step goes on as if it had gone out now (INV-4).
            Claim::Sent => Ok(Some(self.outcome(message, OutcomeStatus::Sent, None, None))),
            Claim::Moved => Ok(Some(self.outcome(
                message,
                OutcomeStatus::Moved,
                Some(Reason::Moved),
                None,
            ))),
            // The permission was taken back, or the window is over: if the step is still wanted it is judged again.
            Claim::Gone | Claim::OutsideWindow => Ok(Some(self.outcome(
                message,
                OutcomeStatus::Deferred,
                None,
                None,
            ))),
            // Sessions or ingest are behind or away: the order may lie in Kafka already (INV-5).
            Claim::Lagging => Ok(Some(self.deferred(message, Some(Reason::InputLag)))),
            // Somebody else sends it, or a newer attempt was granted.
            Claim::Taken | Claim::Stale => Ok(None),
        }
    }

    /// What becomes of a message that may be sent now.
    async fn claimed(&self, ready: Ready) -> Result<Outcome, Error> {
        let (message, mail, shadow) = match ready {
            Ready::Report(message, status, reason) => {
                return Ok(self.outcome(&message, status, Some(reason), None));
            }
            Ready::Mail(parts) => *parts,
        };
        let paused = is_paused(
            self.bundles.paused(),
            &message.campaign,
            Some(self.config.channel),
        );
        // Its step is judged again, and held until the pause is over.
        let room = match paused {
            true => Room::None,
            false if shadow => Room::Free,
            false => self.room().await?,
        };
        match room {
            Room::Free => {}
            Room::None => return Ok(self.deferred(&message, Some(Reason::Paused))),
            Room::Unknown => return Ok(self.deferred(&message, None)),
        }
        let outcome = self.deliver(&message, &mail, shadow).await?;
        if !shadow && !matches!(outcome.status, OutcomeStatus::Sent | OutcomeStatus::Unknown) {
            self.make_room().await;
        }
        Ok(outcome)
    }

    fn deferred(&self, message: &Message, reason: Option<Reason>) -> Outcome {
        self.outcome(message, OutcomeStatus::Deferred, reason, None)
    }

    async fn claim(&self, message: &Message, token: u64) -> Result<Claim, Error> {
        let terms = ClaimTerms {
            timeout: self.config.claim_timeout,
            most_lag: self.config.most_lag,
        };
        let mut outage = Outage::default();
        loop {
            // The same token: if an answer was lost, the next one says the same.
            match self
                .store
                .claim(message.partition, message.id, message.attempt, token, terms)
                .await
            {
                Ok(claim) => return Ok(claim),
                Err(winback_store::Error::Fatal(reason)) => return Err(Error::Fatal(reason)),
                Err(winback_store::Error::Unavailable(reason)) if self.shutdown.is_raised() => {
                    return Err(Error::Unavailable(reason));
                }
                Err(winback_store::Error::Unavailable(reason)) => {
                    if let Some(untold) = outage.failed() {
                        tracing::warn!(reason, untold, "a claim waits for the store");
                    }
                    if !self.clock.is_virtual() {
                        clock::pause(Duration::from_millis(200)).await;
                    }
                }
            }
        }
    }

    async fn deliver(
        &self,
        message: &Message,
        mail: &Mail,
        shadow: bool,
    ) -> Result<Outcome, Error> {
        let provider = if shadow { &self.files } else { &self.provider };
        let labels = [self.config.channel.as_str(), provider.name()];
        let watch = clock::Stopwatch::start();
        let sent = provider.send(mail).await;
        self.metrics
            .send_seconds
            .with_label_values(&labels)
            .observe(watch.elapsed().as_secs_f64());
        self.metrics
            .responses
            .with_label_values(&[provider.name(), sent.class()])
            .inc();
        Ok(match sent {
            Sent::Accepted { provider_id } => {
                let taken = self.clock.now_millis() - message.not_before.as_millis();
                self.metrics
                    .end_to_end
                    .with_label_values(&labels)
                    .observe(taken.max(0) as f64 / 1_000.0);
                Outcome {
                    rehearsed: shadow,
                    ..self.outcome(message, OutcomeStatus::Sent, None, provider_id)
                }
            }
            Sent::Refused {
                detail,
                address_is_bad,
            } => {
                tracing::warn!(message = %message.id, detail, "a message was refused");
                let reason = if address_is_bad {
                    Reason::Suppressed
                } else {
                    Reason::Refused
                };
                self.outcome(message, OutcomeStatus::Refused, Some(reason), None)
            }
            Sent::NotNow {
                detail,
                retry_after,
            } => {
                tracing::warn!(message = %message.id, detail, "a message can't be sent now");
                // The claim stays: the step is granted anew as another attempt, so a second copy finds it taken.
                let reason = Some(Reason::ProviderDown);
                let deferred = self.outcome(message, OutcomeStatus::Deferred, reason, None);
                Outcome {
                    retry_at: retry_after.map(|span| deferred.at + span),
                    ..deferred
                }
            }
            Sent::Unknown { detail } => {
                tracing::warn!(message = %message.id, detail, "nobody knows whether a message went out");
                self.outcome(message, OutcomeStatus::Unknown, Some(Reason::Unknown), None)
            }
        })
    }

    fn outcome(
        &self,
        message: &Message,
        status: OutcomeStatus,
        reason: Option<Reason>,
        provider_id: Option<String>,
    ) -> Outcome {
        Outcome {
            v: Outcome::VERSION,
            message: message.id,
            customer: message.customer,
            channel: message.channel,
            attempt: message.attempt,
            status,
            reason,
            provider_id,
            bot: false,
            rehearsed: false,
            retry_at: None,
            at: Timestamp::from_millis(self.clock.now_millis()),
        }
    }

    fn report(&mut self, outcome: &Outcome) -> Result<(), Error> {
        let topic = self.config.names.name(Topic::Outcomes);
        let partition = self.config.partitions.of(outcome.customer);
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

    async fn send(&mut self) -> Result<(), Error> {
        self.ledger
            .settle(self.log.as_ref(), self.member.as_mut())
            .await
    }

    /// Runs until shutdown; while log or store are away it waits and says so.
    ///
    /// # Errors
    /// Only those that no waiting mends.
    pub async fn run(mut self, health: Health) -> Result<(), Error> {
        let part = format!("dispatch.{}", self.config.channel);
        health.goes_round(&part);
        while !self.shutdown.is_raised() {
            match self.step(Duration::from_millis(50)).await {
                Ok(_) => health.goes_round(&part),
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "dispatch waits");
                    health.not_ready(&part, error.to_string());
                    clock::pause(Duration::from_millis(500)).await;
                }
                Err(error) => return Err(error),
            }
        }
        self.send().await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
#[path = "service_tests.rs"]
mod tests;
