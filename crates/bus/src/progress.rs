//! Which records of a partition are dealt with, where they are dealt with out of order.
//!
//! Invariant: INV-8. A position moves past a record only when it and everything before it is dealt with. Absent: what
//! dealing with one means.

use std::collections::{BTreeMap, VecDeque};

use winback_contract::Offset;

use crate::ledger::Ledger;
use crate::log::{Assignment, TopicPartition};
use crate::mark::Mark;
use crate::record::Record;

/// A record that is being dealt with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ticket {
    topic_partition: TopicPartition,
    number: u64,
}

#[derive(Debug)]
struct Open {
    number: u64,
    next: Offset,
    mark: Mark,
    is_done: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Progress {
    open: BTreeMap<TopicPartition, VecDeque<Open>>,
    /// Never used twice: a partition that was lost and came back has other tickets for the same records.
    numbers: u64,
}

impl Ticket {
    /// Where the record lies.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.topic_partition
    }
}

impl Progress {
    /// Begins to deal with a record; in the order in which they were read.
    pub fn open(&mut self, record: &Record) -> Ticket {
        self.numbers += 1;
        let topic_partition = record.topic_partition();
        let open = Open {
            number: self.numbers,
            next: record.offset.next(),
            mark: Mark::of(record),
            is_done: false,
        };
        self.open
            .entry(topic_partition.clone())
            .or_default()
            .push_back(open);
        Ticket {
            topic_partition,
            number: self.numbers,
        }
    }

    /// It is dealt with: what it led to has been put into the ledger, which may commit as far as all before is.
    pub fn close(&mut self, ticket: &Ticket, ledger: &mut Ledger) {
        let Some(queue) = self.open.get_mut(&ticket.topic_partition) else {
            return;
        };
        if let Some(open) = queue.iter_mut().find(|open| open.number == ticket.number) {
            open.is_done = true;
        }
        while queue.front().is_some_and(|open| open.is_done) {
            if let Some(done) = queue.pop_front() {
                ledger.pass_to(ticket.topic_partition.clone(), done.next, done.mark);
            }
        }
    }

    /// What is lost to others is theirs to deal with.
    pub fn revoke(&mut self, changes: &[Assignment]) {
        for change in changes {
            if let Assignment::Revoked(topic_partitions) = change {
                for topic_partition in topic_partitions {
                    self.open.remove(topic_partition);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Log as _;
    use crate::memory::MemoryLog;
    use crate::record::Outgoing;
    use std::time::Duration;
    use winback_contract::{Partition, Timestamp};
    use winback_service::Clock;

    #[tokio::test]
    async fn a_position_waits_for_the_slowest_before_it() {
        let log = MemoryLog::new(Clock::at(0));
        log.create("in", 1);
        for number in 0..3 {
            let record = Outgoing {
                topic: "in".into(),
                partition: Some(Partition(0)),
                key: Vec::new(),
                value: vec![number],
                headers: Vec::new(),
            };
            log.append(record, Vec::new(), Timestamp::default())
                .unwrap();
        }
        let mut member = log.join("g", &["in".into()]).await.unwrap();
        let records = member.poll(10, Duration::ZERO).await.unwrap().records;
        let shared: std::sync::Arc<dyn crate::log::Log> = std::sync::Arc::new(log.clone());
        let (mut progress, mut ledger) = (Progress::default(), Ledger::default());
        let tickets: Vec<Ticket> = records.iter().map(|record| progress.open(record)).collect();
        // The second is done, then the first, then the third: told as none, two, three.
        for (ticket, wanted) in [(1, Some(0)), (0, Some(2)), (2, Some(3))] {
            progress.close(&tickets[ticket], &mut ledger);
            ledger.settle(&shared, member.as_mut()).await.unwrap();
            let committed = log.committed("g", "in").await.unwrap().remove(0);
            assert_eq!(committed.map(|commit| commit.next.0), wanted);
        }
        // A ticket of before the partition was lost says nothing about the one after.
        let old = progress.open(&records[2]);
        let topic_partition = TopicPartition::new("in", Partition(0));
        progress.revoke(&[Assignment::Revoked(vec![topic_partition.clone()])]);
        let new = progress.open(&records[2]);
        progress.close(&old, &mut ledger);
        assert_eq!(progress.open[&topic_partition].len(), 1);
        progress.close(&new, &mut ledger);
        assert!(progress.open[&topic_partition].is_empty());
    }
}
