//! `winback topics plan|apply`: the topics as they should be, against what is there. Apply creates; it never changes.

use winback_bus::kafka::Planned;

use super::connect;
use crate::config::Config;
use crate::error::Error;
use crate::output;

/// Plan or apply.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Arguments {
    /// Show what would be created, and what differs
    Plan,
    /// Create what is missing
    Apply,
}

/// Runs it.
pub(crate) async fn run(arguments: Arguments, config: &Config) -> Result<(), Error> {
    let log = connect::kafka(config)?;
    let specs = connect::topics(config);
    let plan = log.plan(&specs).await?;
    let mut wrong = 0;
    for planned in &plan {
        match planned {
            Planned::Create(spec) => {
                let settings: Vec<String> = spec
                    .settings
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                output::print(&format!(
                    "create  {}  partitions={} replication={} {}",
                    spec.name,
                    spec.partitions,
                    spec.replication,
                    settings.join(" ")
                ));
            }
            Planned::Good(name) => output::print(&format!("good    {name}")),
            Planned::Differs(name, settings) => {
                for setting in settings {
                    output::print(&format!(
                        "differs {name}  {} is {}, should be {}",
                        setting.name, setting.is, setting.should
                    ));
                }
            }
            Planned::WrongCount { name, is, should } => {
                let raw = config.sources.iter().any(|source| source.topic == *name);
                if raw {
                    output::print(&format!(
                        "good    {name}  ({is} partitions; any number is fine here)"
                    ));
                } else {
                    wrong += 1;
                    output::print(&format!(
                        "wrong   {name}  has {is} partitions, should have {should}: it can't be changed for life"
                    ));
                }
            }
        }
    }
    if wrong > 0 {
        return Err(Error::Findings(format!(
            "{wrong} topics have a wrong number of partitions"
        )));
    }
    if matches!(arguments, Arguments::Apply) {
        let missing: Vec<_> = plan
            .into_iter()
            .filter_map(|planned| match planned {
                Planned::Create(spec) => Some(spec),
                _ => None,
            })
            .collect();
        log.create(&missing).await?;
        output::note(&format!("{} topics created", missing.len()));
    }
    Ok(())
}
