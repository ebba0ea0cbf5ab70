//! Key names of ADR 0001. `{p}` is the hash tag: all keys of a commit share a slot.

use winback_contract::{CustomerId, MessageId, Partition};

/// Names under one prefix.
#[derive(Clone, Debug)]
pub(crate) struct Keys(pub(crate) String);

impl Keys {
    pub(crate) fn meta(&self, p: Partition) -> String {
        format!("{}{{{p}}}:meta", self.0)
    }
    pub(crate) fn timers(&self, p: Partition) -> String {
        format!("{}{{{p}}}:timers", self.0)
    }
    pub(crate) fn outbox(&self, p: Partition) -> String {
        format!("{}{{{p}}}:outbox", self.0)
    }
    /// The customer's part is its 16 raw bytes.
    pub(crate) fn customer(&self, p: Partition, id: CustomerId) -> Vec<u8> {
        let mut key = format!("{}{{{p}}}:c:", self.0).into_bytes();
        key.extend_from_slice(id.as_bytes());
        key
    }
    pub(crate) fn grant(&self, p: Partition, id: MessageId) -> Vec<u8> {
        let mut key = format!("{}{{{p}}}:g:", self.0).into_bytes();
        key.extend_from_slice(id.as_bytes());
        key
    }
    pub(crate) fn watchers(&self, p: Partition, product: &str) -> String {
        format!("{}{{{p}}}:w:{product}", self.0)
    }
    /// Codes that are free.
    pub(crate) fn coupons(&self, p: Partition, pool: &str) -> String {
        format!("{}{{{p}}}:coupons:{pool}", self.0)
    }
    /// Codes that were ever added: none comes back by being loaded twice.
    pub(crate) fn coupons_known(&self, p: Partition, pool: &str) -> String {
        format!("{}{{{p}}}:coupons-known:{pool}", self.0)
    }
    pub(crate) fn counter(&self, name: &str) -> String {
        format!("{}count:{name}", self.0)
    }
    pub(crate) fn pin(&self, name: &str) -> String {
        format!("{}pin:{name}", self.0)
    }
}
