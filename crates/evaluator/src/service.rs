//! The loop of the evaluator: read triggers, decide, write, and commit only what is acknowledged.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use winback_bus::{
    Error, Follower, GroupConsumer, Ledger, Log, Outgoing, Record, Waiting, dead_letter,
};
use winback_campaign::Bundles;
use winback_contract::version::{self, Unread};
use winback_contract::{
    Decision, FailedReason, FailedStage, PartitionCount, Reason, StepDecision, Topic, TopicNames,
    Trigger, Verdict,
};
use winback_journey::codec;
use winback_journey::{decide, decide::Error as Undecided};
use winback_service::rounds::{self, Rounds};
use winback_service::{Health, Shutdown};

use crate::metrics::Metrics;

/// Config of the evaluator.
#[derive(Debug, Clone)]
pub struct Config {
    /// Names of topics.
    pub names: TopicNames,
    /// Prefix of groups.
    pub groups: String,
    /// How many partitions there are.
    pub partitions: PartitionCount,
    /// Triggers taken at once.
    pub batch: usize,
}

/// See the module.
pub struct Service {
    config: Config,
    log: Arc<dyn Log>,
    member: Box<dyn GroupConsumer>,
    campaigns: Follower,
    bundles: Bundles,
    metrics: Metrics,
    /// What waits for its bundle.
    waiting: Waiting,
    ledger: Ledger,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "evaluator({:?})", self.bundles)
    }
}

impl Service {
    /// Joins the group.
    ///
    /// # Errors
    /// When the log refuses.
    pub async fn start(config: Config, log: Arc<dyn Log>, metrics: Metrics) -> Result<Self, Error> {
        let group = format!("{}evaluator", config.groups);
        let member = log
            .join(&group, &[config.names.name(Topic::Triggers)])
            .await?;
        let campaigns =
            Follower::start(log.as_ref(), &config.names.name(Topic::Campaigns), &group).await?;
        Ok(Self {
            config,
            log,
            member,
            campaigns,
            bundles: Bundles::of_a_topic(),
            metrics,
            waiting: Waiting::default(),
            ledger: Ledger::default(),
        })
    }

    /// Does what is there, within `wait`. Returns how many triggers it took.
    ///
    /// # Errors
    /// Transient ones may be retried by calling again; nothing is lost.
    pub async fn step(&mut self, wait: Duration) -> Result<usize, Error> {
        self.send().await?;
        for record in self.campaigns.records(Duration::ZERO).await? {
            self.bundles.take(&record.key, record.value.as_deref());
        }
        for reason in self.bundles.untold() {
            tracing::error!(reason, "a published bundle is left aside");
        }
        // Where a record waits nothing more is taken: what waits is bounded (INV-12), and the others go on.
        self.waiting.hold(self.member.as_mut()).await?;
        let most = self.config.batch;
        let polled = self.ledger.poll(self.member.as_mut(), most, wait).await?;
        self.waiting.revoke(&polled.assignments);
        let mut taken = polled.records.len();
        for record in self.waiting.retry().into_iter().chain(polled.records) {
            // Order per customer: behind one that waits, all of its partition wait.
            self.ledger.begin(record.topic_partition());
            if self.waiting.blocks(&record) || !self.take(&record)? {
                self.waiting.push(record);
                taken = taken.saturating_sub(1);
                continue;
            }
            self.ledger.pass(&record);
        }
        self.send().await?;
        Ok(taken)
    }

    /// False when its bundle is not here yet.
    fn take(&mut self, record: &Record) -> Result<bool, Error> {
        let payload = record.value.as_deref().unwrap_or_default();
        let trigger: Trigger = match version::read(payload) {
            Ok(trigger) => trigger,
            Err(Unread::Newer(version)) => return Ok(self.leave(version)),
            Err(Unread::Malformed(detail)) => {
                self.fail(record, FailedReason::MalformedTrigger, detail)?;
                return Ok(true);
            }
        };
        // A trigger that makes the decision panic costs its own messages, not the process (INV-8).
        let decided = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(test)]
            tests::planted(&trigger);
            decide(&self.bundles, &trigger)
        }));
        let decision = match decided {
            Ok(Ok(decision)) => decision,
            Err(_) => {
                let detail = "deciding it panics: this is a fault of winback".to_owned();
                tracing::error!(partition = %record.partition, offset = %record.offset, "{detail}");
                self.fail(record, FailedReason::Panicked, detail)?;
                skip_all(&trigger)
            }
            // Its journey has ended since: nobody began with that bundle any more when it was taken out.
            Ok(Err(Undecided::NoBundle(hash))) if self.bundles.was_gone(hash, trigger.now) => {
                skip_all(&trigger)
            }
            Ok(Err(Undecided::NoBundle(hash))) => {
                self.waiting
                    .wait_for(format!("a trigger waits for bundle {hash}"));
                return Ok(false);
            }
            Ok(Err(Undecided::Snapshot(codec::Error::Newer(version)))) => {
                return Ok(self.leave(u64::from(version)));
            }
            Ok(Err(error @ Undecided::Snapshot(_))) => {
                self.fail(record, FailedReason::UnreadableSnapshot, error.to_string())?;
                skip_all(&trigger)
            }
        };
        for step in &decision.steps {
            let verdict = match step.verdict {
                Verdict::Send { .. } => "send",
                Verdict::Hold { .. } => "hold",
                Verdict::Skip { .. } => "skip",
            };
            let reason = step.verdict.reason().map_or("", Reason::as_str);
            self.metrics
                .decisions
                .with_label_values(&[verdict, reason])
                .inc();
        }
        let value = serde_json::to_vec(&decision)
            .map_err(|error| Error::Fatal(format!("a decision can't be written: {error}")))?;
        self.ledger.put(Outgoing {
            topic: Arc::from(self.config.names.name(Topic::Decisions)),
            partition: Some(self.config.partitions.of(decision.customer)),
            key: decision.customer.to_string().into_bytes(),
            value,
            headers: Vec::new(),
        });
        Ok(true)
    }

    /// It is left to an evaluator of the release that wrote it: to skip it would lose the message.
    fn leave(&mut self, version: u64) -> bool {
        self.waiting.wait_for(format!(
            "a trigger has version {version}, of a newer release: run that release"
        ));
        false
    }

    fn fail(&mut self, record: &Record, reason: FailedReason, detail: String) -> Result<(), Error> {
        self.metrics
            .errors
            .with_label_values(&[reason.as_str()])
            .inc();
        let failed = dead_letter(record, FailedStage::Evaluator, reason, detail);
        let value = serde_json::to_vec(&failed)
            .map_err(|error| Error::Fatal(format!("a failure can't be written: {error}")))?;
        let topic = Arc::from(self.config.names.name(Topic::Failed));
        self.ledger.put(Outgoing {
            topic,
            partition: None,
            key: record.key.clone(),
            value,
            headers: Vec::new(),
        });
        Ok(())
    }

    async fn send(&mut self) -> Result<(), Error> {
        self.ledger.settle(&self.log, self.member.as_mut()).await
    }

    /// Runs until shutdown; while the log is away it waits and says so.
    ///
    /// # Errors
    /// Only those that no waiting mends.
    pub async fn run(mut self, shutdown: Shutdown, health: Health) -> Result<(), Error> {
        rounds::go(&mut self, "evaluator", (&shutdown, &health)).await?;
        self.send().await
    }
}

impl Rounds for Service {
    type Error = Error;

    async fn round(&mut self) -> Result<Option<String>, Error> {
        self.step(Duration::from_millis(50)).await?;
        Ok(self.waiting.stands().or_else(|| self.ledger.stands()))
    }
}

/// The answer to a trigger that nobody can read: nothing is sent, and the reason is told.
fn skip_all(trigger: &Trigger) -> Decision {
    let steps = trigger
        .steps
        .iter()
        .filter(|step| !step.competitor)
        .map(|step| StepDecision {
            journey: step.journey,
            campaign: step.campaign.clone(),
            step: step.step.clone(),
            verdict: Verdict::skip(Reason::Error),
        });
    Decision {
        v: Decision::VERSION,
        trigger: trigger.id,
        customer: trigger.customer,
        now: trigger.now,
        bundle: trigger.bundle,
        seen: trigger.seen.clone(),
        steps: steps.collect(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
#[path = "service_tests.rs"]
mod tests;
