//! The functions of conditions: segments, histories, halves, purchases, rhythms.

use std::collections::HashMap;

use cel::Value;
use winback_campaign::calendar;
use winback_contract::{Channel, Span, Timestamp, ids::bucket};

use super::{Facts, Map, span, time};
use crate::behaviour::Touch;
use crate::customer::zone;
use crate::state::Stage;

impl Facts<'_> {
    pub(super) fn answer(&self, function: &str, arguments: &[Value]) -> Option<Value> {
        match (function, arguments) {
            ("segment", [Value::String(name)]) => {
                // A segment is about the customer alone.
                let plain = Facts {
                    journey: None,
                    event: None,
                    item: None,
                    ..*self
                };
                let segment = self.policy.segments.get(name.as_str())?;
                segment.holds(&plain).ok().map(Value::Bool)
            }
            ("campaign", [Value::String(name)]) => Some(self.history(name)),
            ("bucket", [Value::String(salt)]) => {
                let drawn = bucket("half", &[salt.as_bytes(), self.id.as_bytes()], 100);
                i64::try_from(drawn).ok().map(Value::Int)
            }
            ("can", [Value::String(channel)]) => self.can(channel).map(Value::Bool),
            ("sent", [Value::String(step)]) => {
                let sent = &self.journey?.sent;
                Some(Value::Bool(sent.iter().any(|known| known == step.as_str())))
            }
            ("bought", [Value::String(what), Value::Duration(within)]) => {
                Some(self.count(&self.customer.behaviour.bought, what, within))
            }
            ("viewed", [Value::String(what), Value::Duration(within)]) => {
                Some(self.count(&self.customer.behaviour.views, what, within))
            }
            ("usual", [Value::String(product)]) => span(self.usual(product)?),
            ("orders_within", [Value::Duration(within)]) => {
                let list = self.customer.orders.list.iter();
                self.within(list.map(|order| order.placed_at), within)
            }
            ("sessions_within", [Value::Duration(within)]) => {
                self.within(self.customer.behaviour.sessions.iter().copied(), within)
            }
            ("local", [Value::Timestamp(at)]) => {
                self.local(Timestamp::from_millis(at.timestamp_millis()))
            }
            _ => None,
        }
    }

    fn from(&self, within: &chrono::Duration) -> Timestamp {
        self.now + Span::from_millis(-within.num_milliseconds())
    }

    fn within(
        &self,
        times: impl Iterator<Item = Timestamp>,
        within: &chrono::Duration,
    ) -> Option<Value> {
        let from = self.from(within);
        let count = times.filter(|at| *at > from).count();
        i64::try_from(count).ok().map(Value::Int)
    }

    fn count(&self, list: &[Touch], what: &str, within: &chrono::Duration) -> Value {
        let from = self.from(within);
        let count = list
            .iter()
            .filter(|touch| touch.is(what) && touch.at > from);
        Value::Int(i64::try_from(count.count()).unwrap_or(i64::MAX))
    }

    /// The middle time between purchases of a product (or of its category, where it was bought once only).
    fn usual(&self, product: &str) -> Option<Span> {
        let bought = &self.customer.behaviour.bought;
        let times: Vec<Timestamp> = bought
            .iter()
            .filter(|touch| touch.product_id == product)
            .map(|touch| touch.at)
            .collect();
        let mut gaps: Vec<i64> = times
            .windows(2)
            .map(|pair| pair[1].since(pair[0]).as_millis())
            .collect();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).copied().map(Span::from_millis)
    }

    fn history(&self, name: &str) -> Value {
        let history = self.customer.history(name);
        let mut map = Map::new(None);
        let active = self
            .customer
            .journeys
            .iter()
            .any(|journey| journey.campaign == name && journey.station != Stage::Armed);
        map.flag("active", active);
        let count = history.map_or(0, |history| history.count);
        map.put("count", Value::Int(i64::from(count)));
        if let Some(history) = history {
            map.time("first_at", history.firsts.first().copied());
            map.time("last_at", history.first_message_at);
            map.time("converted_at", history.converted_at);
            map.text("outcome", history.outcome.as_ref());
        }
        map.value()
    }

    fn can(&self, channel: &str) -> Option<bool> {
        let channel = Channel::parse(channel)?;
        let topic = self.topic?;
        let rule = self.policy.topics.get(topic)?;
        Some(crate::consent::is_open(self.customer, channel, topic, rule))
    }

    fn local(&self, at: Timestamp) -> Option<Value> {
        time(at)?;
        let here = calendar::local(at, &zone(self.customer, self.policy));
        let weekday = format!("{:?}", here.weekday()).to_lowercase();
        Some(Value::from(HashMap::from([
            ("hour".to_owned(), Value::Int(i64::from(here.hour()))),
            ("day".to_owned(), Value::Int(i64::from(here.day()))),
            ("weekday".to_owned(), Value::from(weekday)),
            ("date".to_owned(), Value::from(here.date().to_string())),
        ])))
    }
}
