//! The channels a step may name (playbook P68). How one is delivered is dispatch's config, not a name here.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A way to reach a person.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Mail.
    Email,
    /// Short message.
    Sms,
    /// WhatsApp Business.
    Whatsapp,
    /// Telegram bot.
    Telegram,
    /// Viber.
    Viber,
    /// Web or mobile push.
    Push,
    /// A call to the shop's own HTTP endpoint.
    Webhook,
    /// An advertising audience.
    Ads,
    /// A manager's telephone call.
    Call,
    /// A task for the staff.
    Task,
}

impl Channel {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 10] = [
        Self::Email,
        Self::Sms,
        Self::Whatsapp,
        Self::Telegram,
        Self::Viber,
        Self::Push,
        Self::Webhook,
        Self::Ads,
        Self::Call,
        Self::Task,
    ];

    /// The word used in files, topics and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Whatsapp => "whatsapp",
            Self::Telegram => "telegram",
            Self::Viber => "viber",
            Self::Push => "push",
            Self::Webhook => "webhook",
            Self::Ads => "ads",
            Self::Call => "call",
            Self::Task => "task",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|channel| channel.as_str() == word)
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
