//! Consumer groups in process: members share partitions evenly; a change reaches each at its next poll.

use std::collections::{BTreeMap, BTreeSet};

use winback_contract::Partition;

use crate::log::{Assignment, Commit, TopicPartition};

/// One group.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// Committed positions.
    pub(crate) committed: BTreeMap<(String, Partition), Commit>,
    members: BTreeMap<u64, Membership>,
    next_member: u64,
}

#[derive(Debug, Default)]
struct Membership {
    topics: Vec<String>,
    owned: BTreeSet<TopicPartition>,
    news: Vec<Assignment>,
}

impl Group {
    /// A new member; everybody's share changes.
    pub(crate) fn join(&mut self, topics: &[String], counts: &BTreeMap<String, usize>) -> u64 {
        self.next_member += 1;
        let id = self.next_member;
        self.members.insert(
            id,
            Membership {
                topics: topics.to_vec(),
                ..Membership::default()
            },
        );
        self.balance(counts);
        id
    }

    /// A member is gone.
    pub(crate) fn leave(&mut self, member: u64, counts: &BTreeMap<String, usize>) {
        self.members.remove(&member);
        self.balance(counts);
    }

    /// What changed for a member since it asked last.
    pub(crate) fn news(&mut self, member: u64) -> Vec<Assignment> {
        self.members
            .get_mut(&member)
            .map(|membership| std::mem::take(&mut membership.news))
            .unwrap_or_default()
    }

    fn balance(&mut self, counts: &BTreeMap<String, usize>) {
        let topics: BTreeSet<String> = self
            .members
            .values()
            .flat_map(|m| m.topics.iter().cloned())
            .collect();
        let mut shares: BTreeMap<u64, BTreeSet<TopicPartition>> = BTreeMap::new();
        for topic in topics {
            let takers: Vec<u64> = self
                .members
                .iter()
                .filter(|(_, m)| m.topics.contains(&topic))
                .map(|(id, _)| *id)
                .collect();
            for index in 0..counts.get(&topic).copied().unwrap_or(0) {
                let partition = Partition(u32::try_from(index).unwrap_or(u32::MAX));
                shares
                    .entry(takers[index % takers.len()])
                    .or_default()
                    .insert(TopicPartition::new(&topic, partition));
            }
        }
        for (id, membership) in &mut self.members {
            let share = shares.remove(id).unwrap_or_default();
            let lost: Vec<TopicPartition> = membership.owned.difference(&share).cloned().collect();
            let won: Vec<TopicPartition> = share.difference(&membership.owned).cloned().collect();
            if !lost.is_empty() {
                membership.news.push(Assignment::Revoked(lost));
            }
            if !won.is_empty() {
                membership.news.push(Assignment::Assigned(won));
            }
            membership.owned = share;
        }
    }
}
