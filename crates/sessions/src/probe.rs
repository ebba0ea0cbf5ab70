//! When to ask for the frontier, and with what: only while something is due, and not too often.

use winback_bus::Log;
use winback_bus::frontier::{Applied, Frontier};
use winback_contract::{Partition, Timestamp};
use winback_store::{Meta, Store};

use crate::config::Config;
use crate::error::Error;

/// What a meta says to the frontier.
pub fn applied(meta: &Meta) -> Applied {
    Applied {
        events: meta.positions.events,
        outcomes: meta.positions.outcomes,
        pushed: meta.pushed,
        trimmed: meta.trimmed,
    }
}

/// Asks. Time is read first: what arrived before it is what the probe waits for.
///
/// # Errors
/// When the log or the store do not answer.
pub async fn probe(
    frontier: &mut Frontier,
    config: &Config,
    log: &dyn Log,
    store: &dyn Store,
    now: Timestamp,
) -> Result<(), Error> {
    let partitions: Vec<Partition> = config.partitions.all().collect();
    let metas = store.metas(&partitions).await?;
    let applied: Vec<Applied> = metas
        .iter()
        .map(|meta| meta.as_ref().map(applied).unwrap_or_default())
        .collect();
    frontier.probe(log, now, &applied).await?;
    Ok(())
}
