//! What begins a journey, and everything that is asked of it elsewhere: each question is answered for every kind, so that a
//! new one does not compile before it has answered all of them.

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

impl StartKind {
    /// The events that begin a journey by themselves.
    pub fn events(&self) -> &[String] {
        match self {
            Self::After { on, .. } | Self::Idle { on, .. } => on,
            Self::Silence { .. }
            | Self::Date { .. }
            | Self::Schedule(_)
            | Self::Announced { .. }
            | Self::Product { .. }
            | Self::Ended { .. } => &[],
        }
    }

    /// So long without activity after the event.
    pub fn idle(&self) -> Option<SpanRange> {
        match self {
            Self::Idle { span, .. } => Some(*span),
            Self::After { .. }
            | Self::Silence { .. }
            | Self::Date { .. }
            | Self::Schedule(_)
            | Self::Announced { .. }
            | Self::Product { .. }
            | Self::Ended { .. } => None,
        }
    }

    /// From what began it to the first step.
    pub fn delay(&self) -> Option<&Delay> {
        match self {
            Self::After { delay, .. } | Self::Product { delay, .. } | Self::Ended { delay, .. } => {
                Some(delay)
            }
            Self::Idle { .. }
            | Self::Silence { .. }
            | Self::Date { .. }
            | Self::Schedule(_)
            | Self::Announced { .. } => None,
        }
    }

    /// The moment of the customer that is counted to.
    pub fn moment(&self) -> Option<&Condition> {
        match self {
            Self::Date { moment, .. } => Some(moment),
            Self::After { .. }
            | Self::Idle { .. }
            | Self::Silence { .. }
            | Self::Schedule(_)
            | Self::Announced { .. }
            | Self::Product { .. }
            | Self::Ended { .. } => None,
        }
    }

    /// The days of the shop's calendar.
    pub fn schedule(&self) -> Option<&Schedule> {
        match self {
            Self::Schedule(schedule) => Some(schedule),
            Self::After { .. }
            | Self::Idle { .. }
            | Self::Silence { .. }
            | Self::Date { .. }
            | Self::Announced { .. }
            | Self::Product { .. }
            | Self::Ended { .. } => None,
        }
    }

    /// The announcements that begin it for everybody.
    pub fn announcements(&self) -> &[String] {
        match self {
            Self::Announced { on } => on,
            Self::After { .. }
            | Self::Idle { .. }
            | Self::Silence { .. }
            | Self::Date { .. }
            | Self::Schedule(_)
            | Self::Product { .. }
            | Self::Ended { .. } => &[],
        }
    }

    /// The campaigns whose end begins it.
    pub fn campaigns(&self) -> &[String] {
        match self {
            Self::Ended { of, .. } => of,
            Self::After { .. }
            | Self::Idle { .. }
            | Self::Silence { .. }
            | Self::Date { .. }
            | Self::Schedule(_)
            | Self::Announced { .. }
            | Self::Product { .. } => &[],
        }
    }

    /// Whether it is armed by what did not happen.
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Silence { .. } => true,
            Self::After { .. }
            | Self::Idle { .. }
            | Self::Date { .. }
            | Self::Schedule(_)
            | Self::Announced { .. }
            | Self::Product { .. }
            | Self::Ended { .. } => false,
        }
    }

    /// Whether it comes again a year later.
    pub fn is_yearly(&self) -> bool {
        match self {
            Self::Date { yearly, .. } => *yearly,
            Self::After { .. }
            | Self::Idle { .. }
            | Self::Silence { .. }
            | Self::Schedule(_)
            | Self::Announced { .. }
            | Self::Product { .. }
            | Self::Ended { .. } => false,
        }
    }

    /// Whether it is armed by the state itself, not by an event: it is armed anew where the state changes, and no event ends it.
    pub fn is_measured(&self) -> bool {
        match self {
            Self::Silence { .. } | Self::Date { .. } => true,
            Self::After { .. }
            | Self::Idle { .. }
            | Self::Schedule(_)
            | Self::Announced { .. }
            | Self::Product { .. }
            | Self::Ended { .. } => false,
        }
    }

    /// Whether its key is an occasion that comes once, and is remembered.
    pub fn has_occasion(&self) -> bool {
        match self {
            Self::Silence { .. }
            | Self::Date { .. }
            | Self::Schedule(_)
            | Self::Announced { .. } => true,
            Self::After { .. } | Self::Idle { .. } | Self::Product { .. } | Self::Ended { .. } => {
                false
            }
        }
    }

    /// Whether it has no hour of its own: the first message goes out at the shop's hour.
    pub fn has_no_hour(&self) -> bool {
        match self {
            Self::Silence { .. } | Self::Date { .. } | Self::Schedule(_) => true,
            Self::After { .. }
            | Self::Idle { .. }
            | Self::Announced { .. }
            | Self::Product { .. }
            | Self::Ended { .. } => false,
        }
    }
}
