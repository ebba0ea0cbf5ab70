//! What Kafka knows of partitions that are to be taken over, asked beside the loop: one of which nothing can be learned, as one
//! without a leader, holds up neither the others that are wanted nor those that are owned (INV-1, INV-8).
//!
//! Absent: what it means that the store is behind it; see [`crate::recover`].

use std::collections::{BTreeMap, BTreeSet};

use winback_contract::Partition;
use winback_service::outage::Outage;
use winback_service::tasks::InFlight;
use winback_store::Standing;

use super::{Service, lasts};
use crate::error::Error;
use crate::recover::{Found, known};

/// Of each partition that was asked for.
type Answer = Result<Found, Error>;

/// So long nothing can be learned before it is asked for again, in milliseconds.
const AGAIN: i64 = 2_000;

/// The question that is on its way, and what was answered.
#[derive(Default)]
pub(super) struct Newcomers {
    question: InFlight<Answer>,
    /// They were revoked while it was on its way: somebody else may have gone on from what it finds.
    void: BTreeSet<Partition>,
    learned: BTreeMap<Partition, Standing>,
    /// Why nothing is known.
    unknown: BTreeMap<Partition, String>,
    /// When that was found, milliseconds.
    failed: i64,
    outage: Outage,
}

impl Newcomers {
    /// One of those that are wanted of which it is known how far it was; it has to be asked for anew for another try.
    pub(super) fn next(&mut self, wanted: &[Partition]) -> Option<(Partition, Standing)> {
        let partition = wanted
            .iter()
            .find(|wanted| self.learned.contains_key(*wanted))?;
        Some((*partition, self.learned.remove(partition)?))
    }

    /// It is not wanted any more.
    pub(super) fn forget(&mut self, partition: Partition) {
        self.learned.remove(&partition);
        self.unknown.remove(&partition);
        if !self.question.is_empty() {
            self.void.insert(partition);
        }
    }

    /// The first that can't be taken over, how many more, and why.
    pub(super) fn stands(&self) -> Option<String> {
        let (first, why) = self.unknown.iter().next()?;
        let more = self.unknown.len() - 1;
        Some(format!(
            "partition {first} and {more} more can't be taken over yet: {why}"
        ))
    }

    fn take(&mut self, answer: Answer, here: i64) -> Result<(), Error> {
        let void = std::mem::take(&mut self.void);
        for (partition, answer) in answer? {
            if void.contains(&partition) {
                continue;
            }
            self.learned.remove(&partition);
            self.unknown.remove(&partition);
            match answer {
                Ok(standing) => drop(self.learned.insert(partition, standing)),
                Err(why) => drop(self.unknown.insert(partition, why)),
            }
        }
        match self.stands() {
            Some(why) => {
                self.failed = here;
                if let Some(untold) = self.outage.failed() {
                    tracing::warn!(why, untold, "partitions wait for their owner");
                }
            }
            None => {
                if self.outage.is_over() {
                    tracing::info!("all partitions can be taken over");
                }
            }
        }
        Ok(())
    }
}

impl Service {
    /// Asks of those that are wanted. In virtual time the answer is waited for.
    pub(super) async fn ask_of_wanted(&mut self) -> Result<(), Error> {
        let here = self.shared.clock.now_millis();
        if let Some(answer) = self.newcomers.question.try_next() {
            let answer = answer.map_err(|died| Error::Fatal(died.to_string()))?;
            self.newcomers.take(answer, here)?;
        }
        let (wanted, newcomers) = (&self.wanted, &mut self.newcomers);
        // What was revoked while it was asked for is nobody's news.
        newcomers
            .learned
            .retain(|partition, _| wanted.contains(partition));
        newcomers
            .unknown
            .retain(|partition, _| wanted.contains(partition));
        // In virtual time nothing passes by itself.
        let is_virtual = self.shared.clock.is_virtual();
        let too_soon = !is_virtual && lasts(newcomers.failed, here, AGAIN);
        let asked = wanted.iter().copied();
        let asked = asked.filter(|partition| {
            let waits = too_soon && newcomers.unknown.contains_key(partition);
            !(waits || newcomers.learned.contains_key(partition))
        });
        let asked: Vec<Partition> = asked.collect();
        if asked.is_empty() || !newcomers.question.is_empty() {
            return Ok(());
        }
        let (log, config) = (self.shared.log.clone(), self.shared.config.clone());
        let question = async move { known(log.as_ref(), &config, &asked).await };
        if is_virtual {
            let answer = question.await;
            return self.newcomers.take(answer, here);
        }
        self.newcomers.question.begin(question);
        Ok(())
    }
}
