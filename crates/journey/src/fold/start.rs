//! Starts: an event arms a journey, or renews the one that waits; silence is armed by the last order.

use winback_campaign::model::{Campaign, Mode, Start, StartKind};
use winback_contract::{JourneyId, Timestamp, ids::bucket, spec};

use super::Happening;
use crate::advance::reentry_allows;
use crate::customer::{Customer, limit};
use crate::effects::{Count, Effects};
use crate::facts::Facts;
use crate::state::{EntryFacts, Journey, Reactions, Station};
use crate::world::World;

/// Arms what the event begins.
pub(super) fn fold(
    customer: &mut Customer,
    happening: &Happening<'_>,
    world: &World<'_>,
    out: &mut Effects,
) {
    let Some(bundle) = world.active else { return };
    for campaign in bundle.campaigns.values() {
        for (index, start) in campaign.starts.iter().enumerate() {
            let (on, span) = match &start.kind {
                StartKind::After { on, delay } => (on, delay),
                StartKind::Idle { on, span } => (on, span),
                StartKind::Silence { .. } => continue,
            };
            if !on.contains(&happening.event.name) {
                continue;
            }
            let Some(key) = judge(customer, start, happening, world, out) else {
                continue;
            };
            if !is_about_something(customer, happening)
                || is_bought(customer, campaign, happening, world)
            {
                continue;
            }
            let id = JourneyId::of(
                &campaign.name,
                world.customer,
                happening.id.0.as_slice(),
                &key,
            );
            let due = |id: JourneyId| happening.arrival + span.value(&[id.as_bytes()]);
            arm(
                customer,
                campaign,
                index,
                key,
                entry(happening),
                id,
                due,
                world,
                out,
            );
        }
    }
}

/// A campaign that an order ends is not begun by what came before the newest order, by either clock.
fn is_bought(
    customer: &Customer,
    campaign: &Campaign,
    happening: &Happening<'_>,
    world: &World<'_>,
) -> bool {
    let orders = &customer.orders;
    let is_that_order =
        happening.event.order_id.is_some() && happening.event.order_id == orders.last_id;
    let older = orders.last_at.is_some_and(|at| happening.at <= at)
        || orders
            .last_arrived
            .is_some_and(|arrived| happening.arrival <= arrived);
    older
        && !is_that_order
        && world
            .active
            .is_some_and(|bundle| ends_by_order(campaign, bundle))
}

/// Whether an order ends the journeys of a campaign: by its group or by an exit of its own.
pub(crate) fn ends_by_order(campaign: &Campaign, bundle: &winback_campaign::Bundle) -> bool {
    let group = bundle
        .policy
        .groups
        .get(&campaign.group)
        .and_then(Option::as_deref);
    let by_exit = campaign
        .exits
        .iter()
        .any(|exit| exit.converted && exit.pattern.on.iter().any(|on| on == spec::ORDER_COMPLETED));
    group == Some(spec::ORDER_COMPLETED) || by_exit
}

/// A cart event arms only while its cart is there: an order may already have closed it (either clock).
fn is_about_something(customer: &Customer, happening: &Happening<'_>) -> bool {
    match happening.event.name.as_str() {
        "Product Added" | "Cart Updated" => happening
            .event
            .cart_id
            .as_ref()
            .is_some_and(|id| customer.cart(id).is_some()),
        _ => true,
    }
}

/// The key, if the start's condition holds.
fn judge(
    customer: &Customer,
    start: &Start,
    happening: &Happening<'_>,
    world: &World<'_>,
    out: &mut Effects,
) -> Option<String> {
    let bundle = world.active?;
    let facts = Facts {
        policy: &bundle.policy,
        customer,
        journey: None,
        event: Some((happening.event, happening.at, happening.arrival)),
        now: happening.arrival,
    };
    if let Some(when) = &start.when {
        match when.holds(&facts) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(_) => {
                out.count(Count::ConditionFailed);
                return None;
            }
        }
    }
    match &start.key {
        None => Some(String::new()),
        Some(key) => key
            .text(&facts)
            .map_err(|_| out.count(Count::ConditionFailed))
            .ok(),
    }
}

fn entry(happening: &Happening<'_>) -> EntryFacts {
    let event = happening.event;
    EntryFacts {
        name: event.name.clone(),
        at: happening.at,
        arrived: happening.arrival,
        cart_id: event.cart_id.clone(),
        order_id: event.order_id.clone(),
        checkout_id: event.checkout_id.clone(),
        product_id: event
            .products
            .first()
            .map(|product| product.product_id.clone()),
        total: event.total,
    }
}

#[allow(
    clippy::too_many_arguments,
    reason = "the parts of a journey, each used once"
)]
fn arm(
    customer: &mut Customer,
    campaign: &Campaign,
    start: usize,
    key: String,
    entry: EntryFacts,
    id: JourneyId,
    due: impl Fn(JourneyId) -> Timestamp,
    world: &World<'_>,
    out: &mut Effects,
) {
    let Some(bundle) = world.active else { return };
    let same = |journey: &&mut Journey| journey.campaign == campaign.name && journey.key == key;
    if let Some(journey) = customer.journeys.iter_mut().find(same) {
        if journey.station == Station::Armed {
            journey.due = journey.due.max(due(journey.id));
        }
        if journey.first_message_at.is_none() {
            journey.entry = entry;
        }
        return;
    }
    if campaign.mode == Mode::Paused {
        return;
    }
    if !reentry_allows(
        customer,
        &campaign.name,
        campaign.starts[start].reentry,
        due(id),
    ) {
        out.count(Count::Reentry);
        return;
    }
    if customer.journeys.len() >= limit::JOURNEYS {
        out.count(Count::Truncated);
        return;
    }
    customer.journeys.push(Journey {
        id,
        campaign: campaign.name.clone(),
        bundle: bundle.hash,
        key,
        start: u8::try_from(start).unwrap_or(u8::MAX),
        entry,
        entered_at: None,
        at: 0,
        due: due(id),
        station: Station::Armed,
        hold: None,
        refused: Vec::new(),
        first_message_at: None,
        last_message_at: None,
        attempts: 0,
        messages: Vec::new(),
        offer: None,
        reactions: Reactions::default(),
    });
}

/// Arms, or arms anew, every silence campaign by the last order. What is already past waits for nothing: it is
/// taken in over the campaign's `existing` span, counted from `now`, or left out.
pub fn arm_silence(customer: &mut Customer, now: Timestamp, world: &World<'_>, out: &mut Effects) {
    let (Some(bundle), Some(last)) = (world.active, customer.orders.last_at) else {
        return;
    };
    let occasion = customer.orders.last_id.clone().unwrap_or_default();
    for campaign in bundle.campaigns.values() {
        for (index, start) in campaign.starts.iter().enumerate() {
            let StartKind::Silence { span, .. } = &start.kind else {
                continue;
            };
            let is_old = |journey: &Journey| {
                journey.campaign == campaign.name && journey.station == Station::Armed
            };
            // A newer order is the newer silence: what was armed by an older one is over.
            customer
                .journeys
                .retain(|journey| !is_old(journey) || journey.key == occasion);
            let old = customer
                .journeys
                .iter()
                .find(|j| is_old(j) && j.key == occasion)
                .map(|j| (j.due, j.bundle));
            let about =
                |j: &Journey| j.campaign == campaign.name && j.key == occasion && !is_old(j);
            let done = customer
                .history(&campaign.name)
                .and_then(|history| history.occasion.as_ref())
                == Some(&occasion);
            if done
                || customer.journeys.iter().any(about)
                || old.is_some_and(|(_, version)| version == bundle.hash)
            {
                continue;
            }
            let id = JourneyId::of(
                &campaign.name,
                world.customer,
                spec::ORDER_COMPLETED.as_bytes(),
                &occasion,
            );
            let regular = last + span.value(&[world.customer.as_bytes(), occasion.as_bytes()]);
            let taken_in = campaign.existing.map(|existing| {
                let width = u64::try_from(existing.as_millis()).unwrap_or(0);
                let offset = bucket(
                    "existing",
                    &[world.customer.as_bytes(), campaign.name.as_bytes()],
                    width.max(1),
                );
                now + winback_contract::Span::from_millis(i64::try_from(offset).unwrap_or(0))
            });
            let due = if regular > now {
                Some(regular)
            } else {
                [taken_in, old.map(|(due, _)| due)]
                    .into_iter()
                    .flatten()
                    .min()
            };
            customer.journeys.retain(|journey| !is_old(journey));
            let Some(due) = due else { continue };
            let entry = EntryFacts {
                name: spec::ORDER_COMPLETED.into(),
                at: last,
                arrived: customer.orders.last_arrived.unwrap_or(last),
                order_id: Some(occasion.clone()),
                ..EntryFacts::default()
            };
            arm(
                customer,
                campaign,
                index,
                occasion.clone(),
                entry,
                id,
                |_| due,
                world,
                out,
            );
        }
    }
}
