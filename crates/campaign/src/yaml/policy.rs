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
    #[serde(default)]
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
    /// Offer guard.
    pub guard: Option<Spanned<Guard>>,
    /// Named groups of customers.
    #[serde(default)]
    pub segments: BTreeMap<String, Spanned<String>>,
    /// Named days and spans.
    #[serde(default)]
    pub calendar: BTreeMap<String, Spanned<CalendarPart>>,
    /// Bounds of recency, frequency and money, and weights of the score.
    pub scoring: Option<Spanned<Scoring>>,
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
    /// Condition: while it is false, steps of the topic are held.
    pub audience: Option<Spanned<String>>,
    /// Default of `unless` for the topic.
    pub unless: Option<Spanned<OneOrMany>>,
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
    /// Of these topics together.
    pub topics: Option<Spanned<OneOrMany>>,
    /// Of these groups together.
    pub groups: Option<Spanned<OneOrMany>>,
    /// How many.
    pub at_most: Spanned<u32>,
    /// In how long.
    pub per: Spanned<String>,
}

/// A coupon pool: codes of its own for everybody, or one code for all.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Coupon {
    /// What it is worth, in words.
    pub worth: Option<String>,
    /// One code for all; without it, codes are loaded with `winback coupons load`.
    pub code: Option<String>,
    /// Alert when fewer codes are left.
    pub low: Option<u32>,
}

/// The offer guard G (playbook, section 3).
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// At most one personal offer in so long.
    pub one_offer_per: Option<Spanned<String>>,
    /// Whoever needed an offer for so many of the last orders gets none.
    pub waiter_after: Option<Spanned<u32>>,
    /// Kinds of offers that count.
    pub counts: Option<Spanned<OneOrMany>>,
}

/// Days, or a span of days.
#[derive(Debug, Clone)]
pub enum CalendarPart {
    /// `01-01` or `2026-01-01`.
    Days(Vec<String>),
    /// From and to, both included.
    Span {
        /// First day.
        from: String,
        /// Last day.
        to: String,
    },
}

impl<'de> Deserialize<'de> for CalendarPart {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Bounds {
            from: String,
            to: String,
        }
        struct Any;
        impl<'de> serde::de::Visitor<'de> for Any {
            type Value = CalendarPart;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of days, or { from, to }")
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                list: A,
            ) -> Result<CalendarPart, A::Error> {
                Vec::deserialize(serde::de::value::SeqAccessDeserializer::new(list))
                    .map(CalendarPart::Days)
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                map: A,
            ) -> Result<CalendarPart, A::Error> {
                Bounds::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(
                    |bounds| CalendarPart::Span {
                        from: bounds.from,
                        to: bounds.to,
                    },
                )
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// How customers are scored (playbook P48 to P52).
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Scoring {
    /// Four durations: silence up to the first is 5, above the last is 1.
    pub recency: Option<Spanned<Vec<String>>>,
    /// Four counts of orders, rising.
    pub frequency: Option<Spanned<Vec<u32>>>,
    /// Four sums of orders in whole units, rising.
    pub money: Option<Spanned<Vec<f64>>>,
    /// Weights of value, loyalty, upsell, influence and cost.
    pub weights: Option<Spanned<BTreeMap<String, f64>>>,
}

/// Who messages come from.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Senders {
    /// Of mail.
    pub email: Option<Spanned<Email>>,
    /// Of short messages.
    pub sms: Option<Sender>,
    /// Of WhatsApp.
    pub whatsapp: Option<Sender>,
    /// Of Telegram.
    pub telegram: Option<Sender>,
    /// Of Viber.
    pub viber: Option<Sender>,
    /// Of push.
    pub push: Option<Sender>,
}

/// Who a message of another channel comes from.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// A name or a number.
    pub from: String,
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
