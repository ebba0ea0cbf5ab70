//! Profiles under telephone numbers of before, in the whole system in virtual time: they get the keys of their numbers.

use std::sync::Arc;

use serde_json::json;
use winback_bus::{Log as _, Outgoing};
use winback_contract::{Identity, IdentityKind, Span, Timestamp, Topic};
use winback_ingest::values::phone::Country;
use winback_journey::customer::Customer;
use winback_journey::decode;
use winback_store::Store as _;

use super::Machine;
use super::tests::machine_at;
use crate::command::upgrade::phones::{Found, renew};

/// Who an identifier names.
fn who(machine: &Machine, kind: IdentityKind, value: &str) -> winback_contract::CustomerId {
    let who = match kind {
        IdentityKind::Phone => Identity::kept_phone(value),
        _ => Identity::new(kind, value).unwrap(),
    };
    who.customer(&machine.config.shop.id)
}

/// What is kept of somebody.
async fn known(machine: &Machine, kind: IdentityKind, value: &str) -> Option<Customer> {
    let id = who(machine, kind, value);
    let partition = machine.config.kafka.partitions.of(id);
    let blobs = machine.store.load(partition, &[id]).await.unwrap();
    blobs[0].as_ref().map(|blob| decode(blob).unwrap())
}

/// An order as the first release wrote it into `events`: the number is any digits behind a plus.
async fn ordered(machine: &Machine, number: u8, user: Option<&str>, phone: &str) {
    let id = match user {
        Some(user) => who(machine, IdentityKind::User, user),
        None => who(machine, IdentityKind::Phone, phone),
    };
    let partition = machine.config.kafka.partitions.of(id);
    let at = machine.now().as_millis();
    let record = json!({
        "v": 1, "to": id.to_string(), "id": format!("{number:032x}"), "kind": "live",
        "source": { "stream": "raw:raw", "partition": 0, "offset": number, "index": 0 }, "arrival": at, "at": at,
        "body": { "storefront": { "name": "Order Completed", "order_id": format!("o{number}"),
            "identities": { "user": user, "phone": phone } } },
    });
    let record = Outgoing {
        topic: Arc::from(machine.config.names().name(Topic::Events)),
        partition: Some(partition),
        key: Vec::new(),
        value: serde_json::to_vec(&record).unwrap(),
        headers: Vec::new(),
    };
    machine.log.produce(vec![record]).await.unwrap();
}

#[tokio::test]
async fn numbers_of_before_move_to_the_keys_that_they_have_now() {
    let start = Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
    let mut machine = machine_at(start, None).await;
    let (old, new) = ("+0501234567", "+380501234567");
    // Of before; the same number as it is read now; somebody with a name; nobody's; and one that is right.
    ordered(&machine, 1, None, old).await;
    ordered(&machine, 2, None, new).await;
    ordered(&machine, 3, Some("u3"), "+0671234567").await;
    ordered(&machine, 4, None, "+9999999999").await;
    ordered(&machine, 5, Some("u5"), "+380671234599").await;
    machine.settle().await.unwrap();
    let run = async |machine: &Machine, only_counts| {
        let place = (machine.config.names(), machine.config.kafka.partitions);
        let shop = (machine.config.shop.id.as_str(), Country::parse("UA"));
        let now = machine.now() + Span::from_millis(1);
        renew(
            (&machine.log, &machine.store),
            (&place.0, place.1),
            shop,
            now,
            only_counts,
        )
        .await
        .unwrap()
    };
    let first = Found {
        moved: 1,
        renewed: 1,
        nobody: 1,
        damaged: 0,
    };
    assert_eq!(run(&machine, true).await, first);
    machine.settle().await.unwrap();
    assert_eq!(run(&machine, false).await, first, "counting said nothing");
    machine.settle().await.unwrap();
    let moved = known(&machine, IdentityKind::Phone, old).await.unwrap();
    assert_eq!(
        moved.forward.unwrap().owner,
        who(&machine, IdentityKind::Phone, new)
    );
    let owner = known(&machine, IdentityKind::Phone, new).await.unwrap();
    assert_eq!(
        (owner.orders.count, owner.profile.phone.as_deref()),
        (2, Some(new))
    );
    let named = known(&machine, IdentityKind::User, "u3").await.unwrap();
    assert_eq!(
        (named.orders.count, named.profile.phone.as_deref()),
        (1, Some("+380671234567"))
    );
    let desk = known(&machine, IdentityKind::Phone, "+380671234567")
        .await
        .unwrap();
    let holders = desk.addresses.holders;
    assert!(
        holders.contains(&who(&machine, IdentityKind::User, "u3")),
        "{holders:?}"
    );
    let right = known(&machine, IdentityKind::User, "u5").await.unwrap();
    assert_eq!(right.profile.phone.as_deref(), Some("+380671234599"));
    let again = Found {
        nobody: 1,
        ..Found::default()
    };
    assert_eq!(run(&machine, false).await, again);
}
