//! Whether ingest has committed everything up to the noted ends of a source.
//!
//! Offsets can be used up by what no reader is handed: the marks of a producer's transactions. Where a commit stands
//! still before an end, the log itself is asked whether a record lies between; the answer is kept, since what is
//! void stays void. Invariant: INV-6, nothing that can be read is ever skipped.

use std::collections::BTreeMap;

use winback_contract::{Offset, Partition};

use super::Source;
use crate::error::Error;
use crate::log::{Log, TopicPartition};
use crate::mark::Kept;

/// Probes that must see the same commit before the log is asked: a reader that is merely behind moves on.
const PATIENCE: u32 = 2;

#[derive(Clone, Copy, Debug)]
struct Standing {
    at: Offset,
    seen: u32,
    /// Nothing lies between `at` and here.
    void_to: Offset,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Ingested(BTreeMap<TopicPartition, Standing>);

impl Ingested {
    /// Whether every record before `ends` was ingested. An uncommitted partition counts as at its start.
    pub(super) async fn passed(
        &mut self,
        log: &dyn Log,
        source: &Source,
        ends: &[Offset],
    ) -> Result<bool, Error> {
        let committed = log.committed(&source.group, &source.topic).await?;
        let next_of = |index: usize, start: Offset| {
            let commit = committed.get(index).and_then(Option::as_ref);
            commit.map_or(start, |commit| {
                let kept = Kept::read(&commit.metadata);
                kept.go_on(commit.next, start).unwrap_or(commit.next)
            })
        };
        // What was never committed counts as at the start of the log.
        let mut starts = Vec::new();
        if (0..ends.len()).any(|index| next_of(index, Offset(0)) < ends[index]) {
            starts = log.starts(&source.topic).await?;
        }
        let mut all = true;
        for (index, end) in ends.iter().enumerate() {
            let start = starts.get(index).copied().unwrap_or_default();
            let next = next_of(index, start);
            if next < start {
                // Retention took what nobody has read: ingest stops there until a person has seen it.
                all = false;
            } else if next < *end {
                let partition = Partition(u32::try_from(index).unwrap_or(u32::MAX));
                let topic_partition = TopicPartition::new(&source.topic, partition);
                all &= self.is_void(log, topic_partition, next, *end).await?;
            }
        }
        Ok(all)
    }

    async fn is_void(
        &mut self,
        log: &dyn Log,
        topic_partition: TopicPartition,
        from: Offset,
        to: Offset,
    ) -> Result<bool, Error> {
        let fresh = Standing {
            at: from,
            seen: 0,
            void_to: from,
        };
        let standing = self.0.entry(topic_partition.clone()).or_insert(fresh);
        if standing.at != from {
            *standing = fresh;
        }
        if standing.void_to >= to {
            return Ok(true);
        }
        standing.seen += 1;
        if standing.seen <= PATIENCE {
            return Ok(false);
        }
        standing.seen = 0;
        let void = !log
            .has_records(&topic_partition, standing.void_to, to)
            .await?;
        if void {
            standing.void_to = to;
        }
        Ok(void)
    }
}
