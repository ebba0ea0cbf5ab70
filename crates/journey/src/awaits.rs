//! Events that running journeys listen for: what an `await` waits for, and what a wait's `unless` names.

use winback_campaign::Concerns;
use winback_campaign::model::{Entry, Pattern};

use crate::customer::Customer;
use crate::effects::Effects;
use crate::happening::Happening;
use crate::matching::{Named, matches};
use crate::program::settle;
use crate::reacted::excuse;
use crate::state::Station;
use crate::world::World;

/// Remembers what came, and lets those go on that waited for it.
pub(crate) fn fold(
    customer: &mut Customer,
    happening: &Happening<'_>,
    named: &Named<'_>,
    world: &World<'_>,
    out: &mut Effects,
) {
    let name = named.name;
    for id in named.journeys(customer, world, Concerns::listens) {
        let Some(index) = customer
            .journeys
            .iter()
            .position(|journey| journey.id == id)
        else {
            continue;
        };
        let Some(bundle) = world.bundles.get(customer.journeys[index].bundle) else {
            continue;
        };
        let Some(campaign) = bundle.campaign(&customer.journeys[index].campaign) else {
            continue;
        };
        for (place, entry) in campaign.entries.iter().enumerate() {
            let place = u16::try_from(place).unwrap_or(u16::MAX);
            match entry {
                Entry::Await { patterns, came, .. }
                    if any(patterns, customer, index, happening, name, bundle, world) =>
                {
                    let answer = crate::start::arm::entry(happening, campaign);
                    let journey = &mut customer.journeys[index];
                    journey.answers.retain(|(known, _)| *known != place);
                    journey.answers.push((place, answer.clone()));
                    if journey.station == Station::Await && journey.at == place {
                        journey.answer = Some(Box::new(answer));
                        settle(customer, index, *came, happening.arrival, world, out);
                        break;
                    }
                }
                Entry::Wait { unless, .. }
                    if customer.journeys[index].first_message_at.is_some()
                        && any(
                            &unless.patterns,
                            customer,
                            index,
                            happening,
                            name,
                            bundle,
                            world,
                        ) =>
                {
                    let journey = &mut customer.journeys[index];
                    if !journey.met.contains(&place) {
                        journey.met.push(place);
                    }
                }
                _ => {}
            }
        }
    }
    excuse(customer, happening.arrival, world, out);
}

fn any(
    patterns: &[Pattern],
    customer: &Customer,
    index: usize,
    happening: &Happening<'_>,
    name: &str,
    bundle: &winback_campaign::Bundle,
    world: &World<'_>,
) -> bool {
    let journey = &customer.journeys[index];
    patterns.iter().any(|pattern| {
        matches(pattern, customer, journey, happening, name, bundle, world) == Ok(true)
    })
}
