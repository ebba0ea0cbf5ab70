//! The desk of an address: its profile, which stays behind when a person takes it over, knows who holds the address and
//! passes on what is said of it, and what was ordered with it (INV-5, INV-11).

use winback_contract::{
    AddressId, AddressNews, Body, Channel, ConsentChange, CustomerId, Event, EventRecord,
    IdentityKind, SourceKind, Timestamp,
};

use crate::address::person::{note, standing, tell};
use crate::address::words::careful;
use crate::address::{Word, kind_of, limit};
use crate::customer::{Customer, ForwardMark};
use crate::effects::{Count, Forward};
use crate::scene::Scene;

/// Whether profiles of a kind are desks.
pub(crate) fn is_desk(kind: IdentityKind) -> bool {
    matches!(kind, IdentityKind::Email | IdentityKind::Phone)
}

/// Somebody holds the address from now on. Who is known already is the newest again.
pub(crate) fn hold(scene: &mut Scene<'_>, holder: CustomerId) {
    let holders = &mut scene.customer.addresses.holders;
    if let Some(index) = holders.iter().position(|known| *known == holder) {
        holders.remove(index);
    }
    if Customer::push_bounded(holders, holder, limit::HOLDERS) {
        scene.out.count(Count::Unheld);
    }
}

/// A holder hears all that was said before.
pub(crate) fn tell_all(scene: &mut Scene<'_>, holder: CustomerId, record: &EventRecord) {
    for word in &scene.customer.addresses.words {
        let news = AddressNews {
            desk: scene.world.customer,
            address: word.address,
            channel: word.channel,
            topic: word.topic.clone(),
            standing: word.standing,
        };
        // It counts from when it was said, not from when this holder came.
        scene
            .out
            .forwards
            .push(tell(holder, news, record.id, (word.at, word.at)));
    }
}

/// What is said of an address: at its desk, or at somebody who holds it.
pub(crate) fn told(scene: &mut Scene<'_>, news: &AddressNews, record: &EventRecord) {
    let is_desk = news.desk == scene.world.customer;
    match (is_desk, scene.customer.forward) {
        (false, Some(mark)) => {
            scene.out.forwards.push(Forward {
                to: mark.owner,
                id: record.id,
                kind: record.kind,
                arrival: record.arrival,
                at: record.at,
                body: record.body.clone(),
            });
            scene.out.count(Count::Forwarded);
            return;
        }
        (true, _) => {
            scene.customer.profile.created_at =
                scene.customer.profile.created_at.or(Some(record.at))
        }
        (false, None) => {
            // Whoever was erased and does not hold the address again is told nothing of it.
            let current = scene
                .customer
                .profile
                .address(news.channel)
                .map(AddressId::of);
            if scene.customer.erased.is_some() && current != Some(news.address) {
                scene.out.count(Count::Late);
                return;
            }
        }
    }
    scene.out.count(Count::Applied);
    let word = Word {
        address: news.address,
        channel: news.channel,
        topic: news.topic.clone(),
        standing: news.standing,
        at: careful(news.standing, (record.at, record.arrival)),
    };
    if note(scene, word) && is_desk {
        for holder in scene.customer.addresses.holders.clone() {
            let clocks = (record.at, record.arrival);
            scene
                .out
                .forwards
                .push(tell(holder, news.clone(), record.id, clocks));
        }
    }
}

/// Somebody who held it was erased: nothing is kept of the address, unless somebody else holds it too.
pub(crate) fn forget(customer: &mut Customer, holder: CustomerId) {
    if customer.forward.is_none() {
        return;
    }
    customer.addresses.holders.retain(|known| *known != holder);
    if customer.addresses.holders.is_empty() {
        customer.addresses.words.clear();
    }
}

/// A conversion or a consent that named the address: everybody who holds it hears of it, but whoever did it.
pub(crate) fn copied(
    scene: &mut Scene<'_>,
    event: &Event,
    mark: ForwardMark,
    record: &EventRecord,
) {
    scene.customer.last_activity = scene.customer.last_activity.max(Some(record.arrival));
    for word in all_said_of(event, mark.kind, record) {
        note(scene, word);
    }
    let done_by = event
        .identities
        .strongest()
        .map(|identity| identity.customer(scene.world.shop));
    let mut told = scene.customer.addresses.holders.clone();
    if !told.contains(&mark.owner) {
        // Of before holders were kept.
        told.push(mark.owner);
    }
    for holder in told.into_iter().filter(|holder| Some(*holder) != done_by) {
        scene.out.forwards.push(Forward {
            to: holder,
            id: record.id,
            kind: record.kind,
            arrival: record.arrival,
            at: record.at,
            body: Body::AtAddress(Box::new(event.clone())),
        });
        scene.out.count(Count::Forwarded);
    }
}

/// What an event's consent says of its address of a kind, on every channel it is about.
fn all_said_of(event: &Event, kind: IdentityKind, record: &EventRecord) -> Vec<Word> {
    let Some(said) = &event.consent else {
        return Vec::new();
    };
    let about = |channel: &Channel| said.every || *channel == said.channel;
    let channels = Channel::ALL.into_iter().filter(about);
    channels
        .filter_map(|channel| {
            let change = ConsentChange {
                channel,
                ..said.clone()
            };
            said_of(event, &change, kind, record)
        })
        .collect()
}

/// What a change of consent says of an event's address of a kind.
pub(crate) fn said_of(
    event: &Event,
    change: &ConsentChange,
    kind: IdentityKind,
    record: &EventRecord,
) -> Option<Word> {
    if kind_of(change.channel) != Some(kind) {
        return None;
    }
    let address = match kind {
        IdentityKind::Email => event.identities.email.as_deref(),
        IdentityKind::Phone => event.identities.phone.as_deref(),
        IdentityKind::User | IdentityKind::Anonymous => None,
    };
    let standing = standing(change.status)?;
    Some(Word {
        address: AddressId::of(address?),
        channel: change.channel,
        topic: change.topic.clone(),
        standing,
        at: careful(standing, clocks(record)),
    })
}

/// Event time and arrival; the past arrived when it happened.
pub(crate) fn clocks(record: &EventRecord) -> (Timestamp, Timestamp) {
    match record.kind {
        SourceKind::Live => (record.at, record.arrival),
        SourceKind::History => (record.at, record.at),
    }
}
