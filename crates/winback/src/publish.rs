//! Publishing: the bundle by its hash into `campaigns`, then a switch into every partition of `events`, in order. What
//! was active before is remembered beside the bundles, so that one can go back.

use std::sync::Arc;
use std::time::Duration;

use winback_bus::{Follower, Log, Outgoing};
use winback_campaign::{Bundle, Files};
use winback_contract::{
    Activations, Body, BundleHash, CustomerId, EventId, EventRecord, Offset, PartitionCount,
    SourceKind, SourcePosition, Timestamp, Topic, TopicNames,
};
use winback_journey::{Bundles, Offered};

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
        headers: Vec::new(),
    };
    log.produce(vec![bundle]).await?;
    activate(log, names, partitions, hash, (now, false)).await?;
    Ok(hash)
}

/// Makes a bundle that was published before the one that decides, from here on, in every partition.
pub(crate) async fn activate(
    log: &dyn Log,
    names: &TopicNames,
    partitions: PartitionCount,
    hash: BundleHash,
    (now, going_back): (Timestamp, bool),
) -> Result<(), Error> {
    let mut past = activations(log, names).await?;
    if past.newest() != Some(hash) {
        match past
            .activations
            .iter()
            .rposition(|(earlier, _)| going_back && *earlier == hash)
        {
            // What was taken back is not what one goes back to next.
            Some(place) => past.activations.truncate(place + 1),
            None => past.activations.push((hash, now)),
        }
        let over = past.activations.len().saturating_sub(Activations::KEPT);
        past.activations.drain(..over);
        let record = Outgoing {
            topic: Arc::from(names.name(Topic::Campaigns)),
            partition: None,
            key: Activations::KEY.as_bytes().to_vec(),
            value: serde_json::to_vec(&past)?,
            headers: Vec::new(),
        };
        log.produce(vec![record]).await?;
    }
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
            headers: Vec::new(),
        });
    }
    log.produce(switches).await?;
    Ok(())
}

/// What lies in `campaigns`.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// Bundles and switches.
    pub(crate) bundles: Bundles,
    /// What was active, the newest last.
    pub(crate) activations: Activations,
}

/// Reads all of `campaigns`.
pub(crate) async fn published(log: &dyn Log, names: &TopicNames) -> Result<Published, Error> {
    let topic = names.name(Topic::Campaigns);
    let mut found = Published::default();
    let mut follower = Follower::start(log, &topic, "publish").await?;
    while !follower.has_caught_up() {
        for value in follower.poll(Duration::from_millis(100)).await? {
            if let Offered::Activated(activations) = found.bundles.offer(&value) {
                found.activations = activations;
            }
        }
    }
    Ok(found)
}

/// What was active, without compiling what is published.
async fn activations(log: &dyn Log, names: &TopicNames) -> Result<Activations, Error> {
    let mut newest = Activations::default();
    let mut follower = Follower::start(log, &names.name(Topic::Campaigns), "publish").await?;
    while !follower.has_caught_up() {
        for value in follower.poll(Duration::from_millis(100)).await? {
            if let Ok(activations) = serde_json::from_slice(&value) {
                newest = activations;
            }
        }
    }
    Ok(newest)
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
