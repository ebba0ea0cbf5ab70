//! `winback publish DIR`: checks the folder, writes the bundle and switches every partition to it, in order.

use std::path::PathBuf;

use winback_contract::Timestamp;
use winback_service::Clock;

use super::{check, connect};
use crate::config::Config;
use crate::error::Error;
use crate::{folder, output};

/// Arguments of publish.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The folder with policy.yaml and a folder per campaign
    folder: PathBuf,
    /// Check only; publish nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs it.
pub(crate) async fn run(arguments: Arguments, config: &Config) -> Result<(), Error> {
    let (files, compiled) = folder::compile(&arguments.folder)?;
    let (bundle, warnings) = match compiled {
        Ok(parts) => parts,
        Err(report) => {
            output::print(&check::text(&report, &files));
            return Err(Error::Findings(
                "nothing was published: what runs goes on".into(),
            ));
        }
    };
    output::print(&check::text(&warnings, &files));
    for campaign in bundle.campaigns.values() {
        output::print(&format!("{:<24} {}", campaign.name, campaign.title));
    }
    if arguments.dry_run {
        output::print(&format!("bundle {} would be published", bundle.hash));
        return Ok(());
    }
    let log = connect::kafka(config)?;
    crate::publish::channels_are_there(&log, config, &bundle).await?;
    let now = Timestamp::from_millis(Clock::real().now_millis());
    let hash = crate::publish::publish(&log, &config.names(), config.kafka.partitions, &files, now)
        .await?;
    output::print(&format!(
        "bundle {hash} is published to {} partitions",
        config.kafka.partitions.get()
    ));
    Ok(())
}
