//! One record of `events`, applied to one customer: the table of contents of the core.
//!
//! Order within a record: repeats are dropped, time passes up to its arrival, state changes, exits end journeys,
//! starts arm new ones. Late and historical events change state and arm nothing at once (INV-8 names each case).

use winback_contract::{Body, CustomerId, Event, EventRecord, SourceKind, spec};

use crate::activate::activate;
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
        (Body::Repoint { owner, owner_kind }, _) => merge::repoint(customer, *owner, *owner_kind),
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
        (Body::Storefront(event) | Body::Copy(event), None) => {
            let own = matches!(record.body, Body::Storefront(_));
            storefront(customer, record, event, own, world, &mut out);
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
    own: bool,
    world: &World<'_>,
    out: &mut Effects,
) {
    if erase::is_of_before(customer, record.at) {
        out.count(Count::Late);
        return;
    }
    // A copy may overtake the event itself on its way through another profile: they are told apart.
    let short = if own {
        record.id.short()
    } else {
        !record.id.short()
    };
    if customer.recent.contains(&short) {
        out.count(Count::Duplicate);
        return;
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
    let happening = Happening {
        event,
        at: record.at,
        // The past arrived when it happened: it must not end what began since.
        arrival: if live { record.arrival } else { record.at },
        live,
        id: record.id,
        fresh: live && !late,
    };
    let mut begins = false;
    if own {
        identity::identify(customer, event, record.at);
        if happening.fresh && spec::is_activity(&event.name) {
            begins = session::session(customer, &happening);
            identity::activity(customer, record.arrival, world, out);
        }
    }
    let emptied = carts::fold(customer, &happening, out);
    let mine =
        own || customer.profile.user.is_none() || customer.profile.user == event.identities.user;
    if orders::fold(customer, &happening, mine)
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
    if own {
        loyalty::fold(customer, &happening);
        product::note(customer, &happening, world, out);
    }
    if let Some(change) = &event.consent {
        consent(customer, change, (record.at, happening.arrival), out);
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
    if event.name == spec::ORDER_COMPLETED && mine || happening.fresh && own {
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
