//! A reader in process: positions are the caller's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use winback_contract::Offset;

use super::{Shared, State};
use crate::error::Error;
use crate::log::{AssignedReader, TopicPartition};
use crate::mark::Mark;
use crate::record::Record;

/// See the module.
#[derive(Debug)]
pub(crate) struct MemoryReader {
    shared: Arc<Shared>,
    next: BTreeMap<TopicPartition, Offset>,
    held: BTreeSet<TopicPartition>,
}

impl MemoryReader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            next: BTreeMap::new(),
            held: BTreeSet::new(),
        }
    }

    fn take(&mut self, most: usize) -> Result<Vec<Record>, Error> {
        let mut state = self.shared.lock();
        state.may_fail()?;
        for (topic_partition, position) in &self.next {
            let topic = state.topics.get(topic_partition.topic.as_ref());
            let end = topic
                .and_then(|topic| topic.get(topic_partition.partition.0 as usize))
                .map_or(0, Vec::len);
            let is_beyond = usize::try_from(position.0).map_or(true, |position| position > end);
            if is_beyond || *position < state.start(topic_partition) {
                return Err(Error::Fatal(format!(
                    "topic {} does not hold position {}",
                    topic_partition.topic, position.0
                )));
            }
        }
        let most = state.poll_size(most);
        let mut records = Vec::new();
        let held = &self.held;
        take(
            &state,
            &mut self.next,
            |topic_partition| held.contains(topic_partition),
            most,
            &mut records,
        );
        Ok(records)
    }
}

/// Moves up to `most` records from the topics to `out` and the positions past them.
pub(crate) fn take(
    state: &State,
    next: &mut BTreeMap<TopicPartition, Offset>,
    skip: impl Fn(&TopicPartition) -> bool,
    most: usize,
    out: &mut Vec<Record>,
) {
    for (topic_partition, position) in next.iter_mut() {
        if out.len() >= most {
            break;
        }
        if skip(topic_partition) {
            continue;
        }
        let Some(records) = state
            .topics
            .get(topic_partition.topic.as_ref())
            .and_then(|topic| topic.get(topic_partition.partition.0 as usize))
        else {
            continue;
        };
        let from = usize::try_from(position.0)
            .unwrap_or(usize::MAX)
            .min(records.len());
        let until = records.len().min(from.saturating_add(most - out.len()));
        let handed = records[from..until]
            .iter()
            .filter(|record| state.is_record(topic_partition, record.offset));
        out.extend(handed.cloned());
        *position = Offset(i64::try_from(until).unwrap_or(i64::MAX));
    }
}

#[async_trait]
impl AssignedReader for MemoryReader {
    async fn start(
        &mut self,
        topic_partition: &TopicPartition,
        from: Offset,
        mark: Option<Mark>,
    ) -> Result<(), Error> {
        // Without a mark it is taken at its word.
        let problem = mark.and_then(|_| self.shared.lock().problem(topic_partition, from, mark));
        if let Some(problem) = problem {
            return Err(Error::Fatal(problem));
        }
        self.held.remove(topic_partition);
        self.next.insert(topic_partition.clone(), from);
        Ok(())
    }

    async fn stop(&mut self, topic_partition: &TopicPartition) -> Result<(), Error> {
        self.next.remove(topic_partition);
        Ok(())
    }

    async fn hold(&mut self, topic_partition: &TopicPartition, held: bool) -> Result<(), Error> {
        if held {
            self.held.insert(topic_partition.clone());
        } else {
            self.held.remove(topic_partition);
        }
        Ok(())
    }

    async fn poll(&mut self, most: usize, wait: Duration) -> Result<Vec<Record>, Error> {
        let shared = self.shared.clone();
        let mut notified = std::pin::pin!(shared.arrived.notified());
        notified.as_mut().enable();
        let records = self.take(most)?;
        if wait.is_zero() || !records.is_empty() {
            return Ok(records);
        }
        let _timed_out = winback_service::clock::within(wait, notified).await;
        self.take(most)
    }
}
