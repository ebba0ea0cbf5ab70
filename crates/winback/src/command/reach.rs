//! Whom a bundle would touch if it were published now: every known customer is shown to it, and nothing is written.
//!
//! The sweep that follows a publication does the same by the same functions (`activate`, `call_out`, `announce`).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use winback_campaign::Bundles;
use winback_campaign::model::{Schedule, StartKind};
use winback_campaign::{Bundle, Campaign, calendar};
use winback_contract::{Announcement, Event, EventId, Partition, PartitionCount, Span, Timestamp};
use winback_journey::{Coupons, Customer, Limits, Sellers, World, decode, doors};
use winback_store::Store;

use crate::error::Error;

/// Customers read at once.
const SLICE: usize = 1_000;

/// What would become of one campaign.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Journeys that run now, by whatever version.
    pub(crate) running: u64,
    /// Of them, those that would end.
    pub(crate) ended: u64,
    /// Journeys that would be armed and are due within a day.
    pub(crate) day: u64,
    /// Within a week.
    pub(crate) week: u64,
    /// Later.
    pub(crate) later: u64,
    /// Customers whom the next day of its calendar would reach, and the day.
    pub(crate) called: Option<(Date, u64)>,
    /// Customers whom an announcement would reach.
    pub(crate) announced: Option<u64>,
    /// Customers who know goods in such a way that news of them may begin a journey.
    pub(crate) watching: Option<u64>,
}

/// What would become of all.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    /// Customers known.
    pub(crate) customers: u64,
    /// By campaign; also of those that the bundle no longer has.
    pub(crate) campaigns: BTreeMap<String, Reach>,
}

/// Shows every customer to the bundle. `known` are the bundles that running journeys began with.
pub(crate) async fn reach(
    store: &dyn Store,
    partitions: PartitionCount,
    known: &Bundles,
    bundle: &Arc<Bundle>,
    (limits, now): (&Limits, Timestamp),
    shop: &str,
) -> Result<Reached, Error> {
    let mut bundles = known.clone();
    bundles.insert(bundle.clone());
    let mut reached = Reached::default();
    for campaign in bundle.campaigns.values() {
        reached
            .campaigns
            .insert(campaign.name.clone(), Reach::default());
    }
    let (sellers, coupons) = (Sellers::default(), Coupons::endless());
    for partition in partitions.all() {
        let mut cursor = Some(String::new());
        while let Some(at) = cursor {
            let (ids, next) = store.roll(partition, &at, SLICE).await?;
            let blobs = store.load(partition, &ids).await?;
            for (id, blob) in ids.into_iter().zip(blobs) {
                let Some(blob) = blob else { continue };
                let customer =
                    decode(&blob).map_err(|error| Error::Environment(error.to_string()))?;
                let world = World {
                    customer: id,
                    partition,
                    bundles: &bundles,
                    active: Some(bundle),
                    limits,
                    news: &[],
                    sellers: &sellers,
                    coupons: &coupons,
                    shop,
                };
                reached.show(&customer, bundle, now, &world);
            }
            cursor = next;
        }
    }
    Ok(reached)
}

impl Reached {
    fn show(&mut self, customer: &Customer, bundle: &Bundle, now: Timestamp, world: &World<'_>) {
        if customer.forward.is_some() {
            return;
        }
        self.customers += 1;
        let mut after = customer.clone();
        doors::activate(&mut after, now, world);
        for journey in &customer.journeys {
            let reach = self.campaigns.entry(journey.campaign.clone()).or_default();
            let stays = after.journeys.iter().any(|other| other.id == journey.id);
            if journey.entered_at.is_some() {
                reach.running += 1;
                reach.ended += u64::from(!stays);
            }
        }
        for journey in &after.journeys {
            if customer.journeys.iter().any(|other| other.id == journey.id) {
                continue;
            }
            let reach = self.campaigns.entry(journey.campaign.clone()).or_default();
            match journey.due.since(now) {
                soon if soon <= Span::from_days(1) => reach.day += 1,
                soon if soon <= Span::from_days(7) => reach.week += 1,
                _ => reach.later += 1,
            }
        }
        for campaign in bundle.campaigns.values() {
            let mut fits = Fits::default();
            for (index, start) in campaign.starts.iter().enumerate() {
                fits.look(&after, (campaign, index), &start.kind, now, world);
            }
            let reach = self.campaigns.entry(campaign.name.clone()).or_default();
            if let Some((day, does)) = fits.called {
                let count = reach.called.map_or(0, |(_, count)| count);
                reach.called = Some((day, count + u64::from(does)));
            }
            for (count, does) in [
                (&mut reach.announced, fits.announced),
                (&mut reach.watching, fits.watching),
            ] {
                if let Some(does) = does {
                    *count.get_or_insert(0) += u64::from(does);
                }
            }
        }
    }
}

/// Whether a customer fits the starts of a campaign that wait for a day, an announcement or news of goods; `None` where
/// it has no such start. Whoever fits two of them is one person.
#[derive(Debug, Default)]
struct Fits {
    called: Option<(Date, bool)>,
    announced: Option<bool>,
    watching: Option<bool>,
}

impl Fits {
    fn look(
        &mut self,
        customer: &Customer,
        (campaign, index): (&Campaign, usize),
        kind: &StartKind,
        now: Timestamp,
        world: &World<'_>,
    ) {
        let before = customer.journeys.len();
        match kind {
            StartKind::Schedule(schedule) => {
                let Some(day) = next(schedule, now) else {
                    return;
                };
                let at = calendar::start_of(day, &TimeZone::UTC).max(now);
                let mut told = customer.clone();
                doors::call_out(&mut told, (campaign, index), day, at, world);
                let does = told.journeys.len() > before;
                let (first, known) = self.called.unwrap_or((day, false));
                self.called = Some((first.min(day), known || does));
            }
            StartKind::Announced { on } => {
                let news = announcement(on.first().map_or("", String::as_str), now);
                let mut told = customer.clone();
                doors::announce_for(&mut told, (campaign, index), &news, world);
                let does = told.journeys.len() > before;
                self.announced = Some(self.announced.unwrap_or(false) || does);
            }
            StartKind::Product { seen, within, .. } => {
                let mut wanted = customer.behaviour.wanted.iter();
                let does =
                    wanted.any(|wanted| seen.contains(&wanted.seen) && wanted.at + *within > now);
                self.watching = Some(self.watching.unwrap_or(false) || does);
            }
            // Begun by what a customer does, or armed by the state: that is counted as running.
            StartKind::After { .. }
            | StartKind::Idle { .. }
            | StartKind::Silence { .. }
            | StartKind::Date { .. }
            | StartKind::Ended { .. } => {}
        }
    }
}

/// The next day a schedule falls on, within a year.
fn next(schedule: &Schedule, now: Timestamp) -> Option<Date> {
    let mut day = calendar::local(now, &TimeZone::UTC).date();
    for _ in 0..366 {
        if schedule.falls_on(day) {
            return Some(day);
        }
        day = day.tomorrow().ok()?;
    }
    None
}

fn announcement(name: &str, now: Timestamp) -> Announcement {
    let event = Event {
        name: name.to_owned(),
        ..Event::default()
    };
    let id = EventId::of_message_id("dry run");
    Announcement { id, at: now, event }
}

/// Bundles that partitions decide by, as the store says.
pub(crate) async fn active(
    store: &dyn Store,
    partitions: PartitionCount,
) -> Result<Vec<(Partition, Option<winback_contract::BundleHash>)>, Error> {
    let all: Vec<Partition> = partitions.all().collect();
    let metas = store.metas(&all).await?;
    let hashes = metas
        .into_iter()
        .map(|meta| meta.and_then(|meta| meta.bundle));
    Ok(all.into_iter().zip(hashes).collect())
}
