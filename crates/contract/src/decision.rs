//! The evaluator's answer (public format): per due step send, hold or skip, each with its reason (INV-9).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::ids::{BundleHash, CustomerId, JourneyId, TriggerId};
use crate::reason::Reason;
use crate::record::SourcePosition;
use crate::time::Timestamp;

/// One record of `decisions`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// Version of this shape.
    pub v: u8,
    /// The trigger it answers; only the first answer counts.
    pub trigger: TriggerId,
    /// Who.
    pub customer: CustomerId,
    /// The time at which it was judged.
    pub now: Timestamp,
    /// The active bundle it was judged by.
    pub bundle: BundleHash,
    /// The newest input that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<SourcePosition>,
    /// One per due step of the trigger, in its order.
    pub steps: Vec<StepDecision>,
}

impl Decision {
    /// Version written now.
    pub const VERSION: u8 = 1;
}

/// What becomes of one step.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StepDecision {
    /// Of which journey.
    pub journey: JourneyId,
    /// Its campaign.
    pub campaign: String,
    /// The step's name.
    pub step: String,
    /// Send, hold or skip.
    pub verdict: Verdict,
}

/// The three ways a due step can go.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Send it.
    Send {
        /// The channel chosen from the step's list.
        channel: Channel,
        /// Not before this.
        not_before: Timestamp,
        /// Not after this: quiet hours begin, or the step expires.
        not_after: Timestamp,
        /// Whether the step's offer goes with it.
        offer: bool,
        /// Why it goes without the offer its step names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        without: Option<Reason>,
    },
    /// Judge again later.
    Hold {
        /// Not before this.
        until: Timestamp,
        /// What holds it.
        reason: Reason,
        /// The part of a condition that decided, with its values; bounded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<String>,
    },
    /// Never send it; the cascade goes on, or the journey ends if the audience does not hold.
    Skip {
        /// Why.
        reason: Reason,
        /// The part of a condition that decided, with its values; bounded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<String>,
    },
}

impl Verdict {
    /// Not sent, for a reason that needs no words.
    pub fn skip(reason: Reason) -> Self {
        Self::Skip {
            reason,
            because: None,
        }
    }

    /// The reason, if it is not a send.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Send { .. } => None,
            Self::Hold { reason, .. } | Self::Skip { reason, .. } => Some(*reason),
        }
    }
}
