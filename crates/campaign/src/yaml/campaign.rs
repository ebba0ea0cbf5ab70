//! `campaign.yaml` as it is written (grammar §2).

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
    /// Of silence.
    pub without: Option<Spanned<String>>,
    /// Condition.
    pub when: Option<Spanned<String>>,
    /// Expression.
    pub key: Option<Spanned<String>>,
    /// Delay of inactivity.
    pub idle: Option<Spanned<String>>,
    /// Plain delay.
    pub after: Option<Spanned<String>>,
    /// Least time between journeys.
    pub reentry: Option<Spanned<String>>,
}

/// Ways out.
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct ExitPart {
    /// Success.
    pub converted: Option<Spanned<Patterns>>,
    /// No longer of use.
    pub cancelled: Option<Spanned<Patterns>>,
}

/// Success.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// Counted until so long after the last message.
    pub within: Spanned<String>,
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

/// An entry; exactly one entry word is present.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct EntryPart {
    /// Entry word: sends a message.
    pub step: Option<Spanned<String>>,
    /// Entry word: waits.
    pub wait: Option<Spanned<String>>,
    /// Of wait: reactions that end the journey.
    pub unless: Option<Spanned<OneOrMany>>,
    /// Of step: channels.
    pub send: Option<Spanned<OneOrMany>>,
    /// Of step: local time.
    pub at: Option<Spanned<String>>,
    /// Of step: given up so long after it was due.
    pub expires: Option<Spanned<String>>,
    /// Of step: text if other than its name.
    pub template: Option<Spanned<String>>,
    /// Of step: what it offers.
    pub offer: Option<Spanned<OfferPart>>,
}

/// What a step offers.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct OfferPart {
    /// Pool of Policy.
    pub coupon: Spanned<String>,
    /// How long it holds.
    pub valid: Option<Spanned<String>>,
}
