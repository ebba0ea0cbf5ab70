//! `winback pause` and `winback resume`: the kill switch. It holds everything, a campaign or a channel at once, without
//! a publication; held steps wait until it is over or until they expire.

use winback_bus::Log as _;
use winback_contract::{Channel, Pause, PauseRecord, PausedBy, Scope, Timestamp};
use winback_service::Clock;

use super::connect;
use crate::config::Config;
use crate::error::Error;
use crate::output;
use crate::publish::{Published, lying, published};

/// Arguments of both.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Everything
    #[arg(long, conflicts_with_all = ["campaign", "channel"])]
    all: bool,
    /// One campaign, by its name
    #[arg(long, conflicts_with = "channel")]
    campaign: Option<String>,
    /// One channel, such as sms
    #[arg(long)]
    channel: Option<String>,
}

/// Runs it. Without a scope it tells what is paused.
pub(crate) async fn run(arguments: Arguments, pauses: bool, config: &Config) -> Result<(), Error> {
    let log = connect::kafka(config)?;
    let found = published(&log, &config.names()).await?;
    let scope = match (arguments.all, arguments.campaign, arguments.channel) {
        (true, ..) => Scope::All,
        (_, Some(name), _) => campaign(&found, name, pauses)?,
        (_, _, Some(name)) => Scope::Channel(Channel::parse(&name).ok_or_else(|| {
            let names: Vec<_> = Channel::ALL
                .iter()
                .map(|channel| channel.as_str())
                .collect();
            Error::Usage(format!("no channel `{name}`: one of {}", names.join(", ")))
        })?),
        _ => {
            tell(&found);
            return Ok(());
        }
    };
    let switch = Pause {
        v: Pause::VERSION,
        scope: scope.clone(),
        paused: pauses,
        by: PausedBy::Person,
        at: Timestamp::from_millis(Clock::real().now_millis()),
    };
    let key = switch.key();
    let value = serde_json::to_vec(&PauseRecord { switch })?;
    log.produce(vec![lying(&config.names(), key, value)])
        .await?;
    output::print(&if pauses {
        format!(
            "{scope} is paused: nothing of it is claimed for sending from now on; due steps wait, or expire"
        )
    } else {
        format!(
            "{scope} goes on: what waits is judged again in a minute, what has waited for long within a quarter of an hour"
        )
    });
    Ok(())
}

/// A campaign of some published bundle; what was paused once may be resumed whatever became of it.
fn campaign(found: &Published, name: String, pauses: bool) -> Result<Scope, Error> {
    let scope = Scope::Campaign(name.clone());
    // The newest first: those of before are compiled only where it does not know the name.
    let past = found.activations.activations.iter().rev();
    let published = past.map(|(hash, _)| *hash).chain(found.bundles.hashes());
    let known = |hash| found.bundles.campaign(hash, &name).is_some();
    if published.into_iter().any(known)
        || (!pauses && found.bundles.paused().any(|paused| *paused == scope))
    {
        return Ok(scope);
    }
    let active = found.active().into_iter();
    let names: Vec<_> = active
        .flat_map(|bundle| bundle.campaigns.keys())
        .map(String::as_str)
        .collect();
    Err(Error::Usage(format!(
        "no published bundle has a campaign `{name}`; the active one has {}",
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    )))
}

fn tell(found: &Published) {
    let paused: Vec<&Pause> = found
        .bundles
        .switches()
        .filter(|switch| switch.paused)
        .collect();
    if paused.is_empty() {
        output::print(
            "nothing is paused; --all, --campaign NAME or --channel NAME says what to pause or resume",
        );
    }
    for switch in paused {
        let by = match switch.by {
            PausedBy::Person => "by hand",
            PausedBy::Fuse => "by its fuse",
        };
        output::print(&format!("{:<32} paused {} {by}", switch.scope, switch.at));
    }
}
