//! Publishing: the bundle by its hash into `campaigns`, then a switch into every partition of `events`, in order.

use std::sync::Arc;

use winback_bus::{Log, Outgoing};
use winback_campaign::{Bundle, Files};
use winback_contract::{
    Body, BundleHash, CustomerId, EventId, EventRecord, Offset, PartitionCount, SourceKind,
    SourcePosition, Timestamp, Topic, TopicNames,
};

use crate::config::Config;
use crate::error::Error;

/// Publishes a bundle that has been checked.
pub(crate) async fn publish(
    log: &dyn Log,
    names: &TopicNames,
    partitions: PartitionCount,
    files: &Files,
    now: Timestamp,
) -> Result<BundleHash, Error> {
    let hash = files.hash();
    let bundle = Outgoing {
        topic: Arc::from(names.name(Topic::Campaigns)),
        partition: None,
        key: hash.to_string().into_bytes(),
        value: serde_json::to_vec(files)?,
    };
    log.produce(vec![bundle]).await?;
    let mut switches = Vec::new();
    for partition in partitions.all() {
        let record = EventRecord {
            v: EventRecord::VERSION,
            to: CustomerId([0; 16]),
            id: EventId(hash.0),
            source: SourcePosition {
                stream: "publish".into(),
                partition,
                offset: Offset(0),
                index: 0,
            },
            kind: SourceKind::Live,
            arrival: now,
            at: now,
            body: Body::Activation { bundle: hash },
        };
        switches.push(Outgoing {
            topic: Arc::from(names.name(Topic::Events)),
            partition: Some(partition),
            key: Vec::new(),
            value: serde_json::to_vec(&record)?,
        });
    }
    log.produce(switches).await?;
    Ok(hash)
}

/// Every channel that a step uses has its topic: else a decided message would have nowhere to go.
pub(crate) async fn channels_are_there(
    log: &dyn Log,
    config: &Config,
    bundle: &Bundle,
) -> Result<(), Error> {
    for channel in bundle.channels() {
        let topic = config.names().name(Topic::Dispatch(channel));
        if log.partitions(&topic).await?.is_none() {
            return Err(Error::Findings(format!(
                "a campaign sends by {channel}, and there is no topic {topic}: add dispatch.channels.{channel} to the config \
                 and run `winback topics apply`, or leave that channel out"
            )));
        }
    }
    Ok(())
}
