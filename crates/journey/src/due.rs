//! When a customer must be looked at next. It is a function of the state, so no timer can be lost (INV-7).

use winback_contract::{Span, Timestamp};

use crate::address::words::closes;
use crate::behaviour::{LINES_FOR, OrderFacts};
use crate::customer::Customer;
use crate::state::{Journey, Stage};
use crate::world::Limits;

/// The moment from which a step may be judged.
pub fn ready_at(journey: &Journey) -> Timestamp {
    journey
        .hold
        .map_or(journey.due, |hold| hold.until.max(journey.due))
}

/// The earliest moment at which time alone changes something. Never absent: at the latest the retention date.
pub fn next_due(customer: &Customer, limits: &Limits) -> Timestamp {
    // Whoever is in a journey is not forgotten; what ends it lets the retention count again.
    let idle = is_idle(customer);
    let mut due = if idle {
        retention(customer, limits)
    } else {
        Timestamp::NEVER
    };
    for journey in &customer.journeys {
        let at = match journey.station {
            Stage::Armed | Stage::Wait | Stage::Await => journey.due,
            // While a trigger is open its deadline stands for all steps.
            Stage::Step if customer.trigger.is_none() => ready_at(journey),
            Stage::Step | Stage::Sending => continue,
        };
        due = due.min(at);
    }
    for over in customer
        .journeys
        .iter()
        .filter_map(|journey| journey.over_at)
    {
        due = due.min(over);
    }
    for pending in &customer.messages {
        due = due.min(pending.check_at);
    }
    if let Some(trigger) = &customer.trigger {
        due = due.min(trigger.deadline);
    }
    due.min(lines_over(customer))
}

/// When an order of somebody who is silent loses its lines (INV-12).
fn lines_over(customer: &Customer) -> Timestamp {
    let with_lines = |order: &&OrderFacts| !order.lines.is_empty();
    let orders = customer.orders.list.iter().filter(with_lines);
    let over = orders.map(|order| order.placed_at + LINES_FOR + Span::from_millis(1));
    over.min().unwrap_or(Timestamp::NEVER)
}

/// Whether nothing runs. A date of next year that is armed keeps nobody.
pub(crate) fn is_idle(customer: &Customer) -> bool {
    let waits_for_date = |journey: &Journey| {
        journey.station == Stage::Armed && journey.entry.name == crate::state::DATE
    };
    customer.messages.is_empty() && customer.journeys.iter().all(waits_for_date)
}

/// Whether nothing is left of a profile but what addresses were refused: a desk, or what [`forget`] leaves.
fn is_refusal_alone(customer: &Customer) -> bool {
    let profile = &customer.profile;
    let has_address =
        profile.is_known() || profile.push_token.is_some() || profile.telegram_id.is_some();
    has_refusal(customer) && !has_address && customer.orders.count == 0
}

fn has_refusal(customer: &Customer) -> bool {
    let words = &customer.addresses.words;
    words.iter().any(|word| closes(word.standing))
}

/// The profile is forgotten: nothing is left of it, but what its addresses were refused. False where that is nothing.
pub(crate) fn forget(customer: &mut Customer) -> bool {
    if !has_refusal(customer) {
        return false;
    }
    let mut addresses = std::mem::take(&mut customer.addresses);
    addresses.words.retain(|word| closes(word.standing));
    addresses.former.clear();
    *customer = Customer {
        addresses,
        forward: customer.forward,
        scheduled: customer.scheduled,
        ..Customer::default()
    };
    true
}

/// When the profile may be forgotten.
pub fn retention(customer: &Customer, limits: &Limits) -> Timestamp {
    // What an address was refused is never forgotten (INV-11); the person beside it is.
    if is_refusal_alone(customer) {
        return Timestamp::NEVER;
    }
    let last = [
        customer.last_activity,
        customer.orders.last_at,
        customer.profile.created_at,
    ];
    let last = last.into_iter().flatten().max().unwrap_or_default();
    let reachable =
        customer.profile.is_known() || customer.forward.is_some() || customer.orders.count > 0;
    last + if reachable {
        limits.retention
    } else {
        limits.anonymous_retention
    }
}
