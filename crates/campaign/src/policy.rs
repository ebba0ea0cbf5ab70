//! The compiled Policy: what all campaigns of a shop share. Every shop has exactly one.

use std::collections::BTreeMap;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use winback_contract::{Channel, Currency, Span};

use crate::model::{Reaction, SpanRange};

/// One per shop.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// The shop's zone.
    pub zone: TimeZone,
    /// Locale where a customer has none.
    pub locale: String,
    /// Currency of conditions.
    pub currency: Currency,
    /// Hour of messages that are born of dates and silence.
    pub hour: Time,
    /// Named values.
    pub settings: BTreeMap<String, Setting>,
    /// Consent and the like, by topic.
    pub topics: BTreeMap<String, TopicRule>,
    /// Event that ends all journeys of a group, if any.
    pub groups: BTreeMap<String, Option<String>>,
    /// Reactions that excuse from what follows, unless a wait says otherwise.
    pub reactions: Vec<Reaction>,
    /// Times without messages.
    pub quiet: Vec<QuietRule>,
    /// Rolling caps; all must hold.
    pub caps: Vec<Cap>,
    /// Share kept from all marketing, in hundredths of a percent.
    pub holdout: u32,
    /// Steps due this soon are judged together.
    pub arbitration: Span,
    /// Coupons.
    pub coupons: BTreeMap<String, Coupon>,
    /// Sender of mail.
    pub email: Option<EmailSender>,
}

/// A named value of a shop.
#[derive(Clone, PartialEq, Debug)]
pub enum Setting {
    /// A plain number.
    Number(f64),
    /// A duration or a range.
    Span(SpanRange),
    /// Words.
    Text(String),
}

/// What must be known before a message of a topic goes out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConsentRule {
    /// The customer agreed.
    Granted,
    /// The customer did not refuse.
    NotDenied,
}

/// The rules of a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicRule {
    /// Where no channel is named.
    pub consent: ConsentRule,
    /// By channel.
    pub by_channel: BTreeMap<Channel, ConsentRule>,
    /// Neither capped nor counted.
    pub caps_exempt: bool,
    /// Not bound to quiet hours.
    pub quiet_exempt: bool,
}

impl TopicRule {
    /// The rule for a channel.
    pub fn consent_for(&self, channel: Channel) -> ConsentRule {
        self.by_channel
            .get(&channel)
            .copied()
            .unwrap_or(self.consent)
    }
}

/// A time without messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuietRule {
    /// On these channels; empty is all.
    pub channels: Vec<Channel>,
    /// From this local time, if any.
    pub from: Option<Time>,
    /// To this local time; before `from` it is on the next day.
    pub to: Option<Time>,
    /// These days all day long.
    pub days: Vec<Weekday>,
    /// The shop's zone instead of the customer's.
    pub shop_zone: bool,
}

/// At most so many messages in a rolling window.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cap {
    /// On these channels together; empty is all.
    pub channels: Vec<Channel>,
    /// How many.
    pub at_most: u32,
    /// In how long.
    pub per: Span,
}

/// A coupon pool; for now one code for all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coupon {
    /// The code.
    pub code: String,
    /// What it is worth, in words.
    pub worth: Option<String>,
}

/// Who mails come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EmailSender {
    /// `Shop <hello@shop.example>`.
    pub from: String,
    /// Where answers go.
    pub reply_to: Option<String>,
    /// `mailto:` and `https:` addresses of the unsubscribe header (RFC 2369, RFC 8058).
    pub unsubscribe: Vec<String>,
}
