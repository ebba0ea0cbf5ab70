//! An entry of the outbox: a record for a topic, as it lies in the store between commit and acknowledgement.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use winback_bus::Outgoing;
use winback_contract::{Channel, Partition, Topic, TopicNames};
use winback_store::Standing;

use crate::recover;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    target: Target,
    partition: Option<u32>,
    key: Vec<u8>,
    value: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Target {
    Events,
    Triggers,
    Journeys,
    Dispatch(Channel),
    Failed,
}

impl Entry {
    /// A record for one of the topics sessions writes; `None` for any other topic.
    pub(crate) fn new(
        topic: Topic,
        partition: Option<Partition>,
        key: String,
        value: Vec<u8>,
    ) -> Option<Self> {
        let target = match topic {
            Topic::Events => Target::Events,
            Topic::Triggers => Target::Triggers,
            Topic::Journeys => Target::Journeys,
            Topic::Dispatch(channel) => Target::Dispatch(channel),
            Topic::Failed => Target::Failed,
            Topic::Raw
            | Topic::Decisions
            | Topic::Outcomes
            | Topic::Catalogue
            | Topic::Campaigns => return None,
        };
        Some(Self {
            target,
            partition: partition.map(|partition| partition.0),
            key: key.into_bytes(),
            value,
        })
    }

    /// As it lies in the store.
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Serialising plain data to memory has no way to fail.
        postcard::to_stdvec(self).unwrap_or_default()
    }

    /// From the store; `None` when it is damaged.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }

    /// As it is produced while the store stands there: whoever reads it later knows that this much was durable.
    pub(crate) fn outgoing(self, names: &TopicNames, standing: Standing) -> Outgoing {
        let topic = match self.target {
            Target::Events => Topic::Events,
            Target::Triggers => Topic::Triggers,
            Target::Journeys => Topic::Journeys,
            Target::Dispatch(channel) => Topic::Dispatch(channel),
            Target::Failed => Topic::Failed,
        };
        Outgoing {
            topic: Arc::from(names.name(topic)),
            partition: self.partition.map(Partition),
            key: self.key,
            value: self.value,
            headers: vec![(recover::MARK.into(), recover::write(standing).into_bytes())],
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    /// As it lies in stores now: a later release reads it, and writes a later version beginning with a byte above 15.
    #[test]
    fn an_entry_is_read_as_it_was_written() {
        for (topic, partition, bytes) in [
            (
                Topic::Events,
                Some(3),
                vec![0, 1, 3, 1, b'k', 2, b'{', b'}'],
            ),
            (
                Topic::Triggers,
                Some(300),
                vec![1, 1, 172, 2, 1, b'k', 2, b'{', b'}'],
            ),
            (
                Topic::Journeys,
                Some(0),
                vec![2, 1, 0, 1, b'k', 2, b'{', b'}'],
            ),
            (
                Topic::Dispatch(Channel::Email),
                Some(1),
                vec![3, 0, 1, 1, 1, b'k', 2, b'{', b'}'],
            ),
            (
                Topic::Dispatch(Channel::Sms),
                Some(1),
                vec![3, 1, 1, 1, 1, b'k', 2, b'{', b'}'],
            ),
            (Topic::Failed, None, vec![4, 0, 1, b'k', 2, b'{', b'}']),
        ] {
            let entry = Entry::new(topic, partition.map(Partition), "k".into(), b"{}".to_vec());
            let entry = entry.unwrap();
            assert_eq!(entry.encode(), bytes, "{topic:?}");
            assert_eq!(Entry::decode(&bytes), Some(entry));
        }
        assert_eq!(Entry::decode(&[16, 1, 2, 3]), None, "of a newer release");
    }
}
