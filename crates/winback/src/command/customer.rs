//! `winback customer show PROFILE`: the kept state of one person, for whoever is allowed to see it.

use serde_json::json;

use super::connect;
use crate::config::Config;
use crate::error::Error;
use crate::output;

/// Customer commands.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Arguments {
    /// Everything that is kept of one person, as JSON
    Show {
        /// user:42, email:ann@example.com, phone:+380…, anonymous:…, or 32 hex digits
        profile: String,
    },
}

/// Runs it.
pub(crate) async fn run(arguments: Arguments, config: &Config) -> Result<(), Error> {
    let Arguments::Show { profile } = arguments;
    let store = connect::redis_now(config).await?;
    let found = super::why::owner(&store, &profile, config).await?;
    let shown = json!({ "profile": found.id, "partition": found.partition, "bytes": found.bytes, "state": found.customer });
    output::print(&serde_json::to_string_pretty(&shown)?);
    Ok(())
}
