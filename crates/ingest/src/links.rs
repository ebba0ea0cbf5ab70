//! Recent pairs of weaker and stronger profiles: a link is written once a while, not with every event.
//!
//! Forgetting only repeats a link, which the weaker profile then ignores.

use std::collections::{HashSet, VecDeque};

use winback_contract::CustomerId;

/// A bounded memory of pairs, the oldest forgotten first.
#[derive(Debug)]
pub struct Links {
    known: HashSet<(CustomerId, CustomerId)>,
    order: VecDeque<(CustomerId, CustomerId)>,
    most: usize,
}

impl Links {
    /// Remembers up to `most` pairs.
    pub fn new(most: usize) -> Self {
        Self {
            known: HashSet::new(),
            order: VecDeque::new(),
            most,
        }
    }

    /// Whether the pair is news. It is remembered either way.
    pub fn is_new(&mut self, weaker: CustomerId, stronger: CustomerId) -> bool {
        if !self.known.insert((weaker, stronger)) {
            return false;
        }
        self.order.push_back((weaker, stronger));
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }

    /// Forgets everything: what was produced may not have arrived.
    pub fn forget(&mut self) {
        self.known.clear();
        self.order.clear();
    }
}
