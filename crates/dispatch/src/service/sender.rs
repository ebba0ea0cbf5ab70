//! One message from its claim to its outcome. What is in flight shares this, and nothing else.
//!
//! Invariants: INV-4 (one claim, one attempt, an answer before the claim runs out), INV-5 (nothing goes out without a
//! claim). Absent: order, positions, and what becomes of the outcome.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use winback_bus::Error;
use winback_contract::{Message, Outcome, OutcomeStatus, Reason, Scope, Timestamp, is_paused};
use winback_service::outage::Outage;
use winback_service::{Clock, Shutdown, clock};
use winback_store::{Claim, ClaimTerms, Store};

use super::Config;
use super::gate::Room;
use super::prepare::Ready;
use crate::compose::RenderedMessage;
use crate::metrics::Metrics;
use crate::provider::{Deadline, Provider, SendResult};
use crate::send_limit::SendLimit;

/// See the module.
pub(super) struct Sender {
    pub(super) config: Config,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Clock,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) files: Arc<dyn Provider>,
    pub(super) metrics: Metrics,
    pub(super) shutdown: Shutdown,
    pub(super) token: AtomicU64,
    pub(super) send_limit: Mutex<SendLimit>,
    /// What is paused now.
    pub(super) paused: Mutex<BTreeSet<Scope>>,
    /// What providers refuse, put off and leave open: told when it begins, and then once a minute.
    pub(super) troubles: Mutex<[Outage; 3]>,
    /// Why the newest claim that was tried got no answer.
    pub(super) unanswered: Mutex<Option<String>>,
}

impl Sender {
    fn paused(&self) -> MutexGuard<'_, BTreeSet<Scope>> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this is paused.
    pub(super) fn pause<'s>(&self, scopes: impl Iterator<Item = &'s Scope>) {
        *self.paused() = scopes.cloned().collect();
    }

    /// Asks the store for a sign of life: nobody knows that none can be claimed while none is to be.
    pub(super) async fn feel_pulse(&self) {
        let answer = self.store.time().await;
        *self.unanswered() = answer.err().map(|error| error.to_string());
    }

    /// Why no message can be claimed now, if none can.
    pub(super) fn stands(&self) -> Option<String> {
        self.unanswered().clone()
    }

    fn unanswered(&self) -> MutexGuard<'_, Option<String>> {
        self.unanswered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, sent: &SendResult, message: &Message) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let (place, detail, what) = match sent {
            SendResult::Accepted { .. } => return,
            SendResult::Refused { detail, .. } => (0, detail, "messages are refused"),
            SendResult::NotNow { detail, .. } => (1, detail, "messages can't be sent now"),
            SendResult::Unknown { detail } => (2, detail, "nobody knows whether messages went out"),
        };
        if let Some(untold) = troubles[place].failed() {
            tracing::warn!(message = %message.id, detail, untold, "{what}");
        }
    }

    pub(super) async fn handle(&self, ready: Ready) -> Result<Option<Outcome>, Error> {
        let message = match &ready {
            Ready::Report(message, ..) => message.as_ref(),
            Ready::Rendered(parts) => &parts.0,
        };
        // Whatever is to be said of a message is said under its claim: a copy that is read again after it went out
        // must not say that it did not (INV-4).
        let token = self.token.fetch_add(1, Ordering::SeqCst);
        // Somebody waits for an answer from the moment the claim is made, which may be long before its answer comes.
        let deadline = Deadline::after(self.config.answer_within());
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
            // The claim was made, and its answer came too late to send anything: the step is judged anew.
            Claim::Claimed if deadline.left(Duration::MAX).is_zero() => {
                Ok(Some(self.deferred(message, None)))
            }
            Claim::Claimed => Ok(Some(self.claimed(ready, deadline).await?)),
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
    async fn claimed(&self, ready: Ready, deadline: Deadline) -> Result<Outcome, Error> {
        let (message, mail, shadow) = match ready {
            Ready::Report(message, status, reason) => {
                return Ok(self.outcome(&message, status, Some(reason), None));
            }
            Ready::Rendered(parts) => *parts,
        };
        let channel = Some(self.config.channel);
        let paused = is_paused(self.paused().iter(), &message.campaign, channel);
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
        let outcome = self.deliver(&message, &mail, shadow, deadline).await;
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
                Ok(claim) => {
                    *self.unanswered() = None;
                    return Ok(claim);
                }
                Err(winback_store::Error::Fatal(reason)) => return Err(Error::Fatal(reason)),
                Err(winback_store::Error::Unavailable(reason)) if self.shutdown.is_raised() => {
                    return Err(Error::Unavailable(reason));
                }
                Err(winback_store::Error::Unavailable(reason)) => {
                    if let Some(untold) = outage.failed() {
                        tracing::warn!(reason, untold, "a claim waits for the store");
                    }
                    *self.unanswered() = Some(format!("a claim waits: {reason}"));
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
        mail: &RenderedMessage,
        shadow: bool,
        deadline: Deadline,
    ) -> Outcome {
        let provider = if shadow { &self.files } else { &self.provider };
        let labels = [self.config.channel.as_str(), provider.name()];
        let watch = clock::Stopwatch::start();
        let sent = provider.send(mail, deadline).await;
        self.metrics
            .send_seconds
            .with_label_values(&labels)
            .observe(watch.elapsed().as_secs_f64());
        self.metrics
            .responses
            .with_label_values(&[labels[0], labels[1], sent.class()])
            .inc();
        self.tell(&sent, message);
        match sent {
            SendResult::Accepted { provider_id } => {
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
            SendResult::Refused { address_is_bad, .. } => {
                let reason = if address_is_bad {
                    Reason::Suppressed
                } else {
                    Reason::Refused
                };
                self.outcome(message, OutcomeStatus::Refused, Some(reason), None)
            }
            SendResult::NotNow { retry_after, .. } => {
                // The claim stays: the step is granted anew as another attempt, so a second copy finds it taken.
                let reason = Some(Reason::ProviderDown);
                let deferred = self.outcome(message, OutcomeStatus::Deferred, reason, None);
                Outcome {
                    retry_at: retry_after.map(|span| deferred.at + span),
                    ..deferred
                }
            }
            SendResult::Unknown { .. } => {
                self.outcome(message, OutcomeStatus::Unknown, Some(Reason::Unknown), None)
            }
        }
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
}
