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
use crate::customer::{Customer, ForwardMark, limit};
use crate::effects::{Count, Effects, Forward};
use crate::incoming::IncomingEvent;
use crate::matching::Named;
use crate::profile::{carts, identity, loyalty, orders, session};
use crate::scene::Scene;
use crate::start::date::arm_dates;
use crate::start::{counting, on_event, product, silence};
use crate::world::World;
use crate::{awaits, erase, exit, merge, told};

/// Applies a record.
pub fn apply(customer: &mut Customer, record: &EventRecord, world: &World<'_>) -> Effects {
    Scene::play(customer, world, |scene| applied(scene, record))
}

fn applied(scene: &mut Scene<'_>, record: &EventRecord) {
    match (&record.body, scene.customer.forward) {
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
            merge::link(scene, (*owner, *owner_kind), *kind, record);
        }
        (Body::Erased, _) => erase::erase(scene, record),
        (Body::Repoint { owner, owner_kind }, _) => {
            merge::repoint(scene, (*owner, *owner_kind));
        }
        (Body::Address(news), _) => desk::told(scene, news, record),
        (Body::AddressForgotten { holder }, _) => desk::forget(scene.customer, *holder),
        (Body::Copy(event), Some(mark)) if desk::is_desk(mark.kind) => {
            desk::copied(scene, event, mark, record);
        }
        (_, Some(mark)) => pass_on(scene, record, mark),
        (
            Body::Handover {
                from,
                from_kind,
                state,
            },
            None,
        ) => {
            if erase::is_of_before(scene.customer, record.arrival) {
                // What a device still knew of the person goes too.
                scene.out.count(Count::Late);
                return;
            }
            merge::absorb(scene, *from, *from_kind, state, record.arrival);
        }
        (Body::Outcome(outcome), None) => {
            scene.out = crate::outcome::apply(scene.customer, outcome, scene.world);
        }
        (Body::Storefront(event), None) => {
            storefront(scene, record, event, Role::Own);
        }
        (Body::Copy(event), None) => {
            storefront(scene, record, event, Role::Copy);
        }
        (Body::AtAddress(event), None) => {
            storefront(scene, record, event, Role::Holder);
        }
    }
    note_position(scene, record);
}

/// Somebody else has taken the profile over: it is told there.
fn pass_on(scene: &mut Scene<'_>, record: &EventRecord, mark: ForwardMark) {
    if let Body::Handover { from, .. } = &record.body {
        // Whoever sent it points here; what it is told from now on goes the short way (INV-6).
        let body = Body::Repoint {
            owner: mark.owner,
            owner_kind: mark.owner_kind,
        };
        scene.out.forwards.push(Forward {
            to: *from,
            body,
            ..forward(record, mark.owner)
        });
    }
    scene.out.forwards.push(forward(record, mark.owner));
    scene.out.count(Count::Forwarded);
}

/// Where the record was: kept with the customer, and told with what came of it.
fn note_position(scene: &mut Scene<'_>, record: &EventRecord) {
    match &mut scene.customer.seen {
        // The same stream as before, nearly always: its name stays where it is.
        Some(seen) if seen.stream == record.source.stream => {
            seen.partition = record.source.partition;
            seen.offset = record.source.offset;
            seen.index = record.source.index;
        }
        seen => *seen = Some(record.source.clone()),
    }
    for journey in &mut scene.out.journeys {
        journey.input = Some(record.source.clone());
    }
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

fn storefront(scene: &mut Scene<'_>, record: &EventRecord, event: &Event, role: Role) {
    let own = role == Role::Own;
    if erase::is_of_before(scene.customer, record.at) {
        scene.out.count(Count::Late);
        return;
    }
    if is_repeat(scene, record, role) {
        scene.out.count(Count::Duplicate);
        return;
    }
    scene.out.count(Count::Applied);
    activate(scene, record.arrival);
    advance(scene, record.arrival);
    let live = record.kind == SourceKind::Live;
    let late = live && record.arrival.since(record.at) > scene.world.limits.late_after;
    if late {
        scene.out.count(Count::Late);
    }
    let addressed = carts::addressed(scene.customer, event);
    let event = addressed.as_ref();
    let mut incoming = IncomingEvent {
        event,
        name: &event.name,
        at: record.at,
        // The past arrived when it happened: it must not end what began since.
        arrival: if live { record.arrival } else { record.at },
        live,
        id: record.id,
        fresh: live && !late,
    };
    orders::put_back(scene.customer, &mut incoming, own);
    consented(scene, record, event, role);
    match Reach::of(scene.customer, event, role) {
        Reach::All => {}
        Reach::Numbers => return numbers::ordered(scene, &incoming),
        Reach::Nothing => return,
    }
    let mut begins = false;
    if own {
        identity::identify(scene.customer, event, record.at, scene.world);
        if incoming.fresh && is_visit(event, scene.world) {
            begins = session::session(scene.customer, &incoming);
            identity::activity(scene, record.arrival);
        }
    }
    // What an order has just settled is no new wish: it changes nothing, and begins nothing.
    let is_echo = carts::is_echo(scene.customer, &incoming);
    let emptied = !is_echo && carts::fold(scene, &incoming);
    let counts = orders::fold(scene.customer, &incoming, own);
    // An order that is told again begins nothing again, however late.
    let is_told_again = event.name == spec::ORDER_COMPLETED && !counts;
    if is_echo || is_told_again {
        incoming.fresh = false;
    }
    if counts {
        counted(scene, event, record);
    }
    if own && event.name == "Email Bounced" {
        bounced(scene, record);
    }
    if own {
        loyalty::fold(scene.customer, &incoming);
        product::note(scene, &incoming);
    }
    let names = [
        Some(event.name.as_str()),
        emptied.then_some(spec::CART_EMPTIED),
        begins.then_some(spec::SESSION_STARTED),
    ];
    journeys(scene, &incoming, &names, own);
    if own && (event.name.starts_with("Order ") || incoming.fresh) {
        silence::silence_after(scene, &event.name, record.arrival);
    }
    if own && moves_dates(event) {
        arm_dates(scene, record.arrival);
    }
}

/// What the event, and what follows from it, ends, answers and begins: in this order for all names.
fn journeys(
    scene: &mut Scene<'_>,
    incoming: &IncomingEvent<'_>,
    names: &[Option<&str>],
    own: bool,
) {
    let names = names.iter().flatten();
    let names: Vec<_> = names.map(|name| Named::new(name, scene.world)).collect();
    for named in &names {
        told::keep(scene.customer, incoming, named);
        exit::fold(scene, incoming, named);
        awaits::fold(scene, incoming, named);
        counting::recount(scene.customer, named);
    }
    if own && incoming.fresh {
        for named in &names {
            on_event::fold(scene, incoming, named);
        }
    }
}

/// Whether it was applied already, by its id; if not, the id is remembered.
fn is_repeat(scene: &mut Scene<'_>, record: &EventRecord, role: Role) -> bool {
    // A copy may overtake the event itself on its way through another profile: they are told apart.
    let short = match role {
        Role::Own => record.id.short(),
        Role::Copy => !record.id.short(),
        Role::Holder => record.id.short().rotate_left(1),
    };
    // Half of the hash is enough for a day of one person's events.
    let short = short & u64::from(u32::MAX);
    if scene.customer.recent.contains(&short) {
        return true;
    }
    let last = scene.customer.last_activity;
    if last.is_some_and(|last| record.arrival.since(last) > REPEATS) {
        scene.customer.recent.clear();
    }
    Customer::push_bounded(&mut scene.customer.recent, short, limit::RECENT);
    false
}

/// An order that counts: what sells is known by it, and the code that it named was redeemed.
fn counted(scene: &mut Scene<'_>, event: &Event, record: &EventRecord) {
    let mut orders = scene.customer.orders.list.iter();
    let Some(order) = orders.find(|order| Some(&order.id) == event.order_id.as_ref()) else {
        return;
    };
    let (products, coupon) = (order.products.clone(), order.coupon.clone());
    scene.out.sold.push((products, record.arrival));
    if let Some(code) = coupon {
        crate::book::offer::redeemed(scene, &code);
    }
}

/// A tool of the shop's says that mail came back.
fn bounced(scene: &mut Scene<'_>, record: &EventRecord) {
    let bounced = person::Report {
        channel: Channel::Email,
        topic: None,
        standing: Standing::Unreachable,
        clocks: desk::clocks(record),
        id: record.id,
        message: None,
    };
    person::report(scene, bounced);
}

/// Whether an event may move a date that campaigns count to.
fn moves_dates(event: &Event) -> bool {
    event.traits.is_some()
        || event.name.starts_with("Points ")
        || event.name.starts_with("Order ")
        || event.name == "Level Reached"
}

/// What an event says of consent: about the person, if it is the person's, and about the address it names.
fn consented(scene: &mut Scene<'_>, record: &EventRecord, event: &Event, role: Role) {
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
        consented_to(scene, record, event, &change, role);
    }
}

/// The same of one channel.
fn consented_to(
    scene: &mut Scene<'_>,
    record: &EventRecord,
    event: &Event,
    change: &ConsentChange,
    role: Role,
) {
    let clocks = desk::clocks(record);
    let other = |known: &Option<String>, named: &Option<String>| {
        known.is_some() && named.is_some() && known != named
    };
    let is_another = other(&scene.customer.profile.user, &event.identities.user)
        || other(&scene.customer.profile.email, &event.identities.email);
    if role == Role::Own || role == Role::Copy && !is_another {
        consent(scene, change, clocks);
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
        person::report(scene, said);
    }
    for word in words.into_iter().flatten() {
        person::note(scene, word);
    }
}
