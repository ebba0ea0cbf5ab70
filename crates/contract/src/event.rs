//! A canonical event: what ingest makes of a storefront's record and sessions folds.
//!
//! Field names are those of `spec`; money is in minor units. Personal data lives in `identities` and
//! `traits`, whose `Debug` shows no values.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::channel::Channel;
use crate::identity::Identities;
use crate::ids::EventId;
use crate::money::{Currency, Money};
use crate::time::Timestamp;

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A line of a cart, an order or a list.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Product {
    /// The shop's id of it.
    pub product_id: String,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Category, as the shop writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Price of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// How many; at least one.
    pub quantity: u32,
    /// Its page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    /// Whether the storefront said it is in stock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_stock: Option<bool>,
    /// Which of its sizes or colours: with the id it tells lines of a cart apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Stock-keeping unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// Who makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// What the shop adds of its own: texts, numbers, yes or no; up to 16.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Value>,
}

impl Product {
    /// One of a product of which nothing else is known.
    pub fn of(id: &str) -> Self {
        Self {
            product_id: id.to_owned(),
            name: None,
            category: None,
            price: None,
            quantity: 1,
            url: None,
            image_url: None,
            in_stock: None,
            variant: None,
            sku: None,
            brand: None,
            fields: BTreeMap::new(),
        }
    }

    /// Takes over what another description of the same product says; what it does not say stays.
    pub fn overlay(&mut self, newer: &Self) {
        fn take<T: Clone>(mine: &mut Option<T>, newer: &Option<T>) {
            if newer.is_some() {
                mine.clone_from(newer);
            }
        }
        take(&mut self.name, &newer.name);
        take(&mut self.category, &newer.category);
        take(&mut self.price, &newer.price);
        take(&mut self.url, &newer.url);
        take(&mut self.image_url, &newer.image_url);
        take(&mut self.in_stock, &newer.in_stock);
        take(&mut self.variant, &newer.variant);
        take(&mut self.sku, &newer.sku);
        take(&mut self.brand, &newer.brand);
        // As one: a name that is told no more would stay for ever.
        if !newer.fields.is_empty() {
            self.fields.clone_from(&newer.fields);
        }
    }
}

/// What the shop said about the person. Absent fields leave the profile as it is.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Traits {
    /// Given name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Family name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// BCP 47.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// IANA zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// ISO 3166 or the shop's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// City.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birthday: Option<String>,
    /// Loyalty level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Where web or mobile push reaches the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_token: Option<String>,
    /// The person's id at Telegram.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telegram_id: Option<String>,
    /// Custom fields: short texts, at most 16 of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub custom: BTreeMap<String, String>,
    /// Those of them that are no texts: numbers, flags, lists and maps, as they came.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub typed: BTreeMap<String, Value>,
}

impl fmt::Debug for Traits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traits(…)")
    }
}

/// Agreed, refused, or asked and not answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsentStatus {
    /// Agreed.
    Granted,
    /// Refused or withdrawn.
    Denied,
    /// Asked, no answer yet (double opt-in).
    Pending,
}

/// The content of Consent Updated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConsentChange {
    /// For which channel.
    pub channel: Channel,
    /// For which topic of Policy; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The new status.
    pub status: ConsentStatus,
    /// Whether it is about every channel: a "no" that names none, or none of ours.
    #[serde(default, skip_serializing_if = "is_default")]
    pub every: bool,
}

/// Something the shop told everybody.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Announcement {
    /// Its identity.
    pub id: EventId,
    /// When it arrived.
    pub at: Timestamp,
    /// What it says.
    pub event: Event,
}

/// A storefront event in canonical form.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// A name of `spec::EVENTS`, or the storefront's own.
    pub name: String,
    /// Who.
    #[serde(default, skip_serializing_if = "is_default")]
    pub identities: Identities,
    /// Cart it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart_id: Option<String>,
    /// Order it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// Checkout it is about; Segment's `order_id` of Checkout Started is an alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkout_id: Option<String>,
    /// The product or products it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<Product>,
    /// Sum as the shop counts it: `total`, else `revenue`, else `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
    /// Currency named by the event itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Page, checkout or cart address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Of Consent Updated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentChange>,
    /// Of identify and sign-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traits: Option<Traits>,
    /// Whether the customer was not there: a system told it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub passive: bool,
    /// Everything else, as it came: scalars only, at most 32 of them, at most 1 KiB each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, Value>,
}
