//! Publishing: the bundle by its hash into `campaigns`, then a switch into every partition of `events`, in order. What
//! was active before is remembered beside the bundles, so that one can go back.

use std::sync::Arc;
use std::time::Duration;

use winback_bus::{Follower, Log, Outgoing};
use winback_campaign::{Bundle, Files};
use winback_contract::{
    Activations, Body, BundleHash, CustomerId, EventId, EventRecord, Format, FormatRecord, Offset,
    PartitionCount, SourceKind, SourcePosition, Timestamp, Topic, TopicNames,
};
use winback_journey::{Bundles, Offered};

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
    let is_new = match going_back {
        true => past.go_back(hash, now),
        false => past.publish(hash, now),
    };
    if is_new {
        remember(log, names, &past).await?;
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

/// Writes down what decided.
async fn remember(log: &dyn Log, names: &TopicNames, past: &Activations) -> Result<(), Error> {
    let record = Outgoing {
        topic: Arc::from(names.name(Topic::Campaigns)),
        partition: None,
        key: Activations::KEY.as_bytes().to_vec(),
        value: serde_json::to_vec(past)?,
        headers: Vec::new(),
    };
    log.produce(vec![record]).await?;
    Ok(())
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

/// National telephone numbers are keys of profiles by the shop's country: another one would make other people of them.
pub(crate) fn country_stays(found: &Published, country: Option<&str>) -> Result<(), Error> {
    let active = found.activations.newest();
    let active = active.and_then(|hash| found.bundles.get(hash));
    let active = active.and_then(|bundle| bundle.policy.country.as_deref());
    match active {
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
