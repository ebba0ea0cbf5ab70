//! Variables of conditions, built from the customer only when a condition asks (grammar §5).
//!
//! An unknown value is absent. Money is in whole units of the shop's currency; other currencies are absent.

use std::collections::HashMap;

use cel::Value;
use winback_campaign::Variables;
use winback_campaign::policy::{Policy, Setting};
use winback_contract::{Event, Money, Span, Timestamp};

use crate::customer::{Cart, Customer, Line};
use crate::state::{EntryFacts, Journey};

/// Everything a condition may ask about.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The shop.
    pub policy: &'a Policy,
    /// The customer.
    pub customer: &'a Customer,
    /// The journey, if one is judged.
    pub journey: Option<&'a Journey>,
    /// The newcomer, if one is judged, with its time and arrival.
    pub event: Option<(&'a Event, Timestamp, Timestamp)>,
    /// The time.
    pub now: Timestamp,
}

#[derive(Default)]
struct Map(HashMap<String, Value>);

impl Map {
    fn put(&mut self, name: &str, value: impl Into<Option<Value>>) {
        if let Some(value) = value.into() {
            self.0.insert(name.to_owned(), value);
        }
    }
    fn text(&mut self, name: &str, text: Option<&String>) {
        self.put(name, text.map(|text| Value::from(text.clone())));
    }
    fn time(&mut self, name: &str, at: Option<Timestamp>) {
        self.put(name, at.and_then(time));
    }
    fn value(self) -> Value {
        Value::from(self.0)
    }
}

fn time(at: Timestamp) -> Option<Value> {
    chrono::DateTime::from_timestamp_millis(at.as_millis())
        .map(|at| Value::Timestamp(at.fixed_offset()))
}

fn span(span: Span) -> Option<Value> {
    chrono::Duration::try_milliseconds(span.as_millis()).map(Value::Duration)
}

impl Facts<'_> {
    fn money(&self, money: Option<Money>) -> Option<Value> {
        money
            .filter(|money| money.currency == self.policy.currency)
            .map(|money| Value::Float(money.to_major()))
    }

    fn product(&self, product: &Line) -> Value {
        let mut map = Map::default();
        map.put("product_id", Value::from(product.product_id.clone()));
        map.text("name", product.name.as_ref());
        map.text("category", product.category.as_ref());
        map.put("price", self.money(product.price));
        map.put("quantity", Value::Int(i64::from(product.quantity)));
        map.value()
    }

    fn event(&self) -> Option<Value> {
        let (event, at, arrived) = self.event?;
        let mut map = Map::default();
        map.put("name", Value::from(event.name.clone()));
        map.time("at", Some(at));
        map.time("arrived", Some(arrived));
        map.text("cart_id", event.cart_id.as_ref());
        map.text("order_id", event.order_id.as_ref());
        map.text("checkout_id", event.checkout_id.as_ref());
        map.text("url", event.url.as_ref());
        map.put("total", self.money(event.total));
        map.put("value", self.money(event.total));
        if let [product] = event.products.as_slice() {
            map.put("product_id", Value::from(product.product_id.clone()));
            map.text("category", product.category.as_ref());
            map.put("price", self.money(product.price));
            map.put("quantity", Value::Int(i64::from(product.quantity)));
        }
        let properties: HashMap<String, Value> = event
            .properties
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), scalar(value)?)))
            .collect();
        map.put("properties", Value::from(properties));
        Some(map.value())
    }

    fn entry(&self, entry: &EntryFacts) -> Value {
        let mut map = Map::default();
        map.put("name", Value::from(entry.name.clone()));
        map.time("at", Some(entry.at));
        map.time("arrived", Some(entry.arrived));
        map.text("cart_id", entry.cart_id.as_ref());
        map.text("order_id", entry.order_id.as_ref());
        map.text("checkout_id", entry.checkout_id.as_ref());
        map.text("product_id", entry.product_id.as_ref());
        map.put("total", self.money(entry.total));
        map.value()
    }

    fn customer(&self) -> Value {
        let profile = &self.customer.profile;
        let mut map = Map::default();
        map.put("known", Value::Bool(profile.is_known()));
        map.put(
            "reachable",
            Value::Bool(profile.email.is_some() || profile.phone.is_some()),
        );
        map.text("locale", profile.locale.as_ref());
        map.text("zone", profile.timezone.as_ref());
        map.text("city", profile.city.as_ref());
        map.text("country", profile.country.as_ref());
        map.text("birthday", profile.birthday.as_ref());
        map.time("created_at", profile.created_at);
        map.time("last_visit", self.customer.last_activity);
        map.value()
    }

    /// The cart that `entry` names, else the newest. One that was emptied or bought is there, but not open.
    pub fn cart_of_journey(&self) -> Option<&Cart> {
        match self
            .journey
            .and_then(|journey| journey.entry.cart_id.as_ref())
        {
            Some(id) => self.customer.cart(id),
            None => self.customer.carts.first(),
        }
    }

    fn cart(&self) -> Value {
        let mut map = Map::default();
        let cart = self.cart_of_journey();
        map.put(
            "open",
            Value::Bool(cart.is_some_and(|cart| !cart.lines.is_empty())),
        );
        if let Some(cart) = cart {
            map.put("id", Value::from(cart.id.clone()));
            map.text("url", cart.url.as_ref());
            map.put("checkout_started", Value::Bool(cart.checkout_started));
            map.put("total", self.money(cart.sum()));
            map.time("updated_at", Some(cart.updated_at));
            map.put(
                "items",
                Value::from(
                    cart.lines
                        .iter()
                        .map(|line| self.product(line))
                        .collect::<Vec<_>>(),
                ),
            );
        }
        map.value()
    }

    fn orders(&self) -> Value {
        let orders = &self.customer.orders;
        let mut map = Map::default();
        map.put("count", Value::Int(i64::from(orders.count)));
        let total = orders.currency.map(|currency| Money {
            minor: orders.total_minor,
            currency,
        });
        map.put("total", self.money(total));
        if let (Some(total), true) = (total, orders.count > 0) {
            let average = Money {
                minor: total.minor / i64::from(orders.count),
                ..total
            };
            map.put("average", self.money(Some(average)));
        }
        map.time("first_at", orders.first_at);
        map.time("last_at", orders.last_at);
        map.put(
            "silent",
            orders.last_at.and_then(|last| span(self.now.since(last))),
        );
        map.value()
    }

    fn order(&self) -> Value {
        let orders = &self.customer.orders;
        let mut map = Map::default();
        map.text("id", orders.last_id.as_ref());
        map.time("placed_at", orders.last_at);
        map.value()
    }

    fn journey(&self) -> Option<Value> {
        let journey = self.journey?;
        let mut map = Map::default();
        map.put("key", Value::from(journey.key.clone()));
        map.time("started_at", journey.entered_at);
        let reactions = journey.reactions;
        for (name, done) in [
            ("delivered", reactions.delivered),
            ("opened", reactions.opened),
            ("clicked", reactions.clicked),
            ("replied", reactions.replied),
            ("visited", reactions.visited),
        ] {
            map.put(name, Value::Bool(done));
        }
        Some(map.value())
    }

    fn settings(&self) -> Value {
        let mut map = Map::default();
        for (name, setting) in &self.policy.settings {
            map.put(
                name,
                match setting {
                    Setting::Number(number) => Some(Value::Float(*number)),
                    Setting::Span(range) => span(range.from),
                    Setting::Text(text) => Some(Value::from(text.clone())),
                },
            );
        }
        map.value()
    }
}

fn scalar(value: &serde_json::Value) -> Option<Value> {
    match value {
        serde_json::Value::Bool(flag) => Some(Value::Bool(*flag)),
        serde_json::Value::Number(number) => number
            .as_i64()
            .map(Value::Int)
            .or_else(|| number.as_f64().map(Value::Float)),
        serde_json::Value::String(text) => Some(Value::from(text.clone())),
        _ => None,
    }
}

impl Variables for Facts<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        match name {
            "now" => time(self.now),
            "settings" => Some(self.settings()),
            "event" => self.event(),
            "entry" => self.journey.map(|journey| self.entry(&journey.entry)),
            "customer" => Some(self.customer()),
            "cart" => Some(self.cart()),
            "order" => Some(self.order()),
            "orders" => Some(self.orders()),
            "journey" => self.journey(),
            _ => None,
        }
    }
}
