//! Decoded customers of a partition, bounded (INV-12). It holds what is committed, or what the running batch made.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use winback_contract::CustomerId;
use winback_journey::Customer;

/// A customer's id is the hash of an identifier already: eight bytes of it serve as they are.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last_chunk::<8>() {
            self.0 ^= u64::from_le_bytes(*last);
        }
    }
}

/// For maps and sets of customers.
pub(crate) type IdHash = BuildHasherDefault<IdHasher>;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    customers: HashMap<CustomerId, (Customer, u64), IdHash>,
    turn: u64,
}

impl Cache {
    /// Whether a customer is here.
    pub(crate) fn has(&self, id: CustomerId) -> bool {
        self.customers.contains_key(&id)
    }

    /// Keeps a customer.
    pub(crate) fn put(&mut self, id: CustomerId, customer: Customer) {
        self.customers.insert(id, (customer, self.turn));
    }

    /// The customer, made new where there is none.
    pub(crate) fn get(&mut self, id: CustomerId) -> &mut Customer {
        let turn = self.turn;
        let entry = self.customers.entry(id).or_default();
        entry.1 = turn;
        &mut entry.0
    }

    /// Forgets one.
    pub(crate) fn remove(&mut self, id: CustomerId) {
        self.customers.remove(&id);
    }

    /// The end of a batch: those not used for longest give way when there are more than `most`.
    pub(crate) fn end_turn(&mut self, most: usize) {
        self.turn += 1;
        if self.customers.len() > most {
            let mut turns: Vec<u64> = self.customers.values().map(|(_, turn)| *turn).collect();
            let middle = turns.len() / 2;
            let (_, median, _) = turns.select_nth_unstable(middle);
            let oldest_kept = *median;
            self.customers.retain(|_, (_, turn)| *turn >= oldest_kept);
            // One turn may use more than that: some of its customers stay, and are not read again.
            let mut over = self.customers.len().saturating_sub(most);
            self.customers.retain(|_, _| {
                let stays = over == 0;
                over = over.saturating_sub(1);
                stays
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> CustomerId {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&number.to_le_bytes());
        CustomerId(bytes)
    }

    #[test]
    fn a_turn_larger_than_the_cache_leaves_a_full_cache() {
        let mut cache = Cache::default();
        for number in 0..100 {
            cache.get(id(number));
        }
        cache.end_turn(60);
        assert_eq!(cache.customers.len(), 60);
        // Who was used last stays.
        let kept = (0..100).filter(|number| cache.has(id(*number)));
        let mut used: Vec<u64> = kept.take(5).collect();
        used.extend(200..250);
        for number in &used {
            cache.get(id(*number));
        }
        cache.end_turn(60);
        assert!(cache.customers.len() <= 60);
        assert!(used.iter().all(|number| cache.has(id(*number))));
    }
}
