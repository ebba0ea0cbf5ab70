//! A world of one bundle in which customers live: it plays sessions, evaluator, dispatch and the frontier.
//!
//! It keeps what a checker needs: every message that was claimed, with the moment of the claim.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use winback_campaign::{Bundle, Files};
use winback_contract::{
    Body, BundleHash, Channel, Event, EventId, EventRecord, Identities, IdentityKind,
    JourneyRecord, Message, MessageId, Money, Offset, Outcome, OutcomeStatus, Partition, Product,
    SourceKind, SourcePosition, Span, Timestamp, Trigger,
};

use crate::coupons::Coupons;
use crate::customer::Customer;
use crate::effects::{CouponMove, Effects, GrantChange};
use crate::sellers::Sellers;
use crate::tick::GrantState;
use crate::world::{Limits, World};
use crate::{book, decide, decode, encode, input, next_due, outcome, tick};
use winback_campaign::Bundles;

pub(super) const POLICY: &str = r#"apiVersion: winback/v1
kind: Policy
metadata: { name: shop }
spec:
  shop: { zone: Europe/Kyiv, locale: en, currency: EUR }
  topics: { marketing: { consent: { email: not_denied, default: granted } } }
  groups: { cart: { ended_by: Order Completed }, silence: { ended_by: Order Completed } }
  quiet: [ { from: "22:00", to: "07:00" } ]
  caps: [ { channels: [email], at_most: 1, per: 16h }, { at_most: 4, per: 7d } ]
  coupons: { CART10: { code: C10 } }
  senders: { email: { from: "a@b.example", unsubscribe: "mailto:o@b.example" } }
"#;

pub(super) const CART: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: cart, group: cart, priority: 80 }
spec:
  enter: { on: [Product Added, Cart Updated], key: event.cart_id, idle: 20m }
  audience: cart.open && cart.total >= 10
  exit: { converted: Order Completed, cancelled: Cart Emptied }
  cascade: [ { step: reminder, send: [email] }, { wait: 24h }, { step: offer, send: [email], offer: { coupon: CART10 } } ]
";

pub(super) const LOST: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: lost, group: silence, priority: 40 }
spec:
  enter: { silence: 90d, without: Order Completed }
  exit: { converted: Order Completed }
  rollout: { existing: 14d }
  cascade: [ { step: miss, send: [email] }, { wait: 7d }, { step: second, send: [email] } ]
";

const MAIL: &str = "<mjml><mj-head><mj-title>hi</mj-title></mj-head><mj-body></mj-body></mjml>";

pub(super) fn bundle(policy: &str, campaigns: &[&str]) -> Bundle {
    let mut files = BTreeMap::from([("policy.yaml".to_owned(), policy.to_owned())]);
    for (index, text) in campaigns.iter().enumerate() {
        let name = text
            .split("name: ")
            .nth(1)
            .and_then(|rest| rest.split(',').next())
            .unwrap_or("x");
        files.insert(format!("{name}/campaign.yaml"), (*text).to_owned());
        for step in text
            .split("step: ")
            .skip(1)
            .filter_map(|rest| rest.split(',').next())
        {
            files.insert(
                format!("{name}/templates/{step}.email.en.mjml"),
                MAIL.to_owned(),
            );
            if text.contains("sms") {
                files.insert(
                    format!("{name}/templates/{step}.sms.en.txt"),
                    "Come back".to_owned(),
                );
            }
        }
        assert!(index < 9);
    }
    match Bundle::compile(&Files(files)) {
        Ok((bundle, _)) => bundle,
        Err(report) => panic!("{report}"),
    }
}

/// One customer and everything around it.
pub(super) struct Life {
    pub(super) bundles: Bundles,
    pub(super) active: Arc<Bundle>,
    pub(super) limits: Limits,
    pub(super) news: Vec<winback_contract::Announcement>,
    pub(super) me: winback_contract::CustomerId,
    pub(super) customer: Customer,
    pub(super) now: Timestamp,
    grants: BTreeMap<MessageId, (u32, Timestamp, Timestamp)>,
    dispatched: Vec<Message>,
    pub(super) triggers: Vec<Trigger>,
    pub(super) records: Vec<JourneyRecord>,
    /// Claims: when, and what was sent.
    pub(super) sent: Vec<(Timestamp, Message)>,
    pub(super) forwards: Vec<crate::effects::Forward>,
    events: i64,
    pub(super) sellers: Sellers,
    pub(super) coupons: Coupons,
    /// Messages that nobody may claim any more, though a claim that came first stays.
    pub(super) withdrawn: Vec<MessageId>,
    /// Products of which news was asked for.
    pub(super) watches: Vec<String>,
    pub(super) unwatched: Vec<String>,
    /// What the provider says of why.
    pub(super) why: Option<winback_contract::Reason>,
    /// Whether mail goes to files.
    pub(super) rehearsed: bool,
    /// Whether every step goes through the blob, and every decision is made twice.
    pub(super) thorough: bool,
    /// Every how many messages the provider does something else than take it.
    pub(super) trouble: Vec<OutcomeStatus>,
}

pub(super) fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

impl Life {
    pub(super) fn new(start: &str, campaigns: &[&str]) -> Self {
        Self::with_policy(start, POLICY, campaigns)
    }

    pub(super) fn with_policy(start: &str, policy: &str, campaigns: &[&str]) -> Self {
        Self::on(start, Arc::new(bundle(policy, campaigns)))
    }

    pub(super) fn on(start: &str, active: Arc<Bundle>) -> Self {
        let mut bundles = Bundles::default();
        bundles.insert(active.clone());
        Self {
            bundles,
            active,
            limits: Limits::default(),
            news: Vec::new(),
            me: winback_contract::CustomerId([7; 16]),
            customer: Customer::default(),
            now: at(start),
            grants: BTreeMap::new(),
            dispatched: Vec::new(),
            triggers: Vec::new(),
            records: Vec::new(),
            sent: Vec::new(),
            forwards: Vec::new(),
            events: 0,
            sellers: Sellers::default(),
            coupons: Coupons::default(),
            withdrawn: Vec::new(),
            watches: Vec::new(),
            unwatched: Vec::new(),
            why: None,
            rehearsed: false,
            thorough: true,
            trouble: Vec::new(),
        }
    }

    pub(super) fn with<T>(&mut self, work: impl FnOnce(&mut Customer, &World<'_>) -> T) -> T {
        let world = World {
            customer: self.me,
            partition: Partition(0),
            bundles: &self.bundles,
            active: Some(&self.active),
            limits: &self.limits,
            news: &self.news,
            sellers: &self.sellers,
            coupons: &self.coupons,
            shop: "shop",
        };
        let result = work(&mut self.customer, &world);
        // What is kept is what was encoded: every step goes through the blob.
        if self.thorough {
            self.customer = decode(&encode(&self.customer)).unwrap();
        }
        result
    }

    pub(super) fn take(&mut self, effects: Effects) {
        for change in effects.grants {
            match change {
                GrantChange::Grant {
                    message,
                    attempt,
                    not_before,
                    not_after,
                } => {
                    self.grants
                        .insert(message, (attempt, not_before, not_after));
                }
                GrantChange::Withdraw(message) => {
                    self.withdrawn.push(message);
                    self.grants.remove(&message);
                }
                GrantChange::Remove(message) | GrantChange::Move(message) => {
                    self.grants.remove(&message);
                }
            }
        }
        if effects.delete {
            self.customer = Customer::default();
        }
        self.records.extend(effects.journeys);
        self.dispatched.extend(effects.messages);
        self.triggers.extend(effects.triggers);
        self.forwards.extend(effects.forwards);
        for moved in &effects.coupons {
            match moved {
                CouponMove::Taken(pool, code) => self.coupons.take(pool, code),
                CouponMove::Returned(pool, code) => self.coupons.put_back(pool, code),
            }
        }
        for (products, at) in effects.sold {
            self.sellers.sold(&products, at);
        }
        let watches = effects.watches.into_iter();
        self.watches.extend(watches.map(|(product, _)| product));
        self.unwatched.extend(effects.unwatched);
    }

    pub(super) fn body(&mut self, body: Body, event_at: Timestamp, kind: SourceKind) {
        self.events += 1;
        let record = EventRecord {
            v: 1,
            to: self.me,
            id: EventId::of_message_id(&format!("{}", self.events)),
            source: SourcePosition {
                stream: "t".into(),
                partition: Partition(0),
                offset: Offset(self.events),
                index: 0,
            },
            kind,
            arrival: self.now,
            at: event_at,
            body,
        };
        let effects = self.with(|customer, world| input::apply(customer, &record, world));
        self.take(effects);
    }

    pub(super) fn event(&mut self, event: Event) {
        let now = self.now;
        self.body(Body::Storefront(Box::new(event)), now, SourceKind::Live);
    }

    /// The frontier reaches `now`: timers, decisions and dispatch happen at once.
    pub(super) fn settle(&mut self) {
        for _round in 0..50 {
            let due = self.next() <= self.now;
            if due {
                let grants: BTreeSet<MessageId> = self.grants.keys().copied().collect();
                let now = self.now;
                let state = move |id: MessageId| {
                    if grants.contains(&id) {
                        GrantState::Granted
                    } else {
                        GrantState::Gone
                    }
                };
                let effects = self.with(|customer, world| {
                    tick::tick(customer, now, &state, &crate::Room::plenty(), world)
                });
                self.take(effects);
            }
            let triggers = std::mem::take(&mut self.triggers);
            let messages = std::mem::take(&mut self.dispatched);
            if !due && triggers.is_empty() && messages.is_empty() {
                return;
            }
            for trigger in triggers {
                let decision = decide(&self.bundles, &trigger).unwrap();
                if self.thorough {
                    let again = decide(&self.bundles, &trigger).unwrap();
                    assert_eq!(decision, again, "a decision is a function");
                }
                let effects = self.with(|customer, world| book::apply(customer, &decision, world));
                self.take(effects);
            }
            messages
                .into_iter()
                .for_each(|message| self.dispatch(message));
        }
        panic!(
            "it does not settle at {}: next {:?}",
            self.now,
            next_due(&self.customer, &self.limits)
        );
    }

    /// When time alone changes something; nobody who was never heard of has a timer.
    fn next(&self) -> Timestamp {
        if self.customer == Customer::default() {
            return Timestamp::NEVER;
        }
        next_due(&self.customer, &self.limits)
    }

    fn dispatch(&mut self, message: Message) {
        let grant = self.grants.get(&message.id).copied();
        let status = match grant {
            Some((attempt, not_before, not_after)) if attempt == message.attempt => {
                if self.now < not_before || self.now > not_after {
                    OutcomeStatus::Deferred
                } else {
                    self.trouble.pop().unwrap_or(OutcomeStatus::Sent)
                }
            }
            _ => OutcomeStatus::Deferred,
        };
        if matches!(status, OutcomeStatus::Sent | OutcomeStatus::Unknown) {
            self.sent.push((self.now, message.clone()));
        }
        let outcome = Outcome {
            v: 1,
            message: message.id,
            customer: self.me,
            channel: Channel::Email,
            attempt: message.attempt,
            status,
            reason: self
                .why
                .filter(|_| matches!(status, OutcomeStatus::Refused | OutcomeStatus::Deferred)),
            provider_id: None,
            bot: false,
            rehearsed: self.rehearsed,
            retry_at: None,
            at: self.now,
        };
        let effects = self.with(|customer, world| outcome::apply(customer, &outcome, world));
        self.take(effects);
    }

    /// Time passes, timer by timer.
    pub(super) fn wait(&mut self, span: Span) {
        let until = self.now + span;
        loop {
            self.settle();
            let next = self.next();
            if next > until {
                break;
            }
            self.now = next.max(self.now + Span::from_millis(1));
        }
        self.now = until;
        self.settle();
    }

    /// This profile turns out to be that person's: what it says is heard there.
    pub(super) fn link_to(&mut self, user: &mut Self) {
        let link = Body::Link {
            owner: user.me,
            owner_kind: IdentityKind::User,
            kind: IdentityKind::Anonymous,
        };
        let now = self.now;
        self.body(link, now, SourceKind::Live);
        self.deliver_to(user);
    }

    /// What was passed on arrives.
    pub(super) fn deliver_to(&mut self, user: &mut Self) {
        for forward in std::mem::take(&mut self.forwards) {
            assert_eq!(forward.to, user.me);
            user.body(forward.body, forward.at, forward.kind);
        }
    }

    pub(super) fn steps(&self) -> Vec<&str> {
        self.sent
            .iter()
            .map(|(_, message)| message.step.as_str())
            .collect()
    }
}

pub(super) fn known() -> Identities {
    Identities {
        user: Some("u1".into()),
        email: Some("ann@example.com".into()),
        ..Identities::default()
    }
}

fn money(minor: i64) -> Option<Money> {
    Some(Money {
        minor,
        currency: winback_contract::Currency::parse("EUR").unwrap(),
    })
}

pub(super) fn product(cents: i64) -> Product {
    Product {
        product_id: "p1".into(),
        name: Some("Mug".into()),
        category: None,
        price: money(cents),
        quantity: 1,
        url: None,
        image_url: None,
        ..Product::of("p1")
    }
}

pub(super) fn added(cart: &str) -> Event {
    let products = vec![product(1_500)];
    Event {
        name: "Product Added".into(),
        identities: known(),
        cart_id: Some(cart.into()),
        products,
        ..Event::default()
    }
}

pub(super) fn emptied(cart: &str) -> Event {
    Event {
        name: "Cart Updated".into(),
        identities: known(),
        cart_id: Some(cart.into()),
        ..Event::default()
    }
}

pub(super) fn viewed() -> Event {
    Event {
        name: "Page Viewed".into(),
        identities: known(),
        ..Event::default()
    }
}

pub(super) fn ordered(order: &str) -> Event {
    Event {
        name: "Order Completed".into(),
        identities: known(),
        order_id: Some(order.into()),
        total: money(1_500),
        ..Event::default()
    }
}

#[test]
fn a_customer_stays_small() {
    let mut life = Life::new("2026-01-05T10:00:00Z", &[CART, LOST]);
    life.event(ordered("o1"));
    life.wait(Span::from_days(1));
    let cold = encode(&life.customer).len();
    assert!(cold <= 400, "a cold customer takes {cold} bytes");
    life.event(added("c1"));
    let warm = encode(&life.customer).len();
    assert!(warm <= 1_024, "a customer with a cart takes {warm} bytes");
    let _hash: BundleHash = life.active.hash;
}
