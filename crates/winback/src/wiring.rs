//! What each service is given of the config: the same for processes on Kafka and for the machine in memory.

use std::sync::Arc;

use url::Url;
use winback_contract::{Channel, LinkKeys};
use winback_dispatch::Tracking;
use winback_ingest::SourceConfig;
use winback_service::secret::Secret;

use crate::config::Config;
use crate::error::Error;

/// One source of ingest.
pub(crate) async fn start_ingest(
    config: &Config,
    source: SourceConfig,
    log: Arc<dyn winback_bus::Log>,
    metrics: winback_ingest::metrics::Metrics,
) -> Result<winback_ingest::Service, Error> {
    let shop = winback_ingest::service::Shop {
        id: config.shop.id.clone(),
        currency: config.shop.currency,
    };
    let part = winback_ingest::Config {
        sources: Vec::new(),
        max_bytes: config.ingest.max_bytes,
        batch: config.ingest.batch,
        nobody: config.ingest.nobody.clone(),
        price_change: config.ingest.price_change_percent.saturating_mul(100),
    };
    let place = (
        &config.names(),
        config.kafka.groups.as_str(),
        config.kafka.partitions,
    );
    Ok(winback_ingest::Service::start(source, part, shop, log, place, metrics).await?)
}

/// The evaluator's part of the config.
pub(crate) fn evaluator(config: &Config) -> winback_evaluator::Config {
    winback_evaluator::Config {
        names: config.names(),
        groups: config.kafka.groups.clone(),
        partitions: config.kafka.partitions,
        batch: config.evaluator.batch,
    }
}

/// The gateway's address without its slash, and what signs links of mails; none where no gateway is named.
///
/// # Errors
/// When the address or a key can't work; the message names the key of the config.
fn link_keys(config: &Config) -> Result<Option<(String, LinkKeys)>, Error> {
    let gateway = &config.gateway;
    if gateway.url.is_empty() {
        return Ok(None);
    }
    let wrong = |what: &str| Err(Error::Environment(format!("gateway.{what}")));
    let Ok(url) = Url::parse(&gateway.url) else {
        return wrong("url is no address: write the whole of it, such as https://go.shop.example");
    };
    let is_here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if url.scheme() != "https" && !is_here {
        return wrong(
            "url must begin with https://: customers' mail programs warn of anything else",
        );
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return wrong("url ends with its host: paths of the gateway's own are put behind it");
    }
    let secrets = [gateway.key.expose(), gateway.key_before.expose()];
    let is_short = |secret: &Secret| !secret.is_empty() && secret.expose().len() < 16;
    if is_short(&gateway.key_before) {
        return wrong("key_before is shorter than the 16 bytes that a key needs");
    }
    match LinkKeys::new(secrets) {
        Some(keys) if !gateway.key.is_empty() => {
            let url = url.as_str().trim_end_matches('/').to_owned();
            Ok(Some((url, keys)))
        }
        _ => wrong(
            "key signs links of mails: set it to a secret of 16 bytes and more, the same for dispatch and gateway",
        ),
    }
}

/// How links of mails lead through the gateway.
///
/// # Errors
/// See [`link_keys`].
pub(crate) fn tracking(config: &Config) -> Result<Option<Tracking>, Error> {
    let keys = link_keys(config)?;
    Ok(keys.map(|(url, keys)| Tracking {
        url,
        keys,
        opens: config.gateway.opens,
    }))
}

/// The gateway's part of the config; none where none is named.
///
/// # Errors
/// See [`link_keys`].
pub(crate) fn gateway(config: &Config) -> Result<Option<winback_gateway::Config>, Error> {
    let keys = link_keys(config)?;
    Ok(keys.map(|(_, keys)| winback_gateway::Config {
        names: config.names(),
        partitions: config.kafka.partitions,
        keys,
        machine_within: crate::config::span(config.gateway.machine_within),
    }))
}

/// Dispatch's part of the config.
pub(crate) fn dispatch(config: &Config, channel: Channel) -> winback_dispatch::Config {
    let own = config.dispatch.channels.get(&channel);
    winback_dispatch::Config {
        names: config.names(),
        groups: config.kafka.groups.clone(),
        partitions: config.kafka.partitions,
        channel,
        batch: config.dispatch.batch,
        parallel: own
            .and_then(|own| own.parallel)
            .unwrap_or(config.dispatch.parallel),
        claim_timeout: crate::config::span(config.sessions.claim_timeout),
        most_lag: crate::config::span(config.dispatch.most_lag),
        only_to: config.dispatch.only_to.clone(),
        shadow: config.dispatch.shadow,
        send_limit: own.and_then(|own| own.fuse).or(config.dispatch.fuse),
        // What is wrong with it is told at start, before anything is sent.
        tracking: tracking(config).ok().flatten(),
    }
}
