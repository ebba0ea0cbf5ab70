//! Decoded customers of a partition, bounded (INV-12). It holds what is committed, or what the running batch made.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use winback_contract::CustomerId;
use winback_journey::Customer;

/// A customer's id is the hash of an identifier already: eight bytes of it serve as they are.
#[derive(Debug, Default, Clone, Copy)]
pub struct IdHasher(u64);

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
pub type IdHash = BuildHasherDefault<IdHasher>;

/// See the module.
#[derive(Debug, Default)]
pub struct Cache {
    customers: HashMap<CustomerId, (Customer, u64), IdHash>,
    turn: u64,
}

impl Cache {
    /// Whether a customer is here.
    pub fn has(&self, id: CustomerId) -> bool {
        self.customers.contains_key(&id)
    }

    /// Keeps a customer.
    pub fn put(&mut self, id: CustomerId, customer: Customer) {
        self.customers.insert(id, (customer, self.turn));
    }

    /// The customer, made new where there is none.
    pub fn get(&mut self, id: CustomerId) -> &mut Customer {
        let turn = self.turn;
        let entry = self.customers.entry(id).or_default();
        entry.1 = turn;
        &mut entry.0
    }

    /// Forgets one.
    pub fn remove(&mut self, id: CustomerId) {
        self.customers.remove(&id);
    }

    /// Forgets all: what was folded is not what was committed.
    pub fn clear(&mut self) {
        self.customers.clear();
    }

    /// The end of a batch: those not used for longest give way when there are more than `most`.
    pub fn end_turn(&mut self, most: usize) {
        self.turn += 1;
        if self.customers.len() > most {
            let mut turns: Vec<u64> = self.customers.values().map(|(_, turn)| *turn).collect();
            let middle = turns.len() / 2;
            let (_, median, _) = turns.select_nth_unstable(middle);
            let oldest_kept = (*median).max(1);
            self.customers.retain(|_, (_, turn)| *turn >= oldest_kept);
            if self.customers.len() > most {
                self.customers.clear();
            }
        }
    }
}
