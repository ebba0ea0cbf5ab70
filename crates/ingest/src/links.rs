//! The last known owner of weaker profiles: a link is written when it changes, not with every event.
//!
//! Forgetting only repeats a link, which the weaker profile then ignores.

use std::collections::{HashMap, VecDeque};

use winback_contract::CustomerId;

/// A bounded memory, the oldest forgotten first.
#[derive(Debug)]
pub(crate) struct Links {
    owners: HashMap<CustomerId, CustomerId>,
    order: VecDeque<CustomerId>,
    most: usize,
}

impl Links {
    /// Remembers the owners of up to `most` profiles.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            owners: HashMap::new(),
            order: VecDeque::new(),
            most,
        }
    }

    /// Whether this owner is news for the weaker profile. It is remembered either way.
    pub(crate) fn is_new(&mut self, weaker: CustomerId, stronger: CustomerId) -> bool {
        match self.owners.insert(weaker, stronger) {
            Some(known) => known != stronger,
            None => {
                self.order.push_back(weaker);
                if self.order.len() > self.most
                    && let Some(oldest) = self.order.pop_front()
                {
                    self.owners.remove(&oldest);
                }
                true
            }
        }
    }

    /// Forgets everything: what was produced may not have arrived.
    pub(crate) fn forget(&mut self) {
        self.owners.clear();
        self.order.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_goes_back_to_its_first_owner_is_linked_again() {
        let [device, one, two] = [1, 2, 3].map(|n| CustomerId([n; 16]));
        let mut links = Links::new(10);
        let seen = [one, one, two, one].map(|owner| links.is_new(device, owner));
        assert_eq!(seen, [true, false, true, true]);
        let mut links = Links::new(1);
        assert!(links.is_new(device, one) && links.is_new(two, one) && links.is_new(device, one));
    }
}
