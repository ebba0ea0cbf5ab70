//! Taking a partition over: raise the epoch, compare the store with Kafka, go on where the last owner stopped.
//!
//! Invariants: INV-1 (a new epoch fences the last owner), INV-4 (a store that went back recovers before anything is
//! granted). Absent: what recovering means; see [`crate::recover`].

use winback_bus::Log;
use winback_contract::{Offset, Partition, Topic};
use winback_store::{PartitionMeta, Standing, Store};

use crate::config::Config;
use crate::entry::Entry;
use crate::error::Error;
use crate::partition::OwnedPartition;
use crate::recover::{Recovered, recover};

/// Acquires a partition. `known` is the newest commit that Kafka or this process know of. With it comes what a recovery found, if the store went back in time.
///
/// # Errors
/// [`Error::Fatal`] when the store is empty although Kafka knows of commits.
pub(crate) async fn acquire(
    partition: Partition,
    config: &Config,
    (log, store): (&dyn Log, &dyn Store),
    known: Standing,
    here: i64,
) -> Result<(OwnedPartition, Option<Recovered>), Error> {
    let before = store.metas(&[partition]).await?;
    let is_empty = before.first().is_none_or(Option::is_none);
    if is_empty && known.sequence > 0 {
        return Err(Error::Fatal(format!(
            "partition {partition}: Redis is empty, but Kafka knows of commit {}: another Redis, another database, or lost \
             data. Point winback to the right one. If the data is lost for good, `winback recover --accept-loss` says what \
             is given up and goes on from what Kafka still holds",
            known.sequence
        )));
    }
    let mut meta = store.acquire(partition, known).await?;
    if meta.last_commit.is_none() {
        // A new partition begins where the topics begin.
        begin(&mut meta, partition, config, log).await?;
    }
    let mut recovered = None;
    if let Some(found) = meta.recovering {
        let told = recover(partition, config, log, store, &mut meta).await?;
        tracing::error!(
            partition = partition.0,
            found,
            known = known.sequence,
            sent = told.sent,
            in_doubt = told.in_doubt,
            "Redis went back in time, and the partition has recovered: messages known to have gone out are not sent again, \
             those in doubt may be; input is replayed"
        );
        recovered = Some(told);
    }
    let outbox = store.outbox(partition).await?;
    let entries = outbox
        .iter()
        .map(|bytes| Entry::decode(bytes))
        .collect::<Option<Vec<_>>>();
    let entries = entries.ok_or_else(|| {
        Error::Stopped {
            partition,
            why: "an entry of its outbox is damaged, or of a newer release: run that release, or restore Redis".into(),
        }
    })?;
    let earliest = store.earliest(partition).await?;
    let mut owned = OwnedPartition::new(partition, meta, earliest);
    let standing = owned.standing();
    owned.outbox.put(entries, (&config.names, standing), here);
    Ok((owned, recovered))
}

/// Sets the positions to where the topics begin.
///
/// # Errors
/// When the log does not answer.
pub(crate) async fn begin(
    meta: &mut PartitionMeta,
    partition: Partition,
    config: &Config,
    log: &dyn Log,
) -> Result<(), Error> {
    for (topic, ..) in PartitionMeta::default().inputs() {
        let start = partition.among(&log.starts(&config.names.name(topic)).await?);
        move_to(meta, topic, start);
    }
    Ok(())
}

/// Sets a position of which nothing is known.
pub(crate) fn move_to(meta: &mut PartitionMeta, topic: Topic, to: Offset) {
    if let Some((position, mark)) = meta.input(topic) {
        *position = to;
        mark.clear();
    }
}
