//! Sessions stands still while dispatch has a queue, and meanwhile the customers buy: what was granted is not sent any
//! more once nobody vouches for the input (INV-5).

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::time::Duration;

use serde_json::json;
use winback_testkit::process::signal;
use winback_testkit::{Behaviour, until};
use winback_tests::shop::get;
use winback_tests::{Running, Shop};

const POLICY: &str = "apiVersion: winback/v1
kind: Policy
metadata: { name: shop }
spec:
  shop: { zone: Europe/Kyiv, locale: en, currency: EUR }
  topics: { marketing: { consent: not_denied } }
  groups: { cart: { ended_by: Order Completed } }
  senders: { email: { from: \"Shop <hello@shop.example>\", unsubscribe: [\"mailto:out@shop.example\"] } }
";

const CART: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: cart, group: cart }
spec:
  enter: { on: Product Added, key: event.cart_id, idle: 4s }
  exit: { converted: Order Completed }
  cascade: [ { step: reminder, send: [email] } ]
";

const MAIL: &str = "<mjml><mj-head><mj-title>Your cart</mj-title></mj-head><mj-body><mj-section><mj-column><mj-text>It waits.</mj-text></mj-column></mj-section></mj-body></mjml>";

const PEOPLE: usize = 60;
/// Sends at the same time: so many may be past their claims when claims end.
const PARALLEL: usize = 2;

/// Claims that were put off because input may not be applied.
fn lagging(dispatch: &Running) -> u64 {
    let answer = get(dispatch.http, "/metrics").unwrap_or_default();
    let name = "winback_claims_total{answer=\"lag\",channel=\"email\"} ";
    let mut lines = answer.lines();
    let value = lines.find_map(|line| line.strip_prefix(name));
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

#[test]
fn what_was_granted_is_not_sent_while_sessions_stands_still() {
    let campaigns = [
        ("cart/campaign.yaml", CART),
        ("cart/templates/reminder.email.en.mjml", MAIL),
    ];
    let settings = [("DISPATCH__PARALLEL", "2"), ("DISPATCH__MOST_LAG", "2s")];
    let shop = Shop::open(POLICY, &campaigns, &settings).unwrap();
    let _ingest = shop.serve("ingest").unwrap();
    let sessions = shop.serve("sessions").unwrap();
    let _evaluator = shop.serve("evaluator").unwrap();
    let dispatch = shop.serve("dispatch").unwrap();
    shop.smtp
        .behave(Behaviour::Slow(Duration::from_millis(400)));
    let mut storefront = shop.storefront().unwrap();
    for number in 0..PEOPLE {
        let user = format!("u{number}");
        let email = format!("c{number}@example.com");
        let traits = json!({ "type": "identify", "userId": user, "traits": { "email": email } });
        storefront.send(&user, &traits).unwrap();
        let line = json!({ "cart_id": format!("k{number}"), "product_id": "p1", "price": 12.5 });
        let added = json!({ "type": "track", "event": "Product Added", "userId": user, "properties": line });
        storefront.send(&user, &added).unwrap();
    }
    let received = || shop.smtp.received().len();
    until(Duration::from_secs(60), "mail goes out", || received() > 0).unwrap();
    signal(sessions.child.id(), "STOP").unwrap();
    for number in 0..PEOPLE {
        let user = format!("u{number}");
        let order = json!({ "order_id": format!("o{number}"), "total": 12.5 });
        let bought = json!({ "type": "track", "event": "Order Completed", "userId": user, "properties": order });
        storefront.send(&user, &bought).unwrap();
    }
    storefront.close().unwrap();
    until(Duration::from_secs(60), "claims are put off", || {
        lagging(&dispatch) > 0
    })
    .unwrap();
    let (then, put_off) = (received(), lagging(&dispatch));
    assert!(then < PEOPLE / 2, "{then} of {PEOPLE} went out before");
    until(Duration::from_secs(60), "the queue is gone through", || {
        lagging(&dispatch) as usize + received() >= PEOPLE
    })
    .unwrap();
    signal(sessions.child.id(), "CONT").unwrap();
    // Everybody has bought: nothing is in flight any more, and nothing is due.
    until(Duration::from_secs(60), "all orders are applied", || {
        let answer = get(sessions.http, "/metrics").unwrap_or_default();
        let name = "winback_journeys_exited_total{campaign=\"cart\",reason=\"converted\"} ";
        let mut lines = answer.lines();
        let ended = lines.find_map(|line| line.strip_prefix(name));
        let ended: usize = ended.and_then(|value| value.parse().ok()).unwrap_or(0);
        ended + received() >= PEOPLE
    })
    .unwrap();
    let after = received() - then;
    assert!(
        after <= PARALLEL,
        "{after} mails were claimed after claims had ended; {put_off} were put off by then"
    );
}
