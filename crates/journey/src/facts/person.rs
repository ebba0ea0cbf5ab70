//! The person as conditions see it: profile, interests, and the win-back score (playbook P48 to P52).

use std::collections::{BTreeMap, HashMap};

use cel::Value;

use super::{Facts, Map};
use crate::score::{self, Score};

impl Facts<'_> {
    pub(super) fn person(&self, only: Option<&[String]>) -> Value {
        let profile = &self.customer.profile;
        let behaviour = &self.customer.behaviour;
        let mut map = Map::new(only);
        map.flag("known", profile.is_known());
        map.flag(
            "reachable",
            profile.email.is_some()
                || profile.phone.is_some()
                || profile.push_token.is_some()
                || profile.telegram_id.is_some(),
        );
        map.flag("complaint_open", !behaviour.complaints.is_empty());
        map.flag("waits_for_offers", self.waits_for_offers());
        map.text("locale", profile.locale.as_ref());
        map.text("zone", profile.timezone.as_ref());
        map.text("city", profile.city.as_ref());
        map.text("country", profile.country.as_ref());
        map.text("level", profile.level.as_ref());
        map.text("churn_reason", behaviour.churn_reason.as_ref());
        map.text("birthday", profile.birthday.as_ref());
        map.make("preferred_channel", || {
            let channel = self.customer.preferred_channel()?;
            Some(Value::from(channel.as_str().to_owned()))
        });
        map.time("created_at", profile.created_at);
        map.time("last_visit", self.customer.last_activity);
        map.put("unanswered", Value::Int(i64::from(behaviour.unanswered)));
        map.make("interests", || Some(self.interests()));
        map.make("traits", || {
            let traits = profile.custom.iter();
            let texts = traits.map(|(name, value)| (name.clone(), Value::from(value.clone())));
            let typed = profile.typed.iter();
            let typed =
                typed.filter_map(|(name, field)| Some((name.clone(), field.clone().into_value()?)));
            let traits: HashMap<String, Value> = texts.chain(typed).collect();
            Some(Value::from(traits))
        });
        self.scores(&mut map);
        map.value()
    }

    fn scores(&self, map: &mut Map<'_>) {
        let mut known: Option<Score> = None;
        let mut score = || *known.get_or_insert_with(|| score::score(self));
        map.make("score", || Some(Value::Float(score().total)));
        map.make("value", || Some(Value::Float(score().value)));
        map.make("loyalty", || Some(Value::Float(score().loyalty)));
        map.make("upsell", || Some(Value::Float(score().upsell)));
        map.make("influence", || Some(Value::Float(score().influence)));
        map.make("cost", || Some(Value::Float(score().cost)));
        map.make("rfm", || {
            let rfm = score::rfm(self)?;
            let part = |name: &str, part: u8| (name.to_owned(), Value::Int(i64::from(part)));
            let parts = [part("r", rfm.0), part("f", rfm.1), part("m", rfm.2)];
            Some(Value::from(HashMap::from(parts)))
        });
    }

    /// Views count one, purchases three, by category; as a share of all.
    fn interests(&self) -> Value {
        let behaviour = &self.customer.behaviour;
        let mut weights: BTreeMap<&str, f64> = BTreeMap::new();
        for (list, weight) in [(&behaviour.views, 1.0), (&behaviour.bought, 3.0)] {
            for touch in list {
                if let Some(category) = &touch.category {
                    *weights.entry(category).or_default() += weight;
                }
            }
        }
        let sum: f64 = weights.values().sum();
        let shares: HashMap<String, Value> = weights
            .into_iter()
            .map(|(name, weight)| (name.to_owned(), Value::Float(weight / sum.max(1.0))))
            .collect();
        Value::from(shares)
    }

    /// Needed an offer for each of the last orders, as many as the guard says (playbook P56).
    pub(crate) fn waits_for_offers(&self) -> bool {
        let least = self.policy.guard.waiter_after as usize;
        let list = &self.customer.orders.list;
        least > 0
            && list.len() >= least
            && list[list.len() - least..]
                .iter()
                .all(|order| order.with_offer)
    }
}
