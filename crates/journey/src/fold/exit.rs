//! Exits: a purchase, or whatever the campaign names, ends journeys at once and takes back permissions (INV-5).

use winback_campaign::model::Pattern;
use winback_contract::{Reason, Transition};

use super::Happening;
use crate::advance::end;
use crate::customer::Customer;
use crate::effects::{Count, Effects};
use crate::facts::Facts;
use crate::state::{Journey, Station};
use crate::world::World;

/// Ends the journeys that an event of this name ends. `name` differs from the event's own for derived events.
pub(super) fn fold(
    customer: &mut Customer,
    happening: &Happening<'_>,
    name: &str,
    world: &World<'_>,
    out: &mut Effects,
) {
    goals(customer, happening, name, world, out);
    let mut index = 0;
    while index < customer.journeys.len() {
        match verdict(
            customer,
            &customer.journeys[index],
            happening,
            name,
            world,
            out,
        ) {
            Some(outcome) => end(customer, index, outcome, happening.arrival, world, out),
            None => index += 1,
        }
    }
}

fn verdict(
    customer: &Customer,
    journey: &Journey,
    happening: &Happening<'_>,
    name: &str,
    world: &World<'_>,
    out: &mut Effects,
) -> Option<Reason> {
    let bundle = world.bundles.get(journey.bundle)?;
    let campaign = bundle.campaign(&journey.campaign)?;
    // Silence is measured by the order itself: an armed one is armed anew, not ended.
    let silent = journey.station == Station::Armed
        && matches!(
            campaign
                .starts
                .get(usize::from(journey.start))
                .map(|start| &start.kind),
            Some(winback_campaign::StartKind::Silence { .. })
        );
    if silent {
        return None;
    }
    // What is older than the journey by both clocks can't be its end.
    if happening.at < journey.entry.at && happening.arrival < journey.entry.arrived {
        return None;
    }
    // What a cart event ends concerns its own cart, if the journey is about one.
    let event_cart = happening.event.cart_id.as_ref();
    let other_cart = name == winback_contract::spec::CART_EMPTIED
        && journey.entry.cart_id.is_some()
        && journey.entry.cart_id.as_ref() != event_cart;
    if other_cart {
        return None;
    }
    let group_event = bundle
        .policy
        .groups
        .get(&campaign.group)
        .and_then(Option::as_deref);
    let began_it = journey.entry.name == name
        && journey.entry.order_id.is_some()
        && journey.entry.order_id == happening.event.order_id;
    if began_it {
        return None;
    }
    if group_event == Some(name) {
        return Some(Reason::Converted);
    }
    for exit in &campaign.exits {
        match matches(&exit.pattern, customer, journey, happening, name, bundle) {
            Ok(true) => {
                return Some(if exit.converted {
                    Reason::Converted
                } else {
                    Reason::Cancelled
                });
            }
            Ok(false) => {}
            Err(()) => {
                // An error never sends: a failed exit condition ends the journey as cancelled.
                out.count(Count::ConditionFailed);
                return Some(Reason::Cancelled);
            }
        }
    }
    None
}

fn matches(
    pattern: &Pattern,
    customer: &Customer,
    journey: &Journey,
    happening: &Happening<'_>,
    name: &str,
    bundle: &winback_campaign::Bundle,
) -> Result<bool, ()> {
    if !pattern.on.iter().any(|on| on == name) {
        return Ok(false);
    }
    let Some(condition) = &pattern.when else {
        return Ok(true);
    };
    let facts = Facts {
        policy: &bundle.policy,
        customer,
        journey: Some(journey),
        event: Some((happening.event, happening.at, happening.arrival)),
        now: happening.arrival,
    };
    condition.holds(&facts).map_err(|_| ())
}

/// A conversion within the window after a journey's end still counts for it.
fn goals(
    customer: &mut Customer,
    happening: &Happening<'_>,
    name: &str,
    world: &World<'_>,
    out: &mut Effects,
) {
    if name != winback_contract::spec::ORDER_COMPLETED || !happening.live {
        return;
    }
    let Some(active) = world.active else { return };
    for history in &mut customer.history {
        let Some((journey, _)) = history
            .goal
            .take_if(|(_, until)| *until >= happening.arrival)
        else {
            continue;
        };
        out.journeys.push(winback_contract::JourneyRecord {
            v: winback_contract::JourneyRecord::VERSION,
            journey,
            customer: world.customer,
            campaign: history.campaign.clone(),
            bundle: active.hash,
            at: happening.arrival,
            transition: Transition::Goal,
            input: None,
        });
    }
}
