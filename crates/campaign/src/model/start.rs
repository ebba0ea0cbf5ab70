//! What begins a journey, and everything that is asked of it elsewhere, answered by each kind in one place.

use winback_contract::Span;

use super::{Delay, GoodsChange, Missed, Schedule, Seen, SpanRange};
use crate::condition::Condition;

/// The kinds of starts.
#[derive(Debug)]
pub enum StartKind {
    /// One of these events, then a plain delay.
    After {
        /// Canonical names.
        on: Vec<String>,
        /// From arrival.
        delay: Delay,
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
        /// The event that is missed: an order, or a session.
        without: Missed,
        /// How long.
        span: SpanRange,
    },
    /// A moment of the customer.
    Date {
        /// CEL of a time or a day.
        moment: Condition,
        /// So long before it.
        before: Span,
        /// Every year anew.
        yearly: bool,
    },
    /// The shop's calendar: all customers.
    Schedule(Schedule),
    /// The shop told everybody: all customers are looked at.
    Announced {
        /// Names of announcements.
        on: Vec<String>,
    },
    /// News of goods that the customer knows.
    Product {
        /// Which news.
        change: GoodsChange,
        /// How the customer came to know them; any of these.
        seen: Vec<Seen>,
        /// Not longer ago.
        within: Span,
        /// From the news.
        delay: Delay,
    },
    /// A journey of one of these campaigns ended.
    Ended {
        /// Names of campaigns.
        of: Vec<String>,
        /// From the end.
        delay: Delay,
    },
}

/// What a kind of start answers to those who ask. One that does not say so is no answer: nothing, and no.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answers<'s> {
    /// The events that begin a journey by themselves.
    pub events: &'s [String],
    /// So long without activity after the event.
    pub idle: Option<SpanRange>,
    /// From what began it to the first step.
    pub delay: Option<&'s Delay>,
    /// The moment of the customer that is counted to.
    pub moment: Option<&'s Condition>,
    /// The days of the shop's calendar.
    pub schedule: Option<&'s Schedule>,
    /// The announcements that begin it for everybody.
    pub announcements: &'s [String],
    /// The campaigns whose end begins it.
    pub campaigns: &'s [String],
    /// Whether it is armed by what did not happen.
    pub is_silence: bool,
    /// Whether it comes again a year later.
    pub is_yearly: bool,
    /// Whether it is armed by the state itself, not by an event: it is armed anew where the state changes, and no event ends it.
    pub is_measured: bool,
    /// Whether its key is an occasion that comes once, and is remembered.
    pub has_occasion: bool,
    /// Whether it has no hour of its own: the first message goes out at the shop's hour.
    pub has_no_hour: bool,
}

impl StartKind {
    /// What it answers: a new kind is one arm here.
    pub fn answers(&self) -> Answers<'_> {
        let none = Answers::default();
        match self {
            Self::After { on, delay } => Answers {
                events: on,
                delay: Some(delay),
                ..none
            },
            Self::Idle { on, span } => Answers {
                events: on,
                idle: Some(*span),
                ..none
            },
            Self::Silence { .. } => Answers {
                is_silence: true,
                is_measured: true,
                has_occasion: true,
                has_no_hour: true,
                ..none
            },
            Self::Date { moment, yearly, .. } => Answers {
                moment: Some(moment),
                is_yearly: *yearly,
                is_measured: true,
                has_occasion: true,
                has_no_hour: true,
                ..none
            },
            Self::Schedule(schedule) => Answers {
                schedule: Some(schedule),
                has_occasion: true,
                has_no_hour: true,
                ..none
            },
            Self::Announced { on } => Answers {
                announcements: on,
                has_occasion: true,
                ..none
            },
            Self::Product { delay, .. } => Answers {
                delay: Some(delay),
                ..none
            },
            Self::Ended { of, delay } => Answers {
                campaigns: of,
                delay: Some(delay),
                ..none
            },
        }
    }
}
