//! The size of a state (INV-12): at most 64 KiB, whatever is sent of one person. Every list is bounded, and so is every
//! text; together they may still be too much, and then what matters least gives way, in a stated order.
//!
//! Kept whatever it costs: consents and suppressions, journeys and messages, orders' ids, what ended journeys.

use winback_contract::Format;

use crate::codec::encode_in;
use crate::customer::Customer;
use crate::effects::{Count, Counts};
use crate::records::is_lost;

/// Most of a state, in bytes.
pub const MOST: usize = 64 * 1_024;

/// What gives way, the least first.
const STEPS: [fn(&mut Customer); 9] = [
    |customer| {
        for order in &mut customer.orders.list {
            order.lines.clear();
        }
    },
    |customer| customer.behaviour.session = None,
    |customer| customer.behaviour.views.clear(),
    |customer| {
        for order in &mut customer.orders.list {
            order.products.clear();
        }
    },
    |customer| customer.behaviour.bought.clear(),
    |customer| {
        customer.behaviour.wished.clear();
        customer.behaviour.wanted.clear();
    },
    // Lost answers stay: they bound how often one is sent again.
    |customer| customer.decisions.retain(is_lost),
    |customer| {
        customer.profile.custom.clear();
        customer.profile.typed.clear();
    },
    |customer| {
        for cart in &mut customer.carts {
            cart.more = cart
                .more
                .saturating_add(u32::try_from(cart.lines.len()).unwrap_or(0));
            cart.lines.clear();
        }
    },
];

/// The blob of a customer, in a format; what is too much of it is given up, and counted.
pub fn encode_within(customer: &mut Customer, format: Format, counts: &mut Counts) -> Vec<u8> {
    let mut blob = encode_in(customer, format);
    for step in STEPS {
        if blob.len() <= MOST {
            break;
        }
        step(customer);
        counts.add(Count::Truncated);
        blob = encode_in(customer, format);
    }
    blob
}
