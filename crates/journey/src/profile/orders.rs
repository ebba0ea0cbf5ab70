//! Orders in sums and the newest in facts. An order is counted once by its id, whatever profiles it comes through.

use winback_contract::{EventId, Timestamp, spec};

use crate::behaviour;
use crate::behaviour::{OrderFacts, Touch, keep_lines, push};
use crate::customer::{Customer, Line, limit};
use crate::facts::property::{moment, text};
use crate::incoming::IncomingEvent;

/// An order that is told again with the time of then ended then what was open: what began since is of another wish. Told
/// with a later time it may be another purchase, by a shop that uses its ids anew, and stops what is open. `mine` is
/// false for a copy: that order may be new to this profile.
pub(crate) fn put_back(customer: &Customer, incoming: &mut IncomingEvent<'_>, mine: bool) {
    if !mine || incoming.event.name != spec::ORDER_COMPLETED {
        return;
    }
    let Some(id) = incoming.event.order_id.as_deref() else {
        return;
    };
    let orders = &customer.orders;
    let known = orders.list.iter().find(|order| order.id == id);
    let is_of_then = match known {
        Some(order) => incoming.at <= order.placed_at,
        // Counted, and older than those that are kept: its own time says when it was.
        None => orders.recent.contains(&EventId::of_message_id(id).short()),
    };
    if is_of_then {
        incoming.arrival = incoming.arrival.min(incoming.at);
    }
}

/// Applies an order event; true when it is an order that counts. `mine` is false for a copy that another known person caused: it stops, and is not counted.
pub(crate) fn fold(customer: &mut Customer, incoming: &IncomingEvent<'_>, mine: bool) -> bool {
    match incoming.event.name.as_str() {
        spec::ORDER_COMPLETED => return completed(customer, incoming, mine),
        "Order Updated" | "Order Shipped" | "Order Delivered" | "Order Cancelled"
        | "Order Refunded" => changed(customer, incoming),
        _ => {}
    }
    false
}

fn completed(customer: &mut Customer, incoming: &IncomingEvent<'_>, mine: bool) -> bool {
    let event = incoming.event;
    let orders = &mut customer.orders;
    let order_id = event.order_id.as_deref().unwrap_or_default();
    let hash = EventId::of_message_id(order_id).short();
    orders.last_arrived = Some(
        orders
            .last_arrived
            .map_or(incoming.arrival, |last| last.max(incoming.arrival)),
    );
    if !mine || orders.recent.contains(&hash) {
        return false;
    }
    Customer::push_bounded(&mut orders.recent, hash, limit::ORDERS);
    orders.count = orders.count.saturating_add(1);
    if let Some(total) = event.total {
        let currency = *orders.currency.get_or_insert(total.currency);
        if currency == total.currency {
            orders.total_minor = orders.total_minor.saturating_add(total.minor);
        }
    }
    orders.first_at = Some(
        orders
            .first_at
            .map_or(incoming.at, |first| first.min(incoming.at)),
    );
    let short: String = order_id.chars().take(64).collect();
    if orders.last_at.is_none_or(|last| last <= incoming.at) {
        orders.last_at = Some(incoming.at);
        orders.last_id = Some(short.clone());
    }
    let products = touches(event, incoming.at);
    for touch in &products {
        push(
            &mut customer.behaviour.bought,
            touch.clone(),
            behaviour::limit::BOUGHT,
        );
    }
    customer.behaviour.unanswered = 0;
    let held = |given: &behaviour::Given| {
        given.counts && given.at <= incoming.at && given.until >= incoming.at
    };
    let with_offer = customer.behaviour.offers.iter().any(held);
    let facts = OrderFacts {
        id: short,
        placed_at: incoming.at,
        total: event.total,
        status: None,
        coupon: text(event, "coupon"),
        promised_at: moment(event, "promised_at"),
        delivered_at: None,
        products,
        with_offer,
        // What is told of the past is written about no more.
        lines: if incoming.live {
            lines(event)
        } else {
            Vec::new()
        },
    };
    let list = &mut customer.orders.list;
    push(list, facts, behaviour::limit::ORDERS);
    list.sort_by_key(|order| order.placed_at);
    keep_lines(list, incoming.arrival);
    true
}

/// Later news of an order. One ledger with one rule: what was taken back was not spent, an order that is cancelled was
/// none, and one that is opened again counts again.
fn changed(customer: &mut Customer, incoming: &IncomingEvent<'_>) {
    let event = incoming.event;
    let Some(id) = event.order_id.as_deref() else {
        return;
    };
    let status = text(event, "status");
    let is_off = event.name == "Order Cancelled" || status.as_deref().is_some_and(is_cancelled);
    let orders = &mut customer.orders;
    let Some(index) = orders.list.iter().position(|order| order.id == id) else {
        if is_off {
            // Told before the order itself: that one is not counted then.
            let hash = EventId::of_message_id(id).short();
            if !orders.recent.contains(&hash) {
                Customer::push_bounded(&mut orders.recent, hash, limit::ORDERS);
            }
        }
        return;
    };
    let order = &mut orders.list[index];
    let was_off = is_none(order);
    match event.name.as_str() {
        // What is under way after all is not counted anew: only the shop's word for it opens an order again.
        "Order Delivered" | "Order Shipped" if was_off => {}
        "Order Delivered" => {
            order.delivered_at = moment(event, "delivered_at").or(Some(incoming.at));
            order.status = Some("delivered".into());
        }
        "Order Shipped" => order.status = Some("shipped".into()),
        "Order Refunded" if !was_off => refund(customer, index, incoming),
        "Order Updated" | "Order Cancelled" => {
            order.promised_at = moment(event, "promised_at").or(order.promised_at);
            match (was_off, is_off) {
                (false, true) => cancel(customer, index),
                (true, false) if status.is_some() => reopen(customer, index),
                _ => {}
            }
            let order = &mut customer.orders.list[index];
            if is_off {
                order.status = Some("cancelled".into());
            } else {
                order.status = status.or_else(|| order.status.take());
                edit(customer, index, incoming);
            }
        }
        _ => {}
    }
}

/// Whether an order is none: it is counted by nobody.
pub(crate) fn is_none(order: &OrderFacts) -> bool {
    order.status.as_deref().is_some_and(is_cancelled)
}

/// Words of shops for an order that is none.
fn is_cancelled(status: &str) -> bool {
    let word = status.to_lowercase();
    ["cancelled", "canceled", "voided", "void", "declined"].contains(&word.as_str())
}

/// What an order adds to the sum: nothing in another currency.
fn counted(customer: &Customer, index: usize) -> i64 {
    let orders = &customer.orders;
    let total = orders.list[index].total;
    total
        .filter(|total| orders.currency == Some(total.currency))
        .map_or(0, |total| total.minor)
}

/// Other goods, another sum.
fn edit(customer: &mut Customer, index: usize, incoming: &IncomingEvent<'_>) {
    let event = incoming.event;
    let status = customer.orders.list[index].status.as_deref();
    // What went back stays back: most shops go on telling the first sum.
    let is_refunded = status.is_some_and(|status| status.ends_with("refunded"));
    if event.total.is_some() && !is_refunded {
        let before = counted(customer, index);
        customer.orders.list[index].total = event.total;
        let after = counted(customer, index);
        customer.orders.total_minor = customer.orders.total_minor.saturating_add(after - before);
    }
    if !event.products.is_empty() {
        let at = customer.orders.list[index].placed_at;
        let products = touches(event, at);
        // The lines of an order are known once: those of before go, and the others stay in the order of their time.
        let before = std::mem::take(&mut customer.orders.list[index].products);
        let bought = &mut customer.behaviour.bought;
        bought.retain(|touch| {
            touch.at != at || !before.iter().any(|old| old.product_id == touch.product_id)
        });
        for touch in &products {
            push(bought, touch.clone(), behaviour::limit::BOUGHT);
        }
        bought.sort_by_key(|touch| touch.at);
        customer.orders.list[index].products = products;
        customer.orders.list[index].lines = lines(event);
        keep_lines(&mut customer.orders.list, incoming.arrival);
    }
}

/// A part or all of the money went back: what the event says, else all that is left.
fn refund(customer: &mut Customer, index: usize, incoming: &IncomingEvent<'_>) {
    let order = &mut customer.orders.list[index];
    let Some(left) = order.total else {
        order.status = Some("refunded".into());
        return;
    };
    // Some write what went back as a negative sum.
    let said = incoming.event.total;
    let back = said
        .filter(|back| back.currency == left.currency && back.minor != 0)
        .map(|back| back.minor.saturating_abs());
    let minor = back.map_or(left.minor, |back| back.min(left.minor));
    let before = counted(customer, index);
    let order = &mut customer.orders.list[index];
    order.total = Some(winback_contract::Money {
        minor: left.minor - minor,
        ..left
    });
    order.status = Some(
        if minor == left.minor {
            "refunded"
        } else {
            "partially_refunded"
        }
        .into(),
    );
    let after = counted(customer, index);
    customer.orders.total_minor = customer.orders.total_minor.saturating_add(after - before);
}

/// The order was none: the one before it is the newest again, and silence counts from there.
fn cancel(customer: &mut Customer, index: usize) {
    let sum = counted(customer, index);
    let orders = &mut customer.orders;
    orders.total_minor = orders.total_minor.saturating_sub(sum);
    orders.count = orders.count.saturating_sub(1);
    let id = orders.list[index].id.clone();
    orders.list[index].status = Some("cancelled".into());
    if orders.last_id.as_deref() != Some(&id) {
        return;
    }
    newest(customer);
    // The silence after it is none either.
    let of_order = |journey: &crate::state::Journey| {
        journey.station == crate::state::Stage::Armed
            && journey.key == id
            && journey.entry.name == spec::ORDER_COMPLETED
    };
    customer.journeys.retain(|journey| !of_order(journey));
}

fn reopen(customer: &mut Customer, index: usize) {
    customer.orders.list[index].status = None;
    let sum = counted(customer, index);
    let orders = &mut customer.orders;
    orders.total_minor = orders.total_minor.saturating_add(sum);
    orders.count = orders.count.saturating_add(1);
    newest(customer);
}

/// The newest order that stands.
fn newest(customer: &mut Customer) {
    let orders = &mut customer.orders;
    let stands = |order: &&OrderFacts| !is_none(order);
    match orders.list.iter().rev().find(stands) {
        Some(order) => {
            orders.last_at = Some(order.placed_at);
            orders.last_id = Some(order.id.clone());
        }
        None if orders.count == 0 => {
            orders.last_at = None;
            orders.last_id = None;
            orders.first_at = None;
        }
        // Older ones are known by their count alone.
        None => orders.last_id = None,
    }
}

/// An event's products as they were told, bounded as those of a cart.
fn lines(event: &winback_contract::Event) -> Vec<Line> {
    let mut lines = event.products.iter().map(Line::from).collect();
    Line::fit(&mut lines);
    lines
}

/// Ids and categories of an event's products.
fn touches(event: &winback_contract::Event, at: Timestamp) -> Vec<Touch> {
    let products = event.products.iter().take(behaviour::limit::ORDER_PRODUCTS);
    products
        .map(|product| Touch {
            product_id: product.product_id.clone(),
            category: product.category.clone(),
            at,
        })
        .collect()
}
