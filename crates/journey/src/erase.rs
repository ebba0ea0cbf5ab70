//! Everything that is kept of a person goes, on the person's word or the shop's.
//!
//! Invariants: INV-5 (nothing is claimed after a committed erasure), INV-12 (what remains is the moment of it, so that a
//! late word of before revives nobody). Absent: topics, which forget by their retention; docs/operations.md has the table.

use std::collections::BTreeSet;

use winback_contract::{Body, EventRecord, Reason, SourceKind, Timestamp};

use crate::address::{Destination, desk};
use crate::customer::Customer;
use crate::effects::{Count, Forward, GrantChange};
use crate::end::end_each;
use crate::scene::Scene;
use crate::start::product;

/// Erases a profile, or the one that has taken it over. Marks stay: a profile that was taken over holds nothing else, and
/// whoever comes back under one name comes back under all.
pub(crate) fn erase(scene: &mut Scene<'_>, record: &EventRecord) {
    if let Some(mark) = scene.customer.forward {
        desk::forget(scene.customer, mark.owner);
        scene.out.forwards.push(Forward {
            to: mark.owner,
            id: record.id,
            kind: SourceKind::Live,
            arrival: record.arrival,
            at: record.at,
            body: Body::Erased,
        });
        return;
    }
    if is_of_before(scene.customer, record.arrival) {
        scene.out.count(Count::Duplicate);
        return;
    }
    end_each(scene, Reason::Erased, record.arrival, |_, _| true);
    for pending in &scene.customer.messages {
        scene
            .out
            .grants
            .push(GrantChange::Withdraw(pending.message));
    }
    let profile = &scene.customer.profile;
    let known = [profile.email.as_deref(), profile.phone.as_deref()]
        .into_iter()
        .flatten();
    let destinations = known.filter_map(|text| Destination::named(profile, text, scene.world.shop));
    let former = scene.customer.addresses.former.iter();
    let desks: BTreeSet<_> = destinations
        .filter_map(|destination| destination.desk)
        .chain(former.filter_map(|former| former.desk))
        .filter(|desk| *desk != scene.world.customer)
        .collect();
    for desk in desks {
        scene.out.forwards.push(Forward {
            to: desk,
            id: record.id,
            kind: SourceKind::Live,
            arrival: record.arrival,
            at: record.at,
            body: Body::AddressForgotten {
                holder: scene.world.customer,
            },
        });
    }
    scene.out.count(Count::Applied);
    scene.out.unwatched.extend(product::watched(scene.customer));
    *scene.customer = Customer {
        scheduled: scene.customer.scheduled,
        absorbed: std::mem::take(&mut scene.customer.absorbed),
        last_activity: Some(record.arrival),
        erased: Some(record.arrival),
        ..Customer::default()
    };
}

/// Whether something of that time was said before the person was erased: it revives nobody.
pub(crate) fn is_of_before(customer: &Customer, at: Timestamp) -> bool {
    customer.erased.is_some_and(|erased| at <= erased)
}
