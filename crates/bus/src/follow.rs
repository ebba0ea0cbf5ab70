//! Follows a small compacted topic from its beginning: every process reads all of it, without a group.

use std::collections::BTreeMap;
use std::time::Duration;

use winback_contract::{Offset, Partition};

use crate::error::Error;
use crate::log::{Log, Place, Reader};

/// See the module.
pub struct Follower {
    reader: Box<dyn Reader>,
    /// The ends when it started, by partition; gone when reached.
    ahead: BTreeMap<Partition, Offset>,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Follower")
    }
}

impl Follower {
    /// Starts at the first record that is kept.
    ///
    /// # Errors
    /// When the log refuses.
    pub async fn start(log: &dyn Log, topic: &str, group: &str) -> Result<Self, Error> {
        let mut reader = log.read(group).await?;
        let mut ahead = BTreeMap::new();
        let ends = log.ends(topic).await?;
        for (index, start) in log.starts(topic).await?.into_iter().enumerate() {
            let partition = Partition(u32::try_from(index).unwrap_or(u32::MAX));
            let start = start.max(Offset(0));
            reader
                .start(&Place::new(topic, partition), start, None)
                .await?;
            if let Some(end) = ends.get(index).filter(|end| **end > start) {
                ahead.insert(partition, *end);
            }
        }
        Ok(Self { reader, ahead })
    }

    /// Values that came, within `wait`; tombstones are left out.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn poll(&mut self, wait: Duration) -> Result<Vec<Vec<u8>>, Error> {
        let records = self.reader.poll(100, wait).await?;
        for record in &records {
            if self
                .ahead
                .get(&record.partition)
                .is_some_and(|end| record.offset.next() >= *end)
            {
                self.ahead.remove(&record.partition);
            }
        }
        Ok(records
            .into_iter()
            .filter_map(|record| record.value)
            .collect())
    }

    /// Whether everything has been read that was there at the start.
    pub fn has_caught_up(&self) -> bool {
        self.ahead.is_empty()
    }
}
