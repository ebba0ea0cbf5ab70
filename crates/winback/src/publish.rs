//! Publishing: the bundle by its hash into `campaigns`, then a switch into every partition of `events`, in order. What
//! was active before is remembered beside the bundles, so that one can go back.

use std::sync::Arc;
use std::time::Duration;

use winback_bus::{Follower, Log, Outgoing};
use winback_campaign::{Bundle, Files};
use winback_campaign::{Bundles, Offered};
use winback_contract::{
    Activations, Body, BundleHash, CustomerId, EventId, EventRecord, Format, FormatRecord, Offset,
    PartitionCount, SourceKind, SourcePosition, Timestamp, Topic, TopicNames,
};

use crate::config::Config;
use crate::error::Error;

pub(crate) mod clear;

/// Publishes a bundle that has been checked.
pub(crate) async fn publish(
    log: &dyn Log,
    names: &TopicNames,
    partitions: PartitionCount,
    files: &Files,
    now: Timestamp,
) -> Result<BundleHash, Error> {
    let hash = files.hash();
    if published(log, names)
        .await?
        .bundles
        .hashes()
        .next()
        .is_none()
    {
        // A new shop: there is no release before that one could go back to.
        say_format(log, names, Format::NEWEST).await?;
    }
    let bundle = lying(names, hash.to_string(), serde_json::to_vec(files)?);
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
    let value = serde_json::to_vec(&FormatRecord::of(format))?;
    log.produce(vec![lying(names, FormatRecord::KEY, value)])
        .await?;
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
    let mut past = published(log, names).await?.activations;
    let is_new = match going_back {
        true => past.go_back(hash, now),
        false => past.publish(hash, now),
    };
    if is_new {
        remember(log, names, &past).await?;
    }
    log.produce(switches(names, partitions, hash, now)?).await?;
    Ok(())
}

/// The word to switch to a bundle, for every partition.
pub(crate) fn switches(
    names: &TopicNames,
    partitions: PartitionCount,
    bundle: BundleHash,
    now: Timestamp,
) -> Result<Vec<Outgoing>, Error> {
    let switch = |partition| {
        let record = EventRecord {
            v: EventRecord::VERSION,
            to: CustomerId([0; 16]),
            id: EventId(bundle.0),
            source: SourcePosition {
                stream: "publish".into(),
                partition,
                offset: Offset(0),
                index: 0,
            },
            kind: SourceKind::Live,
            arrival: now,
            at: now,
            body: Body::Activation { bundle },
        };
        into_events(names, &record)
    };
    partitions.all().map(switch).collect()
}

/// Writes down what decided.
async fn remember(log: &dyn Log, names: &TopicNames, past: &Activations) -> Result<(), Error> {
    let value = serde_json::to_vec(past)?;
    log.produce(vec![lying(names, Activations::KEY, value)])
        .await?;
    Ok(())
}

/// A record of `campaigns`; without a value it takes away what lies there under its key.
pub(crate) fn lying(names: &TopicNames, key: impl Into<Vec<u8>>, value: Vec<u8>) -> Outgoing {
    Outgoing {
        topic: Arc::from(names.name(Topic::Campaigns)),
        partition: None,
        key: key.into(),
        value,
        headers: Vec::new(),
    }
}

/// A record of `events`, into the partition that its source names.
pub(crate) fn into_events(names: &TopicNames, record: &EventRecord) -> Result<Outgoing, Error> {
    Ok(Outgoing {
        topic: Arc::from(names.name(Topic::Events)),
        partition: Some(record.source.partition),
        key: record.to.to_string().into_bytes(),
        value: serde_json::to_vec(record)?,
        headers: Vec::new(),
    })
}

/// What lies in `campaigns`.
#[derive(Debug)]
pub(crate) struct Published {
    /// Bundles and switches.
    pub(crate) bundles: Bundles,
    /// What was active, the newest last.
    pub(crate) activations: Activations,
}

impl Published {
    /// The bundle that was made active last.
    pub(crate) fn active(&self) -> Option<&Arc<Bundle>> {
        self.bundles.get(self.activations.newest()?)
    }

    /// The country that it names: whose national telephone numbers are keys of profiles.
    pub(crate) fn country(&self) -> Option<&str> {
        self.active()?.policy.country.as_deref()
    }
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

/// National telephone numbers are keys of profiles by the shop's country: another one would make other people of them.
pub(crate) fn country_stays(found: &Published, country: Option<&str>) -> Result<(), Error> {
    match found.country() {
        Some(active) if country != Some(active) => Err(Error::Findings(format!(
            "`shop.country` is {active} and would be {}: telephone numbers would name other profiles. A shop stays in its \
             country; another one has a `shop.id` of its own",
            country.unwrap_or("none")
        ))),
        _ => Ok(()),
    }
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
        let record = lying(&names, "a", serde_json::to_vec(&files("a")).unwrap());
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
