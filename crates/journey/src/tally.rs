//! What of a customer counts against the limits of a partition, and what gauges show of it (INV-12).
//!
//! A partition keeps the sum; every batch adds the difference between before and after.

use std::collections::BTreeMap;

use winback_contract::{Channel, Reason};

use crate::customer::Customer;

/// Open triggers, messages in flight, held steps by reason; signed, so that it can be a difference.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Triggers without a decision.
    pub triggers: i64,
    /// Messages without an outcome, by channel: each has a grant.
    pub flights: BTreeMap<Channel, i64>,
    /// Held steps.
    pub held: BTreeMap<Reason, i64>,
}

impl Tally {
    /// Of one customer.
    pub fn of(customer: &Customer) -> Self {
        let mut held = BTreeMap::new();
        for hold in customer.journeys.iter().filter_map(|journey| journey.hold) {
            *held.entry(hold.reason).or_insert(0) += 1;
        }
        let mut flights = BTreeMap::new();
        for pending in &customer.messages {
            *flights.entry(pending.channel).or_insert(0) += 1;
        }
        Self {
            flights,
            triggers: i64::from(customer.trigger.is_some()),
            held,
        }
    }

    /// Messages without an outcome.
    pub fn messages(&self) -> i64 {
        self.flights.values().sum()
    }

    /// Adds `sign` times another.
    pub fn add(&mut self, other: &Self, sign: i64) {
        self.triggers += sign * other.triggers;
        for (channel, count) in &other.flights {
            *self.flights.entry(*channel).or_insert(0) += sign * count;
        }
        for (reason, count) in &other.held {
            *self.held.entry(*reason).or_insert(0) += sign * count;
        }
    }
}
