//! Whether a journey may begin or go on beside what the customer has had: re-entry, limits, campaigns tied to each other.
//!
//! Questions only; nothing here changes a customer.

use winback_campaign::model::Campaign;
use winback_contract::{Span, Timestamp, spec};

use crate::customer::Customer;
use crate::state::{Journey, Stage};
use crate::world::World;

/// Whether enough time has passed since the first message of the campaign's newest journey.
pub(crate) fn reentry_allows(
    customer: &Customer,
    campaign: &str,
    reentry: Option<Span>,
    at: Timestamp,
) -> bool {
    match customer
        .history(campaign)
        .and_then(|history| history.first_message_at)
    {
        None => true,
        Some(first) => reentry.is_some_and(|least| first + least <= at),
    }
}

/// Whether the campaign may begin once more in its window.
pub(crate) fn limit_allows(
    customer: &Customer,
    campaign: &str,
    limit: Option<(u32, Span)>,
    at: Timestamp,
) -> bool {
    let (Some((at_most, per)), Some(history)) = (limit, customer.history(campaign)) else {
        return true;
    };
    let inside = history.firsts.iter().filter(|first| **first + per > at);
    inside.count() < at_most as usize
}

/// Whether a campaign tied to this one by `replaces` has the key: it has sent, or had sent for the same occasion.
pub(crate) fn is_replaced(customer: &Customer, journey: &Journey, world: &World<'_>) -> bool {
    let tied = tied(journey, world);
    customer.journeys.iter().any(|other| {
        tied.contains(&other.campaign.as_str())
            && other.key == journey.key
            && other.first_message_at.is_some()
    }) || tied.iter().any(|name| {
        customer.history(name).is_some_and(|history| {
            !journey.key.is_empty() && history.won.as_deref() == Some(journey.key.as_str())
        })
    })
}

/// Campaigns of which only one runs per key beside this journey's.
pub(crate) fn tied<'w>(journey: &Journey, world: &World<'w>) -> Vec<&'w str> {
    let Some(bundle) = world.bundles.get(journey.bundle) else {
        return Vec::new();
    };
    let own = bundle.campaign(&journey.campaign);
    bundle
        .campaigns
        .values()
        .filter(|other| {
            other.replaces.contains(&journey.campaign)
                || own.is_some_and(|own| own.replaces.contains(&other.name))
        })
        .map(|other| other.name.as_str())
        .collect()
}

/// Whether an order ends the journeys of a campaign: by its group or by an exit of its own.
pub(crate) fn ends_by_order(campaign: &Campaign, bundle: &winback_campaign::Bundle) -> bool {
    let group = bundle
        .policy
        .groups
        .get(&campaign.group)
        .and_then(Option::as_deref);
    let by_exit = campaign.exits.iter().any(|exit| {
        exit.converted
            && exit.pattern.when.is_none()
            && exit.pattern.on.iter().any(|on| on == spec::ORDER_COMPLETED)
    });
    group == Some(spec::ORDER_COMPLETED) || by_exit
}

/// Whether a journey is armed by the state itself, not by an event: silence, or a date.
pub(crate) fn is_measured(journey: &Journey, world: &World<'_>) -> bool {
    let start = world
        .bundles
        .campaign(journey.bundle, &journey.campaign)
        .and_then(|campaign| campaign.starts.get(usize::from(journey.start)));
    journey.station == Stage::Armed && start.is_some_and(|start| start.kind.answers().is_measured)
}
