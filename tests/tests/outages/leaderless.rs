//! Two brokers, and one of them dies for good while topics have one copy: half of the partitions have no leader. Whoever
//! belongs to the other half is served as if nothing had happened.

use std::time::Duration;

use serde_json::json;
use winback_contract::{Identity, IdentityKind, Partition, PartitionCount};
use winback_testkit::{Kafka, until};
use winback_tests::shop::{Storefront, get};
use winback_tests::{Running, Shop, carts};

#[test]
fn half_of_the_partitions_lose_their_leader() {
    let mut kafka = Kafka::start().unwrap();
    // What groups remember lies on the first broker: it is made before there is another.
    let compact = ["--config", "cleanup.policy=compact"];
    let stamped = ["--config", "message.timestamp.type=LogAppendTime"];
    let one = [&["--partitions", "1"][..], &stamped].concat();
    let four = [&["--partitions", "4"][..], &compact].concat();
    create(&kafka, "__consumer_offsets", &four);
    for name in ["raw", "history", "failed"] {
        create(&kafka, &format!("winback.{name}"), &one);
    }
    for name in ["campaigns", "catalogue"] {
        let kept = [&one[..], &compact].concat();
        create(&kafka, &format!("winback.{name}"), &kept);
    }
    kafka.add_broker().unwrap();
    // Even partitions on the first broker, odd ones on the second.
    let spread = [&["--replica-assignment", "1,2,1,2,1,2,1,2"][..], &stamped].concat();
    for name in ["events", "triggers", "decisions", "outcomes", "journeys"] {
        create(&kafka, &format!("winback.{name}"), &spread);
    }
    for channel in ["email", "sms", "whatsapp", "push", "call", "task", "ads"] {
        create(&kafka, &format!("winback.dispatch.{channel}"), &spread);
    }
    let cart = carts::campaign("4s");
    let campaigns = [
        ("cart/campaign.yaml", cart.as_str()),
        ("cart/templates/reminder.email.en.mjml", carts::MAIL),
    ];
    let shop = Shop::open_on(kafka, carts::POLICY, &campaigns, &[]).unwrap();
    drive(shop);
}

fn create(kafka: &Kafka, topic: &str, more: &[&str]) {
    let arguments = [&["--create", "--topic", topic][..], more].concat();
    kafka
        .tool("org.apache.kafka.tools.TopicCommand", &arguments)
        .unwrap();
}

/// Whose partition, and those of whose identifiers, lie on the broker that lives.
fn is_served(user: &str) -> bool {
    let count = PartitionCount::new(8).unwrap();
    let names = [
        (IdentityKind::User, user.to_owned()),
        (IdentityKind::Email, format!("{user}@example.com")),
        (IdentityKind::Anonymous, format!("d-{user}")),
    ];
    names.iter().all(|(kind, name)| {
        let id = Identity::new(*kind, name).unwrap().customer("shop");
        let Partition(partition) = count.of(id);
        partition.is_multiple_of(2)
    })
}

#[allow(clippy::too_many_lines, reason = "a table, or a story told in order")]
fn drive(mut shop: Shop) {
    let all = shop.serve("all").unwrap();
    let mut storefront = shop.storefront().unwrap();
    storefront.leave_cart("warm").unwrap();
    let got = |user: &str, shop: &Shop| {
        let to = format!("{user}@example.com");
        shop.smtp
            .received()
            .iter()
            .filter(|mail| mail.to == to)
            .count()
    };
    until(Duration::from_secs(60), "mail goes out", || {
        got("warm", &shop) == 1
    })
    .unwrap();
    shop.kafka.kill_broker();
    let odd = (0..)
        .map(|number| format!("q{number}"))
        .find(|user| !is_served(user))
        .unwrap();
    storefront.leave_cart(&odd).unwrap();
    // Orders of people whose partitions have a leader are applied, and stop what they stop.
    let served: Vec<String> = (0..)
        .map(|number| format!("p{number}"))
        .filter(|user| is_served(user))
        .take(12)
        .collect();
    let (before, after) = served.split_at(6);
    let order = |storefront: &mut Storefront, user: &String| {
        let page = json!({ "type": "page", "userId": user, "properties": { "path": "/" } });
        storefront.send(user, &page).unwrap();
        let order = json!({ "order_id": format!("o{user}"), "total": 12.5 });
        let bought = json!({ "type": "track", "event": "Order Completed", "userId": user, "properties": order });
        storefront.send(user, &bought).unwrap();
    };
    for user in before {
        order(&mut storefront, user);
    }
    let knows = |user: &str| {
        shop.expect(&["why", &format!("user:{user}")])
            .is_ok_and(|known| known.contains("orders: 1,"))
    };
    until(Duration::from_secs(60), "their orders are applied", || {
        before.iter().all(|user| knows(user))
    })
    .unwrap();
    // Another owner comes: every partition is taken over anew, those that have a leader at once.
    let more = shop.start("sessions").unwrap();
    let owned = |running: &Running| running.sum("winback_partition_owned{").unwrap_or(0);
    until(Duration::from_secs(60), "they share", || {
        owned(&more) + owned(&all) == 4
    })
    .unwrap();
    for user in after {
        order(&mut storefront, user);
    }
    until(
        Duration::from_secs(60),
        "their orders are applied too",
        || after.iter().all(|user| knows(user)),
    )
    .unwrap();
    until(Duration::from_secs(60), "it is said", || {
        get(all.http, "/readyz").is_some_and(|answer| answer.contains("503"))
    })
    .unwrap();
    let readyz = get(all.http, "/readyz").unwrap_or_default();
    println!(
        "outage: half of the partitions without a leader: {}",
        readyz.lines().last().unwrap_or_default()
    );
    // It comes back, and everybody is served.
    shop.kafka.add_broker().unwrap();
    until(Duration::from_secs(120), "all is well", || {
        crate::is_ready(&all)
    })
    .unwrap();
    let crowd: Vec<String> = (0..8).map(|number| format!("back{number}")).collect();
    for user in &crowd {
        storefront.leave_cart(user).unwrap();
    }
    storefront.close().unwrap();
    let came = until(Duration::from_secs(90), "mail to everybody", || {
        crowd.iter().all(|user| got(user, &shop) == 1)
    });
    assert!(came.is_ok(), "{came:?}\n{}", shop.text("all"));
    assert!(crowd.iter().all(|user| got(user, &shop) == 1), "twice");
}
