//! One customer, one moment, and what leaves them: what everything in the core is given.
//!
//! Invariant: INV-10. A scene is made for one input, lives as long as it is applied, and holds neither clock nor chance. Absent:
//! rules; they are functions of a scene in the files beside this one.

use winback_contract::JourneyId;

use crate::customer::Customer;
use crate::effects::Effects;
use crate::state::Journey;
use crate::world::World;

/// See the module.
pub(crate) struct Scene<'a> {
    /// Whose state it is.
    pub(crate) customer: &'a mut Customer,
    /// Everything that is not the customer's.
    pub(crate) world: &'a World<'a>,
    /// What is to be done about it.
    pub(crate) out: Effects,
}

impl<'a> Scene<'a> {
    /// Plays what an input means; what comes of it besides the new state.
    pub(crate) fn play(
        customer: &'a mut Customer,
        world: &'a World<'a>,
        input: impl FnOnce(&mut Self),
    ) -> Effects {
        let mut scene = Self {
            customer,
            world,
            out: Effects::default(),
        };
        input(&mut scene);
        scene.out
    }

    /// Where a journey stands among the customer's, if it still runs.
    pub(crate) fn index_of(&self, id: JourneyId) -> Option<usize> {
        let mut journeys = self.customer.journeys.iter();
        journeys.position(|journey| journey.id == id)
    }

    /// A journey, if it still runs: one call may have ended what the next one asks for.
    pub(crate) fn journey(&self, id: JourneyId) -> Option<&Journey> {
        let mut journeys = self.customer.journeys.iter();
        journeys.find(|journey| journey.id == id)
    }

    /// The same, to change it.
    pub(crate) fn journey_mut(&mut self, id: JourneyId) -> Option<&mut Journey> {
        let mut journeys = self.customer.journeys.iter_mut();
        journeys.find(|journey| journey.id == id)
    }
}
