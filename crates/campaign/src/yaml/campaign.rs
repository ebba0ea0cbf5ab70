//! `campaign.yaml` as it is written (grammar §2).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Spanned;
use super::values::{OneOrMany, Patterns, StructOrList};

/// The whole file.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct CampaignFile {
    /// `winback/v1`.
    #[serde(rename = "apiVersion")]
    pub api_version: Spanned<String>,
    /// `Campaign`.
    pub kind: Spanned<String>,
    /// Who it is.
    pub metadata: Metadata,
    /// What it does.
    pub spec: Spanned<Spec>,
}

/// Identity and order.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Kebab-case, unique.
    pub name: Spanned<String>,
    /// Words for people.
    pub title: Option<String>,
    /// Group of Policy.
    pub group: Spanned<String>,
    /// Playbook rows.
    #[serde(default)]
    pub covers: Vec<String>,
    /// 0 to 100.
    pub priority: Option<Spanned<u8>>,
}

/// What it does.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// live, shadow or paused.
    pub mode: Option<Spanned<String>>,
    /// Topic of Policy.
    pub topic: Option<Spanned<String>>,
    /// Campaigns of which only one runs per key.
    pub replaces: Option<Spanned<OneOrMany>>,
    /// Starts.
    pub enter: Spanned<StructOrList<Start>>,
    /// Condition.
    pub audience: Option<Spanned<String>>,
    /// Ways out.
    pub exit: Option<ExitPart>,
    /// Success.
    pub goal: Option<Goal>,
    /// Entries.
    pub cascade: Spanned<Vec<Spanned<EntryPart>>>,
    /// Versions and existing customers.
    pub rollout: Option<Rollout>,
    /// Share without this campaign.
    pub holdout: Option<Spanned<String>>,
    /// wait or expire.
    pub on_input_lag: Option<Spanned<String>>,
}

/// A start; exactly one start word is present.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Start word: events.
    pub on: Option<Spanned<OneOrMany>>,
    /// Start word: no event for so long.
    pub silence: Option<Spanned<String>>,
    /// Start word: a moment of the customer.
    pub date: Option<Spanned<String>>,
    /// Start word: the shop's calendar.
    pub schedule: Option<Spanned<Schedule>>,
    /// Start word: journeys of other campaigns.
    pub ended: Option<Spanned<OneOrMany>>,
    /// Start word: `price_drop` or `back_in_stock`.
    pub product: Option<Spanned<String>>,
    /// Of product: least fall, as `5%`.
    pub by: Option<Spanned<String>>,
    /// Of product: viewed, carted, wished, asked.
    pub seen: Option<Spanned<OneOrMany>>,
    /// Of silence: the event that is missed; of times: what counts anew.
    pub without: Option<Spanned<String>>,
    /// Of date: so long before it.
    pub before: Option<Spanned<String>>,
    /// Of date: `year`.
    pub every: Option<Spanned<String>>,
    /// Condition.
    pub when: Option<Spanned<String>>,
    /// Expression.
    pub key: Option<Spanned<String>>,
    /// Delay of inactivity.
    pub idle: Option<Spanned<String>>,
    /// Plain delay.
    pub after: Option<Spanned<String>>,
    /// The n-th match.
    pub times: Option<Spanned<u32>>,
    /// Of times and product: in so long.
    pub within: Option<Spanned<String>>,
    /// One journey per element.
    pub each: Option<Spanned<String>>,
    /// Least time between journeys.
    pub reentry: Option<Spanned<String>>,
    /// At most so many journeys in so long.
    pub limit: Option<Spanned<Limit>>,
    /// Pace of a start for many.
    pub spread: Option<Spanned<String>>,
}

/// `{ every: week, days: [monday] }` or `{ calendar: name }`.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// week, month or year.
    pub every: Option<Spanned<String>>,
    /// Weekdays, days of the month, or days of the year.
    pub days: Option<Spanned<OneOrMany>>,
    /// A name of Policy's calendar.
    pub calendar: Option<Spanned<String>>,
}

/// `{ at_most, per }`.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// How many.
    pub at_most: Spanned<u32>,
    /// In how long.
    pub per: Spanned<String>,
}

/// Ways out.
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct ExitPart {
    /// Success.
    pub converted: Option<Spanned<Patterns>>,
    /// No longer of use.
    pub cancelled: Option<Spanned<Patterns>>,
    /// The moment when it is over.
    pub at: Option<Spanned<String>>,
}

/// Success.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// What counts, if other than `exit.converted`.
    pub on: Option<Spanned<Patterns>>,
    /// Counted until so long after the last message.
    pub within: Option<Spanned<String>>,
}

/// Versions and existing customers.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// finish or drop.
    pub in_flight: Option<Spanned<String>>,
    /// skip, or a duration.
    pub existing: Option<Spanned<String>>,
}

/// A list of entries.
pub type Entries = Vec<Spanned<EntryPart>>;

/// An entry; exactly one entry word is present.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct EntryPart {
    /// Entry word: sends a message.
    pub step: Option<Spanned<String>>,
    /// Entry word: waits so long.
    pub wait: Option<Spanned<String>>,
    /// Entry word: waits until a moment.
    pub until: Option<Spanned<String>>,
    /// Entry word: waits for an event.
    #[serde(rename = "await")]
    pub await_: Option<Spanned<Patterns>>,
    /// Entry word: goes on one way or the other.
    #[serde(rename = "if")]
    pub if_: Option<Spanned<String>>,
    /// Entry word: a name for parts drawn by hash.
    pub split: Option<Spanned<String>>,
    /// Entry word: ends the journey under this name.
    pub end: Option<Spanned<String>>,
    /// Of wait and until: what ends the journey as reacted.
    pub unless: Option<Spanned<Patterns>>,
    /// Of await: at most so long.
    #[serde(rename = "for")]
    pub for_: Option<Spanned<String>>,
    /// Of await: if it did not come.
    pub otherwise: Option<Spanned<Entries>>,
    /// Of if.
    pub then: Option<Spanned<Entries>>,
    /// Of if.
    #[serde(rename = "else")]
    pub else_: Option<Spanned<Entries>>,
    /// Of split.
    pub into: Option<Spanned<BTreeMap<String, Branch>>>,
    /// Of step: channels.
    pub send: Option<Spanned<OneOrMany>>,
    /// Of step: local time.
    pub at: Option<Spanned<String>>,
    /// Of step: given up so long after it was due.
    pub expires: Option<Spanned<String>>,
    /// Of step: products it is about.
    pub show: Option<Spanned<String>>,
    /// Of step: products it recommends.
    pub recommend: Option<Spanned<Recommend>>,
    /// Of step: text if other than its name.
    pub template: Option<Spanned<String>>,
    /// Of step: what it offers.
    pub offer: Option<Spanned<OfferPart>>,
    /// Of step with ads: time in the audience.
    pub stay: Option<Spanned<String>>,
    /// Of step with task or call.
    pub task: Option<Spanned<TaskPart>>,
}

/// A part of a split.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// `50%`.
    pub share: Spanned<String>,
    /// Its entries; none goes on at once.
    #[serde(default)]
    pub then: Vec<Spanned<EntryPart>>,
}

/// `{ kind: popular, count: 4 }`.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct Recommend {
    /// popular, `also_bought`, `from_viewed`, `more_points`.
    pub kind: Spanned<String>,
    /// How many.
    pub count: Option<Spanned<u32>>,
}

/// What a step offers.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct OfferPart {
    /// Pool of Policy.
    pub coupon: Option<Spanned<String>>,
    /// So many points.
    pub points: Option<Spanned<u32>>,
    /// `true`.
    pub free_delivery: Option<Spanned<bool>>,
    /// A gift by name.
    pub gift: Option<Spanned<String>>,
    /// Special terms by name.
    pub terms: Option<Spanned<String>>,
    /// How long it holds.
    pub valid: Option<Spanned<String>>,
    /// The event that earns it.
    pub upon: Option<Spanned<String>>,
    /// Not bound by the offer guard.
    pub outside_guard: Option<Spanned<bool>>,
    /// without, skip or end, if guard or pool refuses.
    pub otherwise: Option<Spanned<String>>,
}

/// What a person shall do.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct TaskPart {
    /// Whose task it is.
    pub team: Spanned<String>,
    /// By when.
    pub due: Option<Spanned<String>>,
    /// What may be offered.
    pub may_offer: Option<Spanned<OneOrMany>>,
}
