//! Connections to Kafka and Redis, and the checks without which nothing may start.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use winback_bus::Log as _;
use winback_bus::kafka::{KafkaLog, Options, TopicSpec};
use winback_contract::{SourceKind, Topic};
use winback_service::outage::Outage;
use winback_service::{Health, Shutdown, clock};
use winback_store::redis::Mode;
use winback_store::{Problem, RedisStore, Store as _};

use crate::config::{Config, Durability, Scripts};
use crate::error::Error;

/// The log on Kafka.
pub(crate) fn kafka(config: &Config) -> Result<KafkaLog, Error> {
    let properties = config.kafka.properties.iter();
    Ok(KafkaLog::new(Options {
        bootstrap: config.kafka.bootstrap.clone(),
        properties: properties
            .map(|(name, value)| (name.clone(), value.expose().to_owned()))
            .collect(),
        client_id: "winback".into(),
    })?)
}

/// The store on Redis. While it is away this waits and says so, until shutdown.
pub(crate) async fn redis(
    config: &Config,
    shutdown: &Shutdown,
    health: &Health,
) -> Result<RedisStore, Error> {
    let mut outage = Outage::default();
    loop {
        match redis_now(config).await {
            Err(winback_store::Error::Unavailable(reason)) if !shutdown.is_raised() => {
                wait(&mut outage, health, &format!("Redis: {reason}")).await;
            }
            other => return Ok(other?),
        }
    }
}

/// Says what the start waits for: in the log, and to whoever asks whether it is ready.
async fn wait(outage: &mut Outage, health: &Health, reason: &str) {
    outage.tell("start", &reason);
    health.not_ready("start", reason);
    clock::pause(Duration::from_secs(1)).await;
}

/// The store on Redis, or why not.
pub(crate) async fn redis_now(config: &Config) -> Result<RedisStore, winback_store::Error> {
    RedisStore::connect(winback_store::redis::Options {
        url: config.store.url.expose().to_owned(),
        prefix: config.store.prefix.clone(),
        mode: match config.store.scripts {
            Scripts::Function => Mode::Function,
            Scripts::Eval => Mode::Eval,
        },
        response_timeout: config.store.response_timeout,
    })
    .await
}

/// The topics of winback, as they should be.
pub(crate) fn topics(config: &Config) -> Vec<TopicSpec> {
    let names = config.names();
    let all = [
        Topic::Events,
        Topic::Triggers,
        Topic::Decisions,
        Topic::Journeys,
        Topic::Outcomes,
        Topic::Catalogue,
        Topic::Campaigns,
        Topic::Failed,
    ];
    let raw = config
        .sources
        .iter()
        .map(|source| (source.topic.clone(), Topic::Raw));
    let dispatch = config.channels().into_iter().map(Topic::Dispatch);
    let own = all
        .into_iter()
        .chain(dispatch)
        .map(|topic| (names.name(topic), topic));
    raw.chain(own)
        .map(|(name, topic)| {
            let layout = topic.layout();
            let mut settings = BTreeMap::new();
            match layout.retention {
                Some(retention) => {
                    settings.insert("retention.ms".into(), retention.as_millis().to_string())
                }
                None => settings.insert("cleanup.policy".into(), "compact".into()),
            };
            if layout.log_append_time {
                settings.insert("message.timestamp.type".into(), "LogAppendTime".into());
            }
            settings.insert(
                "max.message.bytes".into(),
                layout.max_message_bytes.to_string(),
            );
            if config.kafka.replication > 2 {
                // Acknowledged by one broker alone a record may still vanish with it.
                settings.insert("min.insync.replicas".into(), "2".into());
            }
            let partitions = if layout.keyed {
                config.kafka.partitions.get()
            } else if topic == Topic::Raw {
                8
            } else {
                1
            };
            TopicSpec {
                name,
                partitions,
                replication: config.kafka.replication,
                settings,
            }
        })
        .collect()
}

/// What must be true before a service starts: topics and counts, the same cluster as ever, a safe Redis.
pub(crate) async fn verify(
    config: &Config,
    log: &KafkaLog,
    store: &RedisStore,
) -> Result<(), Error> {
    let raw: Vec<&str> = config
        .sources
        .iter()
        .map(|source| source.topic.as_str())
        .collect();
    for spec in topics(config) {
        let is_raw = raw.contains(&spec.name.as_str());
        let optional = config
            .sources
            .iter()
            .any(|source| source.topic == spec.name && source.kind == SourceKind::History);
        match log.partitions(&spec.name).await? {
            None if optional => {}
            None => {
                return Err(Error::Environment(format!(
                    "topic {} does not exist: run `winback topics apply`, or give `winback topics plan` to the admin of Kafka",
                    spec.name
                )));
            }
            Some(count) if count != spec.partitions && !is_raw => {
                return Err(Error::Environment(format!(
                    "topic {} has {count} partitions and kafka.partitions says {}: the count is fixed for life; set it to {count}, \
                     or use a new prefix for topics, groups and keys",
                    spec.name, spec.partitions
                )));
            }
            Some(_) => {}
        }
    }
    let count = config.kafka.partitions.get().to_string();
    for (what, value) in [
        ("partitions", count),
        ("cluster", log.cluster_id().await?),
        ("shop", config.shop.id.clone()),
    ] {
        let pinned = store.pin(what, &value).await?;
        if pinned != value {
            return Err(Error::Environment(format!(
                "this Redis belongs to an installation with {what} {pinned}, and here it is {value}: point winback to the right \
                 Redis and Kafka, or use new prefixes for topics, groups and keys"
            )));
        }
    }
    for problem in store.problems().await? {
        match problem {
            Problem::Durability(problem) if config.store.durability == Durability::BestEffort => {
                tracing::warn!(problem, "durability is best effort, as configured");
            }
            problem => return Err(Error::Environment(format!("Redis: {problem}"))),
        }
    }
    Ok(())
}

/// Both connections, verified; waits while they are away.
pub(crate) async fn both(
    config: &Config,
    shutdown: &Shutdown,
    health: &Health,
) -> Result<(Arc<KafkaLog>, Arc<RedisStore>), Error> {
    let log = kafka(config)?;
    let store = redis(config, shutdown, health).await?;
    let mut outage = Outage::default();
    loop {
        match verify(config, &log, &store).await {
            Err(Error::Away(reason)) if !shutdown.is_raised() => {
                wait(&mut outage, health, &reason).await;
            }
            Err(error) => return Err(error),
            Ok(()) => return Ok((Arc::new(log), Arc::new(store))),
        }
    }
}
