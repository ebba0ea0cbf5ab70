//! The providers that the config names. What can't work is refused before anything is connected (INV-8).
//!
//! Absent: sending; that is dispatch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use winback_contract::Channel;
use winback_dispatch::{FileProvider, HttpProvider, Provider, SmtpProvider};

use crate::config::{Config, ProviderConfig, ProviderKind};
use crate::error::Error;
use crate::wiring::dispatch;

/// For live messages, and for those that go to files.
pub(crate) type Providers = (Arc<dyn Provider>, Arc<dyn Provider>);

/// Those of some channels.
///
/// # Errors
/// The first that [`of`] meets.
pub(crate) fn of_all(
    config: &Config,
    channels: BTreeSet<Channel>,
) -> Result<BTreeMap<Channel, Providers>, Error> {
    let channels = channels.into_iter();
    channels
        .map(|channel| Ok((channel, of(config, channel)?)))
        .collect()
}

/// The provider of a channel, and the one for shadow mode. Connects to nobody.
///
/// # Errors
/// When the config of the channel can't work; the message names the key.
pub(crate) fn of(config: &Config, channel: Channel) -> Result<Providers, Error> {
    let files: Arc<dyn Provider> = Arc::new(FileProvider::new(&config.dispatch.folder));
    let provider = named(config, channel)?;
    crate::wiring::tracking(config)?;
    let longest = match &provider {
        ProviderConfig::File => Duration::ZERO,
        ProviderConfig::Smtp => config.dispatch.smtp.timeout,
        ProviderConfig::Http(http) => Duration::from_millis(http.timeout_ms),
    };
    let within = dispatch(config, channel).answer_within();
    if longest > within {
        return Err(Error::Environment(format!(
            "dispatch: {channel} may wait {longest:?} for one answer of its provider, and a claim leaves {within:?} for all of \
             them: raise sessions.claim_timeout, or lower the provider's timeout"
        )));
    }
    let provider: Arc<dyn Provider> = match provider {
        ProviderConfig::File => files.clone(),
        ProviderConfig::Smtp if channel == Channel::Email => {
            Arc::new(SmtpProvider::new(config.dispatch.smtp.clone()))
        }
        ProviderConfig::Smtp => {
            return Err(Error::Environment(format!(
                "dispatch.channels.{channel}: smtp carries email only; use file or http"
            )));
        }
        ProviderConfig::Http(http) => {
            let made = HttpProvider::new(*http).map_err(|why| {
                Error::Environment(format!("dispatch.channels.{channel}.http: {why}"))
            })?;
            Arc::new(made)
        }
    };
    Ok((provider, files))
}

/// What the config says of a channel: its own entry, or what is said of all.
fn named(config: &Config, channel: Channel) -> Result<ProviderConfig, Error> {
    if let Some(own) = config.dispatch.channels.get(&channel) {
        return Ok(own.provider.clone());
    }
    match config.dispatch.provider {
        ProviderKind::File => Ok(ProviderConfig::File),
        ProviderKind::Smtp => Ok(ProviderConfig::Smtp),
        ProviderKind::Http => Err(Error::Environment(format!(
            "dispatch.channels.{channel}: provider http needs `http` with url and body"
        ))),
    }
}
