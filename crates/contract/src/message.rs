//! What dispatch gets: one message to render and send, within its window.
//!
//! It carries the address and the facts of the texts, since dispatch has no state. `Debug` shows neither.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::event::Product;
use crate::ids::{BundleHash, CustomerId, JourneyId, MessageId};
use crate::money::Money;
use crate::partition::Partition;
use crate::time::Timestamp;

/// One record of `dispatch.<channel>`.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// Version of this shape.
    pub v: u8,
    /// One effect per id, whatever the attempts.
    pub id: MessageId,
    /// 1 for the first; grows when the step is repeated under the same id.
    pub attempt: u32,
    /// The profile that holds the grant.
    pub customer: CustomerId,
    /// Its partition.
    pub partition: Partition,
    /// The journey.
    pub journey: JourneyId,
    /// The campaign.
    pub campaign: String,
    /// The step.
    pub step: String,
    /// Base name of the templates.
    pub template: String,
    /// The channel.
    pub channel: Channel,
    /// Where to: an address or a number.
    pub address: String,
    /// The bundle with the templates.
    pub bundle: BundleHash,
    /// Earliest moment to send.
    pub not_before: Timestamp,
    /// Latest moment to send.
    pub not_after: Timestamp,
    /// What the texts may show.
    pub facts: Facts,
}

impl Message {
    /// Version written now.
    pub const VERSION: u8 = 1;
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Message({}, {}, {}/{}, attempt {})",
            self.id, self.channel, self.campaign, self.step, self.attempt
        )
    }
}

/// What templates may show, under these names.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Facts {
    /// The person.
    #[serde(default)]
    pub customer: CustomerFacts,
    /// The cart the journey is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart: Option<CartFacts>,
    /// What the message offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<OfferText>,
    /// Orders so far.
    #[serde(default)]
    pub orders: u32,
    /// Products the step is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Product>,
    /// Products to recommend, filled in when it is rendered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recommended: Vec<Product>,
    /// How they are chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommend: Option<Wish>,
    /// What began the journey, and what was awaited, as far as texts ask for it; amounts in minor units.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub entry: BTreeMap<String, serde_json::Value>,
    /// See `entry`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub answer: BTreeMap<String, serde_json::Value>,
    /// The order the journey is about, else the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderText>,
    /// Points of the loyalty programme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<PointsText>,
    /// The shop's latest announcement of the kind that began the journey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub news: Option<NewsText>,
    /// Of a task or a call: the team, the deadline, what may be offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskText>,
    /// Of ads: the time in the audience ends then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stay_until: Option<Timestamp>,
}

/// Which products to recommend: dispatch takes the first that the catalogue sells.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Wish {
    /// `popular`, `also_bought`, `from_viewed` or `more_points`.
    pub kind: String,
    /// How many.
    pub count: u32,
    /// Ids, the best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    /// Categories that the person looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Ids that are no news to the person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not: Vec<String>,
}

/// An order as texts show it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct OrderText {
    /// The shop's id.
    pub id: String,
    /// Its sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// By when it was promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promised_at: Option<Timestamp>,
    /// Ids of its products.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub product_ids: Vec<String>,
}

/// Points as texts show them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PointsText {
    /// What there is.
    pub balance: f64,
    /// What will be lost next.
    pub expiring: f64,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Missing to the next level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_next_level: Option<f64>,
}

/// An announcement as texts show it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NewsText {
    /// Its title.
    pub title: String,
    /// Its page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// More words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What a person of the shop shall do.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TaskText {
    /// Whose task it is.
    pub team: String,
    /// By when.
    pub due: Timestamp,
    /// What may be offered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may_offer: Vec<String>,
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Facts(…)")
    }
}

/// The person, as far as texts need it.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CustomerFacts {
    /// Given name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Family name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// City.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// Loyalty level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Custom fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub traits: BTreeMap<String, String>,
    /// Those that are no texts; texts see both as `traits`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub typed: BTreeMap<String, serde_json::Value>,
    /// BCP 47; picks the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
}

impl fmt::Debug for CustomerFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomerFacts(…)")
    }
}

/// The cart, as the customer left it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CartFacts {
    /// Its lines.
    pub items: Vec<Product>,
    /// How many lines were left out of the state.
    #[serde(default)]
    pub more: u32,
    /// Its sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
    /// Where to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// An offer as texts show it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct OfferText {
    /// `coupon`, `points`, `free_delivery`, `gift` or `terms`.
    pub kind: String,
    /// Pool, number of points, or name of gift or terms.
    #[serde(default)]
    pub what: String,
    /// The code, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What it is worth, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worth: Option<String>,
    /// Until when.
    pub expires_at: Timestamp,
    /// The event that earns it, where the message only promises it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upon: Option<String>,
}
