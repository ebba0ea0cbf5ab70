//! One commit of a partition: a dumb list of writes under a fence.

use winback_contract::{CustomerId, MessageId, Span, Timestamp};

use crate::meta::PartitionMeta;

/// Everything that changes together (INV-2).
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Commit {
    /// The epoch of the writer (INV-1).
    pub epoch: u64,
    /// The sequence this commit builds on; it becomes one more.
    pub sequence: u64,
    /// A retry has the same id and is applied once.
    pub id: [u8; 16],
    /// Positions, marks, bundle, sweep, counters. Epoch and sequence in it are not read.
    pub meta: PartitionMeta,
    /// The meta at `sequence`, if it is known for sure: what is in it need not be written again.
    pub base: Option<PartitionMeta>,
    /// New blobs; `None` deletes.
    pub customers: Vec<(CustomerId, Option<Vec<u8>>)>,
    /// New due times; `None` removes.
    pub timers: Vec<(CustomerId, Option<Timestamp>)>,
    /// Entries to append to the outbox.
    pub outbox: Vec<Vec<u8>>,
    /// Entries to take from its front: Kafka has them.
    pub trim: u64,
    /// Grants.
    pub grants: Vec<GrantWrite>,
    /// Customers who wait for news of products.
    pub watches: Vec<Watch>,
    /// Coupon codes, in the order given.
    pub coupons: Vec<CouponWrite>,
}

/// Most customers of a partition who wait for news of one product: the newest stay (INV-12). A list may be longer for an
/// hour before it is cut.
pub(crate) const WATCHERS: usize = 10_000;
/// A list of watchers to which nobody was added is forgotten after so long.
pub(crate) const WATCHED_FOR: Span = Span::from_days(90);

/// Those who wait for news of a product from now on, and those who do no more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watch {
    /// The shop's id of it.
    pub product: String,
    /// Since when, and who; the newest last.
    pub by: Vec<(Timestamp, CustomerId)>,
    /// Who does not wait for it any more; none of them is in `by`.
    pub gone: Vec<CustomerId>,
}

/// A write to a pool of coupon codes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CouponWrite {
    /// Which pool.
    pub pool: String,
    /// What becomes of it.
    pub change: CouponChange,
}

/// What becomes of a pool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CouponChange {
    /// New codes go to its end; one that was ever added before is passed over.
    Add(Vec<String>),
    /// A code was given to somebody.
    Take(String),
    /// A code reached nobody: it goes to the end.
    Return(String),
}

impl CouponChange {
    /// The codes it is about.
    pub fn codes(&self) -> &[String] {
        match self {
            Self::Add(codes) => codes,
            Self::Take(code) | Self::Return(code) => std::slice::from_ref(code),
        }
    }
}

/// A write to a grant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GrantWrite {
    /// It may be claimed.
    Grant {
        /// Which message.
        message: MessageId,
        /// Which attempt.
        attempt: u32,
        /// Not before.
        not_before: Timestamp,
        /// Not after.
        not_after: Timestamp,
    },
    /// It is forgotten.
    Remove(MessageId),
    /// It may not be claimed any more; a claimed one stays.
    Withdraw(MessageId),
    /// An unclaimed one answers `moved` from now on; a claimed one stays.
    Move(MessageId),
    /// It went out in a time that this store has forgotten: until then no grant brings it back (INV-4).
    Sent {
        /// Which message.
        message: MessageId,
        /// Until when it may be asked for again.
        until: Timestamp,
    },
}

impl GrantWrite {
    /// The message it is about.
    pub fn message(&self) -> MessageId {
        match self {
            Self::Grant { message, .. }
            | Self::Sent { message, .. }
            | Self::Remove(message)
            | Self::Withdraw(message)
            | Self::Move(message) => *message,
        }
    }
}

/// The answer to a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Committed {
    /// It is durable.
    Applied,
    /// It was durable before: this was a retry.
    AlreadyApplied,
    /// Another owner has the partition, or the state is not the one it builds on.
    Fenced {
        /// Epoch there.
        epoch: u64,
        /// Sequence there.
        sequence: u64,
    },
}
