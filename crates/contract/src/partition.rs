//! Partitions and offsets as types, and the one rule that maps a customer to a partition, for life.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::CustomerId;

/// A partition of the topics that share one numbering: events, triggers, decisions, outcomes.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    Serialize,
    Deserialize,
    JsonSchema,
    Default,
)]
#[serde(transparent)]
pub struct Partition(pub u32);

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// How many partitions there are; fixed for the life of a topic set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartitionCount(std::num::NonZeroU32);

impl PartitionCount {
    /// `None` for zero.
    pub fn new(count: u32) -> Option<Self> {
        std::num::NonZeroU32::new(count).map(Self)
    }

    /// As a number.
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// All partitions in order.
    pub fn all(self) -> impl Iterator<Item = Partition> {
        (0..self.get()).map(Partition)
    }

    /// First eight bytes of the customer, big-endian, modulo the count (ADR 0001).
    pub fn of(self, customer: CustomerId) -> Partition {
        let mut first = [0_u8; 8];
        first.copy_from_slice(&customer.as_bytes()[..8]);
        let slot = u64::from_be_bytes(first) % u64::from(self.get());
        Partition(u32::try_from(slot).unwrap_or(0))
    }
}

/// The place of a record in its partition; also "the next one to read".
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct Offset(pub i64);

impl Partition {
    /// Its own of what is told of each partition in order; nothing where it is not told.
    pub fn among<T: Copy + Default>(self, all: &[T]) -> T {
        all.get(self.0 as usize).copied().unwrap_or_default()
    }
}

impl Offset {
    /// Of the record after this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Of the record before this one; the first has none before it.
    pub fn before(self) -> Self {
        Self(self.0.saturating_sub(1).max(0))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mapping_is_the_published_one() {
        let mut bytes = [0_u8; 16];
        bytes[..8].copy_from_slice(&1_000_003_u64.to_be_bytes());
        let count = PartitionCount::new(32).unwrap();
        assert_eq!(count.of(CustomerId(bytes)), Partition(1_000_003 % 32));
        assert_eq!(PartitionCount::new(0), None);
        assert_eq!(count.all().count(), 32);
    }
}
