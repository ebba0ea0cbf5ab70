//! The topic table of ADR 0003: names, keys, counts, retention. Names carry a configurable prefix.

use crate::channel::Channel;
use crate::time::Span;

/// A topic of winback, before its prefix.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Topic {
    /// Storefront records.
    Raw,
    /// Canonical events.
    Events,
    /// Due steps.
    Triggers,
    /// Answers.
    Decisions,
    /// What happened to journeys.
    Journeys,
    /// Messages of a channel.
    Dispatch(Channel),
    /// What became of messages.
    Outcomes,
    /// Products as the shop last described them.
    Catalogue,
    /// Bundles.
    Campaigns,
    /// What could not be applied.
    Failed,
}

/// How a topic is created.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Whether it has the one count that is fixed for life.
    pub keyed: bool,
    /// Retention; `None` is for compacted topics.
    pub retention: Option<Span>,
    /// Whether the broker stamps arrival.
    pub log_append_time: bool,
    /// Largest record in bytes.
    pub max_message_bytes: u32,
    /// Who writes.
    pub written_by: &'static str,
    /// Who reads.
    pub read_by: &'static str,
}

impl Topic {
    /// Name without the prefix.
    pub fn suffix(self) -> String {
        match self {
            Self::Raw => "raw".into(),
            Self::Events => "events".into(),
            Self::Triggers => "triggers".into(),
            Self::Decisions => "decisions".into(),
            Self::Journeys => "journeys".into(),
            Self::Dispatch(channel) => format!("dispatch.{channel}"),
            Self::Outcomes => "outcomes".into(),
            Self::Catalogue => "catalogue".into(),
            Self::Campaigns => "campaigns".into(),
            Self::Failed => "failed".into(),
        }
    }

    /// The defaults of ADR 0003.
    pub fn layout(self) -> Layout {
        let days = |n| Some(Span::from_days(n));
        let base = Layout {
            keyed: true,
            retention: days(7),
            log_append_time: false,
            max_message_bytes: 2 * 1024 * 1024,
            written_by: "sessions",
            read_by: "sessions",
        };
        match self {
            Self::Raw => Layout {
                keyed: false,
                log_append_time: true,
                written_by: "storefronts",
                read_by: "ingest",
                ..base
            },
            Self::Events => Layout {
                written_by: "ingest, sessions, publish",
                ..base
            },
            Self::Triggers => Layout {
                retention: days(3),
                read_by: "evaluator, sessions",
                ..base
            },
            Self::Decisions => Layout {
                retention: days(90),
                written_by: "evaluator",
                ..base
            },
            Self::Journeys => Layout {
                retention: days(90),
                read_by: "sessions, auditors",
                ..base
            },
            Self::Dispatch(_) => Layout {
                read_by: "dispatch, sessions",
                ..base
            },
            // Broker's time: the clocks of those who report may be days off.
            Self::Outcomes => Layout {
                log_append_time: true,
                written_by: "dispatch, gateway",
                ..base
            },
            Self::Catalogue => Layout {
                keyed: false,
                retention: None,
                written_by: "ingest",
                read_by: "ingest, dispatch",
                ..base
            },
            Self::Campaigns => Layout {
                keyed: false,
                retention: None,
                max_message_bytes: 8 * 1024 * 1024,
                written_by: "publish",
                read_by: "all services",
                ..base
            },
            Self::Failed => Layout {
                keyed: false,
                written_by: "all services",
                read_by: "people",
                ..base
            },
        }
    }
}

/// Topics under one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicNames {
    prefix: String,
}

impl TopicNames {
    /// `winback.` unless the shop chose another.
    pub fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    /// The full name.
    pub fn name(&self, topic: Topic) -> String {
        format!("{}{}", self.prefix, topic.suffix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_prefix() {
        let names = TopicNames::new("shop7.");
        assert_eq!(
            names.name(Topic::Dispatch(Channel::Email)),
            "shop7.dispatch.email"
        );
        assert!(Topic::Campaigns.layout().retention.is_none());
        assert!(Topic::Raw.layout().log_append_time);
    }
}
