//! What each service is given of the config: the same for processes on Kafka and for the machine in memory.

use std::sync::Arc;

use winback_contract::Channel;
use winback_ingest::SourceConfig;

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
    }
}
