//! The input frontier (INV-6, ADR 0007): the time up to which everything that arrived has been applied.
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

/// Forwards that are committed and not yet in `events`.
const OUTBOXES: &str = "outboxes";

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
    /// What each topic held up: the time up to which it had passed, and whether the probe waits for it now.
    behind: BTreeMap<String, (Option<Timestamp>, bool)>,
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
            behind: BTreeMap::new(),
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

    /// Every topic a frontier may wait for, and `outboxes`. For those it waits for now, the time up to which they had
    /// passed, if they ever had; nothing for the others.
    pub fn behind(&self) -> impl Iterator<Item = (&str, Option<Option<Timestamp>>)> {
        let topics = self.sources.iter().map(|source| source.topic.as_str());
        topics
            .chain([self.events.as_ref(), OUTBOXES, self.outcomes.as_ref()])
            .map(|topic| {
                let known = self.behind.get(topic).copied();
                (
                    topic,
                    known.filter(|(_, waits)| *waits).map(|(passed, _)| passed),
                )
            })
    }

    fn note(&mut self, topic: &str, passed: bool, start: Timestamp) {
        let entry = self.behind.entry(topic.to_owned()).or_default();
        entry.1 = !passed;
        if passed {
            entry.0 = Some(start);
        }
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
                    raw.push(log.arrived(&source.topic).await?);
                }
                (now, log.ends(&self.outcomes).await?, Lap::Ingest { raw })
            }
        };
        loop {
            lap = match lap {
                Lap::Ingest { raw } => {
                    if !self.is_ingested(log, &raw, start).await? {
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
                        self.note(&self.events.clone(), false, start);
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
                        self.note(OUTBOXES, false, start);
                        self.waits_for = OUTBOXES.into();
                        return self.pause(start, outcomes, Lap::Outboxes { pushed });
                    }
                    self.note(OUTBOXES, true, start);
                    Lap::Second {
                        events: log.ends(&self.events).await?,
                    }
                }
                Lap::Second { events } => {
                    if self.has_passed(applied, (&events, &outcomes), start) {
                        self.waits_for.clear();
                        return Ok(());
                    }
                    self.waits_for = format!("{} or {}", self.events, self.outcomes);
                    return self.pause(start, outcomes, Lap::Second { events });
                }
            };
        }
    }

    /// Whether everything raw that had arrived has been ingested.
    async fn is_ingested(
        &mut self,
        log: &dyn Log,
        raw: &[Vec<Offset>],
        start: Timestamp,
    ) -> Result<bool, Error> {
        let mut noted = Vec::new();
        for (source, ends) in self.sources.iter().zip(raw) {
            let passed = self.ingested.passed(log, source, ends).await?;
            noted.push((source.topic.clone(), passed));
        }
        let behind = noted.iter().find(|(_, passed)| !passed);
        let behind = behind.map(|(topic, _)| topic.clone());
        for (topic, passed) in noted {
            self.note(&topic, passed, start);
        }
        let all = behind.is_none();
        if let Some(topic) = behind {
            self.waits_for = topic;
        }
        Ok(all)
    }

    /// Whether every partition has applied what it was told by then; each that has is past `start`.
    fn has_passed(
        &mut self,
        applied: &[Applied],
        (events, outcomes): (&[Offset], &[Offset]),
        start: Timestamp,
    ) -> bool {
        let (mut events_passed, mut outcomes_passed) = (true, true);
        for (index, applied) in applied.iter().enumerate() {
            let in_events = applied.events >= events.get(index).copied().unwrap_or_default();
            let in_outcomes = applied.outcomes >= outcomes.get(index).copied().unwrap_or_default();
            events_passed &= in_events;
            outcomes_passed &= in_outcomes;
            if in_events && in_outcomes && self.passed[index] < start {
                self.passed[index] = start;
            }
        }
        self.note(&self.events.clone(), events_passed, start);
        self.note(&self.outcomes.clone(), outcomes_passed, start);
        events_passed && outcomes_passed
    }

    fn pause(&mut self, start: Timestamp, outcomes: Vec<Offset>, lap: Lap) -> Result<(), Error> {
        self.running = Some((start, outcomes, lap));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
