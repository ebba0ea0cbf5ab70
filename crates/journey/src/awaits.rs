//! Events that running journeys listen for: what an `await` waits for, and what a wait's `unless` names.

use winback_campaign::Concerns;
use winback_campaign::model::{Entry, Pattern};

use crate::happening::Happening;
use crate::matching::{Named, matches};
use crate::program::settle;
use crate::reacted::excuse;
use crate::scene::Scene;
use crate::state::Station;

/// Remembers what came, and lets those go on that waited for it.
pub(crate) fn fold(scene: &mut Scene<'_>, happening: &Happening<'_>, named: &Named<'_>) {
    let happening = &happening.named(named.name);
    for id in named.journeys(scene.customer, scene.world, Concerns::listens) {
        let world = scene.world;
        let campaign = scene
            .journey(id)
            .and_then(|journey| world.bundles.campaign(journey.bundle, &journey.campaign));
        let Some(campaign) = campaign else { continue };
        for (place, entry) in campaign.entries.iter().enumerate() {
            let place = u16::try_from(place).unwrap_or(u16::MAX);
            let Some(journey) = scene.journey(id) else {
                break;
            };
            let customer = &*scene.customer;
            let any = |patterns: &[Pattern]| {
                let mut patterns = patterns.iter();
                patterns.any(|one| matches(one, customer, journey, happening, world) == Ok(true))
            };
            match entry {
                Entry::Await { patterns, came, .. } if any(patterns) => {
                    let answer = crate::start::arm::entry(happening, campaign);
                    let Some(journey) = scene.journey_mut(id) else {
                        break;
                    };
                    journey.answers.retain(|(known, _)| *known != place);
                    journey.answers.push((place, answer.clone()));
                    if journey.station == Station::Await && journey.at == place {
                        journey.answer = Some(Box::new(answer));
                        settle(scene, id, *came, happening.arrival);
                        break;
                    }
                }
                Entry::Wait { unless, .. }
                    if journey.first_message_at.is_some() && any(&unless.patterns) =>
                {
                    if let Some(journey) = scene.journey_mut(id)
                        && !journey.met.contains(&place)
                    {
                        journey.met.push(place);
                    }
                }
                Entry::Step(_)
                | Entry::Wait { .. }
                | Entry::Await { .. }
                | Entry::If { .. }
                | Entry::Split { .. }
                | Entry::Jump(_)
                | Entry::End(_) => {}
            }
        }
    }
    excuse(scene, happening.arrival);
}
