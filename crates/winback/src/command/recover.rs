//! `winback recover`: what can't be repaired, and with `--accept-loss` and the shop's id the way on.

use std::io::{BufRead as _, Write as _};

use winback_contract::{Timestamp, Topic};
use winback_service::{Clock, Health, Shutdown};
use winback_sessions::recover::losses::{Group, give_up, losses};

use super::connect;
use crate::config::Config;
use crate::error::Error;
use crate::output;
use crate::publish::published;

/// Arguments.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Give up what is listed, after the shop's id was typed; every service must be stopped
    #[arg(long)]
    accept_loss: bool,
    /// The shop's id, where nobody can type it
    #[arg(long, requires = "accept_loss")]
    shop: Option<String>,
}

/// Runs it. What can't be repaired is a finding unless it was given up.
pub(crate) async fn run(arguments: Arguments, config: &Config) -> Result<(), Error> {
    let (log, store) = connect::both(config, &Shutdown::new(), &Health::new()).await?;
    let sessions = config.sessions();
    let found = losses(&sessions, &groups(config), log.as_ref(), store.as_ref()).await?;
    if found.is_empty() {
        output::print(
            "nothing is lost: every position fits its topic, and Redis has every partition that Kafka knows of",
        );
        return Ok(());
    }
    for loss in &found {
        output::print(&loss.to_string());
    }
    if !arguments.accept_loss {
        return Err(Error::Findings(
            "this can't be repaired. Restore the data, or stop every service and run `winback recover --accept-loss`".into(),
        ));
    }
    let typed = match arguments.shop {
        Some(shop) => shop,
        None => ask(&config.shop.id)?,
    };
    if typed.trim() != config.shop.id {
        return Err(Error::Usage(format!(
            "nothing was given up: the shop's id is {}",
            config.shop.id
        )));
    }
    let now = Timestamp::from_millis(Clock::real().now_millis());
    let active = published(log.as_ref(), &config.names())
        .await?
        .activations
        .newest();
    give_up(
        &sessions,
        &found,
        (now, active),
        log.as_ref(),
        store.as_ref(),
    )
    .await?;
    output::print(&format!(
        "{} losses were given up and noted; start the services. Coupon pools of an emptied Redis are empty: load their codes again",
        found.len()
    ));
    Ok(())
}

fn ask(shop: &str) -> Result<String, Error> {
    let mut out = std::io::stderr();
    write!(out, "Type the shop's id ({shop}) to give this up: ")?;
    out.flush()?;
    let mut typed = String::new();
    std::io::stdin().lock().read_line(&mut typed)?;
    Ok(typed)
}

/// Everybody who goes on from what he committed.
fn groups(config: &Config) -> Vec<Group> {
    let prefix = &config.kafka.groups;
    let sources = config.sources.iter().map(|source| Group {
        name: winback_ingest::service::group(prefix, &source.name),
        topic: source.topic.clone(),
    });
    let evaluator = Group {
        name: format!("{prefix}evaluator"),
        topic: config.names().name(Topic::Triggers),
    };
    let dispatch = config.channels().into_iter().map(|channel| Group {
        name: format!("{prefix}dispatch.{channel}"),
        topic: config.names().name(Topic::Dispatch(channel)),
    });
    sources.chain([evaluator]).chain(dispatch).collect()
}
