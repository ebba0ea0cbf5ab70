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
        let Some(index) = scene.place_of(id) else {
            continue;
        };
        let Some(bundle) = scene
            .world
            .bundles
            .get(scene.customer.journeys[index].bundle)
        else {
            continue;
        };
        let Some(campaign) = bundle.campaign(&scene.customer.journeys[index].campaign) else {
            continue;
        };
        for (place, entry) in campaign.entries.iter().enumerate() {
            let place = u16::try_from(place).unwrap_or(u16::MAX);
            match entry {
                Entry::Await { patterns, came, .. } if any(patterns, scene, index, happening) => {
                    let answer = crate::start::arm::entry(happening, campaign);
                    let journey = &mut scene.customer.journeys[index];
                    journey.answers.retain(|(known, _)| *known != place);
                    journey.answers.push((place, answer.clone()));
                    if journey.station == Station::Await && journey.at == place {
                        journey.answer = Some(Box::new(answer));
                        settle(scene, index, *came, happening.arrival);
                        break;
                    }
                }
                Entry::Wait { unless, .. }
                    if scene.customer.journeys[index].first_message_at.is_some()
                        && any(&unless.patterns, scene, index, happening) =>
                {
                    let journey = &mut scene.customer.journeys[index];
                    if !journey.met.contains(&place) {
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

fn any(patterns: &[Pattern], scene: &Scene<'_>, index: usize, happening: &Happening<'_>) -> bool {
    let (customer, world) = (&*scene.customer, scene.world);
    let journey = &customer.journeys[index];
    let mut patterns = patterns.iter();
    patterns.any(|pattern| matches(pattern, customer, journey, happening, world) == Ok(true))
}
