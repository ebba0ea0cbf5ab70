//! `winback upgrade`: which format the shop is on, holding it on the one of the release before, and the step to the newest
//! (ADR 0011). As long as it is held one can go back: the release before reads all that is written.

use winback_bus::Log;
use winback_contract::{Format, Topic};
use winback_ingest::values::phone::Country;
use winback_store::Store as _;

use super::connect;
use crate::config::Config;
use crate::error::Error;
use crate::output;
use crate::publish::{Published, published, say_format};

pub(crate) mod phones;

/// Arguments of upgrade.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Arguments {
    /// Show the format that the shop is on, and the newest that this release writes
    Status,
    /// Stay on the format of the release before, so that one can go back to it. Say it before this release has served: the
    /// release before stops at what was written in a newer format
    Hold,
    /// Give profiles under telephone numbers as the first release read them the keys that their numbers have now. The shop's
    /// country (`shop.country` of Policy) must be published
    Phones {
        /// Only count
        #[arg(long)]
        dry_run: bool,
    },
    /// Go to the newest format. Every service must run this release: the one before stops at what is written from then on
    Finalize,
}

/// Runs it.
pub(crate) async fn run(arguments: Arguments, config: &Config) -> Result<(), Error> {
    let log = connect::kafka(config)?;
    let names = config.names();
    let found = published(&log, &names).await?;
    if found.activations.newest().is_none() && found.bundles.hashes().next().is_none() {
        return Err(Error::Findings(format!(
            "nothing was ever published to {}: a new shop begins on the newest format with its first `winback publish`",
            names.name(Topic::Campaigns)
        )));
    }
    let (now, newest) = (found.bundles.format(), Format::NEWEST);
    let (number, last) = (now.number(), newest.number());
    output::print(&match (arguments, now == newest) {
        (Arguments::Status | Arguments::Finalize, true) => {
            format!("the shop is on format {number}, the newest of this release")
        }
        (Arguments::Status, false) => format!(
            "the shop is held on format {number}: one can go back to the release before. `winback upgrade finalize` goes to {last}, \
             once every service runs this release"
        ),
        (Arguments::Hold, false) => format!("the shop is held on format {number} already"),
        (Arguments::Hold, true) => {
            say_format(&log, &names, Format::One).await?;
            format!(
                "the shop is held on format {}: what the release before can't read is left out until `winback upgrade finalize`",
                Format::One.number()
            )
        }
        (Arguments::Phones { dry_run }, _) => renew_phones(&log, config, &found, dry_run).await?,
        (Arguments::Finalize, false) => {
            say_format(&log, &names, newest).await?;
            format!(
                "the shop goes from format {number} to {last}: the release before stops at what is written from now on"
            )
        }
    });
    Ok(())
}

async fn renew_phones(
    log: &dyn Log,
    config: &Config,
    found: &Published,
    dry_run: bool,
) -> Result<String, Error> {
    let country = found.country().and_then(Country::parse);
    if country.is_none() {
        return Err(Error::Findings(
            "the active Policy has no `shop.country`: national numbers can't be read without it"
                .into(),
        ));
    }
    let store = connect::redis_now(config).await?;
    // The store's clock, which all others go by.
    let now = store.time().await?;
    let (names, partitions) = (config.names(), config.kafka.partitions);
    let shop = config.shop.id.as_str();
    let found = phones::renew(
        (log, &store),
        (&names, partitions),
        (shop, country),
        now,
        dry_run,
    )
    .await?;
    let verb = if dry_run { "would get" } else { "get" };
    Ok(format!(
        "{} profiles {verb} the key of their number, {} {verb} their number as it is; {} have a number of nobody and {} a damaged state, and stay as they are",
        found.moved, found.renewed, found.nobody, found.damaged
    ))
}
