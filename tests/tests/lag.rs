//! Sessions stands still while dispatch has a queue, and meanwhile the customers buy: what was granted is not sent any
//! more once nobody vouches for the input (INV-5).

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::time::Duration;

use serde_json::json;
use winback_testkit::process::signal;
use winback_testkit::{Behaviour, until};
use winback_tests::carts;

const PEOPLE: usize = 60;
/// Sends at the same time: so many may be past their claims when claims end.
const PARALLEL: usize = 2;

#[test]
fn what_was_granted_is_not_sent_while_sessions_stands_still() {
    let settings = [("DISPATCH__PARALLEL", "2"), ("DISPATCH__MOST_LAG", "2s")];
    let shop = carts::open("4s", &settings).unwrap();
    let _ingest = shop.serve("ingest").unwrap();
    let sessions = shop.serve("sessions").unwrap();
    let _evaluator = shop.serve("evaluator").unwrap();
    let dispatch = shop.serve("dispatch").unwrap();
    shop.smtp
        .behave(Behaviour::Slow(Duration::from_millis(800)));
    let mut storefront = shop.storefront().unwrap();
    for number in 0..PEOPLE {
        let user = format!("u{number}");
        storefront.leave_cart(&user).unwrap();
    }
    let received = || shop.smtp.received().len();
    // Claims that were put off because input may not be applied.
    let lag = r#"winback_claims_total{answer="lag",channel="email"} "#;
    let lagging = || dispatch.sum(lag).unwrap_or(0);
    // Everything must be granted before nobody vouches any more, also on a busy machine.
    let decided = r#"winback_triggers_total{event="decided"} "#;
    until(
        Duration::from_secs(60),
        "all is granted, mail goes out",
        || sessions.sum(decided).unwrap_or(0) as usize >= PEOPLE && received() > 0,
    )
    .unwrap();
    // And must have arrived: what is decided is counted before it is committed.
    until(Duration::from_secs(60), "all of it is queued", || {
        let asked = ["--topic", "winback.dispatch.email"];
        let ends = shop
            .kafka
            .tool_says("org.apache.kafka.tools.GetOffsetShell", &asked);
        let ends = ends.unwrap_or_default();
        let end = |line: &str| line.rsplit(':').next()?.parse::<usize>().ok();
        ends.lines().filter_map(end).sum::<usize>() >= PEOPLE
    })
    .unwrap();
    signal(sessions.child.id(), "STOP").unwrap();
    for number in 0..PEOPLE {
        let user = format!("u{number}");
        let order = json!({ "order_id": format!("o{number}"), "total": 12.5 });
        let bought = json!({ "type": "track", "event": "Order Completed", "userId": user, "properties": order });
        storefront.send(&user, &bought).unwrap();
    }
    storefront.close().unwrap();
    until(Duration::from_secs(60), "claims are put off", || {
        lagging() > 0
    })
    .unwrap();
    let (then, put_off) = (received(), lagging());
    assert!(then < PEOPLE / 2, "{then} of {PEOPLE} went out before");
    until(Duration::from_secs(60), "the queue is gone through", || {
        lagging() as usize + received() >= PEOPLE
    })
    .unwrap();
    signal(sessions.child.id(), "CONT").unwrap();
    // Everybody has bought: nothing is in flight any more, and nothing is due.
    until(Duration::from_secs(60), "all orders are applied", || {
        let series = r#"winback_journeys_exited_total{campaign="cart",reason="converted"} "#;
        let ended = usize::try_from(sessions.sum(series).unwrap_or(0)).unwrap();
        ended + received() >= PEOPLE
    })
    .unwrap();
    let after = received() - then;
    assert!(
        after <= PARALLEL,
        "{after} mails were claimed after claims had ended; {put_off} were put off by then"
    );
}
