//! The cascade as a program: a journey stands at an entry, and goes on until it must wait, send or end.
//!
//! Invariant: INV-10. Branches are judged when they are reached, by the time they are reached at; shares are drawn
//! by hash.

use jiff::tz::TimeZone;
use winback_campaign::model::{Campaign, Delay, Entry, Step};
use winback_campaign::{Bundle, calendar};
use winback_contract::ids::bucket;
use winback_contract::{JourneyId, Reason, Span, Timestamp};

use crate::customer::zone;
use crate::effects::Count;
use crate::end::{Ending, end, end_as};
use crate::facts::Facts;
use crate::moment::at;
use crate::scene::Scene;
use crate::state::{Journey, Stage};

/// Where a journey stands after it has gone on.
enum Stop {
    At(u16, Stage, Timestamp),
    End,
    Named(String),
    Failed,
}

/// Puts a journey on entry `to` at `base`, and lets it go on as far as it can.
pub(crate) fn settle(scene: &mut Scene<'_>, id: JourneyId, to: u16, base: Timestamp) {
    let Some(stop) = run(scene, id, to, base) else {
        return;
    };
    let Some(journey) = scene.journey_mut(id) else {
        return;
    };
    match stop {
        Stop::At(at, station, due) => {
            journey.at = at;
            journey.station = station;
            journey.due = due;
            journey.hold = None;
            journey.refused.clear();
        }
        // Whoever was kept out has not seen it to its end, and is not followed as one who did not react.
        Stop::End | Stop::Named(_) if is_held_out(journey) => {
            end(scene, id, Reason::Holdout, base);
        }
        Stop::End => end(scene, id, Reason::Finished, base),
        Stop::Named(name) => {
            let ending = Ending {
                outcome: Reason::Finished,
                name: Some(&name),
                order_id: None,
            };
            end_as(scene, id, ending, base);
        }
        Stop::Failed => {
            scene.out.count(Count::ConditionFailed);
            end(scene, id, Reason::Error, base);
        }
    }
}

/// What would have been its first message has been counted, and none was booked.
fn is_held_out(journey: &Journey) -> bool {
    journey.first_message_at.is_some() && journey.last_message_at.is_none()
}

/// The branch of a split that a person draws, the same each time, with its place; none for the rest.
fn drawn<'c>(
    scene: &Scene<'_>,
    campaign: &Campaign,
    split: &str,
    branches: &'c [(String, u32, u16)],
) -> Option<(&'c str, u16)> {
    let who = scene.world.customer.as_bytes();
    let parts = [campaign.name.as_bytes(), split.as_bytes(), who];
    let mut drawn = bucket("split", &parts, 10_000);
    for (branch, share, target) in branches {
        let share = u64::from(*share);
        if drawn < share {
            return Some((branch, *target));
        }
        drawn -= share;
    }
    None
}

/// What an entry of the cascade does with a journey that reaches it.
enum Move {
    /// It stays there, or is through.
    Stays(Stop),
    /// It goes on to another entry, reached at a time.
    Goes(u16, Timestamp),
}

/// The way of a journey through its cascade; none where its rules can't be read here.
fn run(scene: &mut Scene<'_>, id: JourneyId, mut to: u16, mut base: Timestamp) -> Option<Stop> {
    let world = scene.world;
    let journey = scene.journey(id)?;
    let bundle = world.bundles.get(journey.bundle)?;
    let campaign = bundle.campaign(&journey.campaign)?;
    // Jumps only go forward: a cascade ends within its own length.
    for _ in 0..=campaign.entries.len() {
        match reach(scene, id, (bundle, campaign), (to, base))? {
            Move::Stays(stop) => return Some(stop),
            Move::Goes(next, at) => (to, base) = (next, at),
        }
    }
    Some(Stop::End)
}

/// A journey reaches entry `to` at `base`.
fn reach(
    scene: &mut Scene<'_>,
    id: JourneyId,
    (bundle, campaign): (&Bundle, &Campaign),
    (to, base): (u16, Timestamp),
) -> Option<Move> {
    let zone = &zone(scene.customer, &bundle.policy);
    let journey = scene.journey(id)?;
    let facts = Facts {
        journey: Some(journey),
        topic: Some(&campaign.topic),
        ..scene.world.facts(&bundle.policy, scene.customer, base)
    };
    let ask = Ask {
        journey,
        entry: to,
        base,
        zone,
        facts: &facts,
    };
    let next = to.saturating_add(1);
    let Some(entry) = campaign.entries.get(usize::from(to)) else {
        return Some(Move::Stays(Stop::End));
    };
    let to = match entry {
        Entry::Step(step) => {
            let at = clock(campaign, step, journey);
            let due = at.map_or(base, |at| calendar::next_local(at, zone, base));
            return Some(Move::Stays(Stop::At(to, Stage::Step, due)));
        }
        Entry::Wait { delay, until, .. } => {
            let clock = match campaign.entries.get(usize::from(next)) {
                Some(Entry::Step(step)) => clock(campaign, step, journey),
                _ => None,
            };
            return Some(match ask.wait(delay, clock, *until) {
                None => Move::Stays(Stop::Failed),
                // In the past it does not wait, and what follows was due then.
                Some(due) if *until && due <= base => Move::Goes(next, due),
                Some(due) => Move::Stays(Stop::At(to, Stage::Wait, due)),
            });
        }
        Entry::Await { within, came, .. } => {
            let answer = journey.answers.iter().find(|(entry, _)| *entry == to);
            let Some(answer) = answer.map(|(_, answer)| answer.clone()) else {
                let due = ask.wait(within, None, false);
                let stop = due.map_or(Stop::Failed, |due| Stop::At(to, Stage::Await, due));
                return Some(Move::Stays(stop));
            };
            scene.journey_mut(id)?.answer = Some(Box::new(answer));
            *came
        }
        Entry::If {
            when,
            otherwise,
            behind,
        } => match when.holds(&facts) {
            Ok(true) => next,
            Ok(false) => *otherwise,
            Err(_) => {
                scene.out.count(Count::ConditionFailed);
                *behind
            }
        },
        Entry::Split {
            name,
            branches,
            rest,
        } => {
            let drawn = drawn(scene, campaign, name, branches);
            if let Some((branch, _)) = drawn {
                let variants = &mut scene.journey_mut(id)?.variants;
                variants.retain(|(split, _)| split != name);
                variants.push((name.clone(), branch.to_owned()));
            }
            drawn.map_or(*rest, |(_, target)| target)
        }
        Entry::Jump(target) => *target,
        Entry::End(name) => return Some(Move::Stays(Stop::Named(name.clone()))),
    };
    Some(Move::Goes(to, base))
}

/// The time of day at which a step goes out.
fn clock(campaign: &Campaign, step: &Step, journey: &Journey) -> Option<jiff::civil::Time> {
    let first = campaign
        .first_at
        .filter(|_| journey.first_message_at.is_none());
    step.at.or(first)
}

/// A wait at a place of the cascade, reached at a time.
struct Ask<'a> {
    journey: &'a Journey,
    entry: u16,
    base: Timestamp,
    zone: &'a TimeZone,
    facts: &'a Facts<'a>,
}

impl Ask<'_> {
    /// When it ends; `None` when it can't be told. `until`: a computed moment may have passed.
    fn wait(
        &self,
        delay: &Delay,
        clock: Option<jiff::civil::Time>,
        until: bool,
    ) -> Option<Timestamp> {
        match delay {
            Delay::Fixed(range) => {
                let entry = self.entry.to_be_bytes();
                let span = range.value(&[self.journey.id.as_bytes(), &entry]);
                Some(wait_until(self.base, span, clock, self.zone))
            }
            Delay::Computed(expression) => {
                let due = at(expression, self.facts, self.zone, self.base)?;
                Some(if until { due } else { due.max(self.base) })
            }
        }
    }
}

/// Whole days before a clock time are calendar days (ADR 0015): the wait ends as the last day begins.
fn wait_until(
    base: Timestamp,
    span: Span,
    clock: Option<jiff::civil::Time>,
    zone: &TimeZone,
) -> Timestamp {
    let day = Span::from_days(1).as_millis();
    if clock.is_none() || span.as_millis() % day != 0 || span == Span::ZERO {
        return base + span;
    }
    // From the same clock time that many days later, back to midnight.
    let days = i32::try_from(span.as_millis() / day).unwrap_or(i32::MAX);
    let date = calendar::local(base, zone).date();
    date.checked_add(jiff::Span::new().days(days))
        .map_or(base + span, |date| calendar::start_of(date, zone).max(base))
}
