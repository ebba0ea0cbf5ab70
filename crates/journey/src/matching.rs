//! Which journeys an event concerns, and whether a pattern of a campaign matches it.
//!
//! A journey of an older bundle goes by the index of its own bundle.

use winback_campaign::model::Pattern;
use winback_campaign::{Bundle, Concerns};
use winback_contract::JourneyId;

use crate::customer::Customer;
use crate::facts::Facts;
use crate::incoming::IncomingEvent;
use crate::state::Journey;
use crate::world::World;

/// See the module.
pub(crate) struct Named<'w> {
    /// The name: the event's own, or that of what is derived from it.
    pub(crate) name: &'w str,
    active: Option<(&'w Bundle, &'w Concerns)>,
}

impl<'w> Named<'w> {
    pub(crate) fn new(name: &'w str, world: &World<'w>) -> Self {
        let active = world.active.map(|bundle| (bundle, bundle.concerns(name)));
        Self { name, active }
    }

    /// The active bundle with what the name concerns there; none before the first activation.
    pub(crate) fn active(&self) -> Option<(&'w Bundle, &'w Concerns)> {
        self.active
    }

    /// Journeys that it concerns in one way.
    pub(crate) fn journeys(
        &self,
        customer: &Customer,
        world: &World<'_>,
        way: impl Fn(&Concerns, &str) -> bool,
    ) -> Vec<JourneyId> {
        let is_concerned = |journey: &&Journey| match self.active {
            Some((bundle, concerns)) if bundle.hash == journey.bundle => {
                way(concerns, &journey.campaign)
            }
            _ => world
                .bundle(journey.bundle)
                .is_some_and(|bundle| way(bundle.concerns(self.name), &journey.campaign)),
        };
        let concerned = customer.journeys.iter().filter(is_concerned);
        concerned.map(|journey| journey.id).collect()
    }
}

/// Whether an event matches a pattern for a journey; an error when its condition can't be judged.
pub(crate) fn matches(
    pattern: &Pattern,
    customer: &Customer,
    journey: &Journey,
    incoming: &IncomingEvent<'_>,
    world: &World<'_>,
) -> Result<bool, ()> {
    if !pattern.on.iter().any(|on| on == incoming.name) {
        return Ok(false);
    }
    let Some(condition) = &pattern.when else {
        return Ok(true);
    };
    let bundle = world.bundle(journey.bundle).ok_or(())?;
    let facts = Facts {
        journey: Some(journey),
        event: Some((incoming.event, incoming.at, incoming.arrival)),
        ..world.facts(&bundle.policy, customer, incoming.arrival)
    };
    condition.holds(&facts).map_err(|_| ())
}
