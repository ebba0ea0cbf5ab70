//! Dates of the customer: a birthday, the end of a contract, points that expire.
//!
//! A function of the state and the time, so a sweep and an event find the same journeys (INV-10).

use jiff::civil::Date;
use winback_campaign::model::{Campaign, StartKind};
use winback_campaign::{Bundle, Moment, calendar};
use winback_contract::{JourneyId, Reason, Span, Timestamp};

use crate::customer::zone;
use crate::scene::Scene;
use crate::start::arm::{Arming, arm};
use crate::state::{DATE, EntryFacts, Field, Journey, Stage};

/// Arms, or moves, every campaign that counts to a date of the customer.
pub(crate) fn arm_dates(scene: &mut Scene<'_>, now: Timestamp) {
    let Some(bundle) = scene.world.active else {
        return;
    };
    for (campaign, start) in bundle.dates() {
        arm_one(scene, (bundle, campaign, start), now);
    }
}

fn arm_one(
    scene: &mut Scene<'_>,
    (bundle, campaign, start): (&Bundle, &Campaign, usize),
    now: Timestamp,
) {
    let StartKind::Date {
        moment,
        before,
        yearly,
    } = &campaign.starts[start].kind
    else {
        return;
    };
    let of_start = |journey: &Journey| {
        journey.campaign == campaign.name && usize::from(journey.start) == start
    };
    // What is due already happens: it is not for a new value to take it away.
    let is_armed = |journey: &Journey| {
        of_start(journey) && journey.station == Stage::Armed && journey.due > now
    };
    let zone = zone(scene.customer, &bundle.policy);
    let facts = scene.world.facts(&bundle.policy, scene.customer, now);
    let found = match (moment.moment(&facts).ok(), yearly) {
        (Some(Moment::Day(day)), true) => next_year_day(day, *before, &zone, now),
        (Some(Moment::Day(day)), false) => Some(calendar::start_of(day, &zone)),
        (Some(Moment::At(at)), false) => Some(at),
        (Some(Moment::At(at)), true) => {
            next_year_day(calendar::local(at, &zone).date(), *before, &zone, now)
        }
        (Some(Moment::After(_)) | None, _) => None,
    };
    let Some(at) = found.filter(|at| *at > now) else {
        // The date is gone, or past: what has not begun does not begin.
        scene.customer.journeys.retain(|journey| !is_armed(journey));
        return;
    };
    let key = calendar::local(at, &zone).date().to_string();
    let due = (at + Span::from_millis(-before.as_millis())).max(now);
    // The value moved: what was armed for the old one moves with it.
    let journeys = &mut scene.customer.journeys;
    journeys.retain(|journey| !is_armed(journey) || journey.key == key);
    if !yearly {
        end_stale(scene, of_start, &key, now);
    }
    if moved(scene, of_start, &key, (at, due)) {
        return;
    }
    let history = scene.customer.history(&campaign.name);
    if history.and_then(|history| history.occasion.as_deref()) == Some(key.as_str()) {
        return;
    }
    let mut entry = EntryFacts {
        name: DATE.into(),
        at: now,
        arrived: now,
        ..EntryFacts::default()
    };
    set_date(&mut entry, at);
    scene.customer.dates_armed += 1;
    let number = scene.customer.dates_armed.to_be_bytes();
    let arming = Arming {
        campaign,
        start,
        entry,
        id: JourneyId::of(&campaign.name, scene.world.customer, &number, &key),
        key,
        due,
    };
    arm(scene, arming);
}

/// Whether a journey waits for this date already; what it knows of it, and what it has not begun, follows.
fn moved(
    scene: &mut Scene<'_>,
    of_start: impl Fn(&Journey) -> bool,
    key: &str,
    (at, due): (Timestamp, Timestamp),
) -> bool {
    let mut journeys = scene.customer.journeys.iter_mut();
    let waiting = journeys.find(|journey| of_start(journey) && journey.key == key);
    let Some(journey) = waiting else {
        return false;
    };
    if journey.station == Stage::Armed {
        journey.due = due;
    }
    if journey.first_message_at.is_none() {
        set_date(&mut journey.entry, at);
        let id = journey.id;
        crate::over::note_end(scene, id);
    }
    true
}

/// What has begun and sent nothing speaks of a date that is no more.
fn end_stale(
    scene: &mut Scene<'_>,
    of_start: impl Fn(&Journey) -> bool,
    key: &str,
    now: Timestamp,
) {
    crate::end::end_each(scene, Reason::Cancelled, now, |_, journey| {
        of_start(journey)
            && journey.key != key
            && journey.first_message_at.is_none()
            && !matches!(journey.station, Stage::Armed | Stage::Sending)
    });
}

pub(crate) fn set_date(entry: &mut EntryFacts, at: Timestamp) {
    entry.fields.retain(|(name, _)| name != "date");
    entry.fields.push(("date".into(), Field::Time(at)));
}

/// The next time a day of the year comes, far enough ahead for what goes before it. 29 February is the 28th in other
/// years.
fn next_year_day(
    day: Date,
    before: Span,
    zone: &jiff::tz::TimeZone,
    now: Timestamp,
) -> Option<Timestamp> {
    let this_year = calendar::local(now, zone).date().year();
    for year in this_year..=this_year + 2 {
        let date = Date::new(year, day.month(), day.day())
            .or_else(|_| Date::new(year, day.month(), 28))
            .ok()?;
        let at = calendar::start_of(date, zone);
        if at + Span::from_millis(-before.as_millis()) > now {
            return Some(at);
        }
    }
    None
}
