//! A member of a group in process: owns partitions, reads them from the committed position.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use winback_contract::Offset;

use super::{Shared, State};
use crate::error::Error;
use crate::log::{Assignment, Commit, Member, Place, Polled};
use crate::mark::Kept;

/// See the module.
#[derive(Debug)]
pub(crate) struct MemoryMember {
    shared: Arc<Shared>,
    group: String,
    id: u64,
    next: BTreeMap<Place, Offset>,
    generations: BTreeMap<Place, u32>,
    held: BTreeSet<Place>,
    /// Why a partition can't be read.
    stuck: BTreeMap<Place, String>,
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
                Assignment::Revoked(places) => places.iter().for_each(|place| {
                    self.next.remove(place);
                    self.generations.remove(place);
                    self.stuck.remove(place);
                    self.held.remove(place);
                }),
                Assignment::Assigned(places) => {
                    for place in places {
                        let key = (place.topic.to_string(), place.partition);
                        let from = state
                            .groups
                            .get(&self.group)
                            .and_then(|group| group.committed.get(&key));
                        let start = state.start(place);
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
                        if let Some(problem) = state.problem(place, from, kept.mark) {
                            self.stuck.insert(place.clone(), problem);
                        }
                        self.generations.insert(place.clone(), kept.generation);
                        self.next.insert(place.clone(), from);
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
            let skip = |place: &Place| held.contains(place);
            super::reader::take(&state, &mut self.next, skip, most, &mut records);
        }
        Ok(Polled {
            assignments: news,
            records,
        })
    }
}

#[async_trait]
impl Member for MemoryMember {
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

    async fn commit(&mut self, positions: &[(Place, Offset, String)]) -> Result<(), Error> {
        let mut state = self.shared.lock();
        let group = state.groups.entry(self.group.clone()).or_default();
        for (place, next, metadata) in positions {
            if self.next.contains_key(place) {
                let commit = Commit {
                    next: *next,
                    metadata: metadata.clone(),
                };
                group
                    .committed
                    .insert((place.topic.to_string(), place.partition), commit);
            }
        }
        Ok(())
    }

    async fn hold(&mut self, place: &Place, held: bool) -> Result<(), Error> {
        if held {
            self.held.insert(place.clone());
        } else {
            self.held.remove(place);
        }
        Ok(())
    }

    fn own_only(&mut self) {
        self.reads = false;
    }

    fn generation(&self, place: &Place) -> u32 {
        self.generations.get(place).copied().unwrap_or(0)
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
