//! `winback explain DIR [CAMPAIGN]`: campaigns in plain sentences, or as a Mermaid diagram.

use std::path::PathBuf;

use winback_campaign::explain::{mermaid, sentences};

use crate::error::Error;
use crate::output;

/// Arguments of explain.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The folder with policy.yaml and a folder per campaign
    folder: PathBuf,
    /// Only this campaign
    campaign: Option<String>,
    /// As a Mermaid flowchart
    #[arg(long)]
    mermaid: bool,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Error> {
    let (_, bundle, _) = super::check::compiled(&arguments.folder, "the campaigns have errors")?;
    let wanted = bundle.campaigns.values().filter(|campaign| {
        arguments
            .campaign
            .as_ref()
            .is_none_or(|only| *only == campaign.name)
    });
    let mut any = false;
    for campaign in wanted {
        any = true;
        if arguments.mermaid {
            output::print(&mermaid(campaign));
        } else {
            output::print(&sentences(campaign, &bundle.policy).join("\n"));
            output::print("");
        }
    }
    if any {
        Ok(())
    } else {
        Err(Error::Usage(format!(
            "there is no campaign `{}` in {}",
            arguments.campaign.as_deref().unwrap_or_default(),
            arguments.folder.display()
        )))
    }
}
