//! One canonical event to the records it becomes: its own profile's, and those of weaker identifiers.
//!
//! The index of a record depends on its role only, so a replay gives the same positions whatever was cached (INV-3).

use winback_contract::{
    Body, CustomerId, Event, EventId, EventRecord, Identity, Offset, Partition, SourceKind,
    SourcePosition, Timestamp, ids::digest, spec,
};

use crate::links::Links;

/// Nobody's id: what is addressed to it goes to every partition.
pub(crate) const EVERYBODY: CustomerId = CustomerId([0; 16]);

/// Where and when a raw record came in.
#[derive(Debug, Clone)]
pub(crate) struct Arrived<'a> {
    /// `raw:<source>`.
    pub stream: &'a str,
    /// Live or history.
    pub kind: SourceKind,
    /// Partition of raw.
    pub partition: Partition,
    /// Offset there.
    pub offset: Offset,
    /// Arrival.
    pub arrival: Timestamp,
    /// Event time, already clamped.
    pub at: Timestamp,
    /// Identity of the event.
    pub id: EventId,
    /// Which of its record's calls it is, from 0.
    pub call: usize,
}

/// Indexes of a call: more than there are partitions, and roles.
const OF_A_CALL: usize = 1 << 20;

impl Arrived<'_> {
    /// The position of the record's part of this index.
    pub(crate) fn position(&self, index: usize) -> SourcePosition {
        SourcePosition {
            stream: self.stream.to_owned(),
            partition: self.partition,
            offset: self.offset,
            index: u32::try_from(self.call * OF_A_CALL + index).unwrap_or(u32::MAX),
        }
    }

    /// A record of `events` made of it.
    pub(crate) fn record(&self, to: CustomerId, index: usize, body: Body) -> EventRecord {
        EventRecord {
            v: EventRecord::version_of(&body),
            to,
            id: self.id,
            source: self.position(index),
            kind: self.kind,
            arrival: self.arrival,
            at: self.at,
            body,
        }
    }
}

/// The identity of an event: the storefront's message id together with the event's name, else its payload, and which of
/// the payload's calls it is. An id that a shop uses for two things says nothing about either.
pub(crate) fn event_id(
    message_id: Option<&str>,
    name: &str,
    payload: &[u8],
    call: usize,
) -> EventId {
    match (message_id, call) {
        (Some(id), _) => EventId(digest("message id", &[name.as_bytes(), id.as_bytes()])),
        (None, 0) => EventId::of_payload(payload),
        (None, call) => EventId(digest(
            "call of a payload",
            &[payload, call.to_string().as_bytes()],
        )),
    }
}

/// Which of its call's indexes a position has.
pub(crate) fn index_in_call(source: &SourcePosition) -> u32 {
    source.index % u32::try_from(OF_A_CALL).unwrap_or(u32::MAX)
}

/// The records of an event. It has at least one identity.
pub(crate) fn route(
    event: Event,
    arrived: &Arrived<'_>,
    shop: &str,
    links: &mut Links,
) -> Vec<EventRecord> {
    if spec::ANNOUNCEMENTS.contains(&event.name.as_str()) {
        let told = Body::Announcement(Box::new(event));
        return vec![arrived.record(EVERYBODY, 0, told)];
    }
    let identities: Vec<_> = event.identities.iter().collect();
    let Some((strongest, weaker)) = identities.split_first() else {
        return Vec::new();
    };
    if event.name == spec::CUSTOMER_ERASED {
        // Under every name that is given: none may know the others.
        let erased = |(index, identity): (usize, &Identity)| {
            arrived.record(identity.customer(shop), index, Body::Erased)
        };
        return identities.iter().enumerate().map(erased).collect();
    }
    let owner = strongest.customer(shop);
    let record = |to, index: usize, body| arrived.record(to, index, body);
    // What stops messages goes to the profile of every address it names, which tells whoever holds it (INV-5, INV-11).
    let stops = event.name == spec::ORDER_COMPLETED || event.consent.is_some();
    let mut records = Vec::with_capacity(1 + 2 * weaker.len());
    for (place, identity) in weaker.iter().enumerate() {
        let to = identity.customer(shop);
        if stops {
            // Before the link: a profile that is handed over takes along what it was told.
            records.push(record(
                to,
                1 + 2 * place,
                Body::Copy(Box::new(event.clone())),
            ));
        }
        if links.is_new(to, owner) {
            let link = Body::Link {
                owner,
                owner_kind: strongest.kind,
                kind: identity.kind,
            };
            records.push(record(to, 2 + 2 * place, link));
        }
    }
    records.insert(0, record(owner, 0, Body::Storefront(Box::new(event))));
    records
}
