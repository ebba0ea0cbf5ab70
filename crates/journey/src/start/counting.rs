//! Starts that wait for the n-th event in a window (`times`).

use winback_campaign::model::Campaign;
use winback_contract::ids::digest;

use crate::behaviour;
use crate::behaviour::{Counter, push};
use crate::customer::Customer;
use crate::incoming::IncomingEvent;
use crate::matching::Named;

/// Starts that count anew when this event comes.
pub(crate) fn recount(customer: &mut Customer, named: &Named<'_>) {
    let Some((bundle, concerns)) = named.active() else {
        return;
    };
    if customer.behaviour.counters.is_empty() {
        return;
    }
    for (campaign, index) in bundle.starts(&concerns.recounts) {
        let of = counter(campaign, index);
        customer.behaviour.counters.retain(|known| known.of != of);
    }
}

fn counter(campaign: &Campaign, index: usize) -> u64 {
    let bytes = digest("counter", &[campaign.name.as_bytes(), &index.to_be_bytes()]);
    let mut first = [0_u8; 8];
    first.copy_from_slice(&bytes[..8]);
    u64::from_be_bytes(first)
}

/// Without `times` always; else whether this is the n-th match in the window.
pub(crate) fn is_counted_out(
    customer: &mut Customer,
    campaign: &Campaign,
    index: usize,
    incoming: &IncomingEvent<'_>,
) -> bool {
    let Some(times) = &campaign.starts[index].times else {
        return true;
    };
    let of = counter(campaign, index);
    let counters = &mut customer.behaviour.counters;
    let index = match counters.iter().position(|known| known.of == of) {
        Some(index) => index,
        None => {
            let fresh = Counter {
                of,
                times: Vec::new(),
            };
            push(counters, fresh, behaviour::limit::COUNTERS);
            counters.len() - 1
        }
    };
    let matches = &mut counters[index].times;
    matches.retain(|at| *at + times.within > incoming.arrival);
    matches.push(incoming.arrival);
    if matches.len() < times.count as usize {
        return false;
    }
    matches.clear();
    true
}
