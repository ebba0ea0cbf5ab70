//! When to ask for the frontier, and with what: only while something is due, and not too often.

use winback_bus::Log;
use winback_bus::frontier::{Applied, Frontier};
use winback_contract::{Partition, Timestamp, Topic};
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
    let mut applied: Vec<Applied> = metas
        .iter()
        .map(|meta| meta.as_ref().map(applied).unwrap_or_default())
        .collect();
    if metas
        .iter()
        .any(|meta| meta.as_ref().is_none_or(|meta| meta.last_commit.is_none()))
    {
        // A partition that has applied nothing counts as at the start of its log.
        let events = log.starts(&config.names.name(Topic::Events)).await?;
        let outcomes = log.starts(&config.names.name(Topic::Outcomes)).await?;
        for (index, applied) in applied.iter_mut().enumerate() {
            applied.events = applied
                .events
                .max(events.get(index).copied().unwrap_or_default());
            applied.outcomes = applied
                .outcomes
                .max(outcomes.get(index).copied().unwrap_or_default());
        }
    }
    frontier.probe(log, now, &applied).await?;
    Ok(())
}
