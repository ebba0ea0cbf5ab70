//! Reactions that excuse a customer from what follows a wait.

use winback_campaign::model::{Entry, Reaction};
use winback_contract::{Reason, Timestamp};

use crate::end::end_each;
use crate::scene::Scene;
use crate::state::{Journey, Stage};
use crate::world::World;

/// Whoever reacts after a wait has ended and before the next step is sent is excused from it all the same.
pub(crate) fn excuse(scene: &mut Scene<'_>, at: Timestamp) {
    end_each(scene, Reason::Reacted, at, |scene, journey| {
        let excuses = |waited| is_excused(journey, waited, scene.world);
        journey.station == Stage::Step && journey.waited.is_some_and(excuses)
    });
}

/// Whether the wait at an entry has been met by a reaction or an event that excuses the customer.
pub(crate) fn is_excused(journey: &Journey, entry: u16, world: &World<'_>) -> bool {
    let of_campaign = world
        .bundles
        .campaign(journey.bundle, &journey.campaign)
        .and_then(|campaign| campaign.entries.get(usize::from(entry)));
    match of_campaign {
        Some(Entry::Wait { unless, .. }) => {
            journey.met.contains(&entry)
                || unless
                    .reactions
                    .iter()
                    .any(|reaction| has(journey, *reaction))
        }
        _ => false,
    }
}

fn has(journey: &Journey, reaction: Reaction) -> bool {
    match reaction {
        Reaction::Delivered => journey.reactions.delivered,
        Reaction::Opened => journey.reactions.opened,
        Reaction::Clicked => journey.reactions.clicked,
        Reaction::Replied => journey.reactions.replied,
        Reaction::Visited => journey.reactions.visited,
    }
}
