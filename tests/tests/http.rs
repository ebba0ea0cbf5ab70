//! The generic HTTP provider against a server that answers in every way a provider can.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use serde_json::json;
use std::time::Duration;
use winback_dispatch::compose::RenderedMessage;
use winback_dispatch::{Deadline, HttpConfig, HttpProvider, Provider as _, SendResult};
use winback_testkit::http::{Answer, HttpFake};
use winback_testkit::ports;

fn config(port: u16) -> HttpConfig {
    serde_json::from_value(json!({
        "url": format!("http://127.0.0.1:{port}/send"),
        "headers": { "authorization": "Bearer hush" },
        "body": r#"{"to": {{ to }}, "text": {{ text }}, "name": {{ facts.customer.first_name }}}"#,
        "bad_address": [422],
        "id": "/result/id",
        "timeout_ms": 1_000,
    }))
    .unwrap()
}

fn mail() -> RenderedMessage {
    RenderedMessage {
        message_id: "m1".into(),
        to: "+380501234567".into(),
        from: "SHOP".into(),
        reply_to: None,
        subject: String::new(),
        html: String::new(),
        text: "Hi \"you\"\n<b>".into(),
        unsubscribe: Vec::new(),
        one_click: false,
        label: "cart/last-call".into(),
        facts: json!({ "customer": { "first_name": "O'Neil\u{2028}" } }),
    }
}

async fn answered(answer: Answer) -> (SendResult, HttpFake) {
    let fake = HttpFake::start(vec![answer]).unwrap();
    let sent = HttpProvider::new(config(fake.port()))
        .unwrap()
        .send(&mail(), deadline())
        .await;
    (sent, fake)
}

fn status(status: u16) -> Answer {
    Answer::Status(status, String::new(), "{}".into())
}

#[tokio::test]
async fn the_body_is_json_whatever_the_values_hold() {
    let answer = Answer::Status(201, String::new(), r#"{"result":{"id":77}}"#.into());
    let (sent, fake) = answered(answer).await;
    assert_eq!(
        sent,
        SendResult::Accepted {
            provider_id: Some("77".into())
        }
    );
    let got = &fake.got()[0];
    let body: serde_json::Value = serde_json::from_str(&got.body).unwrap();
    assert_eq!(body["to"], "+380501234567");
    assert_eq!(body["text"], "Hi \"you\"\n<b>");
    assert_eq!(body["name"], "O'Neil\u{2028}");
    assert_eq!(got.line, "POST /send HTTP/1.1");
    for header in ["authorization: Bearer hush", "idempotency-key: m1"] {
        assert!(got.headers.iter().any(|line| line == header), "{header}");
    }
}

#[tokio::test]
async fn answers_are_sorted_by_what_is_sure() {
    for (code, class) in [
        (200, "ok"),
        (429, "not_now"),
        (503, "not_now"),
        (500, "unknown"),
        (400, "refused"),
    ] {
        assert_eq!(answered(status(code)).await.0.class(), class, "{code}");
    }
    let (bad, _) = answered(status(422)).await;
    assert!(
        matches!(
            bad,
            SendResult::Refused {
                address_is_bad: true,
                ..
            }
        ),
        "{bad:?}"
    );
    let (lost, fake) = answered(Answer::HangUp).await;
    assert_eq!((lost.class(), fake.got().len()), ("unknown", 1), "{lost:?}");
    let nobody = HttpProvider::new(config(ports::free().unwrap())).unwrap();
    assert_eq!(nobody.send(&mail(), deadline()).await.class(), "not_now");
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let other = HttpFake::start(vec![status(200)]).unwrap();
    let location = format!("Location: http://127.0.0.1:{}/\r\n", other.port());
    let (sent, _) = answered(Answer::Status(307, location, String::new())).await;
    // The provider has moved: that is about us, and nothing of the message is lost (INV-4).
    assert_eq!(sent.class(), "not_now");
    assert!(other.got().is_empty());
}

#[test]
fn a_wrong_config_is_refused_and_secrets_stay_hidden() {
    let wrong = |key: &str, value: serde_json::Value| {
        let mut fields = serde_json::to_value(config(1)).unwrap();
        fields["headers"] = json!({});
        fields[key] = value;
        HttpProvider::new(serde_json::from_value(fields).unwrap()).unwrap_err()
    };
    assert!(wrong("url", json!("http://sms.example/send")).contains("https://"));
    assert!(wrong("method", json!("GET")).contains("POST or PUT"));
    assert!(wrong("body", json!("{{ to")).contains("can't be read"));
    let shown = serde_json::to_string(&config(1)).unwrap() + &format!("{:?}", config(1));
    assert!(!shown.contains("hush"), "{shown}");
}

/// More than enough.
fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}
