//! Follows a small compacted topic from its beginning: every process reads all of it, without a group.

use std::collections::BTreeMap;
use std::time::Duration;

use winback_contract::{Offset, Partition};
use winback_service::outage::Outage;

use crate::error::Error;
use crate::log::{AssignedReader, Log, TopicPartition};
use crate::record::Record;

/// See the module.
pub struct Follower {
    reader: Box<dyn AssignedReader>,
    /// The ends when it started, by partition; gone when reached.
    ahead: BTreeMap<Partition, Offset>,
    topic: String,
    outage: Outage,
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
                .start(&TopicPartition::new(topic, partition), start, None)
                .await?;
            if let Some(end) = ends.get(index).filter(|end| **end > start) {
                ahead.insert(partition, *end);
            }
        }
        Ok(Self {
            reader,
            ahead,
            topic: topic.to_owned(),
            outage: Outage::default(),
        })
    }

    /// Values that came, within `wait`; tombstones are left out.
    ///
    /// # Errors
    /// As [`Follower::records`].
    pub async fn poll(&mut self, wait: Duration) -> Result<Vec<Vec<u8>>, Error> {
        let records = self.records(wait).await?.into_iter();
        Ok(records.filter_map(|record| record.value).collect())
    }

    /// Records that came, within `wait`, tombstones too. Once everything has been read that was there at the
    /// start, a topic that does not answer has no news: it is told, and whoever asks goes on with what is known.
    ///
    /// # Errors
    /// When the log does not answer before that, or refuses.
    pub async fn records(&mut self, wait: Duration) -> Result<Vec<Record>, Error> {
        let records = match self.reader.poll(100, wait).await {
            Err(error) if error.is_transient() && self.has_caught_up() => {
                if let Some(untold) = self.outage.failed() {
                    tracing::warn!(%error, untold, topic = self.topic, "no news is heard from this topic");
                }
                return Ok(Vec::new());
            }
            other => other?,
        };
        // A round without an error and without news says nothing of the topic.
        if !records.is_empty() && self.outage.is_over() {
            tracing::info!(topic = self.topic, "news is heard again");
        }
        for record in &records {
            if self
                .ahead
                .get(&record.partition)
                .is_some_and(|end| record.offset.next() >= *end)
            {
                self.ahead.remove(&record.partition);
            }
        }
        Ok(records)
    }

    /// Whether everything has been read that was there at the start.
    pub fn has_caught_up(&self) -> bool {
        self.ahead.is_empty()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use std::sync::Arc;

    use winback_service::Clock;

    use super::*;
    use crate::mark::Mark;
    use crate::memory::MemoryLog;
    use crate::record::Outgoing;

    /// Does not answer.
    struct Away;

    #[async_trait::async_trait]
    impl AssignedReader for Away {
        async fn start(
            &mut self,
            _: &TopicPartition,
            _: Offset,
            _: Option<Mark>,
        ) -> Result<(), Error> {
            Ok(())
        }
        async fn stop(&mut self, _: &TopicPartition) -> Result<(), Error> {
            Ok(())
        }
        async fn hold(&mut self, _: &TopicPartition, _: bool) -> Result<(), Error> {
            Ok(())
        }
        async fn poll(&mut self, _: usize, _: Duration) -> Result<Vec<Record>, Error> {
            Err(Error::Unavailable("kafka: leader not available".into()))
        }
    }

    /// What is known stays known while the topic is away; before that, nobody may go on without it.
    #[tokio::test]
    async fn a_topic_that_is_away_has_no_news_once_it_was_read() {
        let log = MemoryLog::new(Clock::at(1));
        log.create("campaigns", 1);
        let value = Outgoing {
            topic: Arc::from("campaigns"),
            partition: Some(Partition(0)),
            key: Vec::new(),
            value: b"one".to_vec(),
            headers: Vec::new(),
        };
        log.produce(vec![value]).await.unwrap();
        let mut follower = Follower::start(&log, "campaigns", "g").await.unwrap();
        let reader = std::mem::replace(&mut follower.reader, Box::new(Away));
        assert!(follower.poll(Duration::ZERO).await.is_err());
        follower.reader = reader;
        while !follower.has_caught_up() {
            follower.poll(Duration::ZERO).await.unwrap();
        }
        follower.reader = Box::new(Away);
        let none: Vec<Vec<u8>> = Vec::new();
        assert_eq!(follower.poll(Duration::ZERO).await, Ok(none));
    }
}
