//! `winback serve`: one service, or all of them in one process. SIGTERM stops taking, finishes, commits and leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use winback_bus::Log;
use winback_contract::{Channel, Timestamp, Topic, ids::digest};
use winback_dispatch::Catalogue;
use winback_service::{Clock, Health, Metrics, Shutdown, Tasks, http, logs};
use winback_store::Store;

use super::connect;
use crate::config::Config;
use crate::error::Error;
use crate::folder;
use crate::in_clear;
use crate::providers::{self, Providers};
use crate::publish::clear::clear;
use crate::publish::{channels_are_there, country_stays, publish, published};
use crate::pulse;
use crate::wiring::{dispatch, evaluator, start_ingest};

/// What can be served.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    /// Raw records to canonical events
    Ingest,
    /// State and timers of customers
    Sessions,
    /// Decisions
    Evaluator,
    /// Sending on one channel
    Dispatch,
    /// The way back: clicks, openings and one-click unsubscribing, by HTTP at gateway.address
    Gateway,
    /// All of them in one process; publishes the campaigns folder at start and on SIGHUP
    All,
}

impl Service {
    /// The services that run in the process.
    fn parts(self) -> BTreeSet<Self> {
        match self {
            Self::All => [
                Self::Ingest,
                Self::Sessions,
                Self::Evaluator,
                Self::Dispatch,
                Self::Gateway,
            ]
            .into(),
            one => [one].into(),
        }
    }

    /// As metrics and logs name it.
    fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Sessions => "sessions",
            Self::Evaluator => "evaluator",
            Self::Dispatch => "dispatch",
            Self::Gateway => "gateway",
            Self::All => "all",
        }
    }
}

/// Arguments of serve.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Which service
    #[arg(value_enum)]
    service: Service,
    /// With dispatch: every configured channel in this process, not only dispatch.channel
    #[arg(long)]
    all_channels: bool,
}

/// Runs it.
pub(crate) async fn run(arguments: Arguments, config: Config) -> Result<(), Error> {
    let constants = logs::Constants {
        service: arguments.service.name(),
        shop: config.shop.id.clone(),
        version: env!("CARGO_PKG_VERSION"),
    };
    logs::start(&config.log, constants);
    logs::tell_panics();
    let shutdown = Shutdown::new();
    let (health, metrics) = (Health::new(), Metrics::of(&config.shop.id));
    build_info(&metrics, arguments.service);
    let listener = http::bind(config.http.address).await.map_err(|error| {
        Error::Environment(format!(
            "http.address {} can't be used: {error}",
            config.http.address
        ))
    })?;
    // Before anybody can ask: a process that has not begun is not ready.
    health.not_ready("start", "connecting");
    let mut tasks = Tasks::new();
    tasks.spawn("signals", shutdown.clone().raise_on_signal());
    // Heard from now on: before its first ear, SIGHUP ends a process.
    let hangup = (arguments.service == Service::All)
        .then(|| signal(SignalKind::hangup()))
        .transpose()?;
    tasks.spawn(
        "http",
        http::serve(listener, health.clone(), metrics.clone(), shutdown.clone()),
    );
    for secret in in_clear::secrets(&config) {
        tracing::warn!("{secret}");
    }
    let starting = start(
        (&arguments, hangup),
        &config,
        &shutdown,
        &health,
        &metrics,
        &mut tasks,
    );
    let started = tokio::select! {
        started = starting => started,
        () = shutdown.wait() => Ok(()),
    };
    if let Err(error) = started {
        shutdown.raise();
        tasks.run(&shutdown).await?;
        return Err(error);
    }
    health.ready("start");
    tracing::info!(service = ?arguments.service, address = %config.http.address, "winback serves");
    Ok(tasks.run(&shutdown).await?)
}

async fn start(
    (arguments, hangup): (&Arguments, Option<Signal>),
    config: &Config,
    shutdown: &Shutdown,
    health: &Health,
    metrics: &Metrics,
    tasks: &mut Tasks,
) -> Result<(), Error> {
    let service = arguments.service;
    let providers = providers(arguments, config)?;
    let wanted = service.parts();
    if wanted.contains(&Service::Gateway) {
        // Before everything else: customers follow links also while Redis or Kafka are away.
        let own = (config, service == Service::Gateway);
        serve_gateway(own, (shutdown, health, metrics), tasks).await?;
    }
    if service == Service::Gateway {
        return Ok(());
    }
    let (log, store) = connect::both(config, shutdown, health).await?;
    let (log, store): (Arc<dyn Log>, Arc<dyn Store>) = (log, store);
    let clock = Clock::real();
    let feel = pulse::feel(
        log.clone(),
        config.names().name(Topic::Campaigns),
        shutdown.clone(),
        health.clone(),
    );
    tasks.spawn("kafka", feel);
    if let Some(hangup) = hangup {
        republish(log.as_ref(), store.as_ref(), config, &clock).await?;
        let ports = (log.clone(), store.clone());
        let ends = (hangup, shutdown.clone());
        let follow = follow_folder(ports, config.clone(), clock.clone(), ends);
        tasks.spawn("campaigns", follow);
    }
    if wanted.contains(&Service::Ingest) {
        let metrics = winback_ingest::metrics::Metrics::register(metrics);
        for (name, service) in sources(config, &log, &metrics).await? {
            tasks.spawn(name, service.run(shutdown.clone(), health.clone()));
        }
    }
    if wanted.contains(&Service::Sessions) {
        let metrics = winback_sessions::metrics::Metrics::register(metrics);
        let service = winback_sessions::Service::start(
            config.sessions(),
            log.clone(),
            store.clone(),
            clock.clone(),
            metrics,
            shutdown.clone(),
        )
        .await?;
        tasks.spawn("sessions", service.run(health.clone()));
    }
    if wanted.contains(&Service::Evaluator) {
        let metrics = winback_evaluator::metrics::Metrics::register(metrics);
        let service =
            winback_evaluator::Service::start(evaluator(config), log.clone(), metrics).await?;
        tasks.spawn("evaluator", service.run(shutdown.clone(), health.clone()));
    }
    if wanted.contains(&Service::Dispatch) {
        let metrics = winback_dispatch::metrics::Metrics::register(metrics);
        let group = format!("{}dispatch", config.kafka.groups);
        let topic = config.names().name(Topic::Catalogue);
        let catalogue = Arc::new(Catalogue::start(log.as_ref(), &topic, &group).await?);
        for (channel, (provider, files)) in providers {
            let service = winback_dispatch::Service::start(
                dispatch(config, channel),
                log.clone(),
                store.clone(),
                clock.clone(),
                (provider, files, catalogue.clone()),
                metrics.clone(),
                (shutdown.clone(), token(&clock, channel)),
            )
            .await?;
            tasks.spawn(format!("dispatch.{channel}"), service.run(health.clone()));
        }
    }
    Ok(())
}

/// The gateway where one is named; a process that is nothing else must have one.
async fn serve_gateway(
    (config, is_alone): (&Config, bool),
    (shutdown, health, metrics): (&Shutdown, &Health, &Metrics),
    tasks: &mut Tasks,
) -> Result<(), Error> {
    let Some(own) = crate::wiring::gateway(config)? else {
        if is_alone {
            let why = "gateway.url is empty: write the public https address of this gateway, which mails lead to";
            return Err(Error::Environment(why.into()));
        }
        return Ok(());
    };
    let address = config.gateway.address;
    let listener = http::bind(address).await.map_err(|error| {
        Error::Environment(format!("gateway.address {address} can't be used: {error}"))
    })?;
    let metrics = winback_gateway::metrics::Metrics::register(metrics);
    let log: Arc<dyn Log> = Arc::new(connect::kafka(config)?);
    let service = winback_gateway::Service::new(own, log, Clock::real(), metrics);
    let answers = http::answer(listener, service.router(), shutdown.clone());
    tasks.spawn("gateway.http", answers);
    tasks.spawn("gateway", service.run(shutdown.clone(), health.clone()));
    tracing::info!(%address, "the gateway answers");
    Ok(())
}

/// An ingest for each source whose topic is there, with the name of its task.
async fn sources(
    config: &Config,
    log: &Arc<dyn Log>,
    metrics: &winback_ingest::metrics::Metrics,
) -> Result<Vec<(String, winback_ingest::Service)>, Error> {
    let mut services = Vec::new();
    for source in config.sources.clone() {
        if log.partitions(&source.topic).await?.is_none() {
            tracing::info!(topic = source.topic, "a source without a topic is left out");
            continue;
        }
        let name = format!("ingest.{}", source.name);
        let service = start_ingest(config, source, log.clone(), metrics.clone()).await?;
        services.push((name, service));
    }
    Ok(services)
}

/// The providers of the channels that are served here.
fn providers(
    arguments: &Arguments,
    config: &Config,
) -> Result<BTreeMap<Channel, Providers>, Error> {
    let channels = match arguments.service {
        Service::Dispatch if !arguments.all_channels => [config.dispatch.channel].into(),
        Service::Dispatch | Service::All => config.channels(),
        Service::Ingest | Service::Sessions | Service::Evaluator | Service::Gateway => {
            BTreeSet::new()
        }
    };
    providers::of_all(config, channels)
}

/// Tells this process's claims from all others'.
fn token(clock: &Clock, channel: Channel) -> u64 {
    let bytes = digest(
        "claimer",
        &[
            &clock.now_millis().to_be_bytes(),
            &std::process::id().to_be_bytes(),
            channel.as_str().as_bytes(),
        ],
    );
    let mut first = [0_u8; 8];
    first.copy_from_slice(&bytes[..8]);
    // Redis' Lua compares texts; half the range leaves room to count up.
    u64::from_be_bytes(first) >> 1
}

/// `role`, because scrapers put a label `service` of their own on everything.
pub(super) fn build_info(metrics: &Metrics, service: Service) {
    let labels = &["role", "version"];
    let info = metrics.gauge("build_info", "1, with the service and the version", labels);
    info.with_label_values(&[service.name(), env!("CARGO_PKG_VERSION")])
        .set(1);
}

/// Publishes the folder. A broken folder never goes live: at start it is an error.
async fn republish(
    log: &dyn Log,
    store: &dyn Store,
    config: &Config,
    clock: &Clock,
) -> Result<(), Error> {
    let folder: &Path = &config.campaigns;
    let (files, compiled) = folder::compile(folder)?;
    match compiled {
        Ok((bundle, _)) => {
            let now = Timestamp::from_millis(clock.now_millis());
            channels_are_there(log, config, &bundle).await?;
            let place = (&config.names(), config.kafka.partitions);
            let found = published(log, place.0).await?;
            country_stays(&found, bundle.policy.country.as_deref())?;
            match clear(log, store, place, &found, now).await {
                Ok(0) => {}
                Ok(many) => {
                    tracing::info!(many, "bundles that nobody needs any more were taken out")
                }
                Err(error) => tracing::warn!(%error, "old bundles were not taken out"),
            }
            publish(log, place.0, place.1, &files, now).await?;
            tracing::info!(bundle = %bundle.hash, campaigns = bundle.campaigns.len(), "campaigns published");
            Ok(())
        }
        Err(report) => Err(Error::Findings(format!(
            "the campaigns in {} can't go live:\n{report}",
            folder.display()
        ))),
    }
}

/// Publishes again on SIGHUP. A broken folder is reported, and what runs goes on.
async fn follow_folder(
    (log, store): (Arc<dyn Log>, Arc<dyn Store>),
    config: Config,
    clock: Clock,
    (mut hangup, shutdown): (Signal, Shutdown),
) -> std::io::Result<()> {
    loop {
        tokio::select! {
            () = shutdown.wait() => return Ok(()),
            _ = hangup.recv() => {}
        }
        if let Err(error) = republish(log.as_ref(), store.as_ref(), &config, &clock).await {
            tracing::error!(%error, "the campaigns were not published; what ran before goes on");
        }
    }
}
