//! What became of a message (public format): written by dispatch, and by the gateway, which hears what customers do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::ids::{CustomerId, MessageId};
use crate::reason::Reason;
use crate::time::Timestamp;

/// One record of `outcomes`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// Version of this shape.
    pub v: u8,
    /// Which message.
    pub message: MessageId,
    /// The profile whose partition holds the grant.
    pub customer: CustomerId,
    /// The channel it went, or was to go, through.
    pub channel: Channel,
    /// Which attempt; 0 where the reporter does not know.
    pub attempt: u32,
    /// What happened.
    pub status: OutcomeStatus,
    /// Why, where it did not go out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The provider's id of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// Whether a machine did it (scanners, privacy proxies); never a reaction.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bot: bool,
    /// Whether it went to a file instead of the person: shadow mode, and addresses outside `only_to`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rehearsed: bool,
    /// Until when the provider asks to be left alone; with `deferred`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// When.
    pub at: Timestamp,
}

impl Outcome {
    /// Version written now.
    pub const VERSION: u8 = 1;
}

/// What happened to a message.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeStatus {
    /// The provider took it.
    Sent,
    /// It definitely did not go out and never will on this channel.
    Refused,
    /// It may or may not have gone out.
    Unknown,
    /// It did not go out now; judge the step again.
    Deferred,
    /// The grant had moved to another profile.
    Moved,
    /// It reached the mailbox or the phone.
    Delivered,
    /// It was opened.
    Opened,
    /// A link in it was followed.
    Clicked,
    /// The person answered.
    Replied,
    /// The address does not work.
    Bounced,
    /// It was reported as spam.
    Complained,
    /// The person wants no more of them.
    Unsubscribed,
}

impl OutcomeStatus {
    /// Whether a message of which this is told left the house, or may have.
    pub fn may_have_left(self) -> bool {
        match self {
            Self::Refused | Self::Deferred | Self::Moved => false,
            Self::Sent
            | Self::Unknown
            | Self::Delivered
            | Self::Opened
            | Self::Clicked
            | Self::Replied
            | Self::Bounced
            | Self::Complained
            | Self::Unsubscribed => true,
        }
    }

    /// The word on the wire and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Deferred => "deferred",
            Self::Moved => "moved",
            Self::Delivered => "delivered",
            Self::Opened => "opened",
            Self::Clicked => "clicked",
            Self::Replied => "replied",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
            Self::Unsubscribed => "unsubscribed",
        }
    }
}
