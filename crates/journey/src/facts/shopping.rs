//! Carts, orders, sessions and points as conditions see them.

use cel::Value;
use winback_contract::{Money, Span};

use super::{Facts, Map, span};
use crate::behaviour::{OrderFacts, SESSION_GAP, Touch};
use crate::customer::{Cart, Line};
use crate::state::Field;

/// What few lines have. `fields` is always there: one that is not among them is absent, as everywhere.
fn details(map: &mut Map<'_>, line: &Line) {
    let details = line.details.as_deref();
    if let Some(details) = details {
        map.text("variant", details.variant.as_ref());
        map.text("sku", details.sku.as_ref());
        map.text("brand", details.brand.as_ref());
    }
    map.make("fields", || {
        let mut own = Map::new(None);
        for (name, field) in details.into_iter().flat_map(|details| &details.fields) {
            own.put(name, field.clone().into_value());
        }
        Some(own.value())
    });
}

impl Facts<'_> {
    pub(crate) fn product(&self, product: &Line) -> Value {
        let mut map = Map::new(None);
        map.put("product_id", Value::from(product.product_id.clone()));
        map.text("name", product.name.as_ref());
        map.text("category", product.category.as_ref());
        map.text("url", product.url.as_ref());
        map.text("image_url", product.image_url.as_ref());
        map.put("price", self.money(product.price));
        map.put("quantity", Value::Int(i64::from(product.quantity)));
        details(&mut map, product);
        map.value()
    }

    /// The product that a `product` start is about: as it is now known, with what the news said.
    pub(super) fn goods(&self, only: Option<&[String]>) -> Option<Value> {
        let entry = self.journey.map(|journey| &journey.entry);
        let item = self
            .item
            .or_else(|| entry.and_then(|entry| entry.item.as_deref()))?;
        let mut map = Map::new(only);
        map.put("product_id", Value::from(item.product_id.clone()));
        map.text("name", item.name.as_ref());
        map.text("category", item.category.as_ref());
        map.text("url", item.url.as_ref());
        map.make("price", || self.money(item.price));
        map.put("quantity", Value::Int(1));
        details(&mut map, item);
        for (name, field) in entry.into_iter().flat_map(|entry| &entry.fields) {
            let known = ["was", "seen_price", "available"].contains(&name.as_str());
            if let (true, Field::Number(number)) = (known, field) {
                let value = if name == "available" {
                    Value::Int(*number as i64)
                } else {
                    Value::Float(*number)
                };
                map.put(name, value);
            }
        }
        Some(map.value())
    }

    /// The lines of an order: of the newest as they were told, of the others which products they were of.
    fn order_lines(&self, order: &OrderFacts) -> Value {
        let rest = order.products.iter().skip(order.lines.len());
        let told = order.lines.iter().map(|line| self.product(line));
        Value::from(told.chain(rest.map(Self::touch)).collect::<Vec<_>>())
    }

    fn touch(touch: &Touch) -> Value {
        let mut map = Map::new(None);
        map.put("product_id", Value::from(touch.product_id.clone()));
        map.text("category", touch.category.as_ref());
        map.put("fields", Map::new(None).value());
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

    pub(super) fn cart(&self, only: Option<&[String]>) -> Value {
        let mut map = Map::new(only);
        let cart = self.cart_of_journey();
        map.flag("open", cart.is_some_and(|cart| !cart.lines.is_empty()));
        if let Some(cart) = cart {
            map.make("id", || Some(Value::from(cart.id.clone())));
            map.text("url", cart.url.as_ref());
            map.flag("checkout_started", cart.checkout_started);
            map.make("total", || self.sum(cart.sum()));
            map.time("updated_at", Some(cart.updated_at));
            map.make("items", || {
                let items = cart.lines.iter().map(|line| self.product(line));
                Some(Value::from(items.collect::<Vec<_>>()))
            });
        }
        map.value()
    }

    /// The order that `entry` (or the event) names, else the newest.
    pub fn order_of_journey(&self) -> Option<&OrderFacts> {
        let list = &self.customer.orders.list;
        let of_journey = self
            .journey
            .and_then(|journey| journey.entry.order_id.as_ref());
        let of_event = self.event.and_then(|(event, ..)| event.order_id.as_ref());
        match of_journey.or(of_event) {
            Some(id) => list.iter().rev().find(|order| order.id == *id),
            None => list.last(),
        }
    }

    pub(super) fn order(&self, only: Option<&[String]>) -> Option<Value> {
        let order = self.order_of_journey()?;
        let mut map = Map::new(only);
        map.make("id", || Some(Value::from(order.id.clone())));
        map.text("status", order.status.as_ref());
        map.text("coupon", order.coupon.as_ref());
        map.time("placed_at", Some(order.placed_at));
        map.time("promised_at", order.promised_at);
        map.time("delivered_at", order.delivered_at);
        map.make("total", || self.sum(order.total));
        map.make("lines", || Some(self.order_lines(order)));
        map.make("product_ids", || {
            let ids = order.products.iter();
            let ids = ids.map(|touch| Value::from(touch.product_id.clone()));
            Some(Value::from(ids.collect::<Vec<_>>()))
        });
        Some(map.value())
    }

    pub(super) fn orders(&self, only: Option<&[String]>) -> Value {
        let orders = &self.customer.orders;
        let mut map = Map::new(only);
        map.put("count", Value::Int(i64::from(orders.count)));
        let total = orders.currency.map(|currency| Money {
            minor: orders.total_minor,
            currency,
        });
        map.make("total", || self.sum(total));
        if let (Some(total), true) = (total, orders.count > 0) {
            let average = Money {
                minor: total.minor / i64::from(orders.count),
                ..total
            };
            map.make("average", || self.sum(Some(average)));
        }
        map.time("first_at", orders.first_at);
        map.time("last_at", orders.last_at);
        map.make("silent", || {
            orders.last_at.and_then(|last| span(self.now.since(last)))
        });
        map.make("gap", || {
            let mut newest = orders.list.iter().rev().map(|order| order.placed_at);
            let (last, before) = (newest.next()?, newest.next()?);
            span(last.since(before))
        });
        map.make("interval", || span(self.usual_gap()?));
        map.value()
    }

    /// The mean time between orders; none before the second.
    pub(crate) fn usual_gap(&self) -> Option<Span> {
        let orders = &self.customer.orders;
        let gaps = i64::from(orders.count.checked_sub(1).filter(|gaps| *gaps > 0)?);
        let whole = orders.last_at?.since(orders.first_at?).as_millis();
        Some(Span::from_millis(whole / gaps))
    }

    pub(super) fn session(&self, only: Option<&[String]>) -> Option<Value> {
        let session = self.customer.behaviour.session.as_ref()?;
        let mut map = Map::new(only);
        map.time("started_at", Some(session.started_at));
        let last = self.customer.last_activity;
        map.time(
            "ended_at",
            last.map(|last| last + SESSION_GAP)
                .filter(|end| *end <= self.now),
        );
        map.make("viewed", || {
            let viewed = session.viewed.iter().map(|line| self.product(line));
            Some(Value::from(viewed.collect::<Vec<_>>()))
        });
        let texts = |list: &[String]| {
            Value::from(
                list.iter()
                    .map(|text| Value::from(text.clone()))
                    .collect::<Vec<_>>(),
            )
        };
        map.make("categories", || Some(texts(&session.categories)));
        map.make("searches", || Some(texts(&session.searches)));
        map.put("pages", Value::Int(i64::from(session.pages)));
        Some(map.value())
    }

    pub(super) fn points(&self, only: Option<&[String]>) -> Option<Value> {
        let points = self.customer.behaviour.points?;
        let mut map = Map::new(only);
        map.put("balance", Value::Float(points.balance));
        map.put("expiring", Value::Float(points.expiring));
        map.put("earned", Value::Float(points.earned));
        map.put("to_next_level", points.to_next_level.map(Value::Float));
        map.put("to_next_share", points.to_next_share.map(Value::Float));
        map.time("expires_at", points.expires_at);
        map.text("level", self.customer.profile.level.as_ref());
        Some(map.value())
    }
}
