//! What reaches a customer without being an input of its own: a new bundle, news of a product, an announcement, a day.
//!
//! Invariant: INV-10. As with an event, a decision, an outcome and time (`input`, `book`, `outcome`, `tick`), a state goes in
//! and effects come out. Absent: who is reached; sweeps of the service say so.

use jiff::civil::Date;
use winback_campaign::Campaign;
use winback_contract::{Announcement, Timestamp};

use crate::customer::Customer;
use crate::effects::Effects;
use crate::scene::Scene;
use crate::start::everybody;
use crate::start::product::{self, PendingProductChange};
use crate::world::World;

/// The active bundle is applied to an existing customer, once.
pub fn activate(customer: &mut Customer, now: Timestamp, world: &World<'_>) -> Effects {
    Scene::play(customer, world, |scene| {
        crate::activate::activate(scene, now);
    })
}

/// News of a product comes to a customer.
pub fn hear(
    customer: &mut Customer,
    told: &PendingProductChange,
    now: Timestamp,
    world: &World<'_>,
) -> Effects {
    Scene::play(customer, world, |scene| product::hear(scene, told, now))
}

/// An announcement comes to a customer, for all that waits for it.
pub fn announce(customer: &mut Customer, news: &Announcement, world: &World<'_>) -> Effects {
    let campaigns = world
        .active
        .into_iter()
        .flat_map(|bundle| bundle.campaigns.values());
    Scene::play(customer, world, |scene| {
        for campaign in campaigns {
            for (start, rules) in campaign.starts.iter().enumerate() {
                if rules
                    .kind
                    .answers()
                    .announcements
                    .contains(&news.event.name)
                {
                    everybody::announce(scene, campaign, start, news);
                }
            }
        }
    })
}

/// The same for one start of a campaign.
pub fn announce_for(
    customer: &mut Customer,
    (campaign, start): (&Campaign, usize),
    news: &Announcement,
    world: &World<'_>,
) -> Effects {
    Scene::play(customer, world, |scene| {
        everybody::announce(scene, campaign, start, news);
    })
}

/// A day of the shop's calendar comes to a customer, for one start of a campaign.
pub fn call_out(
    customer: &mut Customer,
    (campaign, start): (&Campaign, usize),
    day: Date,
    now: Timestamp,
    world: &World<'_>,
) -> Effects {
    Scene::play(customer, world, |scene| {
        everybody::call_out(scene, campaign, start, day, now);
    })
}
