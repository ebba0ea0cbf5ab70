//! What ended journeys lately, for those that a handover brings: an event that would have ended them came before they did.
//!
//! Invariants: INV-5 (any event that ends a journey ends it also across a merge), INV-12 (a few names, each event up to a
//! bound). Absent: orders, of which more is kept; see `merge::drop_bought`.

use serde::{Deserialize, Serialize};
use winback_contract::{Event, Timestamp, spec};

use crate::customer::Customer;
use crate::end::{Ending, end_as};
use crate::exit::verdict;
use crate::incoming::IncomingEvent;
use crate::matching::Named;
use crate::scene::Scene;

/// Names of which the newest event is kept.
const NAMES: usize = 8;
/// Most of an event that is kept, in bytes of JSON: what a condition of an exit asks for. A larger one keeps its name,
/// its cart and its order.
const BYTES: usize = 1_024;

/// The newest event of a name that ends journeys, of each cart.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EndingEvent {
    /// Its name, or that of what was derived from it.
    pub name: String,
    /// About which cart.
    pub cart: Option<String>,
    /// Event time.
    pub at: Timestamp,
    /// Arrival.
    pub arrived: Timestamp,
    /// The event as JSON.
    pub event: String,
}

/// Keeps a live event whose name ends journeys of the active bundle.
pub(crate) fn keep(customer: &mut Customer, incoming: &IncomingEvent<'_>, named: &Named<'_>) {
    let ends = named
        .active()
        .is_some_and(|(_, concerns)| concerns.ends_any());
    if !incoming.live || !ends || named.name == spec::ORDER_COMPLETED {
        return;
    }
    let mut event = serde_json::to_string(incoming.event).unwrap_or_default();
    if event.len() > BYTES {
        let told = incoming.event;
        let short = Event {
            name: told.name.clone(),
            cart_id: told.cart_id.clone(),
            order_id: told.order_id.clone(),
            ..Event::default()
        };
        event = serde_json::to_string(&short).unwrap_or_default();
    }
    let told = EndingEvent {
        name: named.name.to_owned(),
        cart: incoming.event.cart_id.clone(),
        at: incoming.at,
        arrived: incoming.arrival,
        event,
    };
    put(&mut customer.told, told);
}

/// The newest of each name stays; the oldest name gives way.
fn put(kept: &mut Vec<EndingEvent>, told: EndingEvent) {
    let is_same = |known: &&EndingEvent| (&known.name, &known.cart) == (&told.name, &told.cart);
    if let Some(known) = kept.iter().find(is_same)
        && known.arrived > told.arrived
    {
        return;
    }
    kept.retain(|known| (&known.name, &known.cart) != (&told.name, &told.cart));
    kept.push(told);
    kept.sort_by(|one, other| (one.arrived, &one.name).cmp(&(other.arrived, &other.name)));
    if kept.len() > NAMES {
        kept.remove(0);
    }
}

/// Joins what another profile was told, and judges all journeys by it: they may have come together only now.
pub(crate) fn join(scene: &mut Scene<'_>, other: &[EndingEvent], arrival: Timestamp) {
    for told in other {
        put(&mut scene.customer.told, told.clone());
    }
    for told in scene.customer.told.clone() {
        let Ok(event) = serde_json::from_str::<Event>(&told.event) else {
            continue;
        };
        let incoming = IncomingEvent {
            event: &event,
            name: &told.name,
            at: told.at,
            arrival: told.arrived,
            live: true,
            id: winback_contract::EventId([0; 16]),
            fresh: false,
        };
        let mut index = 0;
        while let Some(journey) = scene.customer.journeys.get(index) {
            let id = journey.id;
            // What began it is not what ends it.
            let entry = &journey.entry;
            if (entry.name.as_str(), entry.at, entry.arrived)
                == (told.name.as_str(), told.at, told.arrived)
            {
                index += 1;
                continue;
            }
            let Some(outcome) = verdict(scene, id, &incoming) else {
                index += 1;
                continue;
            };
            let ending = Ending {
                outcome,
                name: None,
                order_id: event.order_id.as_deref(),
            };
            end_as(scene, id, ending, arrival);
        }
    }
}
