//! What a partition may still open: triggers, and messages of each channel (INV-12).
//!
//! A channel whose dispatch is away holds its own steps, and no other's. Absent: the sums; see [`crate::Tally`].

use std::collections::{BTreeMap, BTreeSet};

use winback_contract::Channel;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Room {
    /// Whether one more trigger may wait for its decision.
    triggers: bool,
    /// Channels with as many messages without an outcome as may be.
    full: BTreeSet<Channel>,
    /// Channels with twice as many: those that came to them as a way out.
    overfull: BTreeSet<Channel>,
}

impl Room {
    /// Nothing is full.
    pub fn plenty() -> Self {
        Self {
            triggers: true,
            full: BTreeSet::new(),
            overfull: BTreeSet::new(),
        }
    }

    /// With so many open triggers, and messages without an outcome by channel, where `most` of each may be.
    pub fn of(triggers: u64, flights: &BTreeMap<Channel, u64>, most: u64) -> Self {
        let from = |least: u64| {
            let full = flights.iter().filter(move |(_, count)| **count >= least);
            full.map(|(channel, _)| *channel).collect()
        };
        Self {
            triggers: triggers < most,
            full: from(most),
            overfull: from(most.saturating_mul(2)),
        }
    }

    /// Whether any trigger may be opened.
    pub(crate) fn has_triggers(&self) -> bool {
        self.triggers
    }

    /// Whether a step of these channels may be decided; where one is preferred, any may come first. The channel that
    /// comes first must have room: a full one is waited for, never passed over. The others are a way out for few, and
    /// bounded too.
    pub(crate) fn takes(&self, send: &[Channel], preferred: bool) -> bool {
        let is_full = |channel: &Channel| self.full.contains(channel);
        let first_is_full = match preferred {
            true => send.iter().any(is_full),
            false => send.first().is_some_and(is_full),
        };
        let overfull = |channel: &Channel| self.overfull.contains(channel);
        !first_is_full && !send.iter().any(overfull)
    }
}
