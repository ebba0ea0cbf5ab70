//! When to ask for the frontier, and with what: only while something is due, and not too often.

use winback_bus::Log;
use winback_bus::frontier::{Applied, Frontier};
use winback_contract::{Partition, Timestamp, Topic};
use winback_store::{Progress, Store};

use crate::config::Config;
use crate::error::Error;

/// What the frontier asks for.
fn applied(progress: Progress) -> Applied {
    Applied {
        events: progress.events,
        outcomes: progress.outcomes,
        pushed: progress.pushed,
        trimmed: progress.trimmed,
    }
}

/// Asks. Time is read first: what arrived before it is what the probe waits for.
///
/// # Errors
/// When the log or the store do not answer.
pub(crate) async fn probe(
    frontier: &mut Frontier,
    config: &Config,
    log: &dyn Log,
    store: &dyn Store,
    now: Timestamp,
) -> Result<(), Error> {
    let partitions: Vec<Partition> = config.partitions.all().collect();
    // A few numbers of each partition: a meta may hold half a megabyte of goods, and this runs several times a second.
    let progress = store.progress(&partitions).await?;
    let mut applied: Vec<Applied> = progress
        .iter()
        .map(|progress| progress.map(applied).unwrap_or_default())
        .collect();
    if progress.iter().any(Option::is_none) {
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
