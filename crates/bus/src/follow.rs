//! Follows a small compacted topic from its beginning: every process reads all of it, without a group.

use std::time::Duration;

use winback_contract::{Offset, Partition};

use crate::error::Error;
use crate::log::{Log, Place, Reader};

/// See the module.
pub struct Follower {
    reader: Box<dyn Reader>,
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
        for (index, start) in log.starts(topic).await?.into_iter().enumerate() {
            let partition = Partition(u32::try_from(index).unwrap_or(u32::MAX));
            reader
                .start(&Place::new(topic, partition), start.max(Offset(0)))
                .await?;
        }
        Ok(Self { reader })
    }

    /// Values that came, within `wait`; tombstones are left out.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn poll(&mut self, wait: Duration) -> Result<Vec<Vec<u8>>, Error> {
        Ok(self
            .reader
            .poll(100, wait)
            .await?
            .into_iter()
            .filter_map(|record| record.value)
            .collect())
    }
}
