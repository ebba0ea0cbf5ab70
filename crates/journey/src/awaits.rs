//! Events that running journeys listen for: what an `await` waits for, and what a wait's `unless` names.

use winback_campaign::Concerns;
use winback_campaign::model::{Entry, Pattern};

use crate::customer::Customer;
use crate::effects::Count;
use crate::incoming::IncomingEvent;
use crate::matching::{Named, matches};
use crate::program::settle;
use crate::reacted::excuse;
use crate::scene::Scene;
use crate::state::{Journey, Stage};
use crate::world::World;

/// Remembers what came, and lets those go on that waited for it.
pub(crate) fn fold(scene: &mut Scene<'_>, incoming: &IncomingEvent<'_>, named: &Named<'_>) {
    let incoming = &incoming.named(named.name);
    for id in named.journeys(scene.customer, scene.world, Concerns::listens) {
        let world = scene.world;
        let campaign = scene
            .journey(id)
            .and_then(|journey| world.bundles.campaign(journey.bundle, &journey.campaign));
        let Some(campaign) = campaign else { continue };
        for (entry_index, entry) in campaign.entries.iter().enumerate() {
            let entry_index = u16::try_from(entry_index).unwrap_or(u16::MAX);
            let Some(journey) = scene.journey(id) else {
                break;
            };
            let has_begun = journey.first_message_at.is_some();
            let ask =
                |patterns: &[Pattern]| ask(patterns, scene.customer, journey, incoming, world);
            let (asked, came) = match entry {
                Entry::Await { patterns, came, .. } => (ask(patterns), Some(*came)),
                Entry::Wait { unless, .. } if has_begun => (ask(&unless.patterns), None),
                Entry::Step(_)
                | Entry::Wait { .. }
                | Entry::If { .. }
                | Entry::Split { .. }
                | Entry::Jump(_)
                | Entry::End(_) => continue,
            };
            if asked == Asked::Unclear {
                scene.out.count(Count::ConditionFailed);
            }
            match came {
                Some(came) if asked == Asked::Yes => {
                    let answer = crate::start::arm::entry(incoming, campaign);
                    let Some(journey) = scene.journey_mut(id) else {
                        break;
                    };
                    journey.answers.retain(|(known, _)| *known != entry_index);
                    journey.answers.push((entry_index, answer.clone()));
                    if journey.station == Stage::Await && journey.at == entry_index {
                        journey.answer = Some(Box::new(answer));
                        settle(scene, id, came, incoming.arrival);
                        break;
                    }
                }
                // An error never sends: what can't be judged excuses from what follows.
                None if asked != Asked::No => {
                    if let Some(journey) = scene.journey_mut(id)
                        && !journey.met.contains(&entry_index)
                    {
                        journey.met.push(entry_index);
                    }
                }
                Some(_) | None => {}
            }
        }
    }
    excuse(scene, incoming.arrival);
}

/// What an event says to a list of patterns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    Yes,
    No,
    /// None fits, and a condition of one could not be judged.
    Unclear,
}

fn ask(
    patterns: &[Pattern],
    customer: &Customer,
    journey: &Journey,
    incoming: &IncomingEvent<'_>,
    world: &World<'_>,
) -> Asked {
    let mut asked = Asked::No;
    for pattern in patterns {
        match matches(pattern, customer, journey, incoming, world) {
            Ok(true) => return Asked::Yes,
            Ok(false) => {}
            Err(()) => asked = Asked::Unclear,
        }
    }
    asked
}
