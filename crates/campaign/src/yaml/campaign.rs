//! `campaign.yaml` as it is written (ADR 0014).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Spanned;
use super::values::{OneOrMany, Patterns, StructOrList};

/// The whole file.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct CampaignFile {
    /// `winback/v1`.
    #[serde(rename = "apiVersion")]
    #[schemars(with = "String")]
    pub api_version: Spanned<String>,
    /// `Campaign`.
    #[schemars(with = "String")]
    pub kind: Spanned<String>,
    /// Who it is.
    pub metadata: Metadata,
    /// What it does.
    #[schemars(with = "Spec")]
    pub spec: Spanned<Spec>,
}

/// Identity and order.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Kebab-case, unique.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// Words for people.
    pub title: Option<String>,
    /// Group of Policy.
    #[schemars(with = "String")]
    pub group: Spanned<String>,
    /// Playbook rows.
    #[serde(default)]
    pub covers: Vec<String>,
    /// 0 to 100.
    #[schemars(with = "Option<u8>")]
    pub priority: Option<Spanned<u8>>,
}

/// What it does.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// live, shadow or paused.
    #[schemars(with = "Option<String>")]
    pub mode: Option<Spanned<String>>,
    /// Topic of Policy.
    #[schemars(with = "Option<String>")]
    pub topic: Option<Spanned<String>>,
    /// Campaigns of which only one runs per key.
    #[schemars(with = "Option<OneOrMany>")]
    pub replaces: Option<Spanned<OneOrMany>>,
    /// Starts.
    #[schemars(with = "StructOrList<Start>")]
    pub enter: Spanned<StructOrList<Start>>,
    /// Condition.
    #[schemars(with = "Option<String>")]
    pub audience: Option<Spanned<String>>,
    /// Ways out.
    pub exit: Option<ExitPart>,
    /// Success.
    pub goal: Option<Goal>,
    /// Entries.
    #[schemars(with = "Vec<EntryPart>")]
    pub cascade: Spanned<Vec<Spanned<EntryPart>>>,
    /// Versions and existing customers.
    pub rollout: Option<Rollout>,
    /// Share without this campaign.
    #[schemars(with = "Option<String>")]
    pub holdout: Option<Spanned<String>>,
    /// wait or expire.
    #[schemars(with = "Option<String>")]
    pub on_input_lag: Option<Spanned<String>>,
}

/// A start; exactly one start word is present.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Start word: events.
    #[schemars(with = "Option<OneOrMany>")]
    pub on: Option<Spanned<OneOrMany>>,
    /// Start word: no event for so long.
    #[schemars(with = "Option<String>")]
    pub silence: Option<Spanned<String>>,
    /// Start word: a moment of the customer.
    #[schemars(with = "Option<String>")]
    pub date: Option<Spanned<String>>,
    /// Start word: the shop's calendar.
    #[schemars(with = "Option<Schedule>")]
    pub schedule: Option<Spanned<Schedule>>,
    /// Start word: journeys of other campaigns.
    #[schemars(with = "Option<OneOrMany>")]
    pub ended: Option<Spanned<OneOrMany>>,
    /// Start word: `price_drop` or `back_in_stock`.
    #[schemars(with = "Option<String>")]
    pub product: Option<Spanned<String>>,
    /// Of product: least fall, as `5%`.
    #[schemars(with = "Option<String>")]
    pub by: Option<Spanned<String>>,
    /// Of product: viewed, carted, wished, asked.
    #[schemars(with = "Option<OneOrMany>")]
    pub seen: Option<Spanned<OneOrMany>>,
    /// Of silence: the event that is missed; of times: what counts anew.
    #[schemars(with = "Option<String>")]
    pub without: Option<Spanned<String>>,
    /// Of date: so long before it.
    #[schemars(with = "Option<String>")]
    pub before: Option<Spanned<String>>,
    /// Of date: `year`.
    #[schemars(with = "Option<String>")]
    pub every: Option<Spanned<String>>,
    /// Condition.
    #[schemars(with = "Option<String>")]
    pub when: Option<Spanned<String>>,
    /// Expression.
    #[schemars(with = "Option<String>")]
    pub key: Option<Spanned<String>>,
    /// Delay of inactivity.
    #[schemars(with = "Option<String>")]
    pub idle: Option<Spanned<String>>,
    /// Plain delay.
    #[schemars(with = "Option<String>")]
    pub after: Option<Spanned<String>>,
    /// The n-th match.
    #[schemars(with = "Option<u32>")]
    pub times: Option<Spanned<u32>>,
    /// Of times and product: in so long.
    #[schemars(with = "Option<String>")]
    pub within: Option<Spanned<String>>,
    /// One journey per element.
    #[schemars(with = "Option<String>")]
    pub each: Option<Spanned<String>>,
    /// Least time between journeys.
    #[schemars(with = "Option<String>")]
    pub reentry: Option<Spanned<String>>,
    /// At most so many journeys in so long.
    #[schemars(with = "Option<Limit>")]
    pub limit: Option<Spanned<Limit>>,
    /// Pace of a start for many.
    #[schemars(with = "Option<String>")]
    pub spread: Option<Spanned<String>>,
}

/// `{ every: week, days: [monday] }` or `{ calendar: name }`.
#[derive(Deserialize, JsonSchema, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// week, month or year.
    #[schemars(with = "Option<String>")]
    pub every: Option<Spanned<String>>,
    /// Weekdays, days of the month, or days of the year.
    #[schemars(with = "Option<OneOrMany>")]
    pub days: Option<Spanned<OneOrMany>>,
    /// A name of Policy's calendar.
    #[schemars(with = "Option<String>")]
    pub calendar: Option<Spanned<String>>,
}

/// `{ at_most, per }`.
#[derive(Deserialize, JsonSchema, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// How many.
    #[schemars(with = "u32")]
    pub at_most: Spanned<u32>,
    /// In how long.
    #[schemars(with = "String")]
    pub per: Spanned<String>,
}

/// Ways out.
#[derive(Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct ExitPart {
    /// Success.
    #[schemars(with = "Option<Patterns>")]
    pub converted: Option<Spanned<Patterns>>,
    /// No longer of use.
    #[schemars(with = "Option<Patterns>")]
    pub cancelled: Option<Spanned<Patterns>>,
    /// The moment when it is over.
    #[schemars(with = "Option<String>")]
    pub at: Option<Spanned<String>>,
}

/// Success.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// What counts, if other than `exit.converted`.
    #[schemars(with = "Option<Patterns>")]
    pub on: Option<Spanned<Patterns>>,
    /// Counted until so long after the last message.
    #[schemars(with = "Option<String>")]
    pub within: Option<Spanned<String>>,
}

/// Versions and existing customers.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// finish or drop.
    #[schemars(with = "Option<String>")]
    pub in_flight: Option<Spanned<String>>,
    /// skip, or a duration.
    #[schemars(with = "Option<String>")]
    pub existing: Option<Spanned<String>>,
}

/// A list of entries.
pub type Entries = Vec<Spanned<EntryPart>>;

/// An entry; exactly one entry word is present.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct EntryPart {
    /// Entry word: sends a message.
    #[schemars(with = "Option<String>")]
    pub step: Option<Spanned<String>>,
    /// Entry word: waits so long.
    #[schemars(with = "Option<String>")]
    pub wait: Option<Spanned<String>>,
    /// Entry word: waits until a moment.
    #[schemars(with = "Option<String>")]
    pub until: Option<Spanned<String>>,
    /// Entry word: waits for an event.
    #[serde(rename = "await")]
    #[schemars(with = "Option<Patterns>")]
    pub await_: Option<Spanned<Patterns>>,
    /// Entry word: goes on one way or the other.
    #[serde(rename = "if")]
    #[schemars(with = "Option<String>")]
    pub if_: Option<Spanned<String>>,
    /// Entry word: a name for parts drawn by hash.
    #[schemars(with = "Option<String>")]
    pub split: Option<Spanned<String>>,
    /// Entry word: ends the journey under this name.
    #[schemars(with = "Option<String>")]
    pub end: Option<Spanned<String>>,
    /// Of wait and until: what ends the journey as reacted.
    #[schemars(with = "Option<Patterns>")]
    pub unless: Option<Spanned<Patterns>>,
    /// Of await: at most so long.
    #[serde(rename = "for")]
    #[schemars(with = "Option<String>")]
    pub for_: Option<Spanned<String>>,
    /// Of await: if it did not come.
    #[schemars(with = "Option<Vec<EntryPart>>")]
    pub otherwise: Option<Spanned<Entries>>,
    /// Of if.
    #[schemars(with = "Option<Vec<EntryPart>>")]
    pub then: Option<Spanned<Entries>>,
    /// Of if.
    #[serde(rename = "else")]
    #[schemars(with = "Option<Vec<EntryPart>>")]
    pub else_: Option<Spanned<Entries>>,
    /// Of split.
    #[schemars(with = "Option<BTreeMap<String, Branch>>")]
    pub into: Option<Spanned<BTreeMap<String, Branch>>>,
    /// Of step: channels.
    #[schemars(with = "Option<OneOrMany>")]
    pub send: Option<Spanned<OneOrMany>>,
    /// Of step: local time.
    #[schemars(with = "Option<String>")]
    pub at: Option<Spanned<String>>,
    /// Of step: given up so long after it was due.
    #[schemars(with = "Option<String>")]
    pub expires: Option<Spanned<String>>,
    /// Of step: products it is about.
    #[schemars(with = "Option<String>")]
    pub show: Option<Spanned<String>>,
    /// Of step: products it recommends.
    #[schemars(with = "Option<Recommend>")]
    pub recommend: Option<Spanned<Recommend>>,
    /// Of step: text if other than its name.
    #[schemars(with = "Option<String>")]
    pub template: Option<Spanned<String>>,
    /// Of step: what it offers.
    #[schemars(with = "Option<OfferPart>")]
    pub offer: Option<Spanned<OfferPart>>,
    /// Of step with ads: time in the audience.
    #[schemars(with = "Option<String>")]
    pub stay: Option<Spanned<String>>,
    /// Of step with task or call.
    #[schemars(with = "Option<TaskPart>")]
    pub task: Option<Spanned<TaskPart>>,
}

/// A part of a split.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// `50%`.
    #[schemars(with = "String")]
    pub share: Spanned<String>,
    /// Its entries; none goes on at once.
    #[serde(default)]
    #[schemars(with = "Vec<EntryPart>")]
    pub then: Vec<Spanned<EntryPart>>,
}

/// `{ kind: popular, count: 4 }`.
#[derive(Deserialize, JsonSchema, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct Recommend {
    /// popular, `also_bought`, `from_viewed`, `more_points`.
    #[schemars(with = "String")]
    pub kind: Spanned<String>,
    /// How many.
    #[schemars(with = "Option<u32>")]
    pub count: Option<Spanned<u32>>,
}

/// What a step offers.
#[derive(Deserialize, JsonSchema, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct OfferPart {
    /// Pool of Policy.
    #[schemars(with = "Option<String>")]
    pub coupon: Option<Spanned<String>>,
    /// So many points.
    #[schemars(with = "Option<u32>")]
    pub points: Option<Spanned<u32>>,
    /// `true`.
    #[schemars(with = "Option<bool>")]
    pub free_delivery: Option<Spanned<bool>>,
    /// A gift by name.
    #[schemars(with = "Option<String>")]
    pub gift: Option<Spanned<String>>,
    /// Special terms by name.
    #[schemars(with = "Option<String>")]
    pub terms: Option<Spanned<String>>,
    /// How long it holds.
    #[schemars(with = "Option<String>")]
    pub valid: Option<Spanned<String>>,
    /// The event that earns it.
    #[schemars(with = "Option<String>")]
    pub upon: Option<Spanned<String>>,
    /// Not bound by the offer guard.
    #[schemars(with = "Option<bool>")]
    pub outside_guard: Option<Spanned<bool>>,
    /// without, skip or end, if guard or pool refuses.
    #[schemars(with = "Option<String>")]
    pub otherwise: Option<Spanned<String>>,
}

/// What a person shall do.
#[derive(Deserialize, JsonSchema, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct TaskPart {
    /// Whose task it is.
    #[schemars(with = "String")]
    pub team: Spanned<String>,
    /// By when.
    #[schemars(with = "Option<String>")]
    pub due: Option<Spanned<String>>,
    /// What may be offered.
    #[schemars(with = "Option<OneOrMany>")]
    pub may_offer: Option<Spanned<OneOrMany>>,
}
