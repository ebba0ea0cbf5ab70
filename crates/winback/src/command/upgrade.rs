//! `winback upgrade`: which format the shop is on, and the step to the newest one (design §3). Until that step one can go
//! back to the release before: it reads all that was written.

use winback_contract::{Format, Topic};

use super::connect;
use crate::config::Config;
use crate::error::Error;
use crate::output;
use crate::publish::{finalize, published};

/// Arguments of upgrade.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Arguments {
    /// Show the format that the shop is on, and the newest that this release writes
    Status,
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
            "the shop is on format {number}: one can go back to the release before. `winback upgrade finalize` goes to {last}, \
             once every service runs this release"
        ),
        (Arguments::Finalize, false) => {
            finalize(&log, &names).await?;
            format!(
                "the shop goes from format {number} to {last}: the release before stops at what is written from now on"
            )
        }
    });
    Ok(())
}
