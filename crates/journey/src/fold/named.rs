//! What an event of one name concerns, looked up once for all that is done with it.
//!
//! A journey of an older bundle goes by the index of its own bundle.

use winback_campaign::{Bundle, Concerns};
use winback_contract::JourneyId;

use crate::customer::Customer;
use crate::state::Journey;
use crate::world::World;

/// See the module.
pub(super) struct Named<'w> {
    /// The name: the event's own, or that of what is derived from it.
    pub(super) name: &'w str,
    active: Option<(&'w Bundle, &'w Concerns)>,
}

impl<'w> Named<'w> {
    pub(super) fn new(name: &'w str, world: &World<'w>) -> Self {
        let active = world.active.map(|bundle| (bundle, bundle.concerns(name)));
        Self { name, active }
    }

    /// The active bundle with what the name concerns there; none before the first activation.
    pub(super) fn active(&self) -> Option<(&'w Bundle, &'w Concerns)> {
        self.active
    }

    /// Journeys that it concerns in one way.
    pub(super) fn journeys(
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
