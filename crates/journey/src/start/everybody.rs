//! What comes to everybody: days of the shop's calendar and announcements.

use jiff::civil::Date;
use winback_campaign::calendar;
use winback_campaign::model::Campaign;
use winback_contract::{Announcement, JourneyId, Timestamp};

use crate::customer::{Customer, zone};
use crate::facts::Facts;
use crate::incoming::IncomingEvent;
use crate::scene::Scene;
use crate::start::arm::{Arming, arm, entry, spread};
use crate::start::date::set_date;
use crate::state::{EntryFacts, Journey};
use crate::world::World;

/// A day of the shop's calendar comes to this customer.
pub(crate) fn call_out(
    scene: &mut Scene<'_>,
    campaign: &Campaign,
    start: usize,
    day: Date,
    now: Timestamp,
) {
    let Some(bundle) = scene.world.active else {
        return;
    };
    let zone = zone(scene.customer, &bundle.policy);
    let at = calendar::start_of(day, &zone);
    let key = day.to_string();
    if !may_fit(scene.customer, campaign, now, scene.world) || has(scene.customer, campaign, &key) {
        return;
    }
    let mut entry = EntryFacts {
        name: "Schedule".into(),
        at: now,
        arrived: now,
        ..EntryFacts::default()
    };
    set_date(&mut entry, at);
    let due = at + spread(campaign.starts[start].spread, &campaign.name, scene.world);
    let id = JourneyId::of(&campaign.name, scene.world.customer, b"schedule", &key);
    let arming = Arming {
        campaign,
        start,
        key,
        entry,
        id,
        due,
    };
    arm(scene, arming);
}

/// An announcement comes to this customer.
pub(crate) fn announce(
    scene: &mut Scene<'_>,
    campaign: &Campaign,
    start: usize,
    news: &Announcement,
) {
    let incoming = IncomingEvent {
        event: &news.event,
        name: &news.event.name,
        at: news.at,
        arrival: news.at,
        live: true,
        id: news.id,
        fresh: true,
    };
    let key = news.id.to_string();
    let rules = &campaign.starts[start];
    let fits = crate::start::arm::judge(scene, (campaign, rules), &incoming).is_some();
    if !fits
        || !may_fit(scene.customer, campaign, news.at, scene.world)
        || has(scene.customer, campaign, &key)
    {
        return;
    }
    let due = news.at + spread(rules.spread, &campaign.name, scene.world);
    let id = JourneyId::of(&campaign.name, scene.world.customer, &news.id.0, &key);
    let arming = Arming {
        campaign,
        start,
        key,
        entry: entry(&incoming, campaign),
        id,
        due,
    };
    arm(scene, arming);
}

fn has(customer: &Customer, campaign: &Campaign, key: &str) -> bool {
    let running = |journey: &Journey| journey.campaign == campaign.name && journey.key == key;
    customer.journeys.iter().any(running)
        || customer
            .history(&campaign.name)
            .and_then(|history| history.occasion.as_deref())
            == Some(key)
}

/// Whoever does not fit when everybody is looked at is left out at once: most customers never get a journey of it.
fn may_fit(customer: &Customer, campaign: &Campaign, now: Timestamp, world: &World<'_>) -> bool {
    let Some(bundle) = world.active else {
        return false;
    };
    let reachable = customer.profile.is_known()
        || customer.profile.push_token.is_some()
        || customer.profile.telegram_id.is_some();
    let facts = Facts {
        topic: Some(&campaign.topic),
        ..world.facts(&bundle.policy, customer, now)
    };
    reachable
        && customer.forward.is_none()
        && campaign
            .audience
            .as_ref()
            .is_none_or(|audience| audience.holds(&facts).unwrap_or(true))
}
