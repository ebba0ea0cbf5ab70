//! `policy.yaml` as it is written (grammar §3).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Spanned;
use super::values::OneOrMany;

/// The whole file.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// `winback/v1`.
    #[serde(rename = "apiVersion")]
    pub api_version: Spanned<String>,
    /// `Policy`.
    pub kind: Spanned<String>,
    /// Its name.
    pub metadata: Metadata,
    /// The rules.
    pub spec: Spec,
}

/// Identity.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Kebab-case.
    pub name: Spanned<String>,
}

/// The rules.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Zone, locale, currency, hour.
    pub shop: Shop,
    /// Named values.
    #[serde(default)]
    pub settings: BTreeMap<String, Spanned<SettingPart>>,
    /// Consent and the like.
    pub topics: BTreeMap<String, Spanned<Topic>>,
    /// Groups of campaigns.
    pub groups: BTreeMap<String, Group>,
    /// Default of `unless`.
    pub reactions: Option<Spanned<OneOrMany>>,
    /// Times without messages.
    #[serde(default)]
    pub quiet: Vec<Spanned<Quiet>>,
    /// Rolling caps.
    #[serde(default)]
    pub caps: Vec<Spanned<Cap>>,
    /// Share kept from all marketing.
    pub holdout: Option<Spanned<String>>,
    /// Window of joint judgement.
    pub arbitration: Option<Spanned<String>>,
    /// Coupons.
    #[serde(default)]
    pub coupons: BTreeMap<String, Coupon>,
    /// Senders by channel.
    pub senders: Senders,
}

/// Where the shop is.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Shop {
    /// IANA.
    pub zone: Spanned<String>,
    /// BCP 47.
    pub locale: Spanned<String>,
    /// ISO 4217.
    pub currency: Spanned<String>,
    /// `"10:00"`.
    pub hour: Option<Spanned<String>>,
}

/// A number, a duration, a range or words.
#[derive(Debug, Clone, PartialEq)]
pub enum SettingPart {
    /// Number.
    Number(f64),
    /// Anything else.
    Text(String),
}

impl<'de> Deserialize<'de> for SettingPart {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(text.parse().map_or(Self::Text(text), Self::Number))
    }
}

/// A topic.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// granted or not_denied, or one per channel.
    pub consent: Consent,
    /// exempt.
    pub caps: Option<Spanned<String>>,
    /// exempt.
    pub quiet: Option<Spanned<String>>,
}

/// One word, or one per channel.
#[derive(Debug, Clone)]
pub enum Consent {
    /// For all.
    All(String),
    /// By channel; `default` is for the others.
    ByChannel(BTreeMap<String, String>),
}

impl<'de> Deserialize<'de> for Consent {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> serde::de::Visitor<'de> for Any {
            type Value = Consent;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("granted or not_denied, or one of them per channel")
            }
            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Consent, E> {
                Ok(Consent::All(word.to_owned()))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Consent, A::Error> {
                BTreeMap::deserialize(serde::de::value::MapAccessDeserializer::new(map))
                    .map(Consent::ByChannel)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A group.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The event that ends all its journeys but those it began.
    pub ended_by: Option<Spanned<String>>,
}

/// A time without messages.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    /// On which channels.
    pub channels: Option<Spanned<OneOrMany>>,
    /// Local time.
    pub from: Option<Spanned<String>>,
    /// Local time.
    pub to: Option<Spanned<String>>,
    /// Whole days.
    pub days: Option<Spanned<OneOrMany>>,
    /// customer or shop.
    pub zone: Option<Spanned<String>>,
}

/// A rolling cap.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// On which channels together.
    pub channels: Option<Spanned<OneOrMany>>,
    /// How many.
    pub at_most: Spanned<u32>,
    /// In how long.
    pub per: Spanned<String>,
}

/// A coupon; for now one code for all.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Coupon {
    /// What it is worth, in words.
    pub worth: Option<String>,
    /// The code.
    pub code: String,
}

/// Who messages come from.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Senders {
    /// Of mail.
    pub email: Option<Spanned<Email>>,
}

/// Who mail comes from.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct Email {
    /// `Shop <hello@shop.example>`.
    pub from: Spanned<String>,
    /// Where answers go.
    pub reply_to: Option<String>,
    /// `mailto:` and/or `https:`.
    pub unsubscribe: Spanned<OneOrMany>,
}
