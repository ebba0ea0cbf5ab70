//! A compiled campaign: what journeys run on. Names are checked, durations are spans, conditions are programs.
//!
//! The cascade is a flat program: an entry is found by its index, so that a journey keeps one small number.

use winback_contract::{Channel, Span, ids::bucket};

use crate::condition::Condition;

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

/// One campaign.
#[derive(Debug)]
pub struct Campaign {
    /// Kebab-case, unique in the bundle.
    pub name: String,
    /// Words for people.
    pub title: String,
    /// Group of Policy.
    pub group: String,
    /// 0 to 100; the higher gets a contested moment.
    pub priority: u8,
    /// Live, shadow or paused.
    pub mode: Mode,
    /// Topic of Policy.
    pub topic: String,
    /// Any of them begins a journey.
    pub starts: Vec<Start>,
    /// Judged when a step is due.
    pub audience: Option<Condition>,
    /// What ends a journey at once, in order.
    pub exits: Vec<Exit>,
    /// A later conversion counts until so long after the last message.
    pub goal_within: Span,
    /// The cascade.
    pub entries: Vec<Entry>,
    /// Share kept without this campaign, in hundredths of a percent.
    pub holdout: u32,
    /// What happens to journeys of an older version.
    pub in_flight: InFlight,
    /// Those who already fit when it goes live: taken in, spread over this span; `None` leaves them out.
    pub existing: Option<Span>,
    /// A due step that waits for unread input: waits on, or expires at once.
    pub lag_expires: bool,
}

impl Campaign {
    /// The step of that name.
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.entries.iter().find_map(|entry| match entry {
            Entry::Step(step) if step.name == name => Some(step),
            _ => None,
        })
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
    /// An event or silence.
    pub kind: StartKind,
    /// Judged on arrival, on the event alone.
    pub when: Option<Condition>,
    /// One journey per value; `None` is one per customer, or the occasion.
    pub key: Option<Condition>,
    /// Least time between the first messages of two journeys; `None` is never again.
    pub reentry: Option<Span>,
}

/// The kinds of starts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StartKind {
    /// One of these events, then a plain delay.
    After {
        /// Canonical names.
        on: Vec<String>,
        /// From arrival.
        delay: SpanRange,
    },
    /// One of these events, then so long without any storefront activity.
    Idle {
        /// Canonical names.
        on: Vec<String>,
        /// Of inactivity.
        span: SpanRange,
    },
    /// So long without an event, counted from the last one.
    Silence {
        /// The event that is missed.
        without: String,
        /// How long.
        span: SpanRange,
    },
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

/// One entry of the cascade.
#[derive(Debug)]
pub enum Entry {
    /// Sends one message.
    Step(Step),
    /// Waits, and may end the journey as `reacted`.
    Wait {
        /// How long.
        span: SpanRange,
        /// Reactions that excuse the customer from what follows.
        unless: Vec<Reaction>,
    },
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
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Kebab-case, unique in the campaign.
    pub name: String,
    /// Base name of its templates.
    pub template: String,
    /// The first that is allowed and reachable.
    pub send: Vec<Channel>,
    /// The next such local time; `None` is now.
    pub at: Option<jiff::civil::Time>,
    /// Given up so long after it was due.
    pub expires: Span,
    /// What it offers.
    pub offer: Option<Offer>,
}

/// An offer of a step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// Pool of Policy.
    pub coupon: String,
    /// How long it holds, from the decision.
    pub valid: Span,
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
