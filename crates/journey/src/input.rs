//! One record of `events`, applied to one customer: the table of contents of the core.
//!
//! Order within a record: repeats are dropped, time passes up to its arrival, state changes, exits end journeys,
//! starts arm new ones. Late and historical events change state and arm nothing at once (INV-8 names each case).

use winback_contract::{
    Body, Channel, ConsentChange, CustomerId, Event, EventRecord, IdentityKind, SourceKind, Span,
    Standing, spec,
};

use crate::activate::activate;
use crate::address::{desk, numbers, person};
use crate::advance::advance;
use crate::consent::consent;
use crate::customer::{Customer, limit};
use crate::effects::{Count, Effects, Forward};
use crate::happening::Happening;
use crate::matching::Named;
use crate::profile::{carts, identity, loyalty, orders, session};
use crate::start::date::arm_dates;
use crate::start::{counting, on_event, product, silence};
use crate::world::World;
use crate::{awaits, erase, exit, merge, told};

/// Applies a record.
pub fn apply(customer: &mut Customer, record: &EventRecord, world: &World<'_>) -> Effects {
    let mut out = Effects::default();
    match (&record.body, customer.forward) {
        // These are about the partition, not about a customer.
        (
            Body::Activation { .. } | Body::Announcement(_) | Body::Goods(_) | Body::Coupons { .. },
            _,
        ) => {}
        (
            Body::Link {
                owner,
                owner_kind,
                kind,
            },
            _,
        ) => {
            merge::link(
                customer,
                (*owner, *owner_kind),
                *kind,
                record,
                world,
                &mut out,
            );
        }
        (Body::Erased, _) => erase::erase(customer, record, world, &mut out),
        (Body::Repoint { owner, owner_kind }, _) => {
            merge::repoint(customer, (*owner, *owner_kind), &mut out);
        }
        (Body::Address(news), _) => desk::told(customer, news, record, world, &mut out),
        (Body::AddressForgotten { holder }, _) => desk::forget(customer, *holder),
        (Body::Copy(event), Some(mark)) if desk::is_desk(mark.kind) => {
            desk::copied(customer, event, mark, record, world, &mut out);
        }
        (_, Some(mark)) => {
            if let Body::Handover { from, .. } = &record.body {
                // Whoever sent it points here; what it is told from now on goes the short way (INV-6).
                let body = Body::Repoint {
                    owner: mark.owner,
                    owner_kind: mark.owner_kind,
                };
                out.forwards.push(Forward {
                    to: *from,
                    body,
                    ..forward(record, mark.owner)
                });
            }
            out.forwards.push(forward(record, mark.owner));
            out.count(Count::Forwarded);
        }
        (
            Body::Handover {
                from,
                from_kind,
                state,
            },
            None,
        ) => {
            if erase::is_of_before(customer, record.arrival) {
                // What a device still knew of the person goes too.
                out.count(Count::Late);
                return out;
            }
            merge::absorb(
                customer,
                *from,
                *from_kind,
                state,
                record.arrival,
                world,
                &mut out,
            );
        }
        (Body::Outcome(outcome), None) => {
            out = crate::outcome::apply(customer, outcome, world);
        }
        (Body::Storefront(event), None) => {
            storefront(customer, record, event, Role::Own, world, &mut out);
        }
        (Body::Copy(event), None) => {
            storefront(customer, record, event, Role::Copy, world, &mut out);
        }
        (Body::AtAddress(event), None) => {
            storefront(customer, record, event, Role::Holder, world, &mut out);
        }
    }
    match &mut customer.seen {
        // The same stream as before, nearly always: its name stays where it is.
        Some(seen) if seen.stream == record.source.stream => {
            seen.partition = record.source.partition;
            seen.offset = record.source.offset;
            seen.index = record.source.index;
        }
        seen => *seen = Some(record.source.clone()),
    }
    for journey in &mut out.journeys {
        journey.input = Some(record.source.clone());
    }
    out
}

/// Whether the customer was there: not where a system tells it, by the contract's list or by the Policy's.
fn is_visit(event: &Event, world: &World<'_>) -> bool {
    let policy = world.active.map(|bundle| &bundle.policy);
    let is_told = policy.is_some_and(|policy| policy.back_office.contains(&event.name));
    !event.passive && !is_told && spec::is_activity(&event.name)
}

/// So long a storefront's repeats are known.
const REPEATS: Span = Span::from_hours(24);

/// As whose an event comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    /// The profile's own.
    Own,
    /// Another's, who is known by a weaker identifier of this profile too.
    Copy,
    /// Another's, who names an address that this profile holds.
    Holder,
}

/// What an event of another stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reach {
    /// Everything, as the profile's own would.
    All,
    /// What would go to a number: one that two people share ends no cart that is mailed to another address.
    Numbers,
    /// The address that it names is not one of now.
    Nothing,
}

impl Reach {
    fn of(customer: &Customer, event: &Event, role: Role) -> Self {
        if role != Role::Holder {
            return Self::All;
        }
        let shares =
            |known: &Option<String>, named: &Option<String>| known.is_some() && known == named;
        let (profile, named) = (&customer.profile, &event.identities);
        match (
            shares(&profile.email, &named.email),
            shares(&profile.phone, &named.phone),
        ) {
            (true, _) => Self::All,
            (false, true) if profile.email.is_none() => Self::All,
            (false, true) => Self::Numbers,
            (false, false) => Self::Nothing,
        }
    }
}

/// The record as it goes on to another profile.
fn forward(record: &EventRecord, to: CustomerId) -> Forward {
    Forward {
        to,
        id: record.id,
        kind: record.kind,
        arrival: record.arrival,
        at: record.at,
        body: record.body.clone(),
    }
}

fn storefront(
    customer: &mut Customer,
    record: &EventRecord,
    event: &Event,
    role: Role,
    world: &World<'_>,
    out: &mut Effects,
) {
    let own = role == Role::Own;
    if erase::is_of_before(customer, record.at) {
        out.count(Count::Late);
        return;
    }
    // A copy may overtake the event itself on its way through another profile: they are told apart.
    let short = match role {
        Role::Own => record.id.short(),
        Role::Copy => !record.id.short(),
        Role::Holder => record.id.short().rotate_left(1),
    };
    // Half of the hash is enough for a day of one person's events.
    let short = short & u64::from(u32::MAX);
    if customer.recent.contains(&short) {
        out.count(Count::Duplicate);
        return;
    }
    let last = customer.last_activity;
    if last.is_some_and(|last| record.arrival.since(last) > REPEATS) {
        customer.recent.clear();
    }
    Customer::push_bounded(&mut customer.recent, short, limit::RECENT);
    out.count(Count::Applied);
    activate(customer, record.arrival, world, out);
    advance(customer, record.arrival, world, out);
    let live = record.kind == SourceKind::Live;
    let late = live && record.arrival.since(record.at) > world.limits.late_after;
    if late {
        out.count(Count::Late);
    }
    let addressed = carts::addressed(customer, event);
    let event = addressed.as_ref();
    let mut happening = Happening {
        event,
        at: record.at,
        // The past arrived when it happened: it must not end what began since.
        arrival: if live { record.arrival } else { record.at },
        live,
        id: record.id,
        fresh: live && !late,
    };
    orders::put_back(customer, &mut happening, own);
    consented(customer, record, event, role, world, out);
    match Reach::of(customer, event, role) {
        Reach::All => {}
        Reach::Numbers => return numbers::ordered(customer, &happening, out),
        Reach::Nothing => return,
    }
    let mut begins = false;
    if own {
        identity::identify(customer, event, record.at, world);
        if happening.fresh && is_visit(event, world) {
            begins = session::session(customer, &happening);
            identity::activity(customer, record.arrival, world, out);
        }
    }
    // What an order has just settled is no new wish: it changes nothing, and begins nothing.
    let is_echo = carts::is_echo(customer, &happening);
    let emptied = !is_echo && carts::fold(customer, &happening, out);
    let counts = orders::fold(customer, &happening, own);
    // An order that is told again begins nothing again, however late.
    let is_told_again = event.name == spec::ORDER_COMPLETED && !counts;
    if is_echo || is_told_again {
        happening.fresh = false;
    }
    if counts
        && let Some(order) = customer
            .orders
            .list
            .iter()
            .find(|order| Some(&order.id) == event.order_id.as_ref())
    {
        out.sold.push((order.products.clone(), record.arrival));
        if let Some(code) = &order.coupon {
            crate::book::offer::redeemed(customer, code, out);
        }
    }
    if own && event.name == "Email Bounced" {
        let bounced = person::Report {
            channel: Channel::Email,
            topic: None,
            standing: Standing::Unreachable,
            clocks: desk::clocks(record),
            id: record.id,
            message: None,
        };
        person::report(customer, bounced, world, out);
    }
    if own {
        loyalty::fold(customer, &happening);
        product::note(customer, &happening, world, out);
    }
    let names = [
        Some(event.name.as_str()),
        emptied.then_some(spec::CART_EMPTIED),
        begins.then_some(spec::SESSION_STARTED),
    ];
    let names = names.map(|name| name.map(|name| Named::new(name, world)));
    for named in names.iter().flatten() {
        told::keep(customer, &happening, named);
        exit::fold(customer, &happening, named, world, out);
        awaits::fold(customer, &happening, named, world, out);
        counting::recount(customer, named);
    }
    if own && happening.fresh {
        for named in names.iter().flatten() {
            on_event::fold(customer, &happening, named, world, out);
        }
    }
    if own && (event.name.starts_with("Order ") || happening.fresh) {
        silence::silence_after(customer, &event.name, record.arrival, world, out);
    }
    if own && moves_dates(event) {
        arm_dates(customer, record.arrival, world, out);
    }
}

/// Whether an event may move a date that campaigns count to.
fn moves_dates(event: &Event) -> bool {
    event.traits.is_some()
        || event.name.starts_with("Points ")
        || event.name.starts_with("Order ")
        || event.name == "Level Reached"
}

/// What an event says of consent: about the person, if it is the person's, and about the address it names.
fn consented(
    customer: &mut Customer,
    record: &EventRecord,
    event: &Event,
    role: Role,
    world: &World<'_>,
    out: &mut Effects,
) {
    let Some(said) = &event.consent else { return };
    let channels: &[Channel] = if said.every {
        &Channel::ALL
    } else {
        std::slice::from_ref(&said.channel)
    };
    for channel in channels {
        let change = ConsentChange {
            channel: *channel,
            every: false,
            ..said.clone()
        };
        consented_to(customer, record, event, &change, role, world, out);
    }
}

/// The same of one channel.
fn consented_to(
    customer: &mut Customer,
    record: &EventRecord,
    event: &Event,
    change: &ConsentChange,
    role: Role,
    world: &World<'_>,
    out: &mut Effects,
) {
    let clocks = desk::clocks(record);
    let other = |known: &Option<String>, named: &Option<String>| {
        known.is_some() && named.is_some() && known != named
    };
    let is_another = other(&customer.profile.user, &event.identities.user)
        || other(&customer.profile.email, &event.identities.email);
    if role == Role::Own || role == Role::Copy && !is_another {
        consent(customer, change, clocks, out);
    }
    let Some(standing) = person::standing(change.status) else {
        return;
    };
    let kinds = [IdentityKind::Email, IdentityKind::Phone];
    let words = kinds.map(|kind| desk::said_of(event, change, kind, record));
    if words.iter().flatten().next().is_none() && role == Role::Own {
        // It names no address: it is about the one that is known, whose profile has no copy of it.
        let said = person::Report {
            channel: change.channel,
            topic: change.topic.clone(),
            standing,
            clocks,
            id: record.id,
            message: None,
        };
        person::report(customer, said, world, out);
    }
    for word in words.into_iter().flatten() {
        person::note(customer, word, out);
    }
}
