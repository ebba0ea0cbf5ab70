//! A compiled campaign: what journeys run on. Names are checked, durations are spans, conditions are programs.
//!
//! The cascade is a flat program: an entry is found by its index, so that a journey keeps one small number.

use std::collections::BTreeSet;

use jiff::civil::Weekday;
use serde::{Deserialize, Serialize};
use winback_contract::{Channel, Span, ids::bucket};

use crate::condition::Condition;

mod start;

pub use start::{Answers, StartKind};

/// A span, or one value per customer and journey within a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpanRange {
    /// Shortest.
    pub from: Span,
    /// Longest.
    pub to: Span,
}

impl SpanRange {
    /// The value for one salt: fixed, uniform over the range, in whole seconds.
    pub fn value(&self, salt: &[&[u8]]) -> Span {
        let width = (self.to.as_millis() - self.from.as_millis()) / 1_000;
        let offset = match u64::try_from(width) {
            Ok(width) if width > 0 => bucket("range", salt, width + 1),
            _ => 0,
        };
        self.from + Span::from_secs(i64::try_from(offset).unwrap_or(0))
    }
}

/// Whether a campaign decides, and whether it sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Decides and sends.
    Live,
    /// Decides and records; its messages go to files.
    Shadow,
    /// Due steps wait until they expire.
    Paused,
}

/// A literal span or range, or an expression judged when it is needed.
#[derive(Debug)]
pub enum Delay {
    /// From the file.
    Fixed(SpanRange),
    /// CEL of a duration, a time or a day.
    Computed(Condition),
}

impl Delay {
    /// No time at all.
    pub const NONE: Self = Self::Fixed(SpanRange {
        from: Span::ZERO,
        to: Span::ZERO,
    });
}

/// One campaign.
#[derive(Debug)]
pub struct Campaign {
    /// Kebab-case, unique in the bundle.
    pub name: String,
    /// Words for people.
    pub title: String,
    /// Playbook rows.
    pub covers: Vec<String>,
    /// Group of Policy.
    pub group: String,
    /// 0 to 100; the higher gets a contested moment.
    pub priority: u8,
    /// Live, shadow or paused.
    pub mode: Mode,
    /// Topic of Policy.
    pub topic: String,
    /// Campaigns of which only one runs per key; this one goes first when several are due.
    pub replaces: Vec<String>,
    /// Any of them begins a journey.
    pub starts: Vec<Start>,
    /// Judged when a step is due.
    pub audience: Option<Condition>,
    /// What ends a journey at once, in order.
    pub exits: Vec<Exit>,
    /// The moment when it is over.
    pub over_at: Option<Condition>,
    /// What counts as success, if other than a converting exit.
    pub goals: Vec<Pattern>,
    /// A later conversion counts until so long after the last message.
    pub goal_within: Span,
    /// The cascade.
    pub entries: Vec<Entry>,
    /// The time of day of a journey's first message, where its step names none: the shop's hour, for starts that have
    /// none of their own.
    pub first_at: Option<jiff::civil::Time>,
    /// Share kept without this campaign, in hundredths of a percent.
    pub holdout: u32,
    /// What happens to journeys of an older version.
    pub in_flight: InFlight,
    /// Those who already fit when it goes live: taken in, spread over this span; `None` leaves them out.
    pub existing: Option<Span>,
    /// A due step that waits for unread input: waits on, or expires at once.
    pub lag_expires: bool,
    /// Fields of what began a journey that conditions or texts ask for: only these are kept.
    pub entry_fields: BTreeSet<String>,
}

impl Campaign {
    /// The step of that name.
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.steps().find(|step| step.name == name)
    }

    /// Names of other campaigns that its starts, relations or conditions speak of.
    pub fn speaks_of(&self) -> BTreeSet<String> {
        let mut names: BTreeSet<String> = self.replaces.iter().cloned().collect();
        for start in &self.starts {
            names.extend(start.kind.answers().campaigns.iter().cloned());
        }
        for condition in self.conditions() {
            names.extend(condition.literals("campaign"));
        }
        names
    }

    /// All conditions and expressions.
    pub fn conditions(&self) -> Vec<&Condition> {
        crate::compile::conditions(self)
    }

    /// All steps, in the order of the file.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.entries.iter().filter_map(Entry::step)
    }
}

/// Old journeys under a new version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InFlight {
    /// They go on as they began.
    Finish,
    /// They end as `dropped`.
    Drop,
}

/// What begins a journey.
#[derive(Debug)]
pub struct Start {
    /// The start word.
    pub kind: StartKind,
    /// Judged on arrival, on the event alone.
    pub when: Option<Condition>,
    /// One journey per value; `None` is one per customer, or the occasion.
    pub key: Option<Condition>,
    /// Only the n-th match in a window begins one.
    pub times: Option<Times>,
    /// One journey per element.
    pub each: Option<Condition>,
    /// Least time between the first messages of two journeys; `None` is never again.
    pub reentry: Option<Span>,
    /// At most so many journeys in so long.
    pub limit: Option<(u32, Span)>,
    /// A start for many is spread over so long.
    pub spread: Span,
}

/// The n-th match in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    /// n.
    pub count: u32,
    /// The window.
    pub within: Span,
    /// What counts anew.
    pub without: Option<String>,
}

/// A change of goods that begins a journey.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GoodsChange {
    /// At least so much below what was seen, in hundredths of a percent.
    PriceDrop {
        /// The least fall.
        by: u32,
    },
    /// It can be bought again.
    BackInStock,
}

/// How a customer came to know a product.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Seen {
    /// Looked at it.
    Viewed,
    /// Put it into a cart.
    Carted,
    /// Put it on the wish list.
    Wished,
    /// Asked to be told.
    Asked,
}

impl Seen {
    /// All, with the word of each.
    pub const ALL: [(&'static str, Self); 4] = [
        ("viewed", Self::Viewed),
        ("carted", Self::Carted),
        ("wished", Self::Wished),
        ("asked", Self::Asked),
    ];
}

/// Products that a step recommends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recommend {
    /// Chosen how.
    pub kind: RecommendKind,
    /// How many.
    pub count: usize,
}

/// How recommended products are chosen (playbook P1, P9, P82).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecommendKind {
    /// What sells most.
    Popular,
    /// What others bought together with what the step is about.
    AlsoBought,
    /// What sells most in the categories looked at.
    FromViewed,
    /// What earns most points.
    MorePoints,
}

impl RecommendKind {
    /// All, with the word of each.
    pub const ALL: [(&'static str, Self); 4] = [
        ("popular", Self::Popular),
        ("also_bought", Self::AlsoBought),
        ("from_viewed", Self::FromViewed),
        ("more_points", Self::MorePoints),
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        let known = Self::ALL.iter().find(|(_, kind)| *kind == self);
        known.map_or("popular", |(word, _)| *word)
    }
}

/// What silence misses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missed {
    /// Order Completed.
    Order,
    /// Any activity at the storefront.
    Visit,
}

/// Days on which a campaign begins for everybody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Schedule {
    /// On these weekdays.
    Week(Vec<Weekday>),
    /// On these days of each month; a day that a month lacks is its last.
    Month(Vec<i8>),
    /// On these days, with or without a year.
    Days(Vec<CalendarDay>),
    /// On the first day of each of these spans.
    Span(Vec<CalendarDay>),
}

impl Schedule {
    /// Whether it begins on that day.
    pub fn falls_on(&self, date: jiff::civil::Date) -> bool {
        match self {
            Self::Week(days) => days.contains(&date.weekday()),
            Self::Month(days) => {
                let last = date.days_in_month();
                days.iter().any(|day| (*day).min(last) == date.day())
            }
            Self::Days(days) | Self::Span(days) => days.iter().any(|day| day.is(date)),
        }
    }
}

/// A day of the calendar, with or without a year.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CalendarDay {
    /// Absent: every year.
    pub year: Option<i16>,
    /// 1 to 12.
    pub month: i8,
    /// 1 to 31.
    pub day: i8,
}

impl CalendarDay {
    /// Whether it is that date.
    pub fn is(&self, date: jiff::civil::Date) -> bool {
        self.year.is_none_or(|year| year == date.year())
            && (self.month, self.day) == (date.month(), date.day())
    }
}

/// Names of events, one of which matches, with a condition.
#[derive(Debug)]
pub struct Pattern {
    /// Canonical names, or the shop's own.
    pub on: Vec<String>,
    /// On the newcomer and on what began the journey.
    pub when: Option<Condition>,
}

/// A way out of a journey.
#[derive(Debug)]
pub struct Exit {
    /// What ends it.
    pub pattern: Pattern,
    /// Whether that is success.
    pub converted: bool,
}

/// What ends a waiting journey as `reacted`.
#[derive(Debug, Default)]
pub struct Unless {
    /// Reactions to messages.
    pub reactions: Vec<Reaction>,
    /// Events.
    pub patterns: Vec<Pattern>,
}

/// One entry of the cascade. Blocks are laid flat: a journey is at an index, branches are jumps.
#[derive(Debug)]
pub enum Entry {
    /// Sends one message.
    Step(Step),
    /// Waits, and may end the journey as `reacted`.
    Wait {
        /// How long, or until when.
        delay: Delay,
        /// What excuses the customer from what follows.
        unless: Unless,
        /// A moment (`until`), not a duration: in the past it does not wait.
        until: bool,
    },
    /// Goes on when one of these has come since the journey began.
    Await {
        /// What is awaited.
        patterns: Vec<Pattern>,
        /// At most so long.
        within: Delay,
        /// Where it goes on when it came; if not, at the next entry.
        came: u16,
    },
    /// Goes on at the next entry, or elsewhere.
    If {
        /// Judged when it is reached.
        when: Condition,
        /// Where it goes on if not.
        otherwise: u16,
        /// Where it goes on if it can't be judged: behind the whole.
        behind: u16,
    },
    /// Goes on at one of these by hash.
    Split {
        /// Its name.
        name: String,
        /// Name, share in hundredths of a percent, where it goes on.
        branches: Vec<(String, u32, u16)>,
        /// Where those go on who are in no share.
        rest: u16,
    },
    /// Goes on elsewhere.
    Jump(u16),
    /// Ends the journey under a name of the campaign's own.
    End(String),
}

impl Entry {
    /// The step, if it is one.
    pub fn step(&self) -> Option<&Step> {
        match self {
            Self::Step(step) => Some(step),
            Self::Wait { .. }
            | Self::Await { .. }
            | Self::If { .. }
            | Self::Split { .. }
            | Self::Jump(_)
            | Self::End(_) => None,
        }
    }

    /// The events that it listens for.
    pub fn patterns(&self) -> &[Pattern] {
        match self {
            Self::Await { patterns, .. } => patterns,
            Self::Wait { unless, .. } => &unless.patterns,
            Self::Step(_) | Self::If { .. } | Self::Split { .. } | Self::Jump(_) | Self::End(_) => {
                &[]
            }
        }
    }
}

/// What a person can do about a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reaction {
    /// It reached the mailbox.
    Delivered,
    /// It was opened.
    Opened,
    /// A person followed a link.
    Clicked,
    /// A person answered.
    Replied,
    /// The person came back to the shop.
    Visited,
}

impl Reaction {
    /// All, with the word of each.
    pub const ALL: [(&'static str, Self); 5] = [
        ("delivered", Self::Delivered),
        ("opened", Self::Opened),
        ("clicked", Self::Clicked),
        ("replied", Self::Replied),
        ("visited", Self::Visited),
    ];
}

/// A message to send.
#[derive(Debug)]
pub struct Step {
    /// Kebab-case, unique in the campaign.
    pub name: String,
    /// Base name of its templates.
    pub template: String,
    /// The first that is allowed and reachable.
    pub send: Vec<Channel>,
    /// The channel the customer reacts to comes first.
    pub preferred: bool,
    /// The next such local time; `None` is now.
    pub at: Option<jiff::civil::Time>,
    /// Given up so long after it was due.
    pub expires: Span,
    /// Products it is about.
    pub show: Option<Condition>,
    /// Products it recommends beside them.
    pub recommend: Option<Recommend>,
    /// What it offers.
    pub offer: Option<Offer>,
    /// Of ads: time in the audience.
    pub stay: Span,
    /// Of task and call.
    pub task: Option<Task>,
}

/// What a person shall do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Task {
    /// Whose task it is.
    pub team: String,
    /// By when, from the decision.
    pub due: Span,
    /// What may be offered.
    pub may_offer: Vec<String>,
}

/// An offer of a step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// What it is.
    pub kind: OfferKind,
    /// How long it holds, from the decision.
    pub valid: Span,
    /// The event that earns it.
    pub upon: Option<String>,
    /// Not bound by the offer guard.
    pub outside_guard: bool,
    /// If guard or pool refuses.
    pub otherwise: Otherwise,
}

/// Kinds of offers (playbook P55).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OfferKind {
    /// A code of this pool of Policy.
    Coupon(String),
    /// So many points.
    Points(u32),
    /// Delivery without charge.
    FreeDelivery,
    /// A gift by name.
    Gift(String),
    /// Special terms by name.
    Terms(String),
}

impl OfferKind {
    /// The word of it, as Policy's guard counts it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Coupon(_) => "coupon",
            Self::Points(_) => "points",
            Self::FreeDelivery => "free_delivery",
            Self::Gift(_) => "gift",
            Self::Terms(_) => "terms",
        }
    }

    /// The pool, how many points, or the name of gift or terms.
    pub fn what(&self) -> String {
        match self {
            Self::Coupon(name) | Self::Gift(name) | Self::Terms(name) => name.clone(),
            Self::Points(points) => points.to_string(),
            Self::FreeDelivery => String::new(),
        }
    }
}

/// What becomes of a step whose offer is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Otherwise {
    /// It is sent without.
    Without,
    /// It is not sent.
    Skip,
    /// The journey ends.
    End,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_gives_one_value_per_salt_within_its_bounds() {
        let range = SpanRange {
            from: Span::from_days(60),
            to: Span::from_days(90),
        };
        for n in 0..100_u8 {
            let value = range.value(&[b"customer", &[n]]);
            assert!(value >= range.from && value <= range.to);
            assert_eq!(value, range.value(&[b"customer", &[n]]));
        }
        let fixed = SpanRange {
            from: Span::from_mins(20),
            to: Span::from_mins(20),
        };
        assert_eq!(fixed.value(&[b"x"]), Span::from_mins(20));
    }
}
