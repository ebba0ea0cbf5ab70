//! Records as they are read and as they are written.

use std::fmt;
use std::sync::Arc;

use winback_contract::{Offset, Partition, Timestamp};

use crate::log::TopicPartition;

/// Who put the time on a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stamp {
    /// The broker, when it arrived (`LogAppendTime`).
    Broker,
    /// The producer, or nobody.
    Producer,
}

/// A record that was read. `Debug` shows its place, not its content.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Its topic, with the prefix.
    pub topic: Arc<str>,
    /// Its partition.
    pub partition: Partition,
    /// Its offset.
    pub offset: Offset,
    /// Its time.
    pub time: Timestamp,
    /// Whose time that is.
    pub stamp: Stamp,
    /// Its key; empty where there is none.
    pub key: Vec<u8>,
    /// Its value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Record {
    /// The partition it lies in.
    pub fn topic_partition(&self) -> TopicPartition {
        TopicPartition {
            topic: self.topic.clone(),
            partition: self.partition,
        }
    }

    /// The first header of that name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self
            .headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Record({}/{}@{})",
            self.topic, self.partition, self.offset
        )
    }
}

/// A record to write.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its topic, with the prefix.
    pub topic: Arc<str>,
    /// Its partition; `None` lets the client choose by key (topics of ours that are not keyed by customer).
    pub partition: Option<Partition>,
    /// Its key.
    pub key: Vec<u8>,
    /// Its value; an empty one is a tombstone.
    pub value: Vec<u8>,
    /// Its headers.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Outgoing({}, {:?}, {} bytes)",
            self.topic,
            self.partition,
            self.value.len()
        )
    }
}
