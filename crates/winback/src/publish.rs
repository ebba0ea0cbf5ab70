//! Publishing: the bundle by its hash into `campaigns`, then a switch into every partition of `events`, in order. What
//! was active before is remembered beside the bundles, so that one can go back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use winback_bus::{Follower, Log, Outgoing};
use winback_campaign::{Bundle, Files};
use winback_contract::{
    Activations, Body, BundleHash, CustomerId, EventId, EventRecord, Format, FormatRecord, Offset,
    PartitionCount, SourceKind, SourcePosition, Span, Timestamp, Topic, TopicNames,
};
use winback_journey::{Bundles, Offered};

use winback_store::Store;

use crate::config::Config;
use crate::error::Error;

/// A bundle decides for so long before those of before are taken out.
const SETTLED: Span = Span::from_days(1);

/// Publishes a bundle that has been checked.
pub(crate) async fn publish(
    log: &dyn Log,
    names: &TopicNames,
    partitions: PartitionCount,
    files: &Files,
    now: Timestamp,
) -> Result<BundleHash, Error> {
    let hash = files.hash();
    if !activations(log, names).await?.1 {
        // A new shop: there is no release before that one could go back to.
        say_format(log, names, Format::NEWEST).await?;
    }
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

/// From here on the shop is on this format.
pub(crate) async fn say_format(
    log: &dyn Log,
    names: &TopicNames,
    format: Format,
) -> Result<(), Error> {
    let record = Outgoing {
        topic: Arc::from(names.name(Topic::Campaigns)),
        partition: None,
        key: FormatRecord::KEY.as_bytes().to_vec(),
        value: serde_json::to_vec(&FormatRecord::of(format))?,
        headers: Vec::new(),
    };
    log.produce(vec![record]).await?;
    Ok(())
}

/// Makes a bundle that was published before the one that decides, from here on, in every partition.
pub(crate) async fn activate(
    log: &dyn Log,
    names: &TopicNames,
    partitions: PartitionCount,
    hash: BundleHash,
    (now, going_back): (Timestamp, bool),
) -> Result<(), Error> {
    let (mut past, _) = activations(log, names).await?;
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
        past.forget(now);
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

/// Takes out of `campaigns` what nobody needs any more: bundles that are neither among those one may go back to nor named by
/// a journey of any partition. Returns how many; none where that is not known for sure (INV-12).
pub(crate) async fn clear(
    log: &dyn Log,
    store: &dyn Store,
    (names, partitions): (&TopicNames, PartitionCount),
    found: &Published,
    now: Timestamp,
) -> Result<usize, Error> {
    let Some((active, at)) = found.activations.activations.last() else {
        return Ok(0);
    };
    // What was decided before the last activation has long been sent or expired.
    if *at + SETTLED > now {
        return Ok(0);
    }
    let remembered = found.activations.activations.iter();
    let mut needed: BTreeSet<BundleHash> = remembered.map(|(hash, _)| *hash).collect();
    let all: Vec<_> = partitions.all().collect();
    // A partition that was never served has no journeys.
    for meta in store.metas(&all).await?.into_iter().flatten() {
        match meta.named {
            Some(named) if meta.bundle == Some(*active) => needed.extend(named),
            _ => return Ok(0),
        }
    }
    let gone = found.bundles.hashes().filter(|hash| !needed.contains(hash));
    let tombstone = |hash: BundleHash| Outgoing {
        topic: Arc::from(names.name(Topic::Campaigns)),
        partition: None,
        key: hash.to_string().into_bytes(),
        value: Vec::new(),
        headers: Vec::new(),
    };
    let tombstones: Vec<Outgoing> = gone.map(tombstone).collect();
    let many = tombstones.len();
    log.produce(tombstones).await?;
    Ok(many)
}

/// What lies in `campaigns`.
#[derive(Debug)]
pub(crate) struct Published {
    /// Bundles and switches.
    pub(crate) bundles: Bundles,
    /// What was active, the newest last.
    pub(crate) activations: Activations,
}

/// Reads all of `campaigns`.
pub(crate) async fn published(log: &dyn Log, names: &TopicNames) -> Result<Published, Error> {
    let topic = names.name(Topic::Campaigns);
    let mut found = Published {
        bundles: Bundles::of_a_topic(),
        activations: Activations::default(),
    };
    let mut follower = Follower::start(log, &topic, "publish").await?;
    while !follower.has_caught_up() {
        for record in follower.records(Duration::from_millis(100)).await? {
            let offered = found.bundles.take(&record.key, record.value.as_deref());
            if let Offered::Activated(activations) = offered {
                found.activations = activations;
            }
        }
    }
    Ok(found)
}

/// What was active, and whether any bundle was ever published.
async fn activations(log: &dyn Log, names: &TopicNames) -> Result<(Activations, bool), Error> {
    let (mut newest, mut any) = (Activations::default(), false);
    let mut follower = Follower::start(log, &names.name(Topic::Campaigns), "publish").await?;
    while !follower.has_caught_up() {
        for value in follower.poll(Duration::from_millis(100)).await? {
            any |= serde_json::from_slice::<Files>(&value).is_ok();
            if let Ok(activations) = serde_json::from_slice(&value) {
                newest = activations;
            }
        }
    }
    Ok((newest, any))
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use winback_bus::memory::MemoryLog;
    use winback_service::Clock;

    use super::*;

    /// A new shop begins on the newest format; one that is held on the one of before stays on it until it is told.
    #[tokio::test]
    async fn a_shop_goes_to_the_newest_format_when_it_is_new_or_told() {
        let names = TopicNames::new("t.");
        let partitions = PartitionCount::new(2).unwrap();
        let empty = || {
            let log = MemoryLog::new(Clock::at(0));
            log.create(&names.name(Topic::Campaigns), 1);
            log.create(&names.name(Topic::Events), 2);
            log
        };
        let files = |name: &str| Files([("policy.yaml".to_owned(), name.to_owned())].into());
        let format = async |log: &MemoryLog| published(log, &names).await.unwrap().bundles.format();
        let (new, now) = (empty(), Timestamp::default());
        publish(&new, &names, partitions, &files("a"), now)
            .await
            .unwrap();
        assert_eq!(format(&new).await, Format::Two);
        let before = empty();
        let record = Outgoing {
            topic: Arc::from(names.name(Topic::Campaigns)),
            partition: None,
            key: b"a".to_vec(),
            value: serde_json::to_vec(&files("a")).unwrap(),
            headers: Vec::new(),
        };
        before.produce(vec![record]).await.unwrap();
        publish(&before, &names, partitions, &files("b"), now)
            .await
            .unwrap();
        assert_eq!(format(&before).await, Format::UNSAID);
        say_format(&before, &names, Format::One).await.unwrap();
        assert_eq!(format(&before).await, Format::One);
        say_format(&before, &names, Format::NEWEST).await.unwrap();
        publish(&before, &names, partitions, &files("c"), now)
            .await
            .unwrap();
        assert_eq!(format(&before).await, Format::Two);
    }
}
