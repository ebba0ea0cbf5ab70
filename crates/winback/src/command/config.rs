//! `winback config show|check`: the effective config, redacted; and, live, each missing right or setting by name.

use winback_bus::Log as _;
use winback_store::Store as _;

use super::connect;
use crate::config::Config;
use crate::error::Error;
use crate::output;

/// Show or check.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Arguments {
    /// The effective config as YAML-compatible JSON; secrets are redacted
    Show,
    /// Check the config
    Check {
        /// Ask Kafka and Redis too
        #[arg(long)]
        live: bool,
    },
}

/// Runs it.
pub(crate) async fn run(arguments: Arguments, config: &Config) -> Result<(), Error> {
    match arguments {
        Arguments::Show => output::print(&serde_json::to_string_pretty(config)?),
        Arguments::Check { live: false } => {
            output::print("the config is well formed; --live asks Kafka and Redis too")
        }
        Arguments::Check { live: true } => return live(config).await,
    }
    Ok(())
}

async fn live(config: &Config) -> Result<(), Error> {
    let mut findings = Vec::new();
    let log = connect::kafka(config)?;
    match log.cluster_id().await {
        Ok(id) => output::print(&format!("good    kafka cluster {id}")),
        Err(error) => findings.push(error.to_string()),
    }
    if findings.is_empty() {
        for spec in connect::topics(config) {
            match log.partitions(&spec.name).await {
                Ok(Some(count)) => {
                    output::print(&format!("good    topic {} ({count} partitions)", spec.name))
                }
                Ok(None) => findings.push(format!(
                    "topic {} is missing, or describing it is not allowed",
                    spec.name
                )),
                Err(error) => findings.push(format!("topic {}: {error}", spec.name)),
            }
        }
        let group = config.sessions().group();
        let events = config.names().name(winback_contract::Topic::Events);
        match log.committed(&group, &events).await {
            Ok(_) => output::print(&format!("good    group {group} may be read")),
            Err(error) => findings.push(format!("group {group}: {error}")),
        }
    }
    match connect::redis_now(config).await {
        Ok(store) => {
            output::print("good    redis answers, and takes winback's functions");
            match store.problems().await {
                Ok(problems) => findings.extend(
                    problems
                        .into_iter()
                        .map(|problem| format!("redis: {problem}")),
                ),
                Err(error) => findings.push(error.to_string()),
            }
        }
        Err(error) => findings.push(error.to_string()),
    }
    for finding in &findings {
        output::print(&format!("wrong   {finding}"));
    }
    if findings.is_empty() {
        Ok(())
    } else {
        Err(Error::Findings(format!("{} findings", findings.len())))
    }
}
