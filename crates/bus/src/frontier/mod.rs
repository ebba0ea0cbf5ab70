//! The input frontier (INV-6, design §3): the time up to which everything that arrived has been applied.
//!
//! Two laps. First every live source must be ingested up to the ends noted at T, and every partition must have
//! applied the events of that; then what those caused in other partitions (forwards, through outboxes) must be
//! applied too. Absent: the store; positions of partitions are given.

mod ingested;

use std::collections::BTreeMap;
use std::sync::Arc;

use winback_contract::{Offset, Partition, Timestamp};

use crate::error::Error;
use crate::log::Log;
use ingested::Ingested;

/// A live source of raw records and the group that ingests it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its topic, with the prefix.
    pub topic: String,
    /// The group of ingest.
    pub group: String,
}

/// What a partition has applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Next offset in `events`.
    pub events: Offset,
    /// Next offset in `outcomes`.
    pub outcomes: Offset,
    /// Entries ever put into its outbox.
    pub pushed: u64,
    /// Entries Kafka has.
    pub trimmed: u64,
}

#[derive(Clone, Debug)]
enum Lap {
    Ingest { raw: Vec<Vec<Offset>> },
    First { events: Vec<Offset> },
    Outboxes { pushed: Vec<u64> },
    Second { events: Vec<Offset> },
}

/// The probe of one process.
#[derive(Clone, Debug)]
pub struct Frontier {
    sources: Vec<Source>,
    events: Arc<str>,
    outcomes: Arc<str>,
    running: Option<(Timestamp, Vec<Offset>, Lap)>,
    passed: Vec<Timestamp>,
    /// What the probe waits for, for people.
    waits_for: String,
    /// Up to when each source, and `events` and `outcomes`, had passed: what a metric shows.
    reached: BTreeMap<String, Timestamp>,
    ingested: Ingested,
}

impl Frontier {
    /// Nothing has passed yet.
    pub fn new(sources: Vec<Source>, events: &str, outcomes: &str, partitions: u32) -> Self {
        Self {
            sources,
            events: Arc::from(events),
            outcomes: Arc::from(outcomes),
            running: None,
            passed: vec![Timestamp::from_millis(i64::MIN); partitions as usize],
            waits_for: String::new(),
            reached: BTreeMap::new(),
            ingested: Ingested::default(),
        }
    }

    /// The frontier of a partition.
    pub fn of(&self, partition: Partition) -> Timestamp {
        self.passed
            .get(partition.0 as usize)
            .copied()
            .unwrap_or(Timestamp::from_millis(i64::MIN))
    }

    /// What holds it up: a topic's name, or empty.
    pub fn waits_for(&self) -> &str {
        &self.waits_for
    }

    /// The topics a frontier waits for, each with the time up to which it had passed; none before the first.
    pub fn reached(&self) -> impl Iterator<Item = (&str, Option<Timestamp>)> {
        let topics = self.sources.iter().map(|source| source.topic.as_str());
        topics
            .chain([self.events.as_ref(), self.outcomes.as_ref()])
            .map(|topic| (topic, self.reached.get(topic).copied()))
    }

    /// Goes as far as it can without waiting. `now` is the store's time, read before anything else; `applied` is
    /// read after it.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn probe(
        &mut self,
        log: &dyn Log,
        now: Timestamp,
        applied: &[Applied],
    ) -> Result<(), Error> {
        let (start, outcomes, mut lap) = match self.running.take() {
            Some(running) => running,
            None => {
                let mut raw = Vec::new();
                for source in &self.sources {
                    raw.push(log.ends(&source.topic).await?);
                }
                (now, log.ends(&self.outcomes).await?, Lap::Ingest { raw })
            }
        };
        loop {
            lap = match lap {
                Lap::Ingest { raw } => {
                    let mut waits_for = None;
                    for (source, ends) in self.sources.iter().zip(&raw) {
                        if self.ingested.passed(log, source, ends).await? {
                            self.reached.insert(source.topic.clone(), start);
                        } else {
                            waits_for = waits_for.or(Some(source.topic.clone()));
                        }
                    }
                    if let Some(topic) = waits_for {
                        self.waits_for = topic;
                        return self.pause(start, outcomes, Lap::Ingest { raw });
                    }
                    Lap::First {
                        events: log.ends(&self.events).await?,
                    }
                }
                Lap::First { events } => {
                    if !applied
                        .iter()
                        .zip(&events)
                        .all(|(applied, end)| applied.events >= *end)
                    {
                        self.waits_for = self.events.to_string();
                        return self.pause(start, outcomes, Lap::First { events });
                    }
                    Lap::Outboxes {
                        pushed: applied.iter().map(|applied| applied.pushed).collect(),
                    }
                }
                Lap::Outboxes { pushed } => {
                    if !applied
                        .iter()
                        .zip(&pushed)
                        .all(|(applied, pushed)| applied.trimmed >= *pushed)
                    {
                        self.waits_for = "outboxes".into();
                        return self.pause(start, outcomes, Lap::Outboxes { pushed });
                    }
                    Lap::Second {
                        events: log.ends(&self.events).await?,
                    }
                }
                Lap::Second { events } => {
                    let mut all = true;
                    for (index, applied) in applied.iter().enumerate() {
                        let here = applied.events >= events.get(index).copied().unwrap_or_default()
                            && applied.outcomes >= outcomes.get(index).copied().unwrap_or_default();
                        if here && self.passed[index] < start {
                            self.passed[index] = start;
                        }
                        all &= here;
                    }
                    if all {
                        self.reached.insert(self.events.to_string(), start);
                        self.reached.insert(self.outcomes.to_string(), start);
                        self.waits_for.clear();
                        return Ok(());
                    }
                    self.waits_for = format!("{} or {}", self.events, self.outcomes);
                    return self.pause(start, outcomes, Lap::Second { events });
                }
            };
        }
    }

    fn pause(&mut self, start: Timestamp, outcomes: Vec<Offset>, lap: Lap) -> Result<(), Error> {
        self.running = Some((start, outcomes, lap));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
