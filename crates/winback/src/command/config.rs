//! `winback config show|check`: the effective config, redacted; and, live, each missing right or setting by name.

use winback_bus::Log as _;
use winback_bus::kafka::KafkaLog;
use winback_contract::Topic;
use winback_store::Store as _;

use super::connect;
use crate::config::Config;
use crate::error::Error;
use crate::in_clear;
use crate::output;
use crate::providers;

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
            providers::of_all(config, config.channels())?;
            tell_secrets(config);
            output::print("the config is well formed; --live asks Kafka and Redis too")
        }
        Arguments::Check { live: true } => return live(config).await,
    }
    Ok(())
}

/// Reading, writing and committing, each by name.
async fn rights(config: &Config, log: &KafkaLog, findings: &mut Vec<String>) {
    let raw: Vec<&str> = config
        .sources
        .iter()
        .map(|source| source.topic.as_str())
        .collect();
    for spec in connect::topics(config) {
        let name = &spec.name;
        if !matches!(log.partitions(name).await, Ok(Some(_))) {
            continue;
        }
        tell(
            findings,
            &format!("Read on topic {name}"),
            log.may_read(name).await,
        );
        // What storefronts write is not for winback to write.
        if !raw.contains(&name.as_str()) {
            let may = log.may_write(name).await;
            tell(findings, &format!("Write on topic {name}"), may);
        }
    }
    let name = |topic| config.names().name(topic);
    let mut groups = vec![
        (config.sessions().group(), name(Topic::Events)),
        (
            format!("{}evaluator", config.kafka.groups),
            name(Topic::Triggers),
        ),
    ];
    for channel in config.channels() {
        groups.push((
            format!("{}dispatch.{channel}", config.kafka.groups),
            name(Topic::Dispatch(channel)),
        ));
    }
    for source in &config.sources {
        groups.push((
            winback_ingest::service::group(&config.kafka.groups, &source.name),
            source.topic.clone(),
        ));
    }
    for (group, topic) in groups {
        if !matches!(log.partitions(&topic).await, Ok(Some(_))) {
            continue;
        }
        let may = log.may_commit(&group, &topic).await;
        tell(findings, &format!("Read on group {group}"), may);
    }
}

fn tell(findings: &mut Vec<String>, right: &str, may: Result<bool, winback_bus::Error>) {
    match may {
        Ok(true) => output::print(&format!("good    right: {right}")),
        Ok(false) => findings.push(format!(
            "this user of Kafka lacks the right: {right}. `winback topics plan` lists the topics for the admin"
        )),
        Err(error) => findings.push(format!("{right} could not be asked for: {error}")),
    }
}

/// What may be meant, and should be known.
fn tell_secrets(config: &Config) {
    for secret in in_clear::secrets(config) {
        output::print(&format!("note    {secret}"));
    }
}

async fn live(config: &Config) -> Result<(), Error> {
    tell_secrets(config);
    let mut findings = Vec::new();
    findings.extend(
        config
            .channels()
            .into_iter()
            .filter_map(|channel| Some(providers::of(config, channel).err()?.to_string())),
    );
    let log = connect::kafka(config)?;
    let mut reached = false;
    match log.cluster_id().await {
        Ok(id) => {
            reached = true;
            output::print(&format!("good    kafka cluster {id}"));
        }
        Err(error) => findings.push(error.to_string()),
    }
    if reached {
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
        rights(config, &log, &mut findings).await;
    }
    match connect::redis_now(config).await {
        Ok(store) => {
            match store.rehearse().await {
                Ok(()) => output::print(
                    "good    redis answers, takes winback's functions, and a rehearsal of every command",
                ),
                Err(error) => findings.push(format!("redis: {error}")),
            }
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
