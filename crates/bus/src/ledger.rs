//! What a stateless service owes the log: records it must still write, and the positions it may commit behind them.
//!
//! Invariant: INV-3 and INV-8. A position is committed only when everything before it is acknowledged; after a
//! failed write the same records go first again, in the same order. Absent: what the records mean.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use winback_contract::Offset;
use winback_service::outage::Outage;

use crate::error::Error;
use crate::lanes::Lanes;
use crate::log::{Assignment, GroupConsumer, Log, Polled, TopicPartition};
use crate::mark::{Kept, Mark};
use crate::record::{Outgoing, Record};

/// See the module.
#[derive(Debug, Default)]
pub struct Ledger {
    lanes: Lanes,
    topic_partitions: BTreeMap<TopicPartition, Passed>,
    /// From where what is not acknowledged came.
    owed: BTreeMap<u64, TopicPartition>,
    /// Where the record lies that is being dealt with.
    current: Option<TopicPartition>,
    told: Outage,
}

/// A partition of the input.
#[derive(Debug, Default)]
struct Passed {
    /// What its records led to and is not acknowledged.
    owed: BTreeSet<u64>,
    /// Positions, each to be committed once everything below a number is acknowledged.
    next: VecDeque<(u64, Offset, Mark)>,
}

/// More than this waits for the log: nothing more is taken (INV-12).
const MOST: usize = 10_000;

impl Ledger {
    /// What is put from now on comes from this partition.
    pub fn begin(&mut self, topic_partition: TopicPartition) {
        self.current = Some(topic_partition);
    }

    /// A record to write.
    pub fn put(&mut self, record: Outgoing) {
        let number = self.lanes.put(record);
        if let Some(topic_partition) = &self.current {
            let passed = self
                .topic_partitions
                .entry(topic_partition.clone())
                .or_default();
            passed.owed.insert(number);
            self.owed.insert(number, topic_partition.clone());
        }
    }

    /// A record that was read is dealt with: all it led to has been put.
    pub fn pass(&mut self, record: &Record) {
        self.pass_to(
            record.topic_partition(),
            record.offset.next(),
            Mark::of(record),
        );
    }

    /// All of a partition before `next` is dealt with.
    pub(crate) fn pass_to(&mut self, topic_partition: TopicPartition, next: Offset, mark: Mark) {
        let after = self.lanes.next_number();
        let passed = self.topic_partitions.entry(topic_partition).or_default();
        // Nothing was put since: the later position says it all.
        if passed
            .next
            .back()
            .is_some_and(|(known, ..)| *known == after)
        {
            passed.next.pop_back();
        }
        passed.next.push_back((after, next, mark));
    }

    /// Partitions that are no longer ours are not committed.
    pub fn revoke(&mut self, changes: &[Assignment]) {
        for topic_partition in revoked(changes) {
            self.topic_partitions.remove(topic_partition);
        }
    }

    /// Reads on. While so much waits for the log that nothing more may be taken (INV-12) the group is served, and no record comes.
    ///
    /// # Errors
    /// Those of the log.
    pub async fn poll(
        &mut self,
        member: &mut dyn GroupConsumer,
        most: usize,
        wait: Duration,
    ) -> Result<Polled, Error> {
        let is_full = self.lanes.len() >= MOST;
        let most = if is_full { 0 } else { most };
        let polled = member.poll(most, wait).await?;
        self.revoke(&polled.assignments);
        Ok(polled)
    }

    /// Which partitions of the log take nothing, told when it begins and then once a minute.
    pub fn stands(&mut self) -> Option<String> {
        let slow = self.lanes.slow();
        match &slow {
            Some(why) => {
                if let Some(untold) = self.told.failed() {
                    tracing::warn!(why, untold, "what is to be written waits");
                }
            }
            None if self.told.is_over() => tracing::info!("all that was to be written is"),
            None => {}
        }
        slow
    }

    /// Writes, waits for the acknowledgements, commits behind them: what a partition without a leader does not take holds
    /// up the positions that it came from, and no others.
    ///
    /// # Errors
    /// Those of the log; what was put stays and goes first next time.
    pub async fn settle(
        &mut self,
        log: &Arc<dyn Log>,
        member: &mut dyn GroupConsumer,
    ) -> Result<(), Error> {
        let (acknowledged, written) = self.lanes.send(log).await;
        for number in acknowledged {
            let topic_partition = self.owed.remove(&number);
            if let Some(passed) = topic_partition
                .and_then(|topic_partition| self.topic_partitions.get_mut(&topic_partition))
            {
                passed.owed.remove(&number);
            }
        }
        let committed = self.commit(member).await;
        self.topic_partitions
            .retain(|_, passed| !passed.owed.is_empty() || !passed.next.is_empty());
        written.and(committed)
    }

    async fn commit(&mut self, member: &mut dyn GroupConsumer) -> Result<(), Error> {
        let may = |passed: &Passed| {
            let first = passed.owed.first().copied().unwrap_or(u64::MAX);
            passed
                .next
                .iter()
                .take_while(|(after, ..)| *after <= first)
                .count()
        };
        let next: Vec<_> = self
            .topic_partitions
            .iter()
            .filter_map(|(topic_partition, passed)| {
                let (_, next, mark) = passed.next.get(may(passed).checked_sub(1)?)?;
                let kept = Kept {
                    generation: member.generation(topic_partition),
                    mark: Some(*mark),
                    void_to: None,
                };
                Some((topic_partition.clone(), *next, kept.to_string()))
            })
            .collect();
        if next.is_empty() {
            return Ok(());
        }
        member.commit(&next).await?;
        for passed in self.topic_partitions.values_mut() {
            passed.next.drain(..may(passed));
        }
        Ok(())
    }
}

/// Records that can't be dealt with yet, in order: behind one that waits, all of its partition wait.
#[derive(Debug, Default)]
pub struct Waiting {
    records: BTreeMap<TopicPartition, Vec<Record>>,
    /// Of which nothing more is read.
    held: BTreeSet<TopicPartition>,
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
    pub async fn hold(&mut self, member: &mut dyn GroupConsumer) -> Result<(), Error> {
        let waiting: BTreeSet<TopicPartition> = self.records.keys().cloned().collect();
        for topic_partition in waiting.difference(&self.held) {
            member.hold(topic_partition, true).await?;
        }
        for topic_partition in self.held.difference(&waiting) {
            member.hold(topic_partition, false).await?;
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
        self.records.contains_key(&record.topic_partition())
    }

    /// A record waits.
    pub fn push(&mut self, record: Record) {
        self.records
            .entry(record.topic_partition())
            .or_default()
            .push(record);
    }

    /// The new owner reads them.
    pub fn revoke(&mut self, changes: &[Assignment]) {
        for topic_partition in revoked(changes) {
            self.records.remove(topic_partition);
            self.held.remove(topic_partition);
        }
    }
}

fn revoked(changes: &[Assignment]) -> impl Iterator<Item = &TopicPartition> {
    changes.iter().flat_map(|change| match change {
        Assignment::Revoked(topic_partitions) => topic_partitions.as_slice(),
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

    fn arc(log: &MemoryLog) -> Arc<dyn Log> {
        Arc::new(log.clone())
    }

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
        ledger.begin(polled.records[0].topic_partition());
        ledger.put(outgoing("out"));
        ledger.pass(&polled.records[0]);
        assert!(ledger.settle(&arc(&log), member.as_mut()).await.is_err());
        let at = log.committed("g", "in").await.unwrap().remove(0);
        assert_eq!(at.map(|commit| commit.next), Some(Offset(0)));
        let calm = log.with_faults(Faults {
            seed: 1,
            lost_ack_one_in: 0,
            refused_one_in: 0,
        });
        ledger.settle(&arc(&calm), member.as_mut()).await.unwrap();
        assert_eq!(
            calm.committed("g", "in").await.unwrap()[0]
                .as_ref()
                .map(|commit| commit.next),
            Some(Offset(1))
        );
        assert_eq!(calm.ends("out").await.unwrap(), vec![Offset(2)]);
    }

    /// So much waits for the log: the group is served and nothing more is read, until it is taken (INV-12).
    #[tokio::test]
    async fn nothing_is_read_while_too_much_waits() {
        let log = MemoryLog::new(Clock::at(0));
        log.create("in", 1);
        log.create("out", 1);
        let record = |topic: &str| Outgoing {
            topic: topic.into(),
            partition: Some(Partition(0)),
            key: vec![],
            value: vec![1],
            headers: Vec::new(),
        };
        log.produce(vec![record("in")]).await.unwrap();
        let mut member = log.join("g", &["in".into()]).await.unwrap();
        let mut ledger = Ledger::default();
        for _ in 0..MOST {
            ledger.put(record("out"));
        }
        let member = member.as_mut();
        let polled = ledger.poll(member, 10, Duration::ZERO).await.unwrap();
        assert!(polled.records.is_empty());
        ledger.settle(&arc(&log), member).await.unwrap();
        let polled = ledger.poll(member, 10, Duration::ZERO).await.unwrap();
        assert_eq!(polled.records.len(), 1);
    }

    /// What a partition without a leader does not take holds up the positions it came from alone.
    #[tokio::test]
    async fn a_position_waits_for_its_own_records_alone() {
        let log = MemoryLog::new(Clock::at(0));
        log.create("in", 2);
        log.create("out", 2);
        let record = |topic: &str, partition: u32| Outgoing {
            topic: topic.into(),
            partition: Some(Partition(partition)),
            key: vec![],
            value: vec![1],
            headers: Vec::new(),
        };
        for partition in [0, 0, 1] {
            log.produce(vec![record("in", partition)]).await.unwrap();
        }
        let sick = TopicPartition::new("out", Partition(1));
        log.lead(&sick, false);
        let mut member = log.join("g", &["in".into()]).await.unwrap();
        let records = member.poll(10, Duration::ZERO).await.unwrap().records;
        let mut ledger = Ledger::default();
        // The second of partition 0 leads to a partition that takes nothing; the others do not.
        for (record_in, to) in records.iter().zip([0, 1, 0]) {
            ledger.begin(record_in.topic_partition());
            ledger.put(record("out", to));
            ledger.pass(record_in);
        }
        let committed = async || {
            let committed = log.committed("g", "in").await.unwrap();
            committed
                .into_iter()
                .map(|commit| commit.map(|commit| commit.next.0))
                .collect::<Vec<_>>()
        };
        ledger.settle(&arc(&log), member.as_mut()).await.unwrap();
        assert_eq!(committed().await, [Some(1), Some(1)]);
        assert!(ledger.stands().is_some());
        log.lead(&sick, true);
        while ledger.stands().is_some() {
            ledger.settle(&arc(&log), member.as_mut()).await.unwrap();
        }
        ledger.settle(&arc(&log), member.as_mut()).await.unwrap();
        assert_eq!(committed().await, [Some(2), Some(1)]);
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
        let topic_partitions: Vec<_> = next.iter().map(|record| record.partition.0).collect();
        assert_eq!(
            topic_partitions,
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
