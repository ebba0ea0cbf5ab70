//! Taking bundles out of `campaigns` that nobody needs any more.
//!
//! Invariant: INV-12. In two steps, a day apart: what nobody needs is noted as leaving; what is noted so and still needed by
//! nobody is taken out. A customer who is handed over meanwhile, or somebody who publishes at the same moment, takes the note
//! back. Where it is not known for sure who needs what, nothing is done.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use winback_bus::{Follower, Log, Outgoing};
use winback_contract::{
    Activations, BundleHash, PartitionCount, Span, Timestamp, Topic, TopicNames,
};
use winback_store::Store;

use super::{Published, lying, published, remember};
use crate::error::Error;

/// A bundle decides for so long before those of before are noted, and they are noted for so long before they go: what they
/// decided has been sent or has expired.
const SETTLED: Span = Span::from_days(1);

/// Takes out what was noted as leaving, and notes what leaves next. Returns how many were taken out.
pub(crate) async fn clear(
    log: &dyn Log,
    store: &dyn Store,
    (names, partitions): (&TopicNames, PartitionCount),
    found: &Published,
    now: Timestamp,
) -> Result<usize, Error> {
    let mut past = found.activations.clone();
    past.forget(now);
    let Some((active, switched)) = past.newest().zip(past.switched()) else {
        return Ok(0);
    };
    if switched + SETTLED > now {
        return Ok(0);
    }
    let Some(named) = named(store, partitions, active).await? else {
        return Ok(0);
    };
    let needed: BTreeSet<BundleHash> = past.remembered().chain(named).collect();
    let unneeded = found.bundles.hashes().filter(|hash| !needed.contains(hash));
    let unneeded: BTreeSet<BundleHash> = unneeded.collect();
    let noted = |(hash, since): &(BundleHash, Timestamp)| {
        (unneeded.contains(hash) && *since + SETTLED <= now).then_some(*hash)
    };
    let going: Vec<BundleHash> = past.leaving.iter().filter_map(noted).collect();
    past.leaving = note(&past, &needed, &unneeded, now);
    if past != found.activations {
        if published(log, names).await?.activations != found.activations {
            // Somebody publishes at this moment: the next time.
            return Ok(0);
        }
        remember(log, names, &past).await?;
    }
    if going.is_empty() {
        return Ok(0);
    }
    let before = as_they_lie(log, names, &going).await?;
    let tombstone = |hash: &BundleHash| lying(names, hash.to_string(), Vec::new());
    log.produce(going.iter().map(tombstone).collect()).await?;
    // One that was published at the same moment is put back: its switches are on their way.
    let wanted: BTreeSet<String> = published(log, names)
        .await?
        .activations
        .remembered()
        .map(|hash| hash.to_string())
        .collect();
    let again = before.into_iter();
    let again: Vec<Outgoing> = again
        .filter(|record| wanted.iter().any(|hash| hash.as_bytes() == record.key))
        .collect();
    let many = going.len() - again.len();
    log.produce(again).await?;
    Ok(many)
}

/// These bundles as they lie in the topic.
async fn as_they_lie(
    log: &dyn Log,
    names: &TopicNames,
    hashes: &[BundleHash],
) -> Result<Vec<Outgoing>, Error> {
    let topic = names.name(Topic::Campaigns);
    let wanted: BTreeSet<Vec<u8>> = hashes
        .iter()
        .map(|hash| hash.to_string().into_bytes())
        .collect();
    let mut found = BTreeMap::new();
    let mut follower = Follower::start(log, &topic, "publish").await?;
    while !follower.has_caught_up() {
        for record in follower.records(Duration::from_millis(100)).await? {
            if let Some(value) = record.value.filter(|_| wanted.contains(&record.key)) {
                found.insert(record.key, value);
            }
        }
    }
    let again = |(key, value): (Vec<u8>, _)| lying(names, key, value);
    Ok(found.into_iter().map(again).collect())
}

/// What leaves, from now on.
fn note(
    past: &Activations,
    needed: &BTreeSet<BundleHash>,
    unneeded: &BTreeSet<BundleHash>,
    now: Timestamp,
) -> Vec<(BundleHash, Timestamp)> {
    let mut leaving = past.leaving.clone();
    leaving.retain(|(hash, since)| {
        let is_remembered = now.since(*since) <= Activations::GONE;
        !needed.contains(hash) && (unneeded.contains(hash) || is_remembered)
    });
    let known: BTreeSet<BundleHash> = leaving.iter().map(|(hash, _)| *hash).collect();
    leaving.extend(unneeded.difference(&known).map(|hash| (*hash, now)));
    leaving
}

/// The bundles that journeys began with; `None` unless every partition says so under the active one. A store without a
/// partition's word is new, or lost it: a restored one may name any of them.
async fn named(
    store: &dyn Store,
    partitions: PartitionCount,
    active: BundleHash,
) -> Result<Option<BTreeSet<BundleHash>>, Error> {
    let all: Vec<_> = partitions.all().collect();
    let mut needed = BTreeSet::new();
    for meta in store.metas(&all).await? {
        match meta {
            Some(meta) if meta.bundle == Some(active) => match meta.named {
                Some(named) => needed.extend(named),
                None => return Ok(None),
            },
            _ => return Ok(None),
        }
    }
    Ok(Some(needed))
}
