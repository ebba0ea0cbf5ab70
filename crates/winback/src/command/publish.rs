//! `winback publish DIR`: checks the folder, writes the bundle and switches every partition to it, in order. It tells
//! beforehand whom that touches, shows what every partition decides by, and can go back to the bundle before.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use winback_bus::Log;
use winback_campaign::Bundle;
use winback_contract::{BundleHash, Timestamp, Topic};
use winback_service::{Clock, clock};

use super::reach::{self, Reached};
use super::{check, connect};
use crate::config::Config;
use crate::error::Error;
use crate::output;
use crate::publish::clear::clear;
use crate::publish::{Published, activate, channels_are_there, country_stays, publish, published};

/// So long the partitions are given to switch before their state is shown.
const PATIENCE: Duration = Duration::from_secs(10);

/// Arguments of publish.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The folder with policy.yaml and a folder per campaign
    #[arg(required_unless_present_any = ["back", "status"])]
    folder: Option<PathBuf>,
    /// Check, and tell how many people it would touch; publish nothing
    #[arg(long)]
    dry_run: bool,
    /// Make the bundle before the active one active again
    #[arg(long, conflicts_with_all = ["folder", "dry_run"])]
    back: bool,
    /// Show the bundle every partition decides by, and what was active before
    #[arg(long, conflicts_with_all = ["folder", "dry_run", "back"])]
    status: bool,
}

/// Runs it.
pub(crate) async fn run(arguments: Arguments, config: &Config) -> Result<(), Error> {
    let now = Timestamp::from_millis(Clock::real().now_millis());
    let Some(folder) = arguments.folder else {
        let log = connect::kafka(config)?;
        let found = published(&log, &config.names()).await?;
        if arguments.status {
            status(config, None).await?;
            for (hash, at) in found.activations.activations.iter().rev() {
                output::print(&format!("{at}  {hash}"));
            }
            return Ok(());
        }
        let hash = before(&found)?;
        let country = found.bundles.get(hash);
        let country = country.and_then(|bundle| bundle.policy.country.as_deref());
        country_stays(&found, country)?;
        let (names, partitions) = (config.names(), config.kafka.partitions);
        activate(&log, &names, partitions, hash, (now, true)).await?;
        output::print(&format!("back to bundle {hash}"));
        return status(config, Some(hash)).await;
    };
    let (files, bundle, warnings) =
        check::compiled(&folder, "nothing was published: what runs goes on")?;
    output::print(&check::text(&warnings, &files));
    if arguments.dry_run {
        return dry_run(Arc::new(bundle), config, now).await;
    }
    for campaign in bundle.campaigns.values() {
        output::print(&format!("{:<24} {}", campaign.name, campaign.title));
    }
    let log = connect::kafka(config)?;
    channels_are_there(&log, config, &bundle).await?;
    let found = published(&log, &config.names()).await?;
    country_stays(&found, bundle.policy.country.as_deref())?;
    clear_what_nobody_needs(&log, config, &found, now).await;
    let hash = publish(&log, &config.names(), config.kafka.partitions, &files, now).await?;
    output::print(&format!(
        "bundle {hash} is published to {} partitions",
        config.kafka.partitions.get()
    ));
    status(config, Some(hash)).await
}

/// A store that is away is no reason not to publish: it is done the next time.
async fn clear_what_nobody_needs(
    log: &dyn Log,
    config: &Config,
    found: &Published,
    now: Timestamp,
) {
    let Ok(store) = connect::redis_now(config).await else {
        return;
    };
    let (names, partitions) = (config.names(), config.kafka.partitions);
    match clear(log, &store, (&names, partitions), found, now).await {
        Ok(0) => {}
        Ok(many) => output::print(&format!(
            "{many} bundles that nobody needs any more were taken out of {}",
            names.name(Topic::Campaigns)
        )),
        Err(error) => output::note(&format!("old bundles were not taken out: {error}")),
    }
}

/// The bundle that was active before the one that is.
fn before(found: &Published) -> Result<BundleHash, Error> {
    let past = &found.activations.activations;
    let active = found.activations.newest();
    let earlier = past.iter().rev().map(|(hash, _)| *hash);
    let usable = |hash: &BundleHash| found.bundles.get(*hash).is_some();
    earlier
        .filter(|hash| Some(*hash) != active)
        .find(usable)
        .ok_or_else(|| {
            Error::Findings("nothing was active before: there is nothing to go back to".into())
        })
}

/// The bundle of every partition; waits a little for those that have yet to switch to `to`.
async fn status(config: &Config, to: Option<BundleHash>) -> Result<(), Error> {
    let store = match connect::redis_now(config).await {
        Ok(store) => store,
        Err(error) if to.is_some() => {
            output::note(&format!(
                "whether the partitions have switched is not known: {error}"
            ));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let watch = clock::Stopwatch::start();
    let active = loop {
        let active = reach::active(&store, config.kafka.partitions).await?;
        let switched = |(_, hash): &(_, Option<BundleHash>)| to.is_none() || *hash == to;
        // Where nobody has ever served there is nothing to wait for.
        let is_new = active.iter().all(|(_, hash)| hash.is_none());
        if is_new || active.iter().all(switched) || watch.elapsed() > PATIENCE {
            break active;
        }
        clock::pause(Duration::from_millis(100)).await;
    };
    for (partition, hash) in &active {
        let hash = hash.map_or("none yet".to_owned(), |hash| hash.to_string());
        output::print(&format!("partition {partition:<4} {hash}"));
    }
    let waiting = active
        .iter()
        .filter(|(_, hash)| to.is_some() && *hash != to)
        .count();
    if waiting > 0 {
        output::print(&format!(
            "{waiting} partitions have not switched yet: each does when sessions has read up to here"
        ));
    }
    Ok(())
}

async fn dry_run(bundle: Arc<Bundle>, config: &Config, now: Timestamp) -> Result<(), Error> {
    let log = connect::kafka(config)?;
    let found = published(&log, &config.names()).await?;
    let store = connect::redis_now(config).await?;
    let partitions = config.kafka.partitions;
    let limits = config.limits();
    let (times, shop) = ((&limits, now), config.shop.id.as_str());
    let reached = reach::reach(&store, partitions, &found.bundles, &bundle, times, shop).await?;
    output::print(&table(&reached));
    let is_active = found.activations.newest() == Some(bundle.hash);
    output::print(&format!(
        "bundle {} would be published{}; nothing was",
        bundle.hash,
        if is_active {
            " and is active already"
        } else {
            ""
        }
    ));
    Ok(())
}

/// Whom it would touch, in lines.
fn table(reached: &Reached) -> String {
    let mut lines = vec![
        format!(
            "{} customers are known. Whom this bundle would touch:",
            reached.customers
        ),
        format!(
            "{:<28} {:>9} {:>9} {:>9} {:>9} {:>9}  at the next call",
            "campaign", "running", "would end", "in a day", "in a week", "later"
        ),
    ];
    for (name, reach) in &reached.campaigns {
        let mut calls = Vec::new();
        if let Some((day, count)) = reach.called {
            calls.push(format!("{count} on {day}"));
        }
        if let Some(count) = reach.announced {
            calls.push(format!("{count} at an announcement"));
        }
        if let Some(count) = reach.watching {
            calls.push(format!("{count} wait for news of goods they know"));
        }
        lines.push(format!(
            "{name:<28} {:>9} {:>9} {:>9} {:>9} {:>9}  {}",
            reach.running,
            reach.ended,
            reach.day,
            reach.week,
            reach.later,
            calls.join(", ")
        ));
    }
    lines.push(
        "Journeys are begun behind live input, spread as each campaign says. What is sent of them is decided then, by \
         audience, consent, caps and quiet hours; news of goods goes to whoever waits for the product."
            .to_owned(),
    );
    lines.join("\n")
}
