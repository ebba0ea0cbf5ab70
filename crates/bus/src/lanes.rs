//! Records on their way to the log, each topic partition by itself: one without a leader holds up its own alone.
//!
//! Invariant: INV-3. A lane sends in order, one group of records at a time; after a failed write the same records go
//! first again. Absent: what an acknowledgement allows, which whoever put the records decides.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use winback_contract::Partition;
use winback_service::clock::within;

use crate::error::Error;
use crate::log::Log;
use crate::record::Outgoing;

/// So long a lane is waited for, once: the log answers within milliseconds, or something is wrong.
const PATIENCE: Duration = Duration::from_secs(1);

type Key = (Arc<str>, Option<Partition>);
type Landed = (Key, Result<(), Error>);

#[derive(Default)]
struct Lane {
    queue: VecDeque<(u64, Outgoing)>,
    /// How many of them are on their way, the first ones.
    flying: usize,
    /// It did not answer in time and has not answered since.
    is_slow: bool,
}

/// See the module.
#[derive(Default)]
pub struct Lanes {
    lanes: BTreeMap<Key, Lane>,
    flights: FuturesUnordered<BoxFuture<'static, Landed>>,
    /// The number of the next record.
    next: u64,
}

impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lanes({} records)", self.len())
    }
}

impl Lanes {
    /// A record to write; its number, which only grows.
    pub fn put(&mut self, record: Outgoing) -> u64 {
        let number = self.next;
        self.next += 1;
        let key = (record.topic.clone(), record.partition);
        let lane = self.lanes.entry(key).or_default();
        lane.queue.push_back((number, record));
        number
    }

    /// The number that the next record will have.
    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// How many are not acknowledged.
    pub fn len(&self) -> usize {
        self.lanes.values().map(|lane| lane.queue.len()).sum()
    }

    /// Whether all are acknowledged.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Whether the log takes nothing somewhere.
    pub fn is_slow(&self) -> bool {
        self.lanes.values().any(|lane| lane.is_slow)
    }

    /// Where the log takes nothing for now.
    pub fn slow(&self) -> Option<String> {
        let mut slow = self.lanes.iter().filter(|(_, lane)| lane.is_slow);
        let ((topic, partition), _) = slow.next()?;
        let topic_partition = match partition {
            Some(partition) => format!("partition {partition} of {topic}"),
            None => topic.to_string(),
        };
        let more = slow.count();
        Some(format!(
            "{topic_partition} and {more} more take no records: look for partitions without a leader"
        ))
    }

    /// Sends what is there, and waits for the lanes that answer; one that does not within a second is left behind, and
    /// heard when it does. Returns the numbers of the records that are acknowledged since the last call.
    ///
    /// # Errors
    /// The first one of the log, after all lanes that answered: what could not be written goes first next time.
    pub async fn send(&mut self, log: &Arc<dyn Log>) -> (Vec<u64>, Result<(), Error>) {
        let mut acknowledged = Vec::new();
        let mut problem = Ok(());
        let work = self.work(log, &mut acknowledged, &mut problem);
        if within(PATIENCE, work).await.is_err() {
            for lane in self.lanes.values_mut() {
                lane.is_slow = lane.flying > 0;
            }
        }
        (acknowledged, problem)
    }

    async fn work(
        &mut self,
        log: &Arc<dyn Log>,
        acknowledged: &mut Vec<u64>,
        problem: &mut Result<(), Error>,
    ) {
        let mut failed: Vec<Key> = Vec::new();
        loop {
            for (key, lane) in &mut self.lanes {
                if lane.flying > 0 || failed.contains(key) {
                    continue;
                }
                lane.flying = lane.queue.len();
                let records = lane
                    .queue
                    .iter()
                    .map(|(_, record)| record.clone())
                    .collect();
                let (log, key) = (log.clone(), key.clone());
                let flight = async move { (key, log.produce(records).await) };
                self.flights.push(Box::pin(flight));
            }
            let waits = |lane: &Lane| lane.flying > 0 && !lane.is_slow;
            let landed = if self.lanes.values().any(waits) {
                self.flights.next().await
            } else {
                // Only slow ones are left: heard if they answer, not waited for.
                futures::FutureExt::now_or_never(self.flights.next()).flatten()
            };
            let Some((key, result)) = landed else { return };
            if let Err(error) = self.land(&key, result, acknowledged) {
                failed.push(key);
                if problem.is_ok() {
                    *problem = Err(error);
                }
            }
        }
    }

    fn land(
        &mut self,
        key: &Key,
        result: Result<(), Error>,
        acknowledged: &mut Vec<u64>,
    ) -> Result<(), Error> {
        let Some(lane) = self.lanes.get_mut(key) else {
            return Ok(());
        };
        let flown = std::mem::take(&mut lane.flying);
        lane.is_slow = false;
        result?;
        acknowledged.extend(lane.queue.drain(..flown).map(|(number, _)| number));
        if lane.queue.is_empty() {
            self.lanes.remove(key);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use winback_service::Clock;

    use super::*;
    use crate::log::TopicPartition;
    use crate::memory::{Faults, MemoryLog};

    fn record(partition: u32, value: u8) -> Outgoing {
        Outgoing {
            topic: "out".into(),
            partition: Some(Partition(partition)),
            key: Vec::new(),
            value: vec![value],
            headers: Vec::new(),
        }
    }

    fn log() -> MemoryLog {
        let log = MemoryLog::new(Clock::at(0));
        log.create("out", 3);
        log
    }

    fn written(log: &MemoryLog, partition: u32) -> Vec<u8> {
        let records = log.dump("out").into_iter();
        records
            .filter(|record| record.partition == Partition(partition))
            .map(|record| record.value.unwrap()[0])
            .collect()
    }

    #[tokio::test]
    async fn a_partition_without_a_leader_holds_up_its_own_alone() {
        let memory = log();
        let shared: Arc<dyn Log> = Arc::new(memory.clone());
        let mut lanes = Lanes::default();
        let sick = TopicPartition::new("out", Partition(1));
        memory.lead(&sick, false);
        for value in 0..6 {
            lanes.put(record(u32::from(value) % 3, value));
        }
        let (acknowledged, result) = lanes.send(&shared).await;
        assert_eq!((acknowledged, result), (vec![0, 3, 2, 5], Ok(())));
        assert!(lanes.slow().unwrap().contains("partition 1 of out"));
        // It is not waited for again, and what comes after it waits behind it.
        lanes.put(record(1, 6));
        lanes.put(record(2, 7));
        let (acknowledged, _) = lanes.send(&shared).await;
        assert_eq!((acknowledged, lanes.len()), (vec![7], 3));
        memory.lead(&sick, true);
        let mut heard = Vec::new();
        while !lanes.is_empty() {
            heard.extend(lanes.send(&shared).await.0);
        }
        assert_eq!((heard, lanes.slow()), (vec![1, 4, 6], None));
        assert_eq!(written(&memory, 1), [1, 4, 6], "in order");
        assert_eq!(written(&memory, 2), [2, 5, 7]);
    }

    #[tokio::test]
    async fn what_failed_goes_first_again_and_nothing_is_lost() {
        let memory = log().with_faults(Faults {
            seed: 5,
            lost_ack_one_in: 3,
            refused_one_in: 3,
        });
        let shared: Arc<dyn Log> = Arc::new(memory.clone());
        let mut lanes = Lanes::default();
        let (mut heard, mut failures) = (Vec::new(), 0);
        for value in 0..60 {
            lanes.put(record(u32::from(value) % 3, value));
            let (acknowledged, result) = lanes.send(&shared).await;
            heard.extend(acknowledged);
            failures += u32::from(result.is_err());
        }
        while !lanes.is_empty() {
            heard.extend(lanes.send(&shared).await.0);
        }
        heard.sort_unstable();
        assert_eq!(heard, (0..60).collect::<Vec<u64>>(), "each is told once");
        assert!(failures > 5, "the faults were met");
        for partition in 0..3 {
            // Repeats are allowed, but the first of each comes in order.
            let mut firsts: Vec<u8> = Vec::new();
            for value in written(&memory, partition) {
                if !firsts.contains(&value) {
                    firsts.push(value);
                }
            }
            assert!(firsts.is_sorted() && firsts.len() == 20, "{firsts:?}");
        }
    }
}
