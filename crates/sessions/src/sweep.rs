//! Jobs that look at every customer of a partition, a slice at a time behind live input: a new bundle, an
//! announcement, a day of the shop's calendar. Their list and the cursor lie in the meta (INV-2).

use jiff::civil::Date;
use jiff::tz::TimeZone;
use winback_campaign::Bundle;
use winback_campaign::calendar;
use winback_contract::{Announcement, Span, Timestamp};
use winback_journey::start::product::PendingProductChange;
use winback_journey::{Customer, Effects, World, doors};
use winback_store::PartitionMeta;

/// Most jobs that wait when a day of the calendar joins them (INV-12). The others are few: announcements of one name
/// replace each other, so do activations, and all news of goods is one job.
const JOBS: usize = 64;
/// The job of all news of goods: products are taken one by one.
const GOODS: &str = "goods:";
/// Most products of which news waits to be told (INV-12).
const UNTOLD: usize = 1_000;
/// A day is called out so long before it begins in UTC: it begins up to fourteen hours earlier in the far east.
const LEAD: Span = Span::from_hours(16);
/// Days that were missed, or for which there was no room, are called out so far back; what is older has expired.
const BACK: i8 = 2;

/// One job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Job {
    /// The active bundle reaches existing customers.
    Activate,
    /// An announcement of this name.
    News(String),
    /// News of a product, for those who wait for it.
    Goods(String),
    /// A day of the calendar: campaign, index of its start, day.
    Day(String, usize, Date),
}

impl Job {
    fn parse(text: &str) -> Option<Self> {
        if let Some(product) = text.strip_prefix(GOODS) {
            return Some(Self::Goods(product.to_owned()));
        }
        let mut parts = text.splitn(4, ':');
        match (parts.next()?, parts.next(), parts.next(), parts.next()) {
            ("activate", None, ..) => Some(Self::Activate),
            ("news", Some(name), None, None) => Some(Self::News(name.to_owned())),
            ("day", Some(campaign), Some(start), Some(day)) => {
                let (start, day) = (start.parse().ok()?, day.parse().ok()?);
                Some(Self::Day(campaign.to_owned(), start, day))
            }
            _ => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Activate => "activate".into(),
            Self::Goods(product) => format!("{GOODS}{product}"),
            Self::News(name) => format!("news:{name}"),
            Self::Day(campaign, start, day) => format!("day:{campaign}:{start}:{day}"),
        }
    }

    /// Does the job for one customer.
    pub(crate) fn run(
        &self,
        customer: &mut Customer,
        now: Timestamp,
        world: &World<'_>,
        told: Option<&PendingProductChange>,
    ) -> Effects {
        let mut effects = Effects::default();
        match self {
            Self::Goods(_) => {
                if let Some(told) = told {
                    effects = doors::hear(customer, told, now, world);
                }
            }
            Self::Activate => effects = doors::activate(customer, now, world),
            Self::News(name) => {
                let news = world.news.iter().find(|news| news.event.name == *name);
                if let Some(news) = news {
                    effects = doors::announce(customer, news, world);
                }
            }
            Self::Day(name, start, day) => {
                let campaign = world.active.and_then(|bundle| bundle.campaign(name));
                if let Some(campaign) = campaign.filter(|campaign| campaign.starts.len() > *start) {
                    effects = doors::call_out(customer, (campaign, *start), *day, now, world);
                }
            }
        }
        effects
    }
}

/// The jobs of a meta, the running one first; what a newer release put there is nothing here.
fn jobs(meta: &PartitionMeta) -> impl Iterator<Item = Option<Job>> {
    meta.jobs.iter().map(|text| Job::parse(text))
}

/// A new bundle is for everybody: whoever was reached by the one before is reached again. True when that ended the sweep
/// that ran.
pub(crate) fn begin_activation(meta: &mut PartitionMeta) -> bool {
    let ran = running(meta) == Some(Job::Activate);
    meta.jobs
        .retain(|text| Job::parse(text) != Some(Job::Activate));
    if ran {
        // What is next begins at the beginning.
        meta.sweep = (!meta.jobs.is_empty()).then(String::new);
    }
    add(meta, &Job::Activate);
    ran
}

/// The days that were called out on a copy of this meta join what has come since.
pub(crate) fn join_called(meta: &mut PartitionMeta, called: PartitionMeta) {
    for job in jobs(&called).flatten() {
        if matches!(job, Job::Day(..)) && !jobs(meta).any(|known| known.as_ref() == Some(&job)) {
            add(meta, &job);
        }
    }
    meta.called = called.called;
}

/// Puts a job behind those that wait; one that waits already is not put twice.
pub(crate) fn add(meta: &mut PartitionMeta, job: &Job) {
    let text = job.text();
    let waiting = if meta.sweep.is_some() { 1 } else { 0 };
    if meta.jobs.iter().skip(waiting).any(|known| *known == text) {
        return;
    }
    meta.jobs.push(text);
    if meta.sweep.is_none() {
        meta.sweep = Some(String::new());
    }
}

/// The job that runs.
pub(crate) fn running(meta: &PartitionMeta) -> Option<Job> {
    meta.sweep.as_ref()?;
    // A sweep without a name is of an older release: it was an activation.
    meta.jobs
        .first()
        .map_or(Some(Job::Activate), |text| Job::parse(text))
}

/// Keeps news of a product for those who wait for it; what is not yet told of the same product is joined. True when
/// the running sweep begins anew; `None` when too much waits, and it is left out.
pub(crate) fn keep(meta: &mut PartitionMeta, told: &PendingProductChange) -> Option<bool> {
    let id = &told.news.product.product_id;
    let known = told_of(meta, id);
    if known.is_none() && meta.goods.len() >= UNTOLD {
        tracing::error!("too much news of goods waits: the newest is left out");
        return None;
    }
    let joined = match known {
        Some(before) => PendingProductChange {
            news: before.news.then(&told.news),
            ..told.clone()
        },
        None => told.clone(),
    };
    if let Ok(json) = serde_json::to_string(&joined) {
        meta.goods.insert(id.clone(), json);
    }
    if matches!(running(meta), Some(Job::Goods(first)) if first == *id) {
        // Those who were told already hear the newer news too.
        meta.sweep = Some(String::new());
        return Some(true);
    }
    if !jobs(meta).any(|job| matches!(job, Some(Job::Goods(_)))) {
        add(meta, &Job::Goods(id.clone()));
    }
    Some(false)
}

/// What is yet to be told of a product.
pub(crate) fn told_of(meta: &PartitionMeta, product: &str) -> Option<PendingProductChange> {
    serde_json::from_str(meta.goods.get(product)?).ok()
}

/// The running job got on to this cursor; without one it is done, and the next begins.
pub(crate) fn got_on(meta: &mut PartitionMeta, cursor: Option<String>) {
    meta.sweep = cursor;
    let first = jobs(meta).next().flatten();
    if meta.sweep.is_none()
        && let Some(Job::Goods(product)) = first
    {
        meta.goods.remove(&product);
        if let Some(next) = meta.goods.keys().next() {
            // Behind what waits: a feed of prices must not keep an activation from its turn.
            let next = Job::Goods(next.clone()).text();
            meta.jobs.remove(0);
            meta.jobs.push(next);
            meta.sweep = Some(String::new());
        }
    }
    if meta.sweep.is_none() {
        if !meta.jobs.is_empty() {
            meta.jobs.remove(0);
        }
        if !meta.jobs.is_empty() {
            meta.sweep = Some(String::new());
        }
    }
}

fn day_of(at: Timestamp) -> Date {
    calendar::local(at, &TimeZone::UTC).date()
}

fn schedules(
    bundle: &Bundle,
) -> impl Iterator<Item = (String, usize, &winback_campaign::model::Schedule)> {
    bundle.campaigns.iter().flat_map(|(name, campaign)| {
        let starts = campaign.starts.iter().enumerate();
        starts.filter_map(|(index, start)| {
            Some((name.clone(), index, start.kind.answers().schedule?))
        })
    })
}

/// Calls out the days that have come by `now`. True when there were any.
pub(crate) fn call(meta: &mut PartitionMeta, bundle: &Bundle, now: Timestamp) -> bool {
    let today = day_of(now + LEAD);
    let mut any = false;
    for (name, index, schedule) in schedules(bundle) {
        let key = format!("{name}:{index}");
        let called: Option<Date> = meta.called.get(&key).and_then(|day| day.parse().ok());
        let earliest = today
            .checked_sub(jiff::Span::new().days(BACK))
            .unwrap_or(today);
        // A schedule that has just gone live begins today: it does not make up for days before it.
        let mut day = match called {
            None => today,
            Some(called) => called.tomorrow().unwrap_or(called).max(earliest),
        };
        let mut reached = called;
        while day <= today {
            if schedule.falls_on(day) {
                if meta.jobs.len() >= JOBS {
                    // It waits for those before it, and is called out later.
                    reached = day.yesterday().ok();
                    break;
                }
                add(meta, &Job::Day(name.clone(), index, day));
                any = true;
            }
            reached = Some(day);
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
        if let Some(reached) = reached.filter(|reached| called != Some(*reached)) {
            meta.called.insert(key, reached.to_string());
            any = true;
        }
    }
    any
}

/// When the next day has to be called out; `None` without schedules.
pub(crate) fn next_call(meta: &PartitionMeta, bundle: &Bundle) -> Option<Timestamp> {
    schedules(bundle)
        .map(|(name, index, _)| {
            let called: Option<Date> = meta
                .called
                .get(&format!("{name}:{index}"))
                .and_then(|day| day.parse().ok());
            match called {
                // A fixed moment: one that moved with the clock would always be ahead of the frontier.
                Some(called) => {
                    let next = called.tomorrow().unwrap_or(called);
                    calendar::start_of(next, &TimeZone::UTC) + Span::from_millis(-LEAD.as_millis())
                }
                None => Timestamp::default(),
            }
        })
        .min()
}

/// The announcements of a meta.
pub(crate) fn news(meta: &PartitionMeta) -> Vec<Announcement> {
    meta.news
        .values()
        .filter_map(|json| serde_json::from_str(json).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_of_goods_lets_others_have_their_turn() {
        let mut meta = PartitionMeta::default();
        for product in ["a", "b"] {
            meta.goods.insert(product.to_owned(), String::new());
        }
        add(&mut meta, &Job::Goods("a".into()));
        add(&mut meta, &Job::Activate);
        got_on(&mut meta, None);
        assert_eq!(running(&meta), Some(Job::Activate));
        got_on(&mut meta, None);
        assert_eq!(running(&meta), Some(Job::Goods("b".into())));
        got_on(&mut meta, None);
        assert_eq!((running(&meta), meta.goods.len()), (None, 0));
    }

    /// A day for which there is no room is called out when there is: never said to be done (F32).
    #[test]
    fn a_day_without_room_is_called_out_later() {
        let files = crate::service::tests::files(
            "schedule: { every: week, days: [monday, tuesday, wednesday, thursday, friday, saturday, sunday] }",
        );
        let (bundle, _) = Bundle::compile(&files)
            .map_err(|report| report.to_string())
            .unwrap();
        let mut meta = PartitionMeta::default();
        let now = Timestamp::parse("2026-03-01T09:00:00Z").unwrap();
        let day = |meta: &PartitionMeta| {
            let days = jobs(meta).filter(|job| matches!(job, Some(Job::Day(..))));
            days.count()
        };
        for number in 0..JOBS {
            add(&mut meta, &Job::News(number.to_string()));
        }
        call(&mut meta, &bundle, now);
        assert_eq!(day(&meta), 0);
        // An activation is never left out.
        add(&mut meta, &Job::Activate);
        assert_eq!(meta.jobs.len(), JOBS + 1);
        assert!(next_call(&meta, &bundle).is_some_and(|next| next <= now));
        meta.jobs.clear();
        assert!(call(&mut meta, &bundle, now));
        assert_eq!(day(&meta), 1);
        assert!(next_call(&meta, &bundle).is_some_and(|next| next > now));
        assert!(!call(&mut meta, &bundle, now), "it is called out once");
    }
}
