//! Somebody else ordered and left a number that this person has too: what would go to the number stops, and what is
//! mailed goes on (INV-5).

use winback_contract::{Channel, IdentityKind, spec};

use crate::address::kind_of;
use crate::consent::withdraw;
use crate::customer::Customer;
use crate::incoming::IncomingEvent;
use crate::scene::Scene;
use crate::state::Journey;

/// Another's order reached a number of this person.
pub(crate) fn ordered(scene: &mut Scene<'_>, incoming: &IncomingEvent<'_>) {
    if incoming.event.name != spec::ORDER_COMPLETED {
        return;
    }
    let last = &mut scene.customer.addresses.number_ordered;
    *last = (*last).max(Some(incoming.arrival));
    // A message of a journey that goes on is judged again, and granted anew.
    for channel in Channel::ALL {
        if by_number(channel) {
            withdraw(scene, channel);
        }
    }
}

/// Whether a journey may no longer use a channel, because somebody with the same number has bought since it began. One
/// about an order of one's own is no reminder.
pub(crate) fn is_bought(customer: &Customer, journey: &Journey, channel: Channel) -> bool {
    by_number(channel)
        && journey.entry.order_id.is_none()
        && customer
            .addresses
            .number_ordered
            .is_some_and(|at| at >= journey.entry.arrived)
}

fn by_number(channel: Channel) -> bool {
    kind_of(channel) == Some(IdentityKind::Phone)
}
