//! Orders in sums and the newest in facts. An order is counted once by its id, whatever profiles it comes through.

use winback_contract::{EventId, spec};

use crate::behaviour;
use crate::behaviour::{OrderFacts, Touch, push};
use crate::customer::{Customer, limit};
use crate::facts::property::{moment, text};
use crate::happening::Happening;

/// Applies an order event; true when it is an order that counts. `mine` is false for a copy that another known person caused: it stops, and is not counted.
pub(crate) fn fold(customer: &mut Customer, happening: &Happening<'_>, mine: bool) -> bool {
    match happening.event.name.as_str() {
        spec::ORDER_COMPLETED => return completed(customer, happening, mine),
        "Order Updated" | "Order Shipped" | "Order Delivered" | "Order Cancelled"
        | "Order Refunded" => changed(customer, happening),
        _ => {}
    }
    false
}

fn completed(customer: &mut Customer, happening: &Happening<'_>, mine: bool) -> bool {
    let event = happening.event;
    let orders = &mut customer.orders;
    let order_id = event.order_id.as_deref().unwrap_or_default();
    let hash = EventId::of_message_id(order_id).short();
    orders.last_arrived = Some(
        orders
            .last_arrived
            .map_or(happening.arrival, |last| last.max(happening.arrival)),
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
            .map_or(happening.at, |first| first.min(happening.at)),
    );
    let short: String = order_id.chars().take(64).collect();
    if orders.last_at.is_none_or(|last| last <= happening.at) {
        orders.last_at = Some(happening.at);
        orders.last_id = Some(short.clone());
    }
    let products: Vec<Touch> = event
        .products
        .iter()
        .take(behaviour::limit::ORDER_PRODUCTS)
        .map(|product| Touch {
            product_id: product.product_id.clone(),
            category: product.category.clone(),
            at: happening.at,
        })
        .collect();
    for touch in &products {
        push(
            &mut customer.behaviour.bought,
            touch.clone(),
            behaviour::limit::BOUGHT,
        );
    }
    customer.behaviour.unanswered = 0;
    let held = |given: &behaviour::Given| {
        given.counts && given.at <= happening.at && given.until >= happening.at
    };
    let with_offer = customer.behaviour.offers.iter().any(held);
    let facts = OrderFacts {
        id: short,
        placed_at: happening.at,
        total: event.total,
        status: None,
        coupon: text(event, "coupon"),
        promised_at: moment(event, "promised_at"),
        delivered_at: None,
        products,
        with_offer,
    };
    let list = &mut customer.orders.list;
    push(list, facts, behaviour::limit::ORDERS);
    list.sort_by_key(|order| order.placed_at);
    true
}

/// Later news of an order that is still known.
fn changed(customer: &mut Customer, happening: &Happening<'_>) {
    let event = happening.event;
    let Some(id) = event.order_id.as_deref() else {
        return;
    };
    let orders = &mut customer.orders;
    let Some(order) = orders.list.iter_mut().find(|order| order.id == id) else {
        return;
    };
    let was_undone = matches!(order.status.as_deref(), Some("cancelled" | "refunded"));
    match event.name.as_str() {
        "Order Delivered" => {
            order.delivered_at = moment(event, "delivered_at").or(Some(happening.at));
            order.status = Some("delivered".into());
        }
        "Order Shipped" => order.status = Some("shipped".into()),
        "Order Updated" => {
            order.status = text(event, "status").or_else(|| order.status.take());
            order.promised_at = moment(event, "promised_at").or(order.promised_at);
        }
        "Order Cancelled" | "Order Refunded" if !was_undone => {
            let cancelled = event.name == "Order Cancelled";
            order.status = Some(if cancelled { "cancelled" } else { "refunded" }.into());
            // What was taken back was not spent.
            let back = order
                .total
                .filter(|total| orders.currency == Some(total.currency));
            orders.total_minor -= back.map_or(0, |total| total.minor);
            if cancelled {
                orders.count = orders.count.saturating_sub(1);
            }
        }
        _ => {}
    }
}
