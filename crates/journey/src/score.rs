//! Who is worth winning back first: recency, frequency and money from 1 to 5, and the win-back score from 0 to 100
//! with its five parts (playbook P48 to P52).
//!
//! A pure function of one customer and Policy's bounds: no population is needed, so a decision can be repeated.

use crate::facts::Facts;

/// The score and its parts, each from 0 to 100.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Score {
    /// The weighted mean.
    pub total: f64,
    /// What was spent (P48).
    pub value: f64,
    /// How often and how long the person came back before (P49).
    pub loyalty: f64,
    /// Whether the person may buy more than before (P50).
    pub upsell: f64,
    /// Whether the person brings others along (P51).
    pub influence: f64,
    /// How little it takes: recent leavers with a good attitude are cheap (P52).
    pub cost: f64,
}

/// 1 to 5 each: recency, frequency, money; none for whoever never ordered.
pub(crate) fn rfm(facts: &Facts<'_>) -> Option<(u8, u8, u8)> {
    let orders = &facts.customer.orders;
    let last = orders.last_at?;
    let bounds = &facts.policy.scoring;
    let silent = facts.now.since(last);
    let recency = 5 - bounds
        .recency
        .iter()
        .filter(|bound| silent > **bound)
        .count();
    let frequency = 1 + bounds
        .frequency
        .iter()
        .filter(|bound| orders.count >= **bound)
        .count();
    let spent = spent(facts);
    let money = 1 + bounds.money.iter().filter(|bound| spent >= **bound).count();
    let part = |part: usize| u8::try_from(part).unwrap_or(5);
    Some((part(recency), part(frequency), part(money)))
}

/// In whole units of the shop's currency.
fn spent(facts: &Facts<'_>) -> f64 {
    let orders = &facts.customer.orders;
    match orders.currency {
        Some(currency) if currency == facts.policy.currency => winback_contract::Money {
            minor: orders.total_minor,
            currency,
        }
        .to_major(),
        _ => 0.0,
    }
}

/// The score; all zero for whoever never ordered.
pub(crate) fn score(facts: &Facts<'_>) -> Score {
    let Some((recency, frequency, _)) = rfm(facts) else {
        return Score {
            total: 0.0,
            value: 0.0,
            loyalty: 0.0,
            upsell: 0.0,
            influence: 0.0,
            cost: 0.0,
        };
    };
    let customer = facts.customer;
    let bounds = &facts.policy.scoring;
    let of_five = |part: u8| (f64::from(part) - 1.0) * 25.0;
    // Value rises with the sum and is full at the highest bound.
    let value = (spent(facts) / bounds.money[3].max(1.0) * 100.0).min(100.0);
    let years = customer
        .orders
        .first_at
        .zip(customer.orders.last_at)
        .map_or(0.0, |(first, last)| {
            last.since(first).as_millis() as f64 / (365.0 * 86_400_000.0)
        });
    let loyalty = (of_five(frequency) * 0.7 + (years * 50.0).min(100.0) * 0.3).min(100.0);
    // The newest known order above the average says that more is possible.
    let average = spent(facts) / f64::from(customer.orders.count.max(1));
    let newest = customer
        .orders
        .list
        .last()
        .and_then(|order| order.total)
        .filter(|total| total.currency == facts.policy.currency)
        .map_or(average, |total| total.to_major());
    let upsell = if average > 0.0 {
        (newest / average * 50.0).clamp(0.0, 100.0)
    } else {
        0.0
    };
    let influence = (f64::from(customer.behaviour.reviews) * 25.0).min(100.0);
    let attitude = if customer.behaviour.complaints.is_empty() {
        1.0
    } else {
        0.3
    };
    let tired = f64::from(customer.behaviour.unanswered.min(10)) * 5.0;
    let cost = ((of_five(recency) - tired) * attitude).clamp(0.0, 100.0);
    let parts = [value, loyalty, upsell, influence, cost];
    let weight: f64 = bounds.weights.iter().sum();
    let sum: f64 = parts
        .iter()
        .zip(bounds.weights)
        .map(|(part, weight)| part * weight)
        .sum();
    Score {
        total: if weight > 0.0 { sum / weight } else { 0.0 },
        value,
        loyalty,
        upsell,
        influence,
        cost,
    }
}
