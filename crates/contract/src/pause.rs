//! The kill switch: what is paused, beside the bundles in `campaigns`, so that every service hears of it at once
//! without a publication.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::channel::Channel;
use crate::time::{Timestamp, millis};

/// What is paused. On the wire it is text: `all`, `campaign:NAME` or `channel:NAME`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    /// Everything.
    All,
    /// One campaign.
    Campaign(String),
    /// One channel.
    Channel(Channel),
    /// A scope of a newer release, as it was written: it pauses nothing here.
    Newer(String),
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Campaign(name) => write!(f, "campaign:{name}"),
            Self::Channel(channel) => write!(f, "channel:{channel}"),
            Self::Newer(text) => f.write_str(text),
        }
    }
}

impl From<&str> for Scope {
    fn from(text: &str) -> Self {
        let channel = |name: &str| {
            Channel::ALL
                .into_iter()
                .find(|channel| channel.as_str() == name)
        };
        match text.split_once(':') {
            None if text == "all" => Self::All,
            Some(("campaign", name)) => Self::Campaign(name.to_owned()),
            Some(("channel", name)) => {
                channel(name).map_or_else(|| Self::Newer(text.to_owned()), Self::Channel)
            }
            _ => Self::Newer(text.to_owned()),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self::from(text.as_str()))
    }
}

/// Whether any of the scopes pauses a campaign, or a message of it on a channel.
pub fn is_paused<'s>(
    scopes: impl IntoIterator<Item = &'s Scope>,
    campaign: &str,
    channel: Option<Channel>,
) -> bool {
    let mut scopes = scopes.into_iter();
    scopes.any(|scope| match scope {
        Scope::All => true,
        Scope::Campaign(name) => name == campaign,
        Scope::Channel(paused) => channel == Some(*paused),
        Scope::Newer(_) => false,
    })
}

/// Who threw a switch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PausedBy {
    /// A person, by command.
    Person,
    /// Too many messages went out on a channel in an hour.
    Fuse,
}

/// A record of `campaigns` beside the bundles; the newest of a scope holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Pause {
    /// Version of this shape.
    pub v: u8,
    /// `all`, `campaign:NAME` or `channel:NAME`.
    #[schemars(with = "String")]
    pub scope: Scope,
    /// Whether it is paused from now on.
    pub paused: bool,
    /// By whom.
    pub by: PausedBy,
    /// When, in milliseconds since the epoch.
    #[serde(with = "millis")]
    #[schemars(with = "i64")]
    pub at: Timestamp,
}

/// How a switch lies in the topic: its one name tells it from a bundle.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PauseRecord {
    /// The switch.
    pub switch: Pause,
}

impl Pause {
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
        let one = |scope: Scope| vec![Scope::from(scope.to_string().as_str())];
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
        // What a newer release pauses is kept as it is, and pauses nothing here.
        let newer = Scope::from("segment:vip");
        assert_eq!(newer.to_string(), "segment:vip");
        assert!(!is_paused(&one(newer), "a", sms));
    }
}
