//! The providers that the config names. What can't work is refused before anything is connected (INV-8).
//!
//! Absent: sending; that is dispatch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use winback_contract::Channel;
use winback_dispatch::{FileProvider, HttpProvider, Provider, SmtpProvider};

use crate::config::{Config, ProviderKind};
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
    let own = config.dispatch.channels.get(&channel);
    let kind = own.map_or(config.dispatch.provider, |own| own.provider);
    let http = own.and_then(|own| own.http.as_ref());
    let longest = match kind {
        ProviderKind::File => Duration::ZERO,
        ProviderKind::Smtp => config.dispatch.smtp.timeout,
        ProviderKind::Http => Duration::from_millis(http.map_or(0, |http| http.timeout_ms)),
    };
    let within = dispatch(config, channel).answer_within();
    if longest > within {
        return Err(Error::Environment(format!(
            "dispatch: {channel} may wait {longest:?} for one answer of its provider, and a claim leaves {within:?} for all of \
             them: raise sessions.claim_timeout, or lower the provider's timeout"
        )));
    }
    let provider: Arc<dyn Provider> = match (kind, own.and_then(|own| own.http.clone())) {
        (ProviderKind::File, _) => files.clone(),
        (ProviderKind::Smtp, _) if channel == Channel::Email => {
            Arc::new(SmtpProvider::new(config.dispatch.smtp.clone()))
        }
        (ProviderKind::Smtp, _) => {
            return Err(Error::Environment(format!(
                "dispatch.channels.{channel}: smtp carries email only; use file or http"
            )));
        }
        (ProviderKind::Http, Some(http)) => {
            let made = HttpProvider::new(http).map_err(|why| {
                Error::Environment(format!("dispatch.channels.{channel}.http: {why}"))
            })?;
            Arc::new(made)
        }
        (ProviderKind::Http, None) => {
            return Err(Error::Environment(format!(
                "dispatch.channels.{channel}: provider http needs `http` with url and body"
            )));
        }
    };
    Ok((provider, files))
}
