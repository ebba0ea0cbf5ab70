//! The compiled Policy: what all campaigns of a shop share. Every shop has exactly one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use winback_contract::{Channel, Currency, Span};

use crate::condition::Condition;
use crate::model::{CalendarDay, Reaction, SpanRange};

/// One per shop.
#[derive(Debug)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// The shop's zone.
    pub zone: TimeZone,
    /// Locale where a customer has none.
    pub locale: String,
    /// ISO 3166-1 alpha-2, whose national telephone numbers are read; without it none are.
    pub country: Option<String>,
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
    /// Events that the shop's own systems tell, beside those of the contract: no visits.
    pub back_office: BTreeSet<String>,
    /// Times without messages.
    pub quiet: Vec<QuietRule>,
    /// Rolling caps; all must hold.
    pub caps: Vec<Cap>,
    /// Share kept from all marketing, in hundredths of a percent.
    pub holdout: u32,
    /// Steps due this soon are judged together.
    pub arbitration: Span,
    /// Offer guard.
    pub guard: Guard,
    /// Named groups of customers.
    pub segments: BTreeMap<String, Condition>,
    /// Named days and spans.
    pub calendar: BTreeMap<String, Days>,
    /// How customers are scored.
    pub scoring: Scoring,
    /// Coupons.
    pub coupons: BTreeMap<String, Coupon>,
    /// Sender of mail.
    pub email: Option<EmailSender>,
    /// Hosts that messages may lead to; empty for the shop's own.
    pub links: Vec<String>,
    /// Senders of other channels: a name or a number.
    pub senders: BTreeMap<Channel, String>,
}

/// Days of the calendar.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Days {
    /// These.
    Days(Vec<CalendarDay>),
    /// From the first to the last, both included; without years it may cross the new year.
    Span(CalendarDay, CalendarDay),
}

impl Days {
    /// Whether a date is one of them.
    pub fn has(&self, date: jiff::civil::Date) -> bool {
        match self {
            Self::Days(days) => days.iter().any(|day| day.is(date)),
            Self::Span(from, to) => {
                let year_fits = |day: &CalendarDay| day.year.is_none_or(|year| year == date.year());
                let here = (date.month(), date.day());
                let (from_day, to_day) = ((from.month, from.day), (to.month, to.day));
                match (from.year, to.year) {
                    (Some(first), Some(last)) => {
                        let here = (date.year(), here.0, here.1);
                        (first, from.month, from.day) <= here && here <= (last, to.month, to.day)
                    }
                    _ if from_day <= to_day => {
                        year_fits(from) && from_day <= here && here <= to_day
                    }
                    _ => here >= from_day || here <= to_day,
                }
            }
        }
    }
}

/// The offer guard G (playbook P56 to P58).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Guard {
    /// At most one personal offer in so long.
    pub one_offer_per: Span,
    /// Whoever needed an offer for so many of the last orders gets none; 0 never.
    pub waiter_after: u32,
    /// Kinds of offers that count.
    pub counts: Vec<String>,
}

/// How customers are scored (playbook P48 to P52): bounds of recency, frequency and money, and weights.
#[derive(Clone, PartialEq, Debug)]
pub struct Scoring {
    /// Silence up to the first is 5, above the last is 1.
    pub recency: [Span; 4],
    /// Orders from the last on are 5, below the first 1.
    pub frequency: [u32; 4],
    /// Sums in whole units, likewise.
    pub money: [f64; 4],
    /// Of value, loyalty, upsell, influence and cost.
    pub weights: [f64; 5],
}

impl Default for Scoring {
    fn default() -> Self {
        Self {
            recency: [30, 90, 180, 365].map(Span::from_days),
            frequency: [2, 3, 5, 10],
            money: [50.0, 150.0, 500.0, 1_500.0],
            weights: [0.35, 0.25, 0.15, 0.1, 0.15],
        }
    }
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
#[derive(Debug)]
pub struct TopicRule {
    /// Where no channel is named.
    pub consent: ConsentRule,
    /// By channel.
    pub by_channel: BTreeMap<Channel, ConsentRule>,
    /// Neither capped nor counted.
    pub caps_exempt: bool,
    /// Not bound to quiet hours.
    pub quiet_exempt: bool,
    /// While it is false, steps of the topic are held.
    pub audience: Option<Condition>,
    /// Default of `unless` for the topic; `None` is Policy's.
    pub unless: Option<Vec<Reaction>>,
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
    /// These days of the calendar all day long.
    pub dates: Vec<Days>,
    /// The shop's zone instead of the customer's.
    pub shop_zone: bool,
}

/// At most so many messages in a rolling window.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cap {
    /// On these channels together; empty is all.
    pub channels: Vec<Channel>,
    /// Of these topics together; empty is all.
    pub topics: Vec<String>,
    /// Of these groups together; empty is all.
    pub groups: Vec<String>,
    /// How many.
    pub at_most: u32,
    /// In how long.
    pub per: Span,
}

/// A coupon pool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coupon {
    /// One code for all; `None`: everybody gets a code of its own, loaded with `winback coupons load`.
    pub code: Option<String>,
    /// Alert when fewer codes are left.
    pub low: u32,
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
