//! A member of a group in process: owns partitions, reads them from the committed position.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use winback_contract::Offset;

use super::{Shared, State};
use crate::error::Error;
use crate::log::{Assignment, Commit, GroupConsumer, Polled, TopicPartition};
use crate::mark::Kept;

/// See the module.
#[derive(Debug)]
pub(crate) struct MemoryMember {
    shared: Arc<Shared>,
    group: String,
    id: u64,
    next: BTreeMap<TopicPartition, Offset>,
    generations: BTreeMap<TopicPartition, u32>,
    held: BTreeSet<TopicPartition>,
    /// Why a partition can't be read.
    stuck: BTreeMap<TopicPartition, String>,
    reads: bool,
}

fn counts(state: &State) -> BTreeMap<String, usize> {
    state
        .topics
        .iter()
        .map(|(topic, partitions)| (topic.clone(), partitions.len()))
        .collect()
}

impl MemoryMember {
    pub(crate) fn join(shared: Arc<Shared>, group: &str, topics: &[String]) -> Self {
        let id = {
            let mut state = shared.lock();
            let counts = counts(&state);
            state
                .groups
                .entry(group.to_owned())
                .or_default()
                .join(topics, &counts)
        };
        Self {
            shared,
            group: group.to_owned(),
            id,
            next: BTreeMap::new(),
            generations: BTreeMap::new(),
            held: BTreeSet::new(),
            stuck: BTreeMap::new(),
            reads: true,
        }
    }

    fn take(&mut self, most: usize) -> Result<Polled, Error> {
        let mut state = self.shared.lock();
        state.may_fail()?;
        let news = state
            .groups
            .get_mut(&self.group)
            .map(|group| group.news(self.id))
            .unwrap_or_default();
        for change in &news {
            match change {
                Assignment::Revoked(topic_partitions) => {
                    topic_partitions.iter().for_each(|topic_partition| {
                        self.next.remove(topic_partition);
                        self.generations.remove(topic_partition);
                        self.stuck.remove(topic_partition);
                        self.held.remove(topic_partition);
                    })
                }
                Assignment::Assigned(topic_partitions) => {
                    for topic_partition in topic_partitions {
                        let key = (topic_partition.topic.to_string(), topic_partition.partition);
                        let from = state
                            .groups
                            .get(&self.group)
                            .and_then(|group| group.committed.get(&key));
                        let start = state.start(topic_partition);
                        let (from, kept) = from.map_or_else(
                            || (start, Kept::default()),
                            |commit| (commit.next, Kept::read(&commit.metadata)),
                        );
                        if self.reads {
                            // From now on it is known where the group is: what is deleted unread shows.
                            let group = state.groups.entry(self.group.clone()).or_default();
                            group.committed.entry(key).or_insert_with(|| Commit {
                                next: start,
                                metadata: kept.to_string(),
                            });
                        }
                        let from = kept.go_on(from, start).unwrap_or(from);
                        if let Some(problem) = state.problem(topic_partition, from, kept.mark) {
                            self.stuck.insert(topic_partition.clone(), problem);
                        }
                        self.generations
                            .insert(topic_partition.clone(), kept.generation);
                        self.next.insert(topic_partition.clone(), from);
                    }
                }
            }
        }
        let mut records = Vec::new();
        let stuck = self
            .stuck
            .values()
            .next()
            .filter(|_| self.reads && news.is_empty());
        if let Some(problem) = stuck {
            return Err(Error::Fatal(problem.clone()));
        }
        if self.reads && self.stuck.is_empty() {
            let most = state.poll_size(most);
            let held = &self.held;
            let skip = |topic_partition: &TopicPartition| held.contains(topic_partition);
            super::reader::take(&state, &mut self.next, skip, most, &mut records);
        }
        Ok(Polled {
            assignments: news,
            records,
        })
    }
}

#[async_trait]
impl GroupConsumer for MemoryMember {
    async fn poll(&mut self, most: usize, wait: Duration) -> Result<Polled, Error> {
        let shared = self.shared.clone();
        let mut notified = std::pin::pin!(shared.arrived.notified());
        notified.as_mut().enable();
        let polled = self.take(most)?;
        if wait.is_zero() || !polled.records.is_empty() || !polled.assignments.is_empty() {
            return Ok(polled);
        }
        let _timed_out = winback_service::clock::within(wait, notified).await;
        self.take(most)
    }

    async fn commit(
        &mut self,
        positions: &[(TopicPartition, Offset, String)],
    ) -> Result<(), Error> {
        let mut state = self.shared.lock();
        let group = state.groups.entry(self.group.clone()).or_default();
        for (topic_partition, next, metadata) in positions {
            if self.next.contains_key(topic_partition) {
                let commit = Commit {
                    next: *next,
                    metadata: metadata.clone(),
                };
                group.committed.insert(
                    (topic_partition.topic.to_string(), topic_partition.partition),
                    commit,
                );
            }
        }
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

    fn own_only(&mut self) {
        self.reads = false;
    }

    fn generation(&self, topic_partition: &TopicPartition) -> u32 {
        self.generations.get(topic_partition).copied().unwrap_or(0)
    }
}

impl Drop for MemoryMember {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let counts = counts(&state);
        if let Some(group) = state.groups.get_mut(&self.group) {
            group.leave(self.id, &counts);
        }
        drop(state);
        self.shared.arrived.notify_waiters();
    }
}
