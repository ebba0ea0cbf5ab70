//! `winback recover`, followed literally: what it names, what it does with a person's word, and that it goes on after.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::time::Duration;

use winback_testkit::files::Folder;
use winback_testkit::until;
use winback_tests::{Shop, carts, run};

fn open() -> Shop {
    carts::open("3s", &[]).unwrap()
}

fn cart(shop: &Shop, user: &str) {
    let mut storefront = shop.storefront().unwrap();
    storefront.leave_cart(user).unwrap();
    storefront.close().unwrap();
}

fn mailed(shop: &Shop, user: &str) -> usize {
    let to = format!("{user}@example.com");
    let received = shop.smtp.received();
    received.iter().filter(|mail| mail.to == to).count()
}

fn comes(shop: &Shop, user: &str) {
    let came = until(Duration::from_secs(60), "the mail", || {
        mailed(shop, user) > 0
    });
    assert!(came.is_ok(), "{user}: {came:?}\n{}", shop.text("all"));
}

fn recover(shop: &Shop, arguments: &[&str]) -> (i32, String, String) {
    let mut all = vec!["recover"];
    all.extend(arguments);
    run(&mut shop.command(&all).unwrap()).unwrap()
}

#[test]
fn an_emptied_redis_is_given_up_by_a_persons_word_and_nobody_is_written_to_twice() {
    let shop = open();
    let mut all = shop.serve("all").unwrap();
    let (code, out, _) = recover(&shop, &[]);
    assert!(code == 0 && out.contains("nothing is lost"), "{out}");
    cart(&shop, "one");
    comes(&shop, "one");
    let told = || {
        shop.expect(&["why", "user:one", "--all"])
            .is_ok_and(|why| why.contains("sent as"))
    };
    until(Duration::from_secs(20), "it is told", told).unwrap();
    assert_eq!(all.child.terminate(Duration::from_secs(10)), Ok(Some(0)));
    assert_eq!(shop.redis.ask("FLUSHDB"), Ok("+OK".to_owned()));
    let (code, out, err) = recover(&shop, &[]);
    assert!(
        code == 1 && out.contains("Redis has nothing") && err.contains("--accept-loss"),
        "{out}{err}"
    );
    let (code, _, err) = recover(&shop, &["--accept-loss", "--shop", "another"]);
    assert!(code == 2 && err.contains("nothing was given up"), "{err}");
    let (code, out, err) = recover(&shop, &["--accept-loss", "--shop", "shop"]);
    assert_eq!(code, 0, "{out}{err}");
    let noted = (0..8).any(|partition| {
        let ask = format!("HGET wb:{{{partition}}}:meta given_up");
        shop.redis
            .ask(&ask)
            .is_ok_and(|noted| noted.contains("Redis has nothing"))
    });
    assert!(noted, "what was given up is noted");
    let mut all = shop.serve("all").unwrap();
    cart(&shop, "two");
    comes(&shop, "two");
    assert_eq!(mailed(&shop, "one"), 1, "{}", shop.text("all"));
    assert_eq!(all.child.terminate(Duration::from_secs(10)), Ok(Some(0)));
}

#[test]
fn records_that_were_deleted_unread_stop_ingest_until_a_person_has_seen_it() {
    let shop = open();
    let mut all = shop.serve("all").unwrap();
    cart(&shop, "one");
    comes(&shop, "one");
    assert_eq!(all.child.terminate(Duration::from_secs(10)), Ok(Some(0)));
    cart(&shop, "lost");
    let folder = Folder::new("delete").unwrap();
    let parts: Vec<String> = (0..8)
        .map(|partition| {
            format!(r#"{{"topic":"winback.raw","partition":{partition},"offset":-1}}"#)
        })
        .collect();
    let json = format!(r#"{{"partitions":[{}],"version":1}}"#, parts.join(","));
    folder.write("records.json", &json).unwrap();
    let file = folder.path().join("records.json").display().to_string();
    let class = "org.apache.kafka.tools.DeleteRecordsCommand";
    shop.kafka
        .tool(class, &["--offset-json-file", &file])
        .unwrap();
    let mut command = shop.command(&["serve", "all"]).unwrap();
    command.env("WINBACK__HTTP__ADDRESS", "127.0.0.1:0");
    let (code, _, err) = run(&mut command).unwrap();
    assert!(
        code == 3
            && err.contains("records were deleted before they were applied")
            && err.contains("winback recover"),
        "{code}: {err}"
    );
    let (code, out, _) = recover(&shop, &[]);
    assert!(
        code == 1 && out.contains("winback.raw") && out.contains("positions are given up"),
        "{out}"
    );
    let (code, out, err) = recover(&shop, &["--accept-loss", "--shop", "shop"]);
    assert_eq!(code, 0, "{out}{err}");
    let mut all = shop.serve("all").unwrap();
    cart(&shop, "two");
    comes(&shop, "two");
    assert_eq!(all.child.terminate(Duration::from_secs(10)), Ok(Some(0)));
}

/// Kafka deletes what a group has committed along with the topic; the same offsets are no repeats (INV-8).
#[test]
fn a_raw_topic_made_anew_while_all_is_down_is_read_from_its_start() {
    let shop = open();
    let mut all = shop.serve("all").unwrap();
    for user in ["one", "two", "three"] {
        cart(&shop, user);
        comes(&shop, user);
    }
    assert_eq!(all.child.terminate(Duration::from_secs(10)), Ok(Some(0)));
    let class = "org.apache.kafka.tools.TopicCommand";
    shop.kafka
        .tool(class, &["--delete", "--topic", "winback.raw"])
        .unwrap();
    until(Duration::from_secs(30), "it is made anew", || {
        shop.expect(&["topics", "apply"]).is_ok()
    })
    .unwrap();
    for user in ["four", "five"] {
        cart(&shop, user);
    }
    let mut all = shop.serve("all").unwrap();
    comes(&shop, "four");
    comes(&shop, "five");
    assert_eq!(all.child.terminate(Duration::from_secs(10)), Ok(Some(0)));
}
