//! When a journey is over by its campaign's `exit.at`, whatever it waits for.

use winback_contract::JourneyId;

use crate::customer::zone;
use crate::facts::Facts;
use crate::moment;
use crate::scene::Scene;

/// When the journey is over, as its campaign says; judged anew whenever what began it is renewed.
pub(crate) fn note_end(scene: &mut Scene<'_>, id: JourneyId) {
    let Scene {
        customer, world, ..
    } = &*scene;
    let Some(journey) = scene.journey(id) else {
        return;
    };
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
    let zone = zone(customer, &bundle.policy);
    let at = moment::at(moment, &facts, &zone, journey.due);
    if let Some(journey) = scene.journey_mut(id) {
        journey.over_at = at;
    }
}
