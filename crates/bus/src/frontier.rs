//! The input frontier (INV-6, design §3): the time up to which everything that arrived has been applied.
//!
//! Two laps. First every live source must be ingested up to the ends noted at T, and every partition must have
//! applied the events of that; then what those caused in other partitions (forwards, through outboxes) must be
//! applied too. Absent: the store; positions of partitions are given.

use std::sync::Arc;

use winback_contract::{Offset, Partition, Timestamp};

use crate::error::Error;
use crate::log::Log;

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
                    if let Some(topic) = self.not_ingested(log, &raw).await? {
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

    /// A source whose noted ends ingest has not committed yet. An uncommitted partition counts as at its start.
    async fn not_ingested(
        &self,
        log: &dyn Log,
        raw: &[Vec<Offset>],
    ) -> Result<Option<String>, Error> {
        for (source, ends) in self.sources.iter().zip(raw) {
            let committed = log.committed(&source.group, &source.topic).await?;
            let next_of = |index: usize| {
                committed
                    .get(index)
                    .and_then(Option::as_ref)
                    .map(|commit| commit.next)
            };
            let behind = |starts: &[Offset]| {
                ends.iter().enumerate().any(|(index, end)| {
                    // What retention took, or what is not committed, counts as at the start of the log.
                    let start = starts.get(index).copied().unwrap_or_default();
                    next_of(index).unwrap_or(start).max(start) < *end
                })
            };
            if behind(&[]) {
                let starts = log.starts(&source.topic).await?;
                if behind(&starts) {
                    return Ok(Some(source.topic.clone()));
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryLog;
    use crate::record::Outgoing;
    use winback_service::Clock;

    fn record(topic: &str) -> Outgoing {
        Outgoing {
            topic: topic.into(),
            partition: Some(Partition(0)),
            key: vec![],
            value: vec![],
        }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    async fn setup() -> (MemoryLog, Frontier) {
        let log = MemoryLog::new(Clock::at(0));
        for topic in ["raw", "events", "outcomes"] {
            log.create(topic, 1);
        }
        let source = Source {
            topic: "raw".into(),
            group: "ingest".into(),
        };
        (log, Frontier::new(vec![source], "events", "outcomes", 1))
    }

    #[tokio::test]
    async fn an_unread_order_holds_the_frontier() {
        let (log, mut frontier) = setup().await;
        frontier
            .probe(&log, at(10), &[Applied::default()])
            .await
            .unwrap();
        assert_eq!(frontier.of(Partition(0)), at(10));
        // An order arrives before 20 and nobody has read it.
        log.produce(vec![record("raw")]).await.unwrap();
        frontier
            .probe(&log, at(20), &[Applied::default()])
            .await
            .unwrap();
        assert_eq!(
            (frontier.of(Partition(0)), frontier.waits_for()),
            (at(10), "raw")
        );
        // Ingest passes it on and commits; sessions has not applied it yet.
        log.produce(vec![record("events")]).await.unwrap();
        let mut member = log.join("ingest", &["raw".into()]).await.unwrap();
        member.poll(10, std::time::Duration::ZERO).await.unwrap();
        member
            .commit(&[(
                crate::log::Place::new("raw", Partition(0)),
                Offset(1),
                String::new(),
            )])
            .await
            .unwrap();
        frontier
            .probe(&log, at(30), &[Applied::default()])
            .await
            .unwrap();
        assert_eq!(
            (frontier.of(Partition(0)), frontier.waits_for()),
            (at(10), "events")
        );
        let applied = Applied {
            events: Offset(1),
            ..Applied::default()
        };
        frontier.probe(&log, at(40), &[applied]).await.unwrap();
        // It is the time of the probe's beginning, not of its end.
        assert_eq!(frontier.of(Partition(0)), at(20));
    }

    #[tokio::test]
    async fn a_forward_in_an_outbox_holds_the_frontier() {
        let (log, mut frontier) = setup().await;
        let with = |pushed, trimmed, events| Applied {
            pushed,
            trimmed,
            events: Offset(events),
            ..Applied::default()
        };
        frontier
            .probe(&log, at(10), &[with(3, 2, 0)])
            .await
            .unwrap();
        assert_eq!(frontier.waits_for(), "outboxes");
        // The forward arrives as an event and must be applied too.
        log.produce(vec![record("events")]).await.unwrap();
        frontier
            .probe(&log, at(20), &[with(3, 3, 0)])
            .await
            .unwrap();
        assert_ne!(frontier.of(Partition(0)), at(10));
        frontier
            .probe(&log, at(30), &[with(4, 3, 1)])
            .await
            .unwrap();
        assert_eq!(frontier.of(Partition(0)), at(10));
    }
}
