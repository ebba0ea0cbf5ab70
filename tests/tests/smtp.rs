//! What a mail server says, and what is made of it (INV-4): accepted, refused, not now, unknown.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::time::Duration;

use winback_dispatch::compose::RenderedMessage;
use winback_dispatch::{Deadline, Provider, SendResult, SmtpConfig, SmtpProvider, TlsMode};
use winback_service::secret::Secret;
use winback_testkit::{Behaviour, Smtp};

fn provider(port: u16) -> SmtpProvider {
    SmtpProvider::new(SmtpConfig {
        host: "127.0.0.1".into(),
        port,
        tls: TlsMode::None,
        user: String::new(),
        password: Secret::default(),
        timeout: Duration::from_secs(2),
        pool: 2,
    })
}

fn mail(number: u32) -> RenderedMessage {
    RenderedMessage {
        message_id: format!("<{number}@shop.example>"),
        to: format!("c{number}@example.com"),
        from: "Shop <hello@shop.example>".into(),
        reply_to: None,
        subject: "Ваш кошик\r\nBcc: victim@example.com".into(),
        html: "<p>hello</p>".into(),
        text: "hello".into(),
        unsubscribe: vec!["<https://shop.example/out>".into()],
        one_click: true,
        label: "cart/reminder".into(),
        facts: serde_json::Value::Null,
    }
}

#[tokio::test]
async fn each_answer_has_its_value() {
    let server = Smtp::start().unwrap();
    let provider = provider(server.port());
    for (behaviour, class) in [
        (Behaviour::Accept, "ok"),
        (Behaviour::NotNow, "not_now"),
        (Behaviour::NoSuchUser, "refused"),
        (Behaviour::DropAfterContent, "unknown"),
        (Behaviour::Slow(Duration::from_secs(4)), "unknown"),
        (Behaviour::Accept, "ok"),
    ] {
        server.behave(behaviour);
        assert_eq!(
            provider.send(&mail(1), deadline()).await.class(),
            class,
            "{behaviour:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_away_has_definitely_not_taken_it() {
    let port = winback_testkit::ports::free().unwrap();
    assert_eq!(
        provider(port).send(&mail(1), deadline()).await.class(),
        "not_now"
    );
}

#[tokio::test]
async fn a_bad_address_is_told_from_a_bad_day() {
    let server = Smtp::start().unwrap();
    let provider = provider(server.port());
    server.behave(Behaviour::NoSuchUser);
    let SendResult::Refused {
        address_is_bad,
        detail,
    } = provider.send(&mail(1), deadline()).await
    else {
        panic!("not refused")
    };
    assert!(
        address_is_bad && !detail.contains("example.com"),
        "{detail}"
    );
    server.behave(Behaviour::RelayDenied);
    let sent = provider.send(&mail(1), deadline()).await;
    assert!(
        matches!(sent, SendResult::NotNow { .. }),
        "a relay's refusal of us is nothing against the customer: {sent:?}"
    );
}

#[tokio::test]
async fn headers_are_whole_and_nothing_can_be_smuggled_in() {
    let server = Smtp::start().unwrap();
    assert_eq!(
        provider(server.port())
            .send(&mail(3), deadline())
            .await
            .class(),
        "ok"
    );
    let received = server.received().remove(0);
    assert_eq!(received.header("Message-ID"), Some("<3@shop.example>"));
    assert_eq!(
        received.header("List-Unsubscribe-Post"),
        Some("List-Unsubscribe=One-Click")
    );
    assert_eq!(received.header("Auto-Submitted"), Some("auto-generated"));
    assert_eq!(received.header("Bcc"), None, "{}", received.content);
    assert_eq!(received.to, "c3@example.com");
}

/// More than enough.
fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}
