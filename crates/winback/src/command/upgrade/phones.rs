//! `winback upgrade phones`: profiles under telephone numbers as the first release read them, any digits behind a plus, get
//! the keys that their numbers have now, by the shop's country.
//!
//! A profile that is known by such a number alone hands everything over to the profile of the number; one with another name
//! gets the number as it is. What is no number of anybody stays, and is counted: nobody knows whose it is. Invariants: INV-3
//! (the same words come from a second run, and change nothing), INV-8. Absent: numbers that look right and are of another
//! country; nobody can tell.

use winback_bus::Log;
use winback_contract::ids::digest;
use winback_contract::{
    Body, CustomerId, Event, EventId, EventRecord, Identities, Identity, IdentityKind, Offset,
    PartitionCount, SourceKind, SourcePosition, Timestamp, TopicNames,
};
use winback_ingest::values::phone::{Country, phone};
use winback_journey::customer::Customer;
use winback_journey::decode;
use winback_store::Store;

use crate::error::Error;
use crate::publish::into_events;

/// Customers read at once.
const SLICE: usize = 500;

/// What was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Found {
    /// Profiles that move to the key of their number.
    pub(crate) moved: u64,
    /// Profiles with another name, whose number is written anew.
    pub(crate) renewed: u64,
    /// Profiles whose number is of nobody.
    pub(crate) nobody: u64,
    /// States that can't be read.
    pub(crate) damaged: u64,
}

/// Looks at everybody; what is to be said is written to `events` unless this only counts.
pub(crate) async fn renew(
    (log, store): (&dyn Log, &dyn Store),
    (names, partitions): (&TopicNames, PartitionCount),
    (shop, country): (&str, Option<Country>),
    now: Timestamp,
    only_counts: bool,
) -> Result<Found, Error> {
    let (mut found, mut index) = (Found::default(), 0);
    for partition in partitions.all() {
        let mut cursor = Some(String::new());
        while let Some(at) = cursor {
            let (ids, next) = store.roll(partition, &at, SLICE).await?;
            let blobs = store.load(partition, &ids).await?;
            let mut words = Vec::new();
            for (id, blob) in ids.into_iter().zip(blobs) {
                let Some(blob) = blob else { continue };
                let Ok(customer) = decode(&blob) else {
                    found.damaged += 1;
                    continue;
                };
                words.extend(said(id, &customer, (shop, country), &mut found));
            }
            let mut records = Vec::new();
            for (to, body) in words {
                let partition = partitions.of(to);
                let record = EventRecord {
                    v: EventRecord::version_of(&body),
                    to,
                    id: EventId(digest("telephone number of before", &[&to.0])),
                    source: SourcePosition {
                        stream: "phones".into(),
                        partition,
                        offset: Offset(now.as_millis()),
                        index,
                    },
                    kind: SourceKind::History,
                    arrival: now,
                    at: now,
                    body,
                };
                index += 1;
                records.push(into_events(names, &record)?);
            }
            if !only_counts {
                log.produce(records).await?;
            }
            cursor = next;
        }
    }
    Ok(found)
}

/// What is to be said of a profile, and to whom.
fn said(
    id: CustomerId,
    customer: &Customer,
    (shop, country): (&str, Option<Country>),
    found: &mut Found,
) -> Vec<(CustomerId, Body)> {
    let profile = &customer.profile;
    let Some(known) = profile
        .phone
        .as_deref()
        .filter(|_| customer.forward.is_none())
    else {
        return Vec::new();
    };
    if phone(known, country).as_deref() == Some(known) {
        return Vec::new();
    }
    // Only what begins as a number is dialled within a country: what is of another one, and wrong, must not become a
    // stranger's.
    let digits = known.trim_start_matches('+');
    let national = digits
        .starts_with(['0', '8'])
        .then(|| phone(digits, country));
    let Some(number) = national.flatten() else {
        found.nobody += 1;
        return Vec::new();
    };
    let desk = Identity::kept_phone(&number).customer(shop);
    let told = |user: Option<&String>, email: Option<&String>| {
        Body::Storefront(Box::new(Event {
            name: "Identified".into(),
            identities: Identities {
                user: user.cloned(),
                email: email.cloned(),
                phone: Some(number.clone()),
                anonymous: None,
            },
            ..Event::default()
        }))
    };
    if Identity::kept_phone(known).customer(shop) != id {
        found.renewed += 1;
        let mut words = vec![(id, told(profile.user.as_ref(), profile.email.as_ref()))];
        // The number's own profile knows from now on who holds it, and tells what was said of it.
        let named = [
            (IdentityKind::User, &profile.user),
            (IdentityKind::Email, &profile.email),
        ];
        let own = named.into_iter().find(|(kind, value)| {
            let own = value
                .as_deref()
                .and_then(|value| Identity::new(*kind, value));
            own.is_some_and(|own| own.customer(shop) == id)
        });
        if let Some((owner_kind, _)) = own {
            let (owner, kind) = (id, IdentityKind::Phone);
            words.push((
                desk,
                Body::Link {
                    owner,
                    owner_kind,
                    kind,
                },
            ));
        }
        return words;
    }
    let owner = desk;
    found.moved += 1;
    // The number that is none is as weak as a device: whoever has the real one owns what it knew.
    let link = Body::Link {
        owner,
        owner_kind: IdentityKind::Phone,
        kind: IdentityKind::Anonymous,
    };
    vec![(owner, told(None, None)), (id, link)]
}
