//! The port: what winback needs of a store, and no more.

use std::fmt;

use async_trait::async_trait;
use winback_contract::{CustomerId, MessageId, Offset, Partition, Span, Timestamp};

use crate::commit::{Commit, Committed};
use crate::error::Error;
use crate::meta::PartitionMeta;

/// A grant as it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grant {
    /// Not claimed.
    Granted,
    /// Claimed; the answer was due by then.
    Claimed {
        /// By when.
        until: Timestamp,
    },
    /// It went to another profile.
    Moved,
    /// It is known to have gone out before the store went back in time.
    Sent,
}

/// The answer to a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claim {
    /// Send it now.
    Claimed,
    /// There is no permission (any more).
    Gone,
    /// The step goes on at another profile.
    Moved,
    /// Somebody else has claimed it.
    Taken,
    /// A newer attempt was granted.
    Stale,
    /// It went out before, in a time that the store has forgotten (INV-4): say that it was sent.
    Sent,
    /// It is too early or too late by the store's clock.
    OutsideWindow,
    /// Nobody has vouched lately that all input of the partition is applied: the customer may have bought meanwhile.
    Lagging,
}

/// Under what a claim is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClaimTerms {
    /// The claimer reports within this time.
    pub timeout: Span,
    /// Input up to so long ago must be applied, as the partition's lease says, and the lease itself is no older, nor of the
    /// future.
    pub most_lag: Span,
}

/// The owner vouches for its partition: all input that arrived up to `applied` is applied (INV-5, INV-6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lease {
    /// Which partition.
    pub partition: Partition,
    /// The owner's epoch: any other's lease is not taken (INV-1).
    pub epoch: u64,
    /// The owner's last commit: a store that is behind it takes no lease.
    pub sequence: u64,
    /// The input frontier, by the store's clock; none where it is not known yet.
    pub applied: Option<Timestamp>,
}

/// Where a partition stands in the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Standing {
    /// Its epoch.
    pub epoch: u64,
    /// Its sequence.
    pub sequence: u64,
}

/// How far a partition is: small, however large its meta is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// The next position in `events`.
    pub events: Offset,
    /// The next position in `outcomes`.
    pub outcomes: Offset,
    /// Entries ever put into the outbox.
    pub pushed: u64,
    /// Entries ever taken out after Kafka had them.
    pub trimmed: u64,
}

/// What is wrong with a server, and the way out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Problem {
    /// It must not be used.
    Unfit(String),
    /// It may lose what it acknowledged: fine where `store.durability` says so.
    Durability(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfit(text) | Self::Durability(text) => f.write_str(text),
        }
    }
}

/// State, timers, outbox, positions and grants of partitions.
#[async_trait]
pub trait Store: Send + Sync {
    /// The store's clock: it never goes back.
    async fn time(&self) -> Result<Timestamp, Error>;

    /// Becomes the owner: raises the epoch and returns the meta. `known` is the newest commit that somebody else knows of:
    /// a state that is behind it went back in time, and its meta says so from now on ([`PartitionMeta::recovering`]). The sequence
    /// goes on above every one that was ever used, also in a time that was lost.
    async fn acquire(&self, partition: Partition, known: Standing) -> Result<PartitionMeta, Error>;

    /// Metas without owning; `None` where there is no state.
    async fn metas(&self, partitions: &[Partition]) -> Result<Vec<Option<PartitionMeta>>, Error>;

    /// How far partitions are, without the rest of their metas: asked several times a second. A partition that has
    /// applied nothing has none.
    async fn progress(&self, partitions: &[Partition]) -> Result<Vec<Option<Progress>>, Error>;

    /// Blobs of customers, in the order asked.
    async fn load(
        &self,
        partition: Partition,
        ids: &[CustomerId],
    ) -> Result<Vec<Option<Vec<u8>>>, Error>;

    /// Writes everything or nothing, and returns when it is durable.
    async fn commit(&self, partition: Partition, commit: &Commit) -> Result<Committed, Error>;

    /// Customers whose due time is not after `until`, the earliest first.
    async fn due(
        &self,
        partition: Partition,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<(CustomerId, Timestamp)>, Error>;

    /// The earliest due time.
    async fn earliest(&self, partition: Partition) -> Result<Option<Timestamp>, Error>;

    /// The outbox from its front.
    async fn outbox(&self, partition: Partition) -> Result<Vec<Vec<u8>>, Error>;

    /// Grants, in the order asked.
    async fn grants(&self, places: &[(Partition, MessageId)]) -> Result<Vec<Option<Grant>>, Error>;

    /// Renews leases and tells where the partitions stand; a partition without state stands at zero.
    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Standing>, Error>;

    /// Claims a grant for one attempt, in one call with the judgement of the partition's lease; `token` names the claimer.
    async fn claim(
        &self,
        partition: Partition,
        message: MessageId,
        attempt: u32,
        token: u64,
        terms: ClaimTerms,
    ) -> Result<Claim, Error>;

    /// A slice of all customers of a partition, and where to go on; `None` at the end. Start with an empty cursor.
    async fn roll(
        &self,
        partition: Partition,
        cursor: &str,
        most: usize,
    ) -> Result<(Vec<CustomerId>, Option<String>), Error>;

    /// A slice of those who wait for news of a product, the newest first, and where to go on; `None` at the end.
    async fn watchers(
        &self,
        partition: Partition,
        product: &str,
        cursor: &str,
        most: usize,
    ) -> Result<(Vec<CustomerId>, Option<String>), Error>;

    /// The codes at the front of a coupon pool, and how many it has in all.
    async fn coupons(
        &self,
        partition: Partition,
        pool: &str,
        most: usize,
    ) -> Result<(Vec<String>, u64), Error>;

    /// Counts one more of `name`. False, and not counted, where `most` were counted in the last hour by the store's clock
    /// (minutes are counted, so up to a minute longer): all processes share the count.
    async fn count(&self, name: &str, most: u32) -> Result<bool, Error>;

    /// Takes back one that was counted a moment ago and did not happen.
    async fn uncount(&self, name: &str) -> Result<(), Error>;

    /// A fact about the whole installation that is written once and then only compared (partition count, cluster).
    async fn pin(&self, name: &str, value: &str) -> Result<String, Error>;

    /// The share of the memory it may take that is taken, from 0 to 1; 0 where no limit is set.
    async fn fullness(&self) -> Result<f64, Error>;

    /// What the server's settings break of the promises; empty when all is well.
    async fn problems(&self) -> Result<Vec<Problem>, Error>;
}
