//! The record of `journeys` (public format): what happened to a journey, and which input made it so.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::ids::{BundleHash, CustomerId, JourneyId, MessageId};
use crate::reason::Reason;
use crate::record::SourcePosition;
use crate::time::Timestamp;

/// One record of `journeys`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct JourneyRecord {
    /// Version of this shape.
    pub v: u8,
    /// Which journey.
    pub journey: JourneyId,
    /// Who.
    pub customer: CustomerId,
    /// Of which campaign.
    pub campaign: String,
    /// The bundle it began with.
    pub bundle: BundleHash,
    /// When.
    pub at: Timestamp,
    /// What.
    pub transition: Transition,
    /// The input that made it so; absent where time did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<SourcePosition>,
}

impl JourneyRecord {
    /// Version written now.
    pub const VERSION: u8 = 1;
}

/// The stations of a journey.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transition {
    /// The delay ran out and the first step became due.
    Entered,
    /// A message was booked and handed to dispatch.
    Booked {
        /// The step.
        step: String,
        /// On which channel.
        channel: Channel,
        /// The message.
        message: MessageId,
    },
    /// The provider took the message.
    Sent {
        /// The step.
        step: String,
        /// The message.
        message: MessageId,
    },
    /// What would have begun a journey did not. Told by `simulate` and `test` alone: in a live shop it would drown the rest.
    NotBegun {
        /// Why.
        reason: Reason,
        /// The part of a condition that decided, with its values; bounded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<String>,
    },
    /// A step will not be sent.
    Skipped {
        /// The step.
        step: String,
        /// Why.
        reason: Reason,
        /// The part of a condition that decided, with its values; bounded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<String>,
    },
    /// A step waits.
    Held {
        /// The step.
        step: String,
        /// Why.
        reason: Reason,
        /// Until when at least.
        until: Timestamp,
        /// The part of a condition that decided, with its values; bounded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<String>,
    },
    /// The journey is over; each armed journey ends exactly once.
    Ended {
        /// One of the reasons that end journeys.
        outcome: Reason,
        /// Whether its delay had run out before.
        entered: bool,
        /// The campaign's own name for this end, if it gave one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// The goal was reached, by the window of the campaign.
    Goal,
}
