//! `winback customer show PROFILE`: the kept state of one person, for whoever is allowed to see it.

use serde_json::json;
use winback_journey::decode;
use winback_store::Store as _;

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
    let mut id = super::why::profile(&profile, &config.shop.id)?;
    for _hop in 0..4 {
        let partition = config.kafka.partitions.of(id);
        let Some(blob) = store.load(partition, &[id]).await?.pop().flatten() else {
            return Err(Error::Findings(format!("nobody is known under {profile}")));
        };
        let customer = decode(&blob).map_err(|error| Error::Environment(error.to_string()))?;
        if let Some(mark) = customer.forward {
            id = mark.owner;
            continue;
        }
        let shown = json!({ "profile": id, "partition": partition, "bytes": blob.len(), "state": customer });
        output::print(&serde_json::to_string_pretty(&shown)?);
        return Ok(());
    }
    Err(Error::Environment(
        "marks lead in a circle: this is a bug in winback, please report it".into(),
    ))
}
