//! An entry of the outbox: a record for a topic, as it lies in the store between commit and acknowledgement.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use winback_bus::Outgoing;
use winback_contract::{Channel, Partition, Topic, TopicNames};
use winback_store::Standing;

use crate::recover;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
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
    pub fn new(
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
    pub fn encode(&self) -> Vec<u8> {
        // Serialising plain data to memory has no way to fail.
        postcard::to_stdvec(self).unwrap_or_default()
    }

    /// From the store; `None` when it is damaged.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }

    /// As it is produced while the store stands there: whoever reads it later knows that this much was durable.
    pub fn outgoing(self, names: &TopicNames, standing: Standing) -> Outgoing {
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
