//! What is due, and the input frontier, asked for beside the loop: a topic that does not answer holds timers, never the
//! application of what has arrived (INV-5, INV-6).
//!
//! Absent: what the frontier means; see [`winback_bus::frontier`].

use winback_bus::frontier::Frontier;
use winback_contract::{Partition, Timestamp, Topic};
use winback_service::outage::Outage;
use winback_service::tasks::InFlight;

use super::{Service, lasts};
use crate::config::Config;
use crate::error::Error;
use crate::partition::OwnedPartition;
use crate::probe::probe;
use crate::turn::Shared;

/// How far it came, and what stopped it.
type Answer = (Frontier, Result<(), Error>);

/// The frontier as of the last answer, and the question that is on its way.
pub(super) struct Asked {
    known: Frontier,
    question: InFlight<Answer>,
    /// When it was asked last, milliseconds.
    at: i64,
    /// Whether it can be asked for.
    outage: Outage,
}

impl Asked {
    /// Nobody has asked yet.
    pub(super) fn new(config: &Config) -> Self {
        Self {
            known: unknown(config),
            question: InFlight::default(),
            at: 0,
            outage: Outage::default(),
        }
    }

    /// What was vouched for is void: also what a question on its way would say.
    pub(super) fn begin_anew(&mut self, config: &Config) {
        self.known = unknown(config);
        self.question = InFlight::default();
    }

    /// The frontier of a partition.
    pub(super) fn of(&self, partition: Partition) -> Timestamp {
        self.known.of(partition)
    }

    /// What it waits for; see [`Frontier::behind`].
    pub(super) fn behind(&self) -> impl Iterator<Item = (&str, Option<Option<Timestamp>>)> {
        self.known.behind()
    }

    /// Whether a question is on its way.
    #[cfg(test)]
    pub(super) fn is_asked(&self) -> bool {
        !self.question.is_empty()
    }

    /// The question, to be begun or waited for.
    fn question(
        &self,
        shared: &Shared,
        now: Timestamp,
    ) -> impl Future<Output = Answer> + Send + 'static {
        let (log, store) = (shared.log.clone(), shared.store.clone());
        let (config, mut frontier) = (shared.config.clone(), self.known.clone());
        async move {
            let (log, store) = (log.as_ref(), store.as_ref());
            let answer = probe(&mut frontier, &config, log, store, now).await;
            (frontier, answer)
        }
    }

    /// Takes the answer of a question that was begun, if it is there.
    fn hear(&mut self) -> Result<(), Error> {
        match self.question.try_next() {
            None => Ok(()),
            Some(Ok(answer)) => self.take(answer),
            Some(Err(died)) => Err(Error::Fatal(died.to_string())),
        }
    }

    /// A frontier that can't be asked for holds timers and is told; only what a person must mend ends the loop.
    fn take(&mut self, (frontier, answer): Answer) -> Result<(), Error> {
        self.known = frontier;
        match answer {
            Ok(()) => {
                if self.outage.is_over() {
                    tracing::info!("the input frontier is known again: timers go on");
                }
                Ok(())
            }
            Err(Error::Unavailable(reason)) => {
                if let Some(untold) = self.outage.failed() {
                    tracing::warn!(
                        reason,
                        untold,
                        "timers wait: the input frontier can't be asked for"
                    );
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

impl Service {
    /// Asks for the frontier while something is due. In virtual time the answer is waited for: what is produced must
    /// not depend on which task was faster.
    pub(super) async fn look_at_timers(&mut self) -> Result<(), Error> {
        self.frontier.hear()?;
        for owned in self
            .owned
            .values_mut()
            .filter(|owned| owned.earliest_is_stale)
        {
            owned.earliest = self.shared.store.earliest(owned.partition).await?;
            owned.earliest_is_stale = false;
        }
        let wanted = self.owned.values().any(|owned| {
            owned.earliest.is_some()
                || owned.next_call.is_some()
                || owned.meta.sweep.is_some()
                || is_sending(owned)
        });
        let is_virtual = self.shared.clock.is_virtual();
        let here = self.shared.clock.now_millis();
        let pause = i64::try_from(self.shared.config.probe_every.as_millis()).unwrap_or(i64::MAX);
        let too_soon = lasts(self.frontier.at, here, pause) && !is_virtual;
        if !wanted || too_soon || !self.frontier.question.is_empty() {
            return Ok(());
        }
        let now = self.shared.store.time().await?;
        let due = |owned: &OwnedPartition| {
            owned.meta.sweep.is_some()
                || is_sending(owned)
                || owned.earliest.is_some_and(|earliest| earliest <= now)
                || owned.next_call.is_some_and(|call| call <= now)
        };
        if !self.owned.values().any(due) {
            return Ok(());
        }
        self.frontier.at = here;
        let question = self.frontier.question(&self.shared, now);
        if is_virtual {
            let answer = question.await;
            return self.frontier.take(answer);
        }
        self.frontier.question.begin(question);
        Ok(())
    }
}

/// A frontier that nobody has asked for yet.
fn unknown(config: &Config) -> Frontier {
    let [events, outcomes] = [Topic::Events, Topic::Outcomes].map(|topic| config.names.name(topic));
    let partitions = config.partitions.get();
    Frontier::new(config.sources.clone(), &events, &outcomes, partitions)
}

/// Whether a message may be claimed soon: its partition's lease must be fresh then.
fn is_sending(owned: &OwnedPartition) -> bool {
    owned.meta.in_flight > 0 || owned.meta.open_triggers > 0
}
