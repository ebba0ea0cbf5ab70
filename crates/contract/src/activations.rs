//! Which bundles decided, and which ones are leaving: one record beside the bundles in `campaigns`, so that one can go back
//! and nobody waits for what was taken out.
//!
//! Invariant: INV-12. Absent: when a bundle is needed no more, which is the publisher's to find out.

use serde::{Deserialize, Serialize};

use crate::ids::BundleHash;
use crate::time::{Span, Timestamp};

/// A hash with a moment.
type Dated = (BundleHash, Timestamp);

/// The record of a shop's publications, under one key.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Activations {
    /// Those that were made active with the moment of the publication, the newest last. What was taken back is none of them.
    pub activations: Vec<Dated>,
    /// Those that were taken back, with the moment: what they decided lies in topics still.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken_back: Vec<Dated>,
    /// Those that nobody needs, since when that is known: taken out a while later, and then remembered for
    /// [`Activations::GONE`], so that a word to switch to one of them is waited for by nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaving: Vec<Dated>,
}

impl Activations {
    /// The key of its record.
    pub const KEY: &str = "activations";
    /// So many are remembered, and all that decided within [`Activations::LAST`].
    pub const KEPT: usize = 50;
    /// As long as a switch may be read again: a segment of `events` is a week old when it is closed, and kept for another.
    pub const LAST: Span = Span::from_days(15);
    /// So long those that were taken out are remembered.
    pub const GONE: Span = Span::from_days(60);

    /// The one that was made active last.
    pub fn newest(&self) -> Option<BundleHash> {
        self.activations.last().map(|(hash, _)| *hash)
    }

    /// When the last switch was, forwards or back.
    pub fn switched(&self) -> Option<Timestamp> {
        let all = self.activations.iter().chain(&self.taken_back);
        all.map(|(_, at)| *at).max()
    }

    /// Those that one may go back to, or that may have decided what still lies in a topic.
    pub fn remembered(&self) -> impl Iterator<Item = BundleHash> {
        let all = self.activations.iter().chain(&self.taken_back);
        all.map(|(hash, _)| *hash)
    }

    /// A bundle was published. False where it is the newest already.
    pub fn publish(&mut self, hash: BundleHash, now: Timestamp) -> bool {
        if self.newest() == Some(hash) {
            return false;
        }
        self.activations.push((hash, now));
        self.taken_back.retain(|(back, _)| *back != hash);
        self.leaving.retain(|(leaving, _)| *leaving != hash);
        self.forget(now);
        true
    }

    /// What came after a bundle is taken back: it is not what one goes back to next. One that is not remembered is published
    /// again.
    pub fn go_back(&mut self, hash: BundleHash, now: Timestamp) -> bool {
        let mut remembered = self.activations.iter();
        let Some(place) = remembered.rposition(|(each, _)| *each == hash) else {
            return self.publish(hash, now);
        };
        let taken: Vec<_> = self.activations.drain(place + 1..).collect();
        if taken.is_empty() {
            return false;
        }
        for (taken, _) in taken {
            self.taken_back.retain(|(back, _)| *back != taken);
            self.taken_back.push((taken, now));
        }
        self.forget(now);
        true
    }

    /// Forgets the oldest, but none that was taken back or replaced a short time ago.
    pub fn forget(&mut self, now: Timestamp) {
        let is_over = |list: &[Dated]| {
            let replaced = list.get(1).map(|(_, at)| *at);
            list.len() > Self::KEPT && replaced.is_some_and(|at| now.since(at) > Self::LAST)
        };
        while is_over(&self.activations) {
            self.activations.remove(0);
        }
        self.taken_back
            .retain(|(_, at)| now.since(*at) <= Self::LAST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(byte: u8) -> BundleHash {
        BundleHash([byte; 16])
    }

    fn at(days: i64) -> Timestamp {
        Timestamp::default() + Span::from_days(days)
    }

    #[test]
    fn what_is_taken_back_is_remembered_as_long_as_its_switch_may_be_read_again() {
        let mut past = Activations::default();
        assert!(past.publish(hash(1), at(0)) && past.publish(hash(2), at(10)));
        assert!(!past.publish(hash(2), at(11)));
        assert!(past.go_back(hash(1), at(20)));
        assert_eq!(past.newest(), Some(hash(1)));
        assert_eq!(past.switched(), Some(at(20)), "going back is a switch");
        assert_eq!(past.remembered().count(), 2);
        past.forget(at(35));
        assert_eq!(past.remembered().count(), 2);
        past.forget(at(36));
        assert_eq!(Vec::from_iter(past.remembered()), [hash(1)]);
        assert!(past.publish(hash(2), at(37)) && past.taken_back.is_empty());
    }

    #[test]
    fn fifty_are_remembered_and_all_of_the_last_days() {
        let mut past = Activations::default();
        for each in 0..60 {
            past.publish(hash(each), at(10));
        }
        assert_eq!(past.activations.len(), 60);
        past.forget(at(26));
        assert_eq!(past.activations.len(), Activations::KEPT);
        assert_eq!(past.newest(), Some(hash(59)));
    }
}
