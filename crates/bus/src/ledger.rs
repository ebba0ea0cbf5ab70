//! What a stateless service owes the log: records it must still write, and the positions it may commit behind them.
//!
//! Invariant: INV-3 and INV-8. A position is committed only when everything before it is acknowledged; after a
//! failed write the same records go first again, in the same order. Absent: what the records mean.

use std::collections::{BTreeMap, BTreeSet};

use winback_contract::Offset;
use winback_service::outage::Outage;

use crate::error::Error;
use crate::log::{Assignment, Log, Member, Place};
use crate::mark::{Kept, Mark};
use crate::record::{Outgoing, Record};

/// See the module.
#[derive(Debug, Default)]
pub struct Ledger {
    unsent: Vec<Outgoing>,
    next: BTreeMap<Place, (Offset, Mark)>,
}

impl Ledger {
    /// A record to write.
    pub fn put(&mut self, record: Outgoing) {
        self.unsent.push(record);
    }

    /// A record that was read is dealt with: all it led to has been put.
    pub fn pass(&mut self, record: &Record) {
        self.pass_to(place(record), record.offset.next(), Mark::of(record));
    }

    /// All of a partition before `next` is dealt with.
    pub(crate) fn pass_to(&mut self, place: Place, next: Offset, mark: Mark) {
        self.next.insert(place, (next, mark));
    }

    /// Partitions that are no longer ours are not committed.
    pub fn revoke(&mut self, changes: &[Assignment]) {
        for place in revoked(changes) {
            self.next.remove(place);
        }
    }

    /// Commits nothing of what was read since the last time: it is to be read again.
    pub fn forget_positions(&mut self) {
        self.next.clear();
    }

    /// Writes, waits for the acknowledgements, commits behind them.
    ///
    /// # Errors
    /// Those of the log; what was put stays and goes first next time.
    pub async fn settle(&mut self, log: &dyn Log, member: &mut dyn Member) -> Result<(), Error> {
        if !self.unsent.is_empty() {
            log.produce(self.unsent.clone()).await?;
            self.unsent.clear();
        }
        if !self.next.is_empty() {
            let next: Vec<_> = self
                .next
                .iter()
                .map(|(place, (next, mark))| {
                    let kept = Kept {
                        generation: member.generation(place),
                        mark: Some(*mark),
                        void_to: None,
                    };
                    (place.clone(), *next, kept.to_string())
                })
                .collect();
            member.commit(&next).await?;
            self.next.clear();
        }
        Ok(())
    }
}

/// Records that can't be dealt with yet, in order: behind one that waits, all of its partition wait.
#[derive(Debug, Default)]
pub struct Waiting {
    records: BTreeMap<Place, Vec<Record>>,
    /// Of which nothing more is read.
    held: BTreeSet<Place>,
    /// For what the last one waits; none while all that waits only waits for its turn.
    why: Option<String>,
    told: Outage,
}

impl Waiting {
    /// A record waits for this: told when it begins, and then once a minute.
    pub fn wait_for(&mut self, why: String) {
        if let Some(untold) = self.told.failed() {
            tracing::warn!(why, untold, "records wait");
        }
        self.why = Some(why);
    }

    /// Which partitions wait, and for what, after the last try.
    pub fn stands(&mut self) -> Option<String> {
        let Some((why, first)) = self.why.as_ref().zip(self.records.keys().next()) else {
            if self.told.is_over() {
                tracing::info!("no record waits any more");
            }
            return None;
        };
        let (first, more) = (first.partition, self.records.len() - 1);
        Some(format!("partition {first} and {more} more wait: {why}"))
    }

    /// Reads no more of the partitions where records wait, and goes on with those where none does any more: the others
    /// are not stopped, and what waits is bounded by what was read at once (INV-12).
    ///
    /// # Errors
    /// Those of the member.
    pub async fn hold(&mut self, member: &mut dyn Member) -> Result<(), Error> {
        let waiting: BTreeSet<Place> = self.records.keys().cloned().collect();
        for place in waiting.difference(&self.held) {
            member.hold(place, true).await?;
        }
        for place in self.held.difference(&waiting) {
            member.hold(place, false).await?;
        }
        self.held = waiting;
        Ok(())
    }

    /// Takes all that wait, to try them again before anything new.
    pub fn retry(&mut self) -> Vec<Record> {
        self.why = None;
        std::mem::take(&mut self.records)
            .into_values()
            .flatten()
            .collect()
    }

    /// Whether a record must wait because another one of its partition does.
    pub fn blocks(&self, record: &Record) -> bool {
        self.records.contains_key(&place(record))
    }

    /// A record waits.
    pub fn push(&mut self, record: Record) {
        self.records.entry(place(&record)).or_default().push(record);
    }

    /// The new owner reads them.
    pub fn revoke(&mut self, changes: &[Assignment]) {
        for place in revoked(changes) {
            self.records.remove(place);
            self.held.remove(place);
        }
    }
}

fn place(record: &Record) -> Place {
    Place {
        topic: record.topic.clone(),
        partition: record.partition,
    }
}

fn revoked(changes: &[Assignment]) -> impl Iterator<Item = &Place> {
    changes.iter().flat_map(|change| match change {
        Assignment::Revoked(places) => places.as_slice(),
        Assignment::Assigned(_) => &[],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Faults, MemoryLog};
    use std::time::Duration;
    use winback_contract::Partition;
    use winback_service::Clock;

    #[tokio::test]
    async fn a_position_is_committed_only_behind_an_acknowledgement() {
        let log = MemoryLog::new(Clock::at(0)).with_faults(Faults {
            seed: 1,
            lost_ack_one_in: 1,
            refused_one_in: 0,
        });
        log.create("in", 1);
        log.create("out", 1);
        let outgoing = |topic: &str| Outgoing {
            topic: topic.into(),
            partition: Some(Partition(0)),
            key: vec![],
            value: vec![1],
            headers: Vec::new(),
        };
        log.append(
            outgoing("in"),
            Vec::new(),
            winback_contract::Timestamp::default(),
        )
        .unwrap();
        let mut member = log.join("g", &["in".into()]).await.unwrap();
        let polled = member.poll(10, Duration::ZERO).await.unwrap();
        let mut ledger = Ledger::default();
        ledger.put(outgoing("out"));
        ledger.pass(&polled.records[0]);
        assert!(ledger.settle(&log, member.as_mut()).await.is_err());
        let at = log.committed("g", "in").await.unwrap().remove(0);
        assert_eq!(at.map(|commit| commit.next), Some(Offset(0)));
        let calm = log.with_faults(Faults {
            seed: 1,
            lost_ack_one_in: 0,
            refused_one_in: 0,
        });
        ledger.settle(&calm, member.as_mut()).await.unwrap();
        assert_eq!(
            calm.committed("g", "in").await.unwrap()[0]
                .as_ref()
                .map(|commit| commit.next),
            Some(Offset(1))
        );
        assert_eq!(calm.ends("out").await.unwrap(), vec![Offset(2)]);
    }
    /// Where a record waits nothing more is read; the other partitions are not stopped, and it goes on when none waits.
    #[tokio::test]
    async fn what_waits_holds_its_partition_alone() {
        let log = MemoryLog::new(Clock::at(0));
        log.create("in", 2);
        let fill = |partition: u32| Outgoing {
            topic: "in".into(),
            partition: Some(Partition(partition)),
            key: vec![],
            value: vec![1],
            headers: Vec::new(),
        };
        log.produce(vec![fill(0), fill(0), fill(1)]).await.unwrap();
        let mut member = log.join("g", &["in".into()]).await.unwrap();
        let first = member.poll(1, Duration::ZERO).await.unwrap().records;
        assert_eq!(first[0].partition, Partition(0));
        let mut waiting = Waiting::default();
        waiting.push(first[0].clone());
        waiting.wait_for("a release".into());
        waiting.hold(member.as_mut()).await.unwrap();
        let next = member.poll(10, Duration::ZERO).await.unwrap().records;
        let places: Vec<_> = next.iter().map(|record| record.partition.0).collect();
        assert_eq!(
            places,
            [1],
            "the other partition goes on, and this one brings no more"
        );
        assert_eq!(
            waiting.stands().as_deref(),
            Some("partition 0 and 0 more wait: a release")
        );
        assert_eq!(waiting.retry().len(), 1);
        waiting.hold(member.as_mut()).await.unwrap();
        assert_eq!(waiting.stands(), None);
        let next = member.poll(10, Duration::ZERO).await.unwrap().records;
        assert_eq!(next.len(), 1, "it goes on");
    }
}
