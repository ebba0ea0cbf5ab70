//! Exits: a purchase, or whatever the campaign names, ends journeys at once and takes back permissions (INV-5).

use winback_campaign::Concerns;
use winback_campaign::model::Pattern;
use winback_contract::{JourneyId, Reason, Transition, spec};

use crate::effects::Count;
use crate::eligibility::is_measured;
use crate::end::{Ending, end_as};
use crate::facts::Facts;
use crate::incoming::IncomingEvent;
use crate::matching::{Named, matches};
use crate::records::record;
use crate::scene::Scene;
use crate::start::ended::{Ended, after_end};

/// Ends the journeys that an event of this name ends. The name differs from the event's own for derived events.
pub(crate) fn fold(scene: &mut Scene<'_>, incoming: &IncomingEvent<'_>, named: &Named<'_>) {
    let incoming = &incoming.named(named.name);
    goals(scene, incoming);
    // What begins because something ends here is not ended by the same event.
    for id in named.journeys(scene.customer, scene.world, Concerns::ends) {
        if let Some(outcome) = verdict(scene, id, incoming) {
            let ending = Ending {
                outcome,
                name: None,
                order_id: incoming.event.order_id.as_deref(),
            };
            end_as(scene, id, ending, incoming.arrival);
            continue;
        }
        reached(scene, id, incoming);
    }
}

/// A goal that ends nothing: it is recorded once.
fn reached(scene: &mut Scene<'_>, id: JourneyId, incoming: &IncomingEvent<'_>) {
    let Some(journey) = scene.journey(id) else {
        return;
    };
    if journey.goal || journey.first_message_at.is_none() {
        return;
    }
    let Some(bundle) = scene.world.bundles.get(journey.bundle) else {
        return;
    };
    let Some(campaign) = bundle.campaign(&journey.campaign) else {
        return;
    };
    let (customer, world) = (&*scene.customer, scene.world);
    let mut goals = campaign.goals.iter();
    let hit = goals.any(|goal| matches(goal, customer, journey, incoming, world) == Ok(true));
    if hit {
        let goal = record(journey, scene.world, incoming.arrival, Transition::Goal);
        scene.out.journeys.push(goal);
        if let Some(journey) = scene.journey_mut(id) {
            journey.goal = true;
        }
    }
}

pub(crate) fn verdict(
    scene: &mut Scene<'_>,
    id: JourneyId,
    incoming: &IncomingEvent<'_>,
) -> Option<Reason> {
    let (journey, name) = (scene.journey(id)?, incoming.name);
    let bundle = scene.world.bundles.get(journey.bundle)?;
    let campaign = bundle.campaign(&journey.campaign)?;
    // Silence and dates are measured by the state itself: an armed one is armed anew, not ended.
    let silent = is_measured(journey, scene.world);
    if silent {
        return None;
    }
    // What began by this very event is not ended by it under another name.
    if journey.entry.name == spec::JOURNEY_ENDED && journey.entry.arrived == incoming.arrival {
        return None;
    }
    // What is older than the journey by both clocks can't be its end.
    if incoming.at < journey.entry.at && incoming.arrival < journey.entry.arrived {
        return None;
    }
    // What a cart event ends concerns its own cart, if the journey is about one.
    let event_cart = incoming.event.cart_id.as_ref();
    let other_cart = name == spec::CART_EMPTIED
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
    let began_it = (journey.entry.name == name
        || journey.entry.name == spec::JOURNEY_ENDED && name == spec::ORDER_COMPLETED)
        && journey.entry.order_id.is_some()
        && journey.entry.order_id == incoming.event.order_id;
    if began_it {
        return None;
    }
    if group_event == Some(name) {
        return Some(Reason::Converted);
    }
    for exit in &campaign.exits {
        match matches(
            &exit.pattern,
            scene.customer,
            journey,
            incoming,
            scene.world,
        ) {
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
                scene.out.count(Count::ConditionFailed);
                return Some(Reason::Cancelled);
            }
        }
    }
    None
}

/// A conversion within the window after a journey's end still counts for it, and may begin another journey.
fn goals(scene: &mut Scene<'_>, incoming: &IncomingEvent<'_>) {
    if !incoming.live {
        return;
    }
    let Some(active) = scene.world.active else {
        return;
    };
    let mut won = Vec::new();
    for index in 0..scene.customer.history.len() {
        let history = &scene.customer.history[index];
        if history.goal.is_none() || !is_success(scene, &history.campaign, incoming, active) {
            continue;
        }
        let history = &mut scene.customer.history[index];
        let open = history
            .goal
            .take_if(|(_, until)| *until >= incoming.arrival);
        let Some((journey, _)) = open else { continue };
        history.outcome = Some(Reason::Converted.as_str().to_owned());
        history.converted_at = Some(incoming.arrival);
        scene.out.journeys.push(winback_contract::JourneyRecord {
            v: winback_contract::JourneyRecord::VERSION,
            journey,
            customer: scene.world.customer,
            campaign: history.campaign.clone(),
            bundle: active.hash,
            at: incoming.arrival,
            transition: Transition::Goal,
            input: None,
        });
        won.push((journey, history.campaign.clone(), history.cart_id.clone()));
    }
    for (journey, campaign, cart_id) in won {
        let ended = Ended {
            journey,
            campaign: &campaign,
            outcome: Reason::Converted.as_str(),
            order_id: incoming.event.order_id.as_deref(),
            cart_id: cart_id.as_deref(),
            checkout_id: None,
            product_id: None,
            at: incoming.arrival,
        };
        after_end(scene, &ended);
    }
}

/// Whether an event is what a campaign is for. The journey is over: a condition that asks for what only it knew does not
/// hold.
fn is_success(
    scene: &Scene<'_>,
    campaign: &str,
    incoming: &IncomingEvent<'_>,
    active: &winback_campaign::Bundle,
) -> bool {
    let name = incoming.name;
    let Some(campaign) = active.campaign(campaign) else {
        return name == spec::ORDER_COMPLETED;
    };
    let fits = |pattern: &Pattern| {
        if !pattern.on.iter().any(|on| on == name) {
            return false;
        }
        let Some(condition) = &pattern.when else {
            return true;
        };
        let facts = Facts {
            event: Some((incoming.event, incoming.at, incoming.arrival)),
            ..scene
                .world
                .facts(&active.policy, scene.customer, incoming.arrival)
        };
        condition.holds(&facts).unwrap_or(false)
    };
    if !campaign.goals.is_empty() {
        return campaign.goals.iter().any(fits);
    }
    let by_group = active.policy.groups.get(&campaign.group);
    by_group.and_then(Option::as_deref) == Some(name)
        || campaign
            .exits
            .iter()
            .any(|exit| exit.converted && fits(&exit.pattern))
}
