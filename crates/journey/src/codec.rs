//! The blob of a customer: one version byte, then a compact encoding.
//!
//! A version this release does not know is refused, never overwritten (ADR 0011).

mod first;

use std::cell::RefCell;

use postcard::ser_flavors::Flavor;
use winback_contract::{AddressId, Reason, Standing};

use crate::address::{Addresses, Word};
use crate::customer::{Customer, Details, Line};
use crate::state::{DecisionTrace, Field, Journey, What};

pub use first::encode_in;
pub(crate) use first::known;

/// The version that is written.
pub const VERSION: u8 = 6;

/// A blob that can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Written by a newer release.
    #[error("the state has version {0}, this release knows up to {VERSION}: run the newer release")]
    Newer(u8),
    /// Written before the first release.
    #[error(
        "the state has version {0}, of before the first release, and is not read: use a new store.prefix and import the customers"
    )]
    Older(u8),
    /// Damaged.
    #[error("the state of a customer is damaged")]
    Damaged,
}

/// What nothing of version 6 takes: no lines of orders, and no traits but texts.
const NO_TAIL: [u8; 2] = [0; 2];
/// What nothing of versions 5 and 6 takes: no details of lines, and nothing of version 6.
const NO_DETAILS: [u8; 3] = [0; 3];
/// What nothing of versions 4 to 6 takes: an empty [`Addresses`], which is three empty lists and no time, no bought carts,
/// no details, and nothing of version 6.
const NOTHING_NEW: [u8; 8] = [0; 8];

/// What version 6 writes behind the details: lines of orders with the places of the orders, and traits that are no texts.
type Tail<L> = (Vec<(u32, L)>, Vec<(String, Field)>);

/// Lines of a customer that may have details, in an order that the state itself gives.
fn lines(customer: &mut Customer) -> impl Iterator<Item = &mut Line> {
    let carts = customer.carts.iter_mut().flat_map(|cart| &mut cart.lines);
    let items = customer.journeys.iter_mut();
    let items = items.filter_map(|journey| journey.entry.item.as_deref_mut());
    let session = customer.behaviour.session.iter_mut();
    let orders = customer.orders.list.iter_mut();
    carts
        .chain(items)
        .chain(session.flat_map(|session| &mut session.viewed))
        .chain(orders.flat_map(|order| &mut order.lines))
}

/// The same, to be looked at.
fn lines_of(customer: &Customer) -> impl Iterator<Item = &Line> {
    let carts = customer.carts.iter().flat_map(|cart| &cart.lines);
    let items = customer.journeys.iter();
    let items = items.filter_map(|journey| journey.entry.item.as_deref());
    let session = customer.behaviour.session.iter();
    let orders = customer.orders.list.iter();
    carts
        .chain(items)
        .chain(session.flat_map(|session| &session.viewed))
        .chain(orders.flat_map(|order| &order.lines))
}

/// The lines of orders with the places of their orders, as they are written behind the details.
fn order_lines(customer: &Customer) -> Vec<(u32, &[Line])> {
    (0..)
        .zip(&customer.orders.list)
        .filter(|(_, order)| !order.lines.is_empty())
        .map(|(index, order)| (index, order.lines.as_slice()))
        .collect()
}

/// The lines that orders keep, with the ids of the orders: the rest of a state that is shown as JSON.
pub fn order_lines_of(customer: &Customer) -> Vec<(&str, &[Line])> {
    let orders = customer.orders.list.iter();
    orders
        .filter(|order| !order.lines.is_empty())
        .map(|order| (order.id.as_str(), order.lines.as_slice()))
        .collect()
}

/// Details with the places of their lines, as they are written behind the customer.
fn details(customer: &Customer) -> Vec<(u32, &Details)> {
    (0..)
        .zip(lines_of(customer))
        .filter_map(|(index, line)| Some((index, line.details.as_deref()?)))
        .collect()
}

/// What lines have beside what every line has, with their products: the rest of a state that is shown as JSON.
pub fn details_of(customer: &Customer) -> Vec<(&str, &Details)> {
    lines_of(customer)
        .filter_map(|line| Some((line.product_id.as_str(), line.details.as_deref()?)))
        .collect()
}

/// Traits that are no texts, as JSON: the rest of a state that is shown as JSON.
pub fn typed_traits(customer: &Customer) -> serde_json::Value {
    let typed = customer.profile.typed.iter();
    let named = typed.map(|(name, field)| (name.clone(), field.json()));
    serde_json::Value::Object(named.collect())
}

/// The oldest version that can say a state, but for its reasons.
fn version_of_facts(customer: &Customer, has_details: bool, has_tail: bool) -> u8 {
    if has_tail || has_compounds(customer) {
        6
    } else if has_details {
        5
    } else if customer.addresses != Addresses::default() || !customer.bought.is_empty() {
        4
    } else {
        3
    }
}

/// Every reason that a state holds.
fn reasons(customer: &Customer) -> impl Iterator<Item = Reason> {
    let of_decision = |kept: &DecisionTrace| match kept.what {
        What::Skip(reason)
        | What::Ended(reason)
        | What::Hold(reason, _)
        | What::Without(reason) => Some(reason),
        What::Send(_) => None,
    };
    let decided = customer.decisions.iter().filter_map(of_decision);
    let held = customer.journeys.iter().filter_map(|journey| journey.hold);
    let suppressed = customer.suppressed.iter().map(|(_, reason)| *reason);
    decided
        .chain(held.map(|hold| hold.reason))
        .chain(suppressed)
}

/// Whether a list or a map is among the fields of its own: version 5 can't say it.
fn has_compounds(customer: &Customer) -> bool {
    let compound = |fields: &[(String, Field)]| fields.iter().any(|(_, field)| field.is_compound());
    let of_events = |journey: &Journey| {
        let answers = journey.answers.iter().map(|(_, entry)| entry);
        let mut told = answers.chain(journey.answer.as_deref());
        compound(&journey.entry.fields) || told.any(|entry| compound(&entry.fields))
    };
    customer.journeys.iter().any(of_events)
        || lines_of(customer).any(|line| {
            line.details
                .as_ref()
                .is_some_and(|details| compound(&details.fields))
        })
}

/// Writes the oldest version that can say it: version 3, mostly.
pub fn encode(customer: &Customer) -> Vec<u8> {
    thread_local! {
        static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        scratch.push(VERSION);
        // Serialising plain data to memory has no way to fail.
        let details = details(customer);
        let tail = (order_lines(customer), &customer.profile.typed);
        let written = postcard::serialize_with_flavor(customer, Bytes(scratch))
            .and_then(|()| postcard::serialize_with_flavor(&details, Bytes(scratch)))
            .and_then(|()| postcard::serialize_with_flavor(&tail, Bytes(scratch)));
        match written {
            Ok(()) => {
                let has_tail = !(tail.0.is_empty() && tail.1.is_empty());
                let facts = version_of_facts(customer, !details.is_empty(), has_tail);
                let said = reasons(customer).map(first::version_of).max();
                let version = said.map_or(facts, |said| said.max(facts));
                let rest = match version {
                    ..=3 => NOTHING_NEW.len(),
                    4 => NO_DETAILS.len(),
                    5 => NO_TAIL.len(),
                    6.. => 0,
                };
                scratch.truncate(scratch.len() - rest);
                scratch[0] = version;
                scratch.clone()
            }
            Err(_) => Vec::new(),
        }
    })
}

/// Appends to bytes that are there: every customer of every commit is written, so what grows is kept for the next.
struct Bytes<'b>(&'b mut Vec<u8>);

impl Flavor for Bytes<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.0.push(data);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

fn read(bytes: &[u8]) -> Result<Customer, Error> {
    let damaged = |_| Error::Damaged;
    let (mut customer, rest): (Customer, _) = postcard::take_from_bytes(bytes).map_err(damaged)?;
    let (details, rest): (Vec<(u32, Details)>, _) =
        postcard::take_from_bytes(rest).map_err(damaged)?;
    let ((of_orders, typed), rest): (Tail<Vec<Line>>, _) =
        postcard::take_from_bytes(rest).map_err(damaged)?;
    if !rest.is_empty() {
        return Err(Error::Damaged);
    }
    for (index, lines) in of_orders {
        let order = usize::try_from(index).ok();
        let order = order.and_then(|index| customer.orders.list.get_mut(index));
        order.ok_or(Error::Damaged)?.lines = lines;
    }
    customer.profile.typed = typed;
    let mut details = details.into_iter().peekable();
    if details.peek().is_some() {
        for (index, line) in (0..).zip(lines(&mut customer)) {
            if let Some((_, details)) = details.next_if(|(known, _)| *known == index) {
                line.details = Some(Box::new(details));
            }
        }
    }
    match details.next() {
        // Of a line that is not there.
        Some(_) => Err(Error::Damaged),
        None => Ok(customer),
    }
}

/// Reads what an older version ends before. Nearly every state is one: the bytes it is put together in are kept.
fn read_on(rest: &[u8], more: &[&[u8]]) -> Result<Customer, Error> {
    thread_local! {
        static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        scratch.extend_from_slice(rest);
        for more in more {
            scratch.extend_from_slice(more);
        }
        read(scratch)
    })
}

/// A channel that version 3 did not use is closed by the address it has now: the one that it was closed for.
fn adopted(mut customer: Customer) -> Customer {
    for (channel, _) in std::mem::take(&mut customer.suppressed) {
        let Some(address) = customer.profile.address(channel).map(AddressId::of) else {
            continue;
        };
        customer.addresses.words.push(Word {
            address,
            channel,
            topic: None,
            standing: Standing::Unreachable,
            at: customer.last_activity.unwrap_or_default(),
        });
    }
    customer
}

/// Reads any known version.
///
/// # Errors
/// [`Error`] when the blob is newer or damaged.
pub fn decode(blob: &[u8]) -> Result<Customer, Error> {
    match blob.split_first() {
        Some((&VERSION, rest)) => read(rest),
        Some((&5, rest)) => read_on(rest, &[&NO_TAIL]),
        Some((&4, rest)) => read_on(rest, &[&NO_DETAILS]),
        Some((&3, rest)) => read_on(rest, &[&NOTHING_NEW]).map(adopted),
        // Version 2 ends before `told` and `erased`: an empty list and nothing are a zero byte each.
        Some((&2, rest)) => read_on(rest, &[&[0, 0], &NOTHING_NEW]).map(adopted),
        Some((&version, _)) if version > VERSION => Err(Error::Newer(version)),
        Some((&version, _)) if version > 0 => Err(Error::Older(version)),
        _ => Err(Error::Damaged),
    }
}
