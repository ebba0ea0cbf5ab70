//! The request of sessions to the evaluator: all due steps of one customer, time and bundle pinned.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::blob::Blob;
use crate::event::Announcement;
use crate::ids::{BundleHash, CustomerId, JourneyId, TriggerId};
use crate::pause::Scope;
use crate::record::SourcePosition;
use crate::time::Timestamp;

/// One record of `triggers`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Trigger {
    /// Version of this shape.
    pub v: u8,
    /// Its id; a re-emission has the same.
    pub id: TriggerId,
    /// Who.
    pub customer: CustomerId,
    /// The time at which everything is judged: the input frontier.
    pub now: Timestamp,
    /// The bundle that was active.
    pub bundle: BundleHash,
    /// Steps that are due, and competitors that will be soon.
    pub steps: Vec<DueStep>,
    /// The newest input the snapshot has seen, for auditors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<SourcePosition>,
    /// The shop's latest announcements, one of each name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub news: Vec<Announcement>,
    /// Coupon pools that have no code left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dry: Vec<String>,
    /// What is paused by hand or by a fuse: `all`, `campaign:NAME`, `channel:NAME`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub paused: Vec<Scope>,
    /// The encoded customer.
    pub snapshot: Blob,
}

impl Trigger {
    /// Version written now.
    pub const VERSION: u8 = 1;
}

/// A step to decide.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DueStep {
    /// Of which journey.
    pub journey: JourneyId,
    /// Its campaign.
    pub campaign: String,
    /// The bundle the journey began with.
    pub bundle: BundleHash,
    /// The step's name.
    pub step: String,
    /// When it was due.
    pub due: Timestamp,
    /// After this it is given up.
    pub expires: Timestamp,
    /// Not due yet: it only competes for the moment.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub competitor: bool,
}
