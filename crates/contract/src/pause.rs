//! The kill switch: what is paused, beside the bundles in `campaigns`, so that every service hears of it at once
//! without a publication.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::ids::BundleHash;
use crate::time::{Timestamp, millis};

/// What is paused: `all`, `campaign:NAME` or `channel:NAME`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    /// Everything.
    All,
    /// One campaign.
    Campaign(String),
    /// One channel.
    Channel(Channel),
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Campaign(name) => write!(f, "campaign:{name}"),
            Self::Channel(channel) => write!(f, "channel:{channel}"),
        }
    }
}

/// Whether scopes, written as texts, pause a campaign, or a message of it on a channel.
pub fn is_paused<'s>(
    scopes: impl IntoIterator<Item = &'s String>,
    campaign: &str,
    channel: Option<Channel>,
) -> bool {
    let mut scopes = scopes.into_iter();
    scopes.any(|scope| match scope.split_once(':') {
        None => scope == "all",
        Some(("campaign", name)) => name == campaign,
        Some(("channel", name)) => channel.is_some_and(|channel| channel.as_str() == name),
        Some(_) => false,
    })
}

/// Who threw a switch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThrownBy {
    /// A person, by command.
    Person,
    /// Too many messages went out on a channel in an hour.
    Fuse,
}

/// A record of `campaigns` beside the bundles; the newest of a scope holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Switch {
    /// Version of this shape.
    pub v: u8,
    /// `all`, `campaign:NAME` or `channel:NAME`.
    pub scope: String,
    /// Whether it is paused from now on.
    pub paused: bool,
    /// By whom.
    pub by: ThrownBy,
    /// When, in milliseconds since the epoch.
    #[serde(with = "millis")]
    #[schemars(with = "i64")]
    pub at: Timestamp,
}

/// How a switch lies in the topic: its one name tells it from a bundle.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SwitchRecord {
    /// The switch.
    pub switch: Switch,
}

/// Which bundles were made active, the newest last; it lies beside them under one key, so that one can go back.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Activations {
    /// Hashes with the moment of the publication.
    pub activations: Vec<(BundleHash, Timestamp)>,
}

impl Activations {
    /// The key of its record.
    pub const KEY: &str = "activations";
    /// How many are remembered.
    pub const KEPT: usize = 50;

    /// The one that was made active last.
    pub fn newest(&self) -> Option<BundleHash> {
        self.activations.last().map(|(hash, _)| *hash)
    }
}

impl Switch {
    /// Version written now.
    pub const VERSION: u8 = 1;

    /// The key of its record.
    pub fn key(&self) -> Vec<u8> {
        format!("paused:{}", self.scope).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_covers_what_it_names() {
        let one = |scope: Scope| vec![scope.to_string()];
        let sms = Some(Channel::Sms);
        assert!(is_paused(&one(Scope::All), "a", None));
        assert!(is_paused(&one(Scope::Campaign("a".into())), "a", None));
        assert!(!is_paused(&one(Scope::Campaign("b".into())), "a", sms));
        assert!(is_paused(&one(Scope::Channel(Channel::Sms)), "a", sms));
        assert!(!is_paused(&one(Scope::Channel(Channel::Sms)), "a", None));
        assert!(!is_paused(
            &one(Scope::Channel(Channel::Sms)),
            "sms",
            Some(Channel::Email)
        ));
    }
}
