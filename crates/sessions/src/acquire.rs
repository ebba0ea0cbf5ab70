//! Taking a partition over: raise the epoch, compare the store with Kafka, go on where the last owner stopped.

use winback_bus::Log;
use winback_contract::{Offset, Partition, Topic};
use winback_store::Store;

use crate::config::Config;
use crate::entry::Entry;
use crate::error::Error;
use crate::partition::Owned;
use crate::turn::rollback;

/// Acquires a partition.
///
/// # Errors
/// [`Error::Fatal`] when the store is behind what Kafka knows was committed.
pub async fn acquire(
    partition: Partition,
    config: &Config,
    log: &dyn Log,
    store: &dyn Store,
) -> Result<Owned, Error> {
    let events = config.names.name(Topic::Events);
    let echo = log.committed(&config.group(), &events).await?;
    let echo = echo.get(partition.0 as usize).and_then(Option::as_ref);
    let before = store
        .metas(&[partition])
        .await?
        .into_iter()
        .next()
        .flatten();
    let known = before.as_ref().map_or(0, |meta| meta.sequence);
    if let Some(sequence) = echo.and_then(|commit| sequence_of(&commit.metadata)) {
        if before.is_none() || known == 0 && sequence > 0 {
            return Err(Error::Fatal(format!(
                "partition {partition}: Redis is empty, but Kafka says that {sequence} commits were made: another Redis, another \
                 database, or lost data. Point winback to the right one; to start anew on purpose, use new prefixes for keys \
                 and groups"
            )));
        }
        if sequence > known {
            return Err(Error::Fatal(rollback(partition, sequence, known)));
        }
    }
    let mut meta = store.acquire(partition).await?;
    if meta.sequence == 0 {
        // A new partition begins where the topics begin.
        for (topic, position) in [
            (Topic::Events, &mut meta.positions.events),
            (Topic::Decisions, &mut meta.positions.decisions),
            (Topic::Outcomes, &mut meta.positions.outcomes),
        ] {
            let starts = log.starts(&config.names.name(topic)).await?;
            *position = starts
                .get(partition.0 as usize)
                .copied()
                .unwrap_or(Offset(0));
        }
    }
    let outbox = store.outbox(partition).await?;
    let entries = outbox
        .iter()
        .map(|bytes| Entry::decode(bytes))
        .collect::<Option<Vec<_>>>();
    let entries = entries.ok_or_else(|| {
        Error::Fatal(format!(
            "partition {partition}: an entry of the outbox is damaged"
        ))
    })?;
    let earliest = store.earliest(partition).await?;
    Ok(Owned::new(partition, meta, entries, earliest))
}

/// `epoch:seq`, the metadata of the echo.
pub fn echo(epoch: u64, sequence: u64) -> String {
    format!("{epoch}:{sequence}")
}

fn sequence_of(metadata: &str) -> Option<u64> {
    metadata.split_once(':')?.1.parse().ok()
}
