//! The config of the whole binary: sections of the services, joined. Every key stands in `default.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use winback_bus::frontier::Source;
use winback_contract::{Channel, Currency, PartitionCount, SourceKind, Span, TopicNames};
use winback_dispatch::{HttpConfig, SmtpConfig};
use winback_ingest::formats::Format;
use winback_ingest::{Arrival, SourceConfig};
use winback_journey::{Ambiguous, Limits};
use winback_service::config::{Error, Layers, duration, load};
use winback_service::secret::Secret;

/// The embedded defaults.
pub(crate) const DEFAULTS: &str = include_str!("default.yaml");

#[derive(Deserialize, Serialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) shop: Shop,
    pub(crate) kafka: Kafka,
    pub(crate) store: Store,
    pub(crate) sources: Vec<SourceConfig>,
    pub(crate) ingest: Ingest,
    pub(crate) sessions: Sessions,
    pub(crate) evaluator: Evaluator,
    pub(crate) dispatch: Dispatch,
    pub(crate) gateway: Gateway,
    pub(crate) campaigns: PathBuf,
    pub(crate) http: Http,
    pub(crate) log: winback_service::logs::Config,
}

#[derive(Deserialize, Serialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shop {
    pub(crate) id: String,
    pub(crate) currency: Currency,
}

#[derive(Deserialize, Serialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kafka {
    pub(crate) bootstrap: String,
    pub(crate) prefix: String,
    pub(crate) groups: String,
    pub(crate) partitions: PartitionCount,
    pub(crate) replication: i32,
    #[serde(default)]
    pub(crate) properties: BTreeMap<String, Secret>,
}

#[derive(Deserialize, Serialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    pub(crate) url: Secret,
    pub(crate) prefix: String,
    pub(crate) scripts: Scripts,
    pub(crate) durability: Durability,
    #[serde(with = "duration")]
    pub(crate) response_timeout: Duration,
}

#[derive(Deserialize, Serialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scripts {
    Function,
    Eval,
}

#[derive(Deserialize, Serialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Durability {
    Always,
    BestEffort,
}

#[derive(Deserialize, Serialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ingest {
    pub(crate) max_bytes: usize,
    pub(crate) batch: usize,
    pub(crate) price_change_percent: u32,
    pub(crate) nobody: Vec<String>,
}

#[derive(Deserialize, Serialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sessions {
    pub(crate) batch: usize,
    pub(crate) due_batch: usize,
    pub(crate) sweep_batch: usize,
    pub(crate) sweep_rate: u32,
    pub(crate) most_open: u64,
    pub(crate) nearly_full_percent: u32,
    pub(crate) cache: usize,
    #[serde(with = "duration")]
    pub(crate) probe_every: Duration,
    #[serde(with = "duration")]
    pub(crate) late_after: Duration,
    #[serde(with = "duration")]
    pub(crate) claim_timeout: Duration,
    #[serde(with = "duration")]
    pub(crate) trigger_retry: Duration,
    #[serde(with = "duration")]
    pub(crate) anonymous_retention: Duration,
    #[serde(with = "duration")]
    pub(crate) retention: Duration,
}

#[derive(Deserialize, Serialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Evaluator {
    pub(crate) batch: usize,
}

#[derive(Deserialize, Serialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dispatch {
    pub(crate) channel: Channel,
    pub(crate) provider: ProviderKind,
    pub(crate) folder: PathBuf,
    pub(crate) batch: usize,
    pub(crate) parallel: usize,
    pub(crate) only_to: BTreeSet<String>,
    pub(crate) shadow: bool,
    #[serde(with = "duration")]
    pub(crate) most_lag: Duration,
    /// More messages of a channel than this in an hour stop it.
    pub(crate) fuse: Option<u32>,
    pub(crate) on_ambiguous: OnAmbiguous,
    pub(crate) smtp: SmtpConfig,
    /// Other channels than email, and overrides of it.
    pub(crate) channels: BTreeMap<Channel, ChannelConfig>,
}

/// How one channel is sent.
#[derive(Deserialize, Serialize, Debug, Clone)]
#[serde(try_from = "ChannelKeys", into = "ChannelKeys")]
pub(crate) struct ChannelConfig {
    pub(crate) provider: ProviderConfig,
    pub(crate) parallel: Option<usize>,
    pub(crate) on_ambiguous: Option<OnAmbiguous>,
    /// More messages than this in an hour stop the channel.
    pub(crate) fuse: Option<u32>,
}

/// Who sends, with what that one needs: there is no http without its url.
#[derive(Debug, Clone)]
pub(crate) enum ProviderConfig {
    File,
    /// By `dispatch.smtp`.
    Smtp,
    Http(Box<HttpConfig>),
}

/// The same as it is written.
#[derive(Deserialize, Serialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
struct ChannelKeys {
    provider: ProviderKind,
    #[serde(default)]
    http: Option<HttpConfig>,
    #[serde(default)]
    parallel: Option<usize>,
    #[serde(default)]
    on_ambiguous: Option<OnAmbiguous>,
    #[serde(default)]
    fuse: Option<u32>,
}

impl TryFrom<ChannelKeys> for ChannelConfig {
    type Error = &'static str;

    fn try_from(keys: ChannelKeys) -> Result<Self, Self::Error> {
        let provider = match (keys.provider, keys.http) {
            (ProviderKind::Http, Some(http)) => ProviderConfig::Http(Box::new(http)),
            (ProviderKind::Http, None) => {
                return Err("provider http needs `http` with url and body");
            }
            // `http` may stay written down while files are looked at.
            (ProviderKind::File, _) => ProviderConfig::File,
            (ProviderKind::Smtp, _) => ProviderConfig::Smtp,
        };
        Ok(Self {
            provider,
            parallel: keys.parallel,
            on_ambiguous: keys.on_ambiguous,
            fuse: keys.fuse,
        })
    }
}

impl From<ChannelConfig> for ChannelKeys {
    fn from(config: ChannelConfig) -> Self {
        let (provider, http) = match config.provider {
            ProviderConfig::File => (ProviderKind::File, None),
            ProviderConfig::Smtp => (ProviderKind::Smtp, None),
            ProviderConfig::Http(http) => (ProviderKind::Http, Some(*http)),
        };
        Self {
            provider,
            http,
            parallel: config.parallel,
            on_ambiguous: config.on_ambiguous,
            fuse: config.fuse,
        }
    }
}

#[derive(Deserialize, Serialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProviderKind {
    File,
    Smtp,
    Http,
}

#[derive(Deserialize, Serialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnAmbiguous {
    Drop,
    Resend,
}

/// The way back for what customers do.
#[derive(Deserialize, Serialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gateway {
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    pub(crate) key: Secret,
    pub(crate) key_before: Secret,
    pub(crate) opens: bool,
    #[serde(with = "duration")]
    pub(crate) machine_within: Duration,
}

#[derive(Deserialize, Serialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Http {
    pub(crate) address: SocketAddr,
}

impl Config {
    /// Loads all layers.
    pub(crate) fn load(
        file: Option<&Path>,
        flags: Vec<(String, String)>,
    ) -> Result<Self, crate::error::Error> {
        let mut loaded: Self = load(Layers {
            defaults: DEFAULTS,
            file,
            environment: std::env::vars().collect(),
            flags,
            dotted: &["kafka.properties"],
        })?;
        loaded.sources_are_told_apart()?;
        loaded.shapes_are_known(file.and_then(Path::parent))?;
        Ok(loaded)
    }

    /// The file of a mapping lies beside the config that names it, and is read before anything is connected.
    fn shapes_are_known(&mut self, folder: Option<&Path>) -> Result<(), crate::error::Error> {
        for source in &mut self.sources {
            if let (Some(map), Some(folder)) = (&source.map, folder) {
                source.map = Some(folder.join(map));
            }
            source.shape().map_err(crate::error::Error::Environment)?;
        }
        Ok(())
    }

    /// The source of a topic; one that looks as usual where there is none.
    pub(crate) fn source_of(&self, topic: Option<&str>) -> SourceConfig {
        let mut sources = self.sources.iter();
        let source = sources.find(|source| Some(source.topic.as_str()) == topic);
        source.cloned().unwrap_or_else(|| SourceConfig {
            name: "file".into(),
            topic: topic.unwrap_or_default().into(),
            format: Format::default(),
            rows: Format::default(),
            map: None,
            kind: SourceKind::Live,
            arrival: Arrival::default(),
            required: true,
        })
    }

    /// A source's name is part of its consumer group, and of every position: two of one name would take each other's
    /// records for repeats, and so would two of one topic.
    fn sources_are_told_apart(&self) -> Result<(), crate::error::Error> {
        for (index, source) in self.sources.iter().enumerate() {
            for other in &self.sources[..index] {
                if other.name == source.name || other.topic == source.topic {
                    return Err(crate::error::Error::Environment(format!(
                        "sources: `{}` of topic {} and `{}` of topic {} share a name or a topic: give each source a name of its own, \
                         and name a topic once",
                        other.name, other.topic, source.name, source.topic
                    )));
                }
            }
        }
        Ok(())
    }

    /// The defaults alone, for runs without a network.
    pub(crate) fn embedded() -> Result<Self, Error> {
        load(Layers {
            defaults: DEFAULTS,
            ..Layers::default()
        })
    }

    /// The channels of this installation: the one of this process, and all that are configured.
    pub(crate) fn channels(&self) -> BTreeSet<Channel> {
        let configured = self.dispatch.channels.keys().copied();
        configured.chain([self.dispatch.channel]).collect()
    }

    pub(crate) fn names(&self) -> TopicNames {
        TopicNames::new(&self.kafka.prefix)
    }

    pub(crate) fn limits(&self) -> Limits {
        let sessions = &self.sessions;
        let policy = |word| match word {
            OnAmbiguous::Drop => Ambiguous::Drop,
            OnAmbiguous::Resend => Ambiguous::Resend,
        };
        let mut ambiguous =
            BTreeMap::from([(self.dispatch.channel, policy(self.dispatch.on_ambiguous))]);
        for (channel, own) in &self.dispatch.channels {
            if let Some(word) = own.on_ambiguous {
                ambiguous.insert(*channel, policy(word));
            }
        }
        Limits {
            late_after: span(sessions.late_after),
            claim_timeout: span(sessions.claim_timeout),
            trigger_retry: span(sessions.trigger_retry),
            anonymous_retention: span(sessions.anonymous_retention),
            retention: span(sessions.retention),
            ambiguous,
            explain: false,
        }
    }

    pub(crate) fn sessions(&self) -> winback_sessions::Config {
        let live = self
            .sources
            .iter()
            .filter(|source| source.kind == SourceKind::Live && source.required);
        winback_sessions::Config {
            names: self.names(),
            groups: self.kafka.groups.clone(),
            shop: self.shop.id.clone(),
            partitions: self.kafka.partitions,
            sources: live
                .map(|source| Source {
                    topic: source.topic.clone(),
                    group: winback_ingest::service::group(&self.kafka.groups, &source.name),
                })
                .collect(),
            batch: self.sessions.batch,
            due_batch: self.sessions.due_batch,
            sweep_batch: self.sessions.sweep_batch,
            sweep_rate: self.sessions.sweep_rate,
            most_open: self.sessions.most_open,
            nearly_full: f64::from(self.sessions.nearly_full_percent) / 100.0,
            cache: self.sessions.cache,
            probe_every: self.sessions.probe_every,
            sample_coupons: false,
            limits: self.limits(),
        }
    }
}

/// Milliseconds, as the core counts.
pub(crate) fn span(duration: Duration) -> Span {
    Span::from_millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use crate::command::connect::topics;

    #[test]
    fn two_sources_of_one_name_or_topic_are_refused() {
        let config = Config::embedded().unwrap();
        assert!(config.sources_are_told_apart().is_ok());
        let first = config.sources[0].clone();
        for (name, topic) in [
            (first.name.as_str(), "another"),
            ("another", first.topic.as_str()),
        ] {
            let mut config = config.clone();
            let (name, topic) = (name.to_owned(), topic.to_owned());
            config.sources.push(SourceConfig {
                name,
                topic,
                ..first.clone()
            });
            let refused = config.sources_are_told_apart().unwrap_err().to_string();
            assert!(refused.contains("share a name or a topic"), "{refused}");
        }
    }

    #[test]
    fn three_replicas_ask_for_two_in_sync() {
        let mut config = Config::embedded().unwrap();
        for (replication, wanted) in [(1, None), (2, None), (3, Some("2"))] {
            config.kafka.replication = replication;
            for spec in topics(&config) {
                let found = spec.settings.get("min.insync.replicas").map(String::as_str);
                assert_eq!(found, wanted, "{}", spec.name);
            }
        }
    }
}
