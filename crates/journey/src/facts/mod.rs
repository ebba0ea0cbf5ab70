//! Variables of conditions, built from the customer only when a condition asks, and only the fields it asks for
//! (ADR 0014).
//!
//! An unknown value is absent. Money is in whole units of the shop's currency; in other currencies it is absent, and that
//! it was asked for is noted where somebody tells why.

mod calls;
mod field;
mod person;
pub(crate) mod property;
mod shopping;

use std::cell::Cell;
use std::collections::HashMap;

use cel::Value;
use winback_campaign::Variables;
use winback_campaign::policy::{Policy, Setting};
use winback_contract::{Announcement, CustomerId, Event, Money, Span, Timestamp};

use crate::customer::{Customer, Line};
use crate::state::{EntryFacts, Journey};

pub(crate) use field::field;

/// Everything a condition may ask about.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The shop.
    pub policy: &'a Policy,
    /// The customer.
    pub customer: &'a Customer,
    /// Whose state it is: shares and halves are drawn by it.
    pub id: CustomerId,
    /// The journey, if one is judged.
    pub journey: Option<&'a Journey>,
    /// The newcomer, if one is judged, with its time and arrival.
    pub event: Option<(&'a Event, Timestamp, Timestamp)>,
    /// The element of `each`, while starts are judged.
    pub item: Option<&'a Line>,
    /// The topic of the campaign, for `can`.
    pub topic: Option<&'a str>,
    /// The shop's latest announcements.
    pub news: &'a [Announcement],
    /// Set when a sum was asked for that is in another currency than the shop's.
    pub foreign: Option<&'a Cell<bool>>,
    /// The time.
    pub now: Timestamp,
}

impl<'a> Facts<'a> {
    /// Of a customer at a time, without event and journey.
    pub fn of(policy: &'a Policy, customer: &'a Customer, id: CustomerId, now: Timestamp) -> Self {
        Self {
            policy,
            customer,
            id,
            journey: None,
            event: None,
            item: None,
            topic: None,
            news: &[],
            foreign: None,
            now,
        }
    }
}

/// A map that takes only what was asked for.
pub(crate) struct Map<'f> {
    values: HashMap<String, Value>,
    only: Option<&'f [String]>,
}

impl<'f> Map<'f> {
    pub(crate) fn new(only: Option<&'f [String]>) -> Self {
        Self {
            values: HashMap::new(),
            only,
        }
    }

    fn wants(&self, name: &str) -> bool {
        self.only
            .is_none_or(|only| only.iter().any(|asked| asked == name))
    }

    /// Makes the value only if it was asked for.
    pub(crate) fn make(&mut self, name: &str, value: impl FnOnce() -> Option<Value>) {
        if self.wants(name)
            && let Some(value) = value()
        {
            self.values.insert(name.to_owned(), value);
        }
    }

    pub(crate) fn put(&mut self, name: &str, value: impl Into<Option<Value>>) {
        if self.wants(name)
            && let Some(value) = value.into()
        {
            self.values.insert(name.to_owned(), value);
        }
    }

    pub(crate) fn text(&mut self, name: &str, text: Option<&String>) {
        self.make(name, || text.map(|text| Value::from(text.clone())));
    }

    pub(crate) fn time(&mut self, name: &str, at: Option<Timestamp>) {
        self.make(name, || at.and_then(time));
    }

    pub(crate) fn flag(&mut self, name: &str, flag: bool) {
        self.make(name, || Some(Value::Bool(flag)));
    }

    pub(crate) fn value(self) -> Value {
        Value::from(self.values)
    }
}

pub(crate) fn time(at: Timestamp) -> Option<Value> {
    chrono::DateTime::from_timestamp_millis(at.as_millis())
        .map(|at| Value::Timestamp(at.fixed_offset()))
}

pub(crate) fn span(span: Span) -> Option<Value> {
    chrono::Duration::try_milliseconds(span.as_millis()).map(Value::Duration)
}

/// A value of an event's properties, as conditions have it.
fn scalar(value: &serde_json::Value, name: &str) -> Option<Value> {
    field(value, name)?.into_value()
}

impl Facts<'_> {
    pub(crate) fn money(&self, money: Option<Money>) -> Option<Value> {
        let money = money?;
        if money.currency == self.policy.currency {
            return Some(Value::Float(money.to_major()));
        }
        None
    }

    /// A sum that a condition asks for by itself: that it is in another currency is noted.
    pub(crate) fn sum(&self, money: Option<Money>) -> Option<Value> {
        if let Some(foreign) = self.foreign
            && money.is_some_and(|money| money.currency != self.policy.currency)
        {
            foreign.set(true);
        }
        self.money(money)
    }

    fn event(&self, only: Option<&[String]>) -> Option<Value> {
        let (event, at, arrived) = self.event?;
        let mut map = Map::new(only);
        map.make("name", || Some(Value::from(event.name.clone())));
        map.time("at", Some(at));
        map.time("arrived", Some(arrived));
        map.text("cart_id", event.cart_id.as_ref());
        map.text("order_id", event.order_id.as_ref());
        map.text("checkout_id", event.checkout_id.as_ref());
        map.text("url", event.url.as_ref());
        map.make("total", || self.sum(event.total));
        map.make("value", || self.sum(event.total));
        if let [product] = event.products.as_slice() {
            map.make("product_id", || {
                Some(Value::from(product.product_id.clone()))
            });
            map.text("category", product.category.as_ref());
            map.text("variant", product.variant.as_ref());
            map.text("brand", product.brand.as_ref());
            map.make("price", || self.money(product.price));
            map.make("quantity", || Some(Value::Int(i64::from(product.quantity))));
        }
        map.make("products", || {
            let lines = event.products.iter().map(Line::from);
            Some(Value::from(
                lines.map(|line| self.product(&line)).collect::<Vec<_>>(),
            ))
        });
        map.make("properties", || {
            let properties: HashMap<String, Value> = event
                .properties
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), scalar(value, name)?)))
                .collect();
            Some(Value::from(properties))
        });
        for (name, value) in &event.properties {
            map.make(name, || scalar(value, name));
        }
        Some(map.value())
    }

    fn entry(&self, entry: &EntryFacts, only: Option<&[String]>) -> Value {
        let mut map = Map::new(only);
        map.make("name", || Some(Value::from(entry.name.clone())));
        map.time("at", Some(entry.at));
        map.time("arrived", Some(entry.arrived));
        map.text("cart_id", entry.cart_id.as_ref());
        map.text("order_id", entry.order_id.as_ref());
        map.text("checkout_id", entry.checkout_id.as_ref());
        map.text("product_id", entry.product_id.as_ref());
        map.make("total", || self.sum(entry.total));
        for (name, field) in &entry.fields {
            map.make(name, || field.clone().into_value());
        }
        map.value()
    }

    fn news(&self, only: Option<&[String]>) -> Option<Value> {
        let newest = self.news.iter().max_by_key(|news| news.at)?;
        let mut map = Map::new(only);
        map.make("name", || Some(Value::from(newest.event.name.clone())));
        map.time("published_at", Some(newest.at));
        map.text("url", newest.event.url.as_ref());
        for (name, value) in &newest.event.properties {
            map.make(name, || scalar(value, name));
        }
        Some(map.value())
    }

    fn journey(&self, only: Option<&[String]>) -> Option<Value> {
        let journey = self.journey?;
        let mut map = Map::new(only);
        map.make("key", || Some(Value::from(journey.key.clone())));
        map.time("started_at", journey.entered_at);
        map.make("variant", || {
            let variants = journey.variants.iter();
            let variants: HashMap<String, Value> = variants
                .map(|(split, branch)| (split.clone(), Value::from(branch.clone())))
                .collect();
            Some(Value::from(variants))
        });
        let reactions = journey.reactions;
        for (name, done) in [
            ("delivered", reactions.delivered),
            ("opened", reactions.opened),
            ("clicked", reactions.clicked),
            ("replied", reactions.replied),
            ("visited", reactions.visited),
        ] {
            map.flag(name, done);
        }
        Some(map.value())
    }

    fn settings(&self, only: Option<&[String]>) -> Value {
        let mut map = Map::new(only);
        for (name, setting) in &self.policy.settings {
            map.make(name, || match setting {
                Setting::Number(number) => Some(Value::Float(*number)),
                Setting::Span(range) => span(range.value(&[self.id.as_bytes(), name.as_bytes()])),
                Setting::Text(text) => Some(Value::from(text.clone())),
            });
        }
        map.value()
    }
}

impl Variables for Facts<'_> {
    fn get(&self, name: &str, fields: Option<&[String]>) -> Option<Value> {
        match name {
            "now" => time(self.now),
            "settings" => Some(self.settings(fields)),
            "news" => self.news(fields),
            "event" => self.event(fields),
            "entry" => self
                .journey
                .map(|journey| self.entry(&journey.entry, fields)),
            "answer" => {
                let answer = self.journey?.answer.as_deref()?;
                Some(self.entry(answer, fields))
            }
            "item" => {
                let of_journey = self
                    .journey
                    .and_then(|journey| journey.entry.item.as_deref());
                self.item.or(of_journey).map(|item| self.product(item))
            }
            "product" => self.goods(fields),
            "customer" => Some(self.person(fields)),
            "session" => self.session(fields),
            "sessions" => {
                let count = i64::try_from(self.customer.behaviour.sessions.len()).ok()?;
                let mut map = Map::new(fields);
                map.put("count", Value::Int(count));
                Some(map.value())
            }
            "cart" => Some(self.cart(fields)),
            "order" => self.order(fields),
            "orders" => Some(self.orders(fields)),
            "points" => self.points(fields),
            "journey" => self.journey(fields),
            _ => None,
        }
    }

    fn direct(&self, name: &str, field: &str) -> Option<Value> {
        // Keys of journeys, judged for every event that may begin one.
        let ("event", Some((event, ..))) = (name, self.event) else {
            return None;
        };
        let id = match field {
            "cart_id" => &event.cart_id,
            "order_id" => &event.order_id,
            "checkout_id" => &event.checkout_id,
            _ => return None,
        };
        id.clone().map(Value::from)
    }

    fn call(&self, function: &str, arguments: &[Value]) -> Option<Value> {
        self.answer(function, arguments)
    }
}
