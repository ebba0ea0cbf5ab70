//! Two profiles are one person: the weaker hands its state over and leaves a mark; the stronger takes it in.
//!
//! Marks point from weaker to stronger kinds only, one hop. A weaker key has one owner; a second claimant gets
//! future events, not history. Journey and message ids travel unchanged. Absent: undoing a merge.

use winback_contract::{
    AddressId, Blob, Body, CustomerId, EventId, EventRecord, IdentityKind, JourneyId, Reason,
    SourceKind, Timestamp,
};

use crate::address::words::{closes, remember as remember_word};
use crate::address::{Addresses, desk};
use crate::behaviour::keep_lines;
use crate::codec::{decode, encode_in};
use crate::consent::{Remembered, remember, withdraw};
use crate::customer::{Absorbed, Customer, ForwardMark, History, Profile, limit};
use crate::effects::{Count, Forward, GrantChange};
use crate::eligibility::ends_by_order;
use crate::end::{end, end_each};
use crate::profile::{carts, orders as ledger};
use crate::records;
use crate::scene::Scene;
use crate::start::product;
use crate::state::{Journey, Stage};

/// At the weaker profile: hand over and leave a mark, or point an existing mark to the newest owner.
pub(crate) fn link(
    scene: &mut Scene<'_>,
    (owner, owner_kind): (CustomerId, IdentityKind),
    kind: IdentityKind,
    record: &EventRecord,
) {
    if !owner_kind.is_stronger_than(kind) || owner == scene.world.customer {
        return;
    }
    let is_desk = desk::is_desk(kind);
    if is_desk {
        desk::hold(scene, owner);
    }
    if scene.customer.forward.is_some() {
        // It is in use: its retention begins anew.
        scene.customer.last_activity = scene.customer.last_activity.max(Some(record.arrival));
    }
    if let Some(mark) = &mut scene.customer.forward {
        // History went to the first owner; from now on events go to the newest.
        mark.owner = owner;
        mark.owner_kind = owner_kind;
        if is_desk {
            desk::tell_all(scene, owner, record);
        }
        return;
    }
    for pending in scene
        .customer
        .messages
        .iter()
        .filter(|pending| pending.holder == scene.world.customer)
    {
        scene.out.grants.push(GrantChange::Move(pending.message));
    }
    // The open trigger stays behind: its steps are due again at the owner.
    scene.customer.trigger = None;
    for absorbed in &scene.customer.absorbed {
        scene.out.forwards.push(Forward {
            to: absorbed.customer,
            id: record.id,
            kind: SourceKind::Live,
            arrival: record.arrival,
            at: record.at,
            body: Body::Repoint { owner, owner_kind },
        });
    }
    // Its owner is told from now on.
    scene.out.unwatched.extend(product::watched(scene.customer));
    let holders = std::mem::take(&mut scene.customer.addresses.holders);
    let state = Blob(encode_in(scene.customer, scene.world.bundles.format()));
    scene.customer.addresses.holders = holders;
    scene.out.forwards.push(Forward {
        to: owner,
        id: EventId(scene.world.customer.0),
        kind: record.kind,
        arrival: record.arrival,
        at: record.at,
        body: Body::Handover {
            from: scene.world.customer,
            from_kind: kind,
            state,
        },
    });
    leave_mark(scene, (owner, owner_kind), kind, record);
}

/// What stays where a profile was: who it is now, and what was said of its address.
fn leave_mark(
    scene: &mut Scene<'_>,
    (owner, owner_kind): (CustomerId, IdentityKind),
    kind: IdentityKind,
    record: &EventRecord,
) {
    let is_desk = desk::is_desk(kind);
    let (created, scheduled) = (scene.customer.profile.created_at, scene.customer.scheduled);
    let own = match kind {
        IdentityKind::Email => scene.customer.profile.email.as_deref(),
        IdentityKind::Phone => scene.customer.profile.phone.as_deref(),
        IdentityKind::User | IdentityKind::Anonymous => None,
    };
    let own = own.map(AddressId::of);
    let mut addresses = std::mem::take(&mut scene.customer.addresses);
    // What was said of the address stays with it; without a name of its own the profile was nothing but its address.
    addresses
        .words
        .retain(|word| own.is_none_or(|own| word.address == own));
    addresses.former.clear();
    addresses.number_ordered = None;
    *scene.customer = Customer {
        scheduled,
        forward: Some(ForwardMark {
            owner,
            owner_kind,
            kind,
        }),
        addresses: if is_desk {
            addresses
        } else {
            Addresses::default()
        },
        ..Customer::default()
    };
    scene.customer.profile.created_at = created.or(Some(record.at));
    scene.customer.last_activity = Some(record.arrival);
}

/// A mark's owner was itself taken over.
pub(crate) fn repoint(scene: &mut Scene<'_>, (owner, owner_kind): (CustomerId, IdentityKind)) {
    if let Some(mark) = &mut scene.customer.forward
        && owner_kind.is_stronger_than(mark.kind)
    {
        mark.owner = owner;
        mark.owner_kind = owner_kind;
        if desk::is_desk(mark.kind) {
            desk::hold(scene, owner);
        }
    }
}

/// At the stronger profile: takes in what the weaker one was.
pub(crate) fn absorb(
    scene: &mut Scene<'_>,
    from: CustomerId,
    from_kind: IdentityKind,
    state: &Blob,
    arrival: Timestamp,
) {
    if scene
        .customer
        .absorbed
        .iter()
        .any(|absorbed| absorbed.customer == from)
    {
        scene.out.count(Count::Duplicate);
        // A desk that was forgotten and is known anew: what was refused there meanwhile is no repeat.
        if let Ok(other) = decode(&state.0) {
            refusals(scene, &other);
        }
        return;
    }
    let Ok(other) = decode(&state.0) else {
        scene.out.count(Count::Stale);
        return;
    };
    crate::advance::advance(scene, arrival);
    let news = Absorbed {
        customer: from,
        kind: from_kind,
    };
    for absorbed in std::iter::once(news).chain(other.absorbed.iter().copied()) {
        if Customer::push_bounded(&mut scene.customer.absorbed, absorbed, limit::ABSORBED) {
            scene.out.count(Count::Truncated);
        }
    }
    fill(scene, &other);
    for channel in winback_contract::Channel::ALL {
        let denied = |consent: &crate::customer::Consent| {
            consent.channel == channel && consent.status == winback_contract::ConsentStatus::Denied
        };
        if scene
            .customer
            .addresses
            .words
            .iter()
            .any(|word| word.channel == channel && closes(word.standing))
            || scene.customer.consents.iter().any(denied)
        {
            withdraw(scene, channel);
        }
    }
    orders(scene.customer, &other, arrival);
    let known = product::watched(scene.customer);
    scene.customer.behaviour.join(&other.behaviour);
    product::unwatch(scene, known);
    for wanted in &other.behaviour.wanted {
        // The lists of watchers name the weaker profile: this one is told from now on.
        if product::wants(scene.customer, &wanted.product_id) {
            scene.out.watches.push((wanted.product_id.clone(), arrival));
        }
    }
    carts(scene.customer, &other);
    let told = other.told.clone();
    journeys(scene, other, arrival);
    crate::told::join(scene, &told, arrival);
    // The absorbed may have ordered before the owner's cart was filled, or the other way round: judge again.
    drop_bought(scene, arrival);
    crate::start::silence::arm_silence(scene, arrival);
    crate::start::date::arm_dates(scene, arrival);
}

/// What another profile was told of consents and addresses.
fn refusals(scene: &mut Scene<'_>, other: &Customer) {
    for consent in &other.consents {
        if remember(scene.customer, consent.clone()) == Remembered::Truncated {
            scene.out.count(Count::Truncated);
        }
    }
    for word in &other.addresses.words {
        remember_word(scene.customer, word.clone());
    }
}

/// What the other profile knows and this one does not.
fn fill(scene: &mut Scene<'_>, other: &Customer) {
    fill_profile(&mut scene.customer.profile, &other.profile);
    scene.customer.last_activity = scene.customer.last_activity.max(other.last_activity);
    refusals(scene, other);
    for bought in &other.bought {
        carts::remember_bought(scene.customer, *bought);
    }
    let ordered = &mut scene.customer.addresses.number_ordered;
    *ordered = (*ordered).max(other.addresses.number_ordered);
    for former in &other.addresses.former {
        Customer::push_bounded(
            &mut scene.customer.addresses.former,
            former.clone(),
            crate::address::limit::FORMER,
        );
    }
    for short in &other.recent {
        if !scene.customer.recent.contains(short) {
            Customer::push_bounded(&mut scene.customer.recent, *short, limit::RECENT);
        }
    }
    for booking in &other.bookings {
        if !scene
            .customer
            .bookings
            .iter()
            .any(|known| known.message == booking.message)
        {
            scene.customer.bookings.push(booking.clone());
        }
    }
    scene
        .customer
        .bookings
        .sort_by_key(|booking| (booking.at, booking.message));
    let over = scene
        .customer
        .bookings
        .len()
        .saturating_sub(limit::BOOKINGS);
    scene.customer.bookings.drain(..over);
    scene
        .customer
        .decisions
        .extend(other.decisions.iter().cloned());
    scene.customer.decisions.sort_by_key(|kept| kept.at);
    records::bound(&mut scene.customer.decisions);
    histories(scene.customer, &other.history);
}

/// Who the person is.
fn fill_profile(mine: &mut Profile, theirs: &Profile) {
    for (kept, new) in [
        (&mut mine.user, &theirs.user),
        (&mut mine.email, &theirs.email),
        (&mut mine.phone, &theirs.phone),
        (&mut mine.first_name, &theirs.first_name),
        (&mut mine.last_name, &theirs.last_name),
        (&mut mine.locale, &theirs.locale),
        (&mut mine.timezone, &theirs.timezone),
        (&mut mine.country, &theirs.country),
        (&mut mine.city, &theirs.city),
        (&mut mine.birthday, &theirs.birthday),
        (&mut mine.level, &theirs.level),
        (&mut mine.push_token, &theirs.push_token),
        (&mut mine.telegram_id, &theirs.telegram_id),
    ] {
        if kept.is_none() {
            kept.clone_from(new);
        }
    }
    for (name, field) in &theirs.typed {
        let is_known = mine.custom.iter().any(|(known, _)| known == name)
            || mine.typed.iter().any(|(known, _)| known == name);
        if !is_known && mine.typed.len() < limit::CUSTOM {
            mine.typed.push((name.clone(), field.clone()));
        }
    }
    for (name, value) in &theirs.custom {
        if !mine.custom.iter().any(|(known, _)| known == name) && mine.custom.len() < limit::CUSTOM
        {
            mine.custom.push((name.clone(), value.clone()));
        }
    }
    mine.created_at = [mine.created_at, theirs.created_at]
        .into_iter()
        .flatten()
        .min();
}

/// What campaigns did before, to either.
fn histories(customer: &mut Customer, other: &[History]) {
    for theirs in other {
        let mine = customer.history_mut(&theirs.campaign);
        mine.count = mine.count.saturating_add(theirs.count);
        mine.first_message_at = mine.first_message_at.max(theirs.first_message_at);
        if mine.occasion.is_none() {
            mine.occasion.clone_from(&theirs.occasion);
        }
        if theirs.goal.map(|(_, until)| until) > mine.goal.map(|(_, until)| until) {
            mine.goal = theirs.goal;
            mine.cart_id.clone_from(&theirs.cart_id);
        }
        if mine.won.is_none() {
            mine.won.clone_from(&theirs.won);
        }
        mine.firsts.extend(&theirs.firsts);
        mine.firsts.sort_unstable();
        let over = mine.firsts.len().saturating_sub(limit::FIRSTS);
        mine.firsts.drain(..over);
        mine.converted_at = mine.converted_at.max(theirs.converted_at);
        if mine.outcome.is_none() {
            mine.outcome.clone_from(&theirs.outcome);
        }
    }
}

fn orders(customer: &mut Customer, other: &Customer, arrival: Timestamp) {
    let (mine, theirs) = (&mut customer.orders, &other.orders);
    // Cancelled ones are counted by neither.
    let off: Vec<u64> = theirs
        .list
        .iter()
        .filter(|order| ledger::is_none(order))
        .map(|order| EventId::of_message_id(&order.id).short())
        .collect();
    let known = theirs
        .recent
        .iter()
        .filter(|id| mine.recent.contains(id) && !off.contains(id))
        .count();
    let known = u32::try_from(known).unwrap_or(u32::MAX);
    let fresh = theirs.count.saturating_sub(known);
    if fresh > 0 {
        mine.count = mine.count.saturating_add(fresh);
        // What both know of is counted once: exactly where its sum is still kept, else by its share.
        if mine.currency.is_none() || mine.currency == theirs.currency {
            mine.currency = theirs.currency;
            let both: Vec<_> = theirs
                .list
                .iter()
                .filter(|order| {
                    let id = EventId::of_message_id(&order.id).short();
                    mine.recent.contains(&id) && !off.contains(&id)
                })
                .collect();
            let sums: i64 = both
                .iter()
                .filter_map(|order| order.total)
                .map(|total| total.minor)
                .sum();
            let unknown = known.saturating_sub(u32::try_from(both.len()).unwrap_or(u32::MAX));
            let share = theirs.total_minor / i64::from(theirs.count.max(1)) * i64::from(unknown);
            let fresh_sum = theirs.total_minor - sums - share;
            mine.total_minor = mine.total_minor.saturating_add(fresh_sum);
        }
    }
    for order in &theirs.list {
        if !mine.list.iter().any(|known| known.id == order.id) {
            mine.list.push(order.clone());
        }
    }
    mine.list.sort_by_key(|order| order.placed_at);
    let over = mine
        .list
        .len()
        .saturating_sub(crate::behaviour::limit::ORDERS);
    mine.list.drain(..over);
    keep_lines(&mut mine.list, arrival);
    for id in &theirs.recent {
        if !mine.recent.contains(id) {
            Customer::push_bounded(&mut mine.recent, *id, limit::ORDERS);
        }
    }
    mine.first_at = [mine.first_at, theirs.first_at].into_iter().flatten().min();
    if theirs.last_at > mine.last_at {
        mine.last_at = theirs.last_at;
        mine.last_id.clone_from(&theirs.last_id);
    }
    mine.last_arrived = mine.last_arrived.max(theirs.last_arrived);
}

fn carts(customer: &mut Customer, other: &Customer) {
    for theirs in &other.carts {
        match customer.carts.iter_mut().find(|cart| cart.id == theirs.id) {
            Some(mine) => {
                let (newer, older) = if mine.updated_at < theirs.updated_at {
                    (theirs, &*mine)
                } else {
                    (&*mine, theirs)
                };
                *mine = joined(newer, older);
            }
            None => customer.carts.push(theirs.clone()),
        }
    }
    let orders = &customer.orders;
    customer.carts.retain(|cart| {
        orders.last_at.is_none_or(|at| cart.updated_at > at)
            && orders
                .last_arrived
                .is_none_or(|arrived| cart.arrived > arrived)
    });
    customer
        .carts
        .sort_by_key(|cart| std::cmp::Reverse((cart.arrived, cart.updated_at)));
    customer.carts.truncate(limit::CARTS);
}

/// One cart seen through two profiles: a snapshot stands, additions are joined.
fn joined(newer: &crate::customer::Cart, older: &crate::customer::Cart) -> crate::customer::Cart {
    let mut cart = newer.clone();
    if !newer.snapshot {
        let is_missing =
            |line: &&crate::customer::Line| !newer.lines.iter().any(|own| own.is_like(line));
        cart.lines
            .extend(older.lines.iter().filter(is_missing).cloned());
        cart.lines.truncate(limit::LINES);
        cart.total = None;
        cart.url = newer.url.clone().or_else(|| older.url.clone());
    }
    cart
}

fn journeys(scene: &mut Scene<'_>, other: Customer, arrival: Timestamp) {
    // First of all what is on its way: a journey that is retired must see its own messages.
    for pending in other.messages {
        if !scene
            .customer
            .messages
            .iter()
            .any(|mine| mine.message == pending.message)
        {
            scene.customer.messages.push(pending);
        }
    }
    for theirs in other.journeys {
        let twin = scene
            .customer
            .journeys
            .iter()
            .find(|mine| mine.campaign == theirs.campaign && mine.key == theirs.key)
            .map(|mine| (mine.id, mine.first_message_at.is_some()));
        match twin {
            // One journey per key: the one that has already written to the person goes on.
            Some((mine, false)) if theirs.first_message_at.is_some() => {
                retire(scene, mine, arrival);
                scene.customer.journeys.push(theirs);
            }
            None if scene.customer.journeys.len() < limit::JOURNEYS => {
                scene.customer.journeys.push(theirs)
            }
            // One that is too much ends as one of two twins does: it is told, and its message does not go out.
            _ => {
                if twin.is_none() {
                    scene.out.count(Count::Truncated);
                }
                let id = theirs.id;
                // The same one, told twice, is no twin of itself.
                if scene.journey(id).is_none() {
                    scene.customer.journeys.push(theirs);
                    retire(scene, id, arrival);
                }
            }
        }
    }
}

fn retire(scene: &mut Scene<'_>, id: JourneyId, at: Timestamp) {
    let began = |journey: &Journey| journey.entered_at.is_some();
    if scene.journey(id).is_some_and(began) {
        end(scene, id, Reason::Moved, at);
    } else {
        // It never began: its twin is the same thing.
        scene.customer.journeys.retain(|journey| journey.id != id);
    }
}

/// Journeys about a cart that an order of the joined profile has closed.
fn drop_bought(scene: &mut Scene<'_>, arrival: Timestamp) {
    end_each(scene, Reason::Converted, arrival, |scene, journey| {
        let orders = &scene.customer.orders;
        let ordered_since = journey.entry.order_id.is_none()
            && (orders.last_at.is_some_and(|at| at >= journey.entry.at)
                || orders
                    .last_arrived
                    .is_some_and(|at| at >= journey.entry.arrived));
        let about_order = scene
            .world
            .bundles
            .get(journey.bundle)
            .is_some_and(|bundle| {
                bundle
                    .campaign(&journey.campaign)
                    .is_some_and(|campaign| ends_by_order(campaign, bundle))
            });
        let newer_order = journey.entry.order_id.is_some()
            && journey.station != Stage::Armed
            && orders.last_at.is_some_and(|at| at > journey.entry.at);
        about_order
            && (ordered_since || newer_order)
            && !crate::eligibility::is_measured(journey, scene.world)
    });
}
