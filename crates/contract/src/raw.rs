//! The storefront's record on `raw`: Segment's envelope, as the published schema describes it.
//!
//! Ingest reads tolerantly (unknown fields are kept or ignored); this type is the contract we publish.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Segment's calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Call {
    /// Something happened; `event` names it.
    Track,
    /// Who this is; `traits` say more.
    Identify,
    /// A page was seen.
    Page,
    /// A screen of an app was seen.
    Screen,
}

/// One record of `raw`, in plain JSON.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RawMessage {
    /// Which call.
    #[serde(rename = "type")]
    pub call: Call,
    /// Name of the event, for `track`. Segment v2 and v1 names and GA4 names are known; others are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The storefront's id of this message; repeats are dropped by it. Absent: a hash of the payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The shop's customer number. It or `anonymousId`, or an address in traits, must be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Browser or device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymous_id: Option<String>,
    /// When it happened, RFC 3339. Absent: when it arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// What it is about; fields as in `x-events`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, serde_json::Value>,
    /// About the person: email, phone, firstName, lastName, locale, timezone, country, city, birthday.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub traits: BTreeMap<String, serde_json::Value>,
    /// Where it happened: locale, timezone, page.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, serde_json::Value>,
}
