//! `policy.yaml` as it is written (ADR 0014).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Spanned;
use super::values::OneOrMany;

/// The whole file.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// `winback/v1`.
    #[serde(rename = "apiVersion")]
    #[schemars(with = "String")]
    pub api_version: Spanned<String>,
    /// `Policy`.
    #[schemars(with = "String")]
    pub kind: Spanned<String>,
    /// Its name.
    pub metadata: Metadata,
    /// The rules.
    pub spec: Spec,
}

/// Identity.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Kebab-case.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
}

/// The rules.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Zone, locale, currency, hour.
    pub shop: Shop,
    /// Named values.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, SettingPart>")]
    pub settings: BTreeMap<String, Spanned<SettingPart>>,
    /// Consent and the like.
    #[schemars(with = "BTreeMap<String, Topic>")]
    pub topics: BTreeMap<String, Spanned<Topic>>,
    /// Groups of campaigns.
    #[serde(default)]
    pub groups: BTreeMap<String, Group>,
    /// Default of `unless`.
    #[schemars(with = "Option<OneOrMany>")]
    pub reactions: Option<Spanned<OneOrMany>>,
    /// Events that the shop's own systems tell: the customer was not there.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub back_office: Vec<Spanned<String>>,
    /// Times without messages.
    #[serde(default)]
    #[schemars(with = "Vec<Quiet>")]
    pub quiet: Vec<Spanned<Quiet>>,
    /// Rolling caps.
    #[serde(default)]
    #[schemars(with = "Vec<Cap>")]
    pub caps: Vec<Spanned<Cap>>,
    /// Share kept from all marketing.
    #[schemars(with = "Option<String>")]
    pub holdout: Option<Spanned<String>>,
    /// Window of joint judgement.
    #[schemars(with = "Option<String>")]
    pub arbitration: Option<Spanned<String>>,
    /// Offer guard.
    #[schemars(with = "Option<Guard>")]
    pub guard: Option<Spanned<Guard>>,
    /// Named groups of customers.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub segments: BTreeMap<String, Spanned<String>>,
    /// Named days and spans.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, CalendarPart>")]
    pub calendar: BTreeMap<String, Spanned<CalendarPart>>,
    /// Bounds of recency, frequency and money, and weights of the score.
    #[schemars(with = "Option<Scoring>")]
    pub scoring: Option<Spanned<Scoring>>,
    /// Coupons.
    #[serde(default)]
    pub coupons: BTreeMap<String, Coupon>,
    /// Hosts that messages may lead to, such as shop.example, each with all under it. Without a list: the domain of the
    /// sender of email and the hosts of its unsubscribe addresses.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub links: Vec<Spanned<String>>,
    /// Senders by channel.
    pub senders: Senders,
}

/// Where the shop is.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct Shop {
    /// IANA.
    #[schemars(with = "String")]
    pub zone: Spanned<String>,
    /// BCP 47.
    #[schemars(with = "String")]
    pub locale: Spanned<String>,
    /// ISO 4217.
    #[schemars(with = "String")]
    pub currency: Spanned<String>,
    /// `"10:00"`.
    #[schemars(with = "Option<String>")]
    pub hour: Option<Spanned<String>>,
    /// ISO 3166-1, two letters: whose national telephone numbers are read.
    #[schemars(with = "Option<String>")]
    pub country: Option<Spanned<String>>,
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
#[derive(Deserialize, JsonSchema, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// granted or not_denied, or one per channel.
    pub consent: Consent,
    /// exempt.
    #[schemars(with = "Option<String>")]
    pub caps: Option<Spanned<String>>,
    /// exempt.
    #[schemars(with = "Option<String>")]
    pub quiet: Option<Spanned<String>>,
    /// Condition: while it is false, steps of the topic are held.
    #[schemars(with = "Option<String>")]
    pub audience: Option<Spanned<String>>,
    /// Default of `unless` for the topic.
    #[schemars(with = "Option<OneOrMany>")]
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
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The event that ends all its journeys but those it began.
    #[schemars(with = "Option<String>")]
    pub ended_by: Option<Spanned<String>>,
}

/// A time without messages.
#[derive(Deserialize, JsonSchema, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    /// On which channels.
    #[schemars(with = "Option<OneOrMany>")]
    pub channels: Option<Spanned<OneOrMany>>,
    /// Local time.
    #[schemars(with = "Option<String>")]
    pub from: Option<Spanned<String>>,
    /// Local time.
    #[schemars(with = "Option<String>")]
    pub to: Option<Spanned<String>>,
    /// Whole days.
    #[schemars(with = "Option<OneOrMany>")]
    pub days: Option<Spanned<OneOrMany>>,
    /// customer or shop.
    #[schemars(with = "Option<String>")]
    pub zone: Option<Spanned<String>>,
}

/// A rolling cap.
#[derive(Deserialize, JsonSchema, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// On which channels together.
    #[schemars(with = "Option<OneOrMany>")]
    pub channels: Option<Spanned<OneOrMany>>,
    /// Of these topics together.
    #[schemars(with = "Option<OneOrMany>")]
    pub topics: Option<Spanned<OneOrMany>>,
    /// Of these groups together.
    #[schemars(with = "Option<OneOrMany>")]
    pub groups: Option<Spanned<OneOrMany>>,
    /// How many.
    #[schemars(with = "u32")]
    pub at_most: Spanned<u32>,
    /// In how long.
    #[schemars(with = "String")]
    pub per: Spanned<String>,
}

/// A coupon pool: codes of its own for everybody, or one code for all.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct Coupon {
    /// What it is worth, in words.
    pub worth: Option<String>,
    /// One code for all; without it, codes are loaded with `winback coupons load`.
    pub code: Option<String>,
    /// Alert when fewer codes are left.
    pub low: Option<u32>,
}

/// The offer guard G (ADR 0016).
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// At most one personal offer in so long.
    #[schemars(with = "Option<String>")]
    pub one_offer_per: Option<Spanned<String>>,
    /// Whoever needed an offer for so many of the last orders gets none.
    #[schemars(with = "Option<u32>")]
    pub waiter_after: Option<Spanned<u32>>,
    /// Kinds of offers that count.
    #[schemars(with = "Option<OneOrMany>")]
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
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct Scoring {
    /// Four durations: silence up to the first is 5, above the last is 1.
    #[schemars(with = "Option<Vec<String>>")]
    pub recency: Option<Spanned<Vec<String>>>,
    /// Four counts of orders, rising.
    #[schemars(with = "Option<Vec<u32>>")]
    pub frequency: Option<Spanned<Vec<u32>>>,
    /// Four sums of orders in whole units, rising.
    #[schemars(with = "Option<Vec<f64>>")]
    pub money: Option<Spanned<Vec<f64>>>,
    /// Weights of value, loyalty, upsell, influence and cost.
    #[schemars(with = "Option<BTreeMap<String, f64>>")]
    pub weights: Option<Spanned<BTreeMap<String, f64>>>,
}

/// Who messages come from.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct Senders {
    /// Of mail.
    #[schemars(with = "Option<Email>")]
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
#[derive(Deserialize, JsonSchema, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// A name or a number.
    pub from: String,
}

/// Who mail comes from.
#[derive(Deserialize, JsonSchema, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct Email {
    /// `Shop <hello@shop.example>`.
    #[schemars(with = "String")]
    pub from: Spanned<String>,
    /// Where answers go.
    pub reply_to: Option<String>,
    /// `mailto:` and/or `https:`.
    #[schemars(with = "OneOrMany")]
    pub unsubscribe: Spanned<OneOrMany>,
}
