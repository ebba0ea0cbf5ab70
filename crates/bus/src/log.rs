//! The port: what winback needs of a log, and no more.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use winback_contract::{Offset, Partition};

use crate::error::Error;
use crate::mark::Mark;
use crate::record::{Outgoing, Record};

/// A partition of a topic.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TopicPartition {
    /// The topic, with the prefix.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: Partition,
}

impl TopicPartition {
    /// A partition of a topic.
    pub fn new(topic: &str, partition: Partition) -> Self {
        Self {
            topic: Arc::from(topic),
            partition,
        }
    }
}

/// Writes, and answers questions about positions.
#[async_trait]
pub trait Log: Send + Sync {
    /// Writes all records, in order per partition, and returns when every one is acknowledged. While the log is
    /// away it waits. An error leaves it open which of them arrived.
    async fn produce(&self, records: Vec<Outgoing>) -> Result<(), Error>;

    /// The number of partitions; `None` when the topic does not exist.
    async fn partitions(&self, topic: &str) -> Result<Option<u32>, Error>;

    /// Up to where a reader may read, of each partition in order: before the first open transaction.
    async fn ends(&self, topic: &str) -> Result<Vec<Offset>, Error>;

    /// The next offset to be written, of each partition in order: what is acknowledged has arrived, whether or not it may
    /// be read yet (INV-6).
    async fn arrived(&self, topic: &str) -> Result<Vec<Offset>, Error> {
        self.ends(topic).await
    }

    /// The first offset still kept, of each partition in order.
    async fn starts(&self, topic: &str) -> Result<Vec<Offset>, Error>;

    /// The first offset still kept and the end, of each of these places: of others nothing is asked, which may have no
    /// leader.
    async fn edges(
        &self,
        topic_partitions: &[TopicPartition],
    ) -> Result<Vec<(Offset, Offset)>, Error>;

    /// Whether a reader would be handed a record of `topic_partition` from `from` up to and without `to`. Offsets may be used up
    /// by what no reader sees: marks of transactions, records of aborted ones. True where nobody knows yet: in an open one.
    async fn has_records(
        &self,
        topic_partition: &TopicPartition,
        from: Offset,
        to: Offset,
    ) -> Result<bool, Error>;

    /// What a group has committed, of each partition in order.
    async fn committed(&self, group: &str, topic: &str) -> Result<Vec<Option<Commit>>, Error>;

    /// Commits a position for a group that has no members now, as only a person's word allows.
    async fn commit_for(
        &self,
        group: &str,
        topic_partition: &TopicPartition,
        to: &Commit,
    ) -> Result<(), Error>;

    /// A member of a consumer group on these topics.
    async fn join(&self, group: &str, topics: &[String]) -> Result<Box<dyn GroupConsumer>, Error>;

    /// A reader without a group; `group` only names it to the broker's access rules.
    async fn read(&self, group: &str) -> Result<Box<dyn AssignedReader>, Error>;

    /// An id of the cluster, to notice when it is another one.
    async fn cluster_id(&self) -> Result<String, Error>;
}

/// A committed position.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Commit {
    /// The next offset to read.
    pub next: Offset,
    /// Metadata that was committed with it.
    pub metadata: String,
}

/// A change of what a member owns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Assignment {
    /// Now its own.
    Assigned(Vec<TopicPartition>),
    /// No longer its own.
    Revoked(Vec<TopicPartition>),
}

/// What one poll brought.
#[derive(Default, Debug)]
pub struct Polled {
    /// Changes of ownership, to be handled before the records.
    pub assignments: Vec<Assignment>,
    /// Records in order per partition.
    pub records: Vec<Record>,
}

/// A member of a consumer group. Dropping it leaves the group.
#[async_trait]
pub trait GroupConsumer: Send + Sync {
    /// What is there now, or within `wait`; at most `most` records.
    async fn poll(&mut self, most: usize, wait: Duration) -> Result<Polled, Error>;

    /// Commits next offsets with their metadata; [`Kept`](crate::Kept) where the member reads by itself.
    async fn commit(&mut self, positions: &[(TopicPartition, Offset, String)])
    -> Result<(), Error>;

    /// Fetches nothing of these partitions until they are assigned anew: the member only owns them.
    fn own_only(&mut self);

    /// Stops or resumes fetching an owned partition; its position stays.
    async fn hold(&mut self, topic_partition: &TopicPartition, held: bool) -> Result<(), Error>;

    /// Which topic of this name a partition is of: told apart are those that were made one after the other. Known with
    /// the first record.
    fn generation(&self, topic_partition: &TopicPartition) -> u32;
}

/// Reads partitions from positions that the caller keeps.
#[async_trait]
pub trait AssignedReader: Send + Sync {
    /// Reads `topic_partition` from `from` on, if the record before it is the marked one: else [`Error::Fatal`] now or with the
    /// first records, and says how to go on (INV-8). Without a mark it is taken at its word.
    async fn start(
        &mut self,
        topic_partition: &TopicPartition,
        from: Offset,
        mark: Option<Mark>,
    ) -> Result<(), Error>;

    /// No longer reads `topic_partition`.
    async fn stop(&mut self, topic_partition: &TopicPartition) -> Result<(), Error>;

    /// Stops or resumes fetching `topic_partition`; its position stays.
    async fn hold(&mut self, topic_partition: &TopicPartition, held: bool) -> Result<(), Error>;

    /// What is there now, or within `wait`; at most `most` records.
    async fn poll(&mut self, most: usize, wait: Duration) -> Result<Vec<Record>, Error>;
}
