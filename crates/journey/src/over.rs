//! When a journey is over by its campaign's `exit.at`, whatever it waits for.

use crate::customer::{Customer, zone};
use crate::facts::Facts;
use crate::moment;
use crate::world::World;

/// When the journey is over, as its campaign says; judged anew whenever what began it is renewed.
pub(crate) fn note_end(customer: &mut Customer, index: usize, world: &World<'_>) {
    let journey = &customer.journeys[index];
    let Some(bundle) = world.bundles.get(journey.bundle) else {
        return;
    };
    let moment = bundle
        .campaign(&journey.campaign)
        .and_then(|campaign| campaign.over_at.as_ref());
    let Some(moment) = moment else { return };
    let facts = Facts {
        journey: Some(journey),
        ..world.facts(&bundle.policy, customer, journey.due)
    };
    let place = zone(customer, &bundle.policy);
    let at = moment::at(moment, &facts, &place, journey.due);
    customer.journeys[index].over_at = at;
}
