//! Orders in sums. An order is counted once by its id, whatever profiles it comes through.

use winback_contract::{EventId, spec};

use super::Happening;
use crate::customer::{Customer, limit};

/// Applies an order; `mine` is false for a copy that another known person caused: it stops, and is not counted.
pub(super) fn fold(customer: &mut Customer, happening: &Happening<'_>, mine: bool) {
    if happening.event.name != spec::ORDER_COMPLETED {
        return;
    }
    let orders = &mut customer.orders;
    let order_id = happening.event.order_id.as_deref().unwrap_or_default();
    let hash = EventId::of_message_id(order_id).short();
    orders.last_arrived = Some(
        orders
            .last_arrived
            .map_or(happening.arrival, |last| last.max(happening.arrival)),
    );
    if !mine || orders.recent.contains(&hash) {
        return;
    }
    Customer::push_bounded(&mut orders.recent, hash, limit::ORDERS);
    orders.count = orders.count.saturating_add(1);
    if let Some(total) = happening.event.total {
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
    if orders.last_at.is_none_or(|last| last <= happening.at) {
        orders.last_at = Some(happening.at);
        orders.last_id = Some(order_id.chars().take(64).collect());
    }
}
