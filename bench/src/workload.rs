//! The workload of the drain: shoppers in sessions, most of whom look, some of whom buy.
//!
//! Customers are drawn by Zipf (s = 0.9, nobody above 0.1 % of the sessions), a session has 12 events on average,
//! 20 s apart on average; 80 % views, 12 % additions, 3 % checkouts, 3 % orders, 2 % reactions; 0.5 % repeats.
//! Same seed, same events. A thousand events a second of stream time; arrival is event time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use winback_contract::{
    Body, Event, EventId, EventRecord, Identities, Identity, IdentityKind, Offset, Partition,
    PartitionCount, Product, SourceKind, SourcePosition, Span, Timestamp,
};
use winback_scenario::Random;

const RATE_PER_SECOND: f64 = 1_000.0;
const EVENTS_PER_SESSION: f64 = 12.0;
const GAP_MILLIS: f64 = 20_000.0;
const EXPONENT: f64 = 0.9;
const LARGEST_SHARE: f64 = 0.001;

/// A running session: when its next event comes, whose it is, how many are left.
type Session = (Reverse<i64>, u64, u32);

/// An endless stream of canonical events.
pub(crate) struct Workload {
    random: Random,
    cumulative: Vec<f64>,
    sessions: BinaryHeap<Session>,
    next_session: i64,
    number: u64,
    offsets: Vec<i64>,
    partitions: PartitionCount,
    repeat: Option<EventRecord>,
}

impl Workload {
    /// For so many customers.
    pub(crate) fn new(seed: u64, customers: u64, partitions: PartitionCount) -> Self {
        let weights: Vec<f64> = (1..=customers)
            .map(|rank| (rank as f64).powf(-EXPONENT))
            .collect();
        let most = weights.iter().sum::<f64>() * LARGEST_SHARE;
        let mut sum = 0.0;
        let cumulative = weights
            .iter()
            .map(|weight| {
                sum += weight.min(most);
                sum
            })
            .collect();
        Self {
            random: Random::new(seed),
            cumulative,
            sessions: BinaryHeap::new(),
            next_session: 0,
            number: 0,
            offsets: vec![0; partitions.get() as usize],
            partitions,
            repeat: None,
        }
    }

    fn unit(&mut self) -> f64 {
        // 53 bits are what a double holds.
        (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    fn customer(&mut self) -> u64 {
        let place = self.unit() * self.cumulative.last().copied().unwrap_or(0.0);
        self.cumulative.partition_point(|sum| *sum < place) as u64
    }

    /// The next event, with the partition it belongs to.
    pub(crate) fn next(&mut self) -> Option<(Partition, EventRecord)> {
        if let Some(mut again) = self.repeat.take() {
            let partition = self.partitions.of(again.to);
            again.source.offset = self.offset(partition);
            return Some((partition, again));
        }
        loop {
            let open = self.sessions.peek().map(|(Reverse(at), ..)| *at);
            if open.is_some_and(|at| at < self.next_session) {
                break;
            }
            let begins = self.next_session;
            let customer = self.customer();
            let more = self.exponential(EVENTS_PER_SESSION) as u32;
            self.sessions.push((Reverse(begins), customer, more));
            let gap = self.exponential(EVENTS_PER_SESSION / RATE_PER_SECOND * 1_000.0);
            self.next_session += gap as i64;
        }
        let (Reverse(millis), customer, more) = self.sessions.pop()?;
        if more > 0 {
            let gap = self.exponential(GAP_MILLIS) as i64;
            self.sessions
                .push((Reverse(millis + gap), customer, more - 1));
        }
        let record = self.record(customer, millis)?;
        if self.random.below(200) == 0 {
            self.repeat = Some(record.clone());
        }
        Some((self.partitions.of(record.to), record))
    }

    fn offset(&mut self, partition: Partition) -> Offset {
        let next = self.offsets.get_mut(partition.0 as usize);
        Offset(next.map_or(0, |next| {
            *next += 1;
            *next - 1
        }))
    }

    fn record(&mut self, customer: u64, millis: i64) -> Option<EventRecord> {
        self.number += 1;
        let user = format!("u{customer}");
        let to = Identity::new(IdentityKind::User, &user)?.customer("shop");
        let at = Timestamp::from_millis(1_780_000_000_000) + Span::from_millis(millis);
        let partition = self.partitions.of(to);
        Some(EventRecord {
            v: EventRecord::VERSION,
            to,
            id: EventId::of_message_id(&self.number.to_string()),
            source: SourcePosition {
                stream: "raw:raw".into(),
                partition,
                offset: self.offset(partition),
                index: 0,
            },
            kind: SourceKind::Live,
            arrival: at,
            at,
            body: Body::Storefront(Box::new(self.event(user))),
        })
    }

    fn event(&mut self, user: String) -> Event {
        let product = Product {
            product_id: format!("p{}", self.random.below(5_000)),
            name: None,
            category: None,
            price: None,
            quantity: 1,
            ..Product::of("")
        };
        let base = Event {
            identities: Identities {
                user: Some(user.clone()),
                ..Identities::default()
            },
            ..Event::default()
        };
        match self.random.below(100) {
            0..=79 => Event {
                name: "Product Viewed".into(),
                products: vec![product],
                ..base
            },
            80..=91 => Event {
                name: "Product Added".into(),
                cart_id: Some(user),
                products: vec![product],
                ..base
            },
            92..=94 => Event {
                name: "Checkout Started".into(),
                cart_id: Some(user),
                ..base
            },
            95..=97 => Event {
                name: "Order Completed".into(),
                order_id: Some(format!("o{}", self.number)),
                ..base
            },
            _ => Event {
                name: "Page Viewed".into(),
                ..base
            },
        }
    }
}
