//! What a person did lately, as conditions ask for it: sessions, views, purchases, points, offers, reactions.
//!
//! Invariant: INV-12, every list has a limit in [`limit`]; the oldest gives way.

use serde::{Deserialize, Serialize};
use winback_campaign::model::Seen;
use winback_contract::{Channel, JourneyId, Money, Span, Timestamp};

use crate::customer::Line;

/// Limits of the lists.
pub(crate) mod limit {
    /// Sessions whose beginning is remembered.
    pub(crate) const SESSIONS: usize = 16;
    /// Products viewed, over sessions.
    pub(crate) const VIEWS: usize = 24;
    /// Products bought, over orders.
    pub(crate) const BOUGHT: usize = 64;
    /// Products of the session, with what a message shows of them.
    pub(crate) const SESSION_PRODUCTS: usize = 8;
    /// Categories of the session.
    pub(crate) const CATEGORIES: usize = 8;
    /// Searches of the session.
    pub(crate) const SEARCHES: usize = 4;
    /// Products wished for.
    pub(crate) const WISHED: usize = 16;
    /// Complaints open at once.
    pub(crate) const COMPLAINTS: usize = 8;
    /// Offers remembered.
    pub(crate) const OFFERS: usize = 12;
    /// Counters of `times`.
    pub(crate) const COUNTERS: usize = 16;
    /// Orders with their facts.
    pub(crate) const ORDERS: usize = 8;
    /// The newest of them, whose lines are kept as they were told.
    pub(crate) const ORDERS_WITH_LINES: usize = 2;
    /// Products of which news is awaited.
    pub(crate) const WANTED: usize = 24;
    /// Products of such an order.
    pub(crate) const ORDER_PRODUCTS: usize = 32;
}

/// Lines of an order are kept as they were told for so long.
pub(crate) const LINES_FOR: Span = Span::from_days(60);

/// A session ends after so long without activity.
pub(crate) const SESSION_GAP: Span = Span::from_mins(30);

/// See the module.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Behaviour {
    /// The current or last session.
    pub session: Option<Session>,
    /// When sessions began, the oldest first.
    pub sessions: Vec<Timestamp>,
    /// Products viewed, the oldest first.
    pub views: Vec<Touch>,
    /// Products bought, the oldest first.
    pub bought: Vec<Touch>,
    /// Ids of products wished for.
    pub wished: Vec<String>,
    /// Products of which news is awaited; only while a live campaign listens, the oldest first.
    pub wanted: Vec<Wanted>,
    /// Hashes of open complaints.
    pub complaints: Vec<u64>,
    /// Why the person left, as recorded.
    pub churn_reason: Option<String>,
    /// Reviews written.
    pub reviews: u32,
    /// Reactions by channel.
    pub reacted: Vec<(Channel, u32)>,
    /// Messages in a row without a reaction.
    pub unanswered: u32,
    /// Matches of starts that count.
    pub counters: Vec<Counter>,
    /// Offers made, the oldest first.
    pub offers: Vec<Given>,
    /// Points of the loyalty programme.
    pub points: Option<Points>,
}

/// A session.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Arrival of its first event.
    pub started_at: Timestamp,
    /// Products viewed in it, the newest last.
    pub viewed: Vec<Line>,
    /// Categories looked at.
    pub categories: Vec<String>,
    /// What was searched for.
    pub searches: Vec<String>,
    /// Events in it.
    pub pages: u32,
}

/// A product viewed or bought.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Touch {
    /// Its id.
    pub product_id: String,
    /// Its category.
    pub category: Option<String>,
    /// When, by event time.
    pub at: Timestamp,
}

impl Touch {
    /// Whether it is that product, or of that category.
    pub fn is(&self, name: &str) -> bool {
        self.product_id == name || self.category.as_deref() == Some(name)
    }
}

/// A product of which the customer may want news.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Wanted {
    /// Its id.
    pub product_id: String,
    /// How the customer knows it.
    pub seen: Seen,
    /// The price that was seen.
    pub price: Option<Money>,
    /// Whether it could not be bought then.
    pub absent: bool,
    /// When, by event time.
    pub at: Timestamp,
}

/// Matches of a start with `times`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Counter {
    /// Of which campaign and start: a hash.
    pub of: u64,
    /// When, the oldest first.
    pub times: Vec<Timestamp>,
}

/// An offer that was made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Given {
    /// By which journey.
    pub journey: JourneyId,
    /// When.
    pub at: Timestamp,
    /// Until when it holds.
    pub until: Timestamp,
    /// Whether the guard counts it.
    pub counts: bool,
    /// Whether it reached the person, as far as anybody knows.
    pub shown: bool,
    /// Pool and code, of a single-use code.
    pub coupon: Option<(String, String)>,
}

/// Points of the loyalty programme, as the shop last said.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Points {
    /// What there is.
    pub balance: f64,
    /// What will be lost next.
    pub expiring: f64,
    /// Ever earned.
    pub earned: f64,
    /// When that will be lost.
    pub expires_at: Option<Timestamp>,
    /// Missing to the next level.
    pub to_next_level: Option<f64>,
    /// The same as a share from 0 to 1.
    pub to_next_share: Option<f64>,
    /// Event time of the newest word.
    pub at: Timestamp,
}

/// An order with what conditions and texts ask of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OrderFacts {
    /// The shop's id.
    pub id: String,
    /// Event time.
    pub placed_at: Timestamp,
    /// Its sum.
    pub total: Option<Money>,
    /// As the shop calls it.
    pub status: Option<String>,
    /// The code that was used.
    pub coupon: Option<String>,
    /// By when the shop promised it.
    pub promised_at: Option<Timestamp>,
    /// When it came.
    pub delivered_at: Option<Timestamp>,
    /// Ids and categories of its products.
    pub products: Vec<Touch>,
    /// Whether an offer of ours held when it was placed.
    pub with_offer: bool,
    /// The first of its products as they were told, of the newest orders; the codec writes them behind everything else.
    #[serde(skip)]
    pub lines: Vec<Line>,
}

/// Only the newest orders of the last [`LINES_FOR`] keep their lines: what one writes about is one of them, and a customer
/// who is silent stays small.
pub(crate) fn keep_lines(orders: &mut [OrderFacts], now: Timestamp) {
    for (index, order) in orders.iter_mut().rev().enumerate() {
        if index >= limit::ORDERS_WITH_LINES || now.since(order.placed_at) > LINES_FOR {
            order.lines = Vec::new();
        }
    }
}

/// Appends to a list and drops the oldest over the limit.
pub(crate) fn push<T>(list: &mut Vec<T>, item: T, most: usize) {
    // Room is made first: a full list does not grow to lose its oldest.
    if list.len() >= most {
        let over = list.len() + 1 - most;
        list.drain(..over);
    }
    list.push(item);
}

impl Behaviour {
    /// Takes in what another profile of the same person did.
    pub(crate) fn join(&mut self, other: &Self) {
        let newer = |mine: &Option<Session>, theirs: &Option<Session>| {
            theirs.as_ref().map(|session| session.started_at)
                > mine.as_ref().map(|session| session.started_at)
        };
        if newer(&self.session, &other.session) {
            self.session.clone_from(&other.session);
        }
        self.sessions.extend(&other.sessions);
        self.sessions.sort_unstable();
        self.sessions.dedup();
        keep_newest(&mut self.sessions, limit::SESSIONS);
        for (mine, theirs, most) in [
            (&mut self.views, &other.views, limit::VIEWS),
            (&mut self.bought, &other.bought, limit::BOUGHT),
        ] {
            for touch in theirs {
                if !mine.contains(touch) {
                    mine.push(touch.clone());
                }
            }
            mine.sort_by_key(|touch| touch.at);
            keep_newest(mine, most);
        }
        for id in &other.wished {
            if !self.wished.contains(id) {
                push(&mut self.wished, id.clone(), limit::WISHED);
            }
        }
        for theirs in &other.wanted {
            let same =
                |mine: &Wanted| mine.product_id == theirs.product_id && mine.seen == theirs.seen;
            self.wanted
                .retain(|mine| !same(mine) || mine.at > theirs.at);
            if !self.wanted.iter().any(same) {
                self.wanted.push(theirs.clone());
            }
        }
        self.wanted.sort_by_key(|wanted| wanted.at);
        keep_newest(&mut self.wanted, limit::WANTED);
        for id in &other.complaints {
            if !self.complaints.contains(id) {
                push(&mut self.complaints, *id, limit::COMPLAINTS);
            }
        }
        if self.churn_reason.is_none() {
            self.churn_reason.clone_from(&other.churn_reason);
        }
        self.reviews = self.reviews.saturating_add(other.reviews);
        for (channel, count) in &other.reacted {
            match self.reacted.iter_mut().find(|(known, _)| known == channel) {
                Some((_, mine)) => *mine = mine.saturating_add(*count),
                None => self.reacted.push((*channel, *count)),
            }
        }
        for theirs in &other.counters {
            match self.counters.iter_mut().find(|mine| mine.of == theirs.of) {
                Some(mine) => {
                    mine.times.extend(&theirs.times);
                    mine.times.sort_unstable();
                    keep_newest(&mut mine.times, limit::SESSIONS);
                }
                None => push(&mut self.counters, theirs.clone(), limit::COUNTERS),
            }
        }
        self.unanswered = self.unanswered.max(other.unanswered);
        for given in &other.offers {
            if !self.offers.contains(given) {
                self.offers.push(given.clone());
            }
        }
        self.offers.sort_by_key(|given| given.at);
        keep_newest(&mut self.offers, limit::OFFERS);
        let newest = |points: &Option<Points>| points.map(|points| points.at);
        if newest(&other.points) > newest(&self.points) {
            self.points = other.points;
        }
    }
}

fn keep_newest<T>(list: &mut Vec<T>, most: usize) {
    let over = list.len().saturating_sub(most);
    list.drain(..over);
}
