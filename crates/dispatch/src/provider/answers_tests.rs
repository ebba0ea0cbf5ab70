//! Answers of providers as servers really give them: what is held against the customer, and what is not (INV-4).

use std::io::{BufRead as _, BufReader, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use winback_contract::Span;

use super::{
    Deadline, HttpConfig, HttpProvider, Provider, SendResult, SmtpConfig, SmtpProvider, TlsMode,
};
use crate::compose::RenderedMessage;

/// An SMTP server that answers RCPT with one line.
fn smtp(answer: &'static str) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    serve(move || {
        for stream in listener.incoming().flatten() {
            let mut out = stream.try_clone().unwrap();
            out.write_all(b"220 fake\r\n").unwrap();
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let word = line.split(' ').next().unwrap_or_default().to_uppercase();
                let said = match word.as_str() {
                    "EHLO" => "250 fake",
                    "RCPT" => answer,
                    _ => "250 ok",
                };
                if out.write_all(format!("{said}\r\n").as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    port
}

fn mail() -> RenderedMessage {
    RenderedMessage {
        message_id: "<1@shop.example>".into(),
        to: "ann@example.com".into(),
        from: "Shop <hello@shop.example>".into(),
        reply_to: None,
        subject: "hi".into(),
        html: "<p>hello</p>".into(),
        text: "hello".into(),
        unsubscribe: vec![],
        one_click: false,
        label: "cart/reminder".into(),
        facts: serde_json::Value::Null,
    }
}

fn provider_of(answer: &'static str) -> SmtpProvider {
    SmtpProvider::new(SmtpConfig {
        host: "127.0.0.1".into(),
        port: smtp(answer),
        tls: TlsMode::None,
        user: String::new(),
        password: Default::default(),
        timeout: Duration::from_secs(2),
        pool: 2,
    })
}

async fn is_bad(answer: &'static str) -> bool {
    let provider = provider_of(answer);
    match provider.send(&mail(), deadline()).await {
        SendResult::Refused { address_is_bad, .. } => address_is_bad,
        SendResult::NotNow { .. } => false,
        other => panic!("{other:?}"),
    }
}

/// A blocklist that quotes our own address, and a bad sender, must not suppress the customer for good.
#[tokio::test]
async fn a_blocklist_does_not_suppress_the_customer() {
    assert!(is_bad("550 5.1.1 no such user").await);
    assert!(
        !is_bad(
            "550 5.7.1 Service unavailable; client host [195.1.20.3] blocked using zen.spamhaus.org"
        )
        .await,
        "blocklist"
    );
}

#[tokio::test]
async fn a_bad_sender_does_not_suppress_the_customer() {
    assert!(
        !is_bad("550 5.1.8 <hello@shop.example>: Sender address rejected: Domain not found").await,
        "sender"
    );
}

/// An HTTP server that answers everything with one status line.
fn http(status: &'static str) -> u16 {
    answering(format!(
        "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    ))
}

fn answering(answer: String) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    serve(move || {
        for stream in listener.incoming().flatten() {
            let mut out = stream.try_clone().unwrap();
            let mut lines = BufReader::new(stream);
            let mut line = String::new();
            while lines.read_line(&mut line).unwrap_or(0) > 2 {
                line.clear();
            }
            drop(out.write_all(answer.as_bytes()));
        }
    });
    port
}

/// An expired key of the provider's is the shop's problem, and no answer about this message.
#[tokio::test]
async fn an_expired_key_burns_no_message() {
    for status in [
        "302 Found",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "408 Request Timeout",
    ] {
        let provider = HttpProvider::new(HttpConfig {
            url: format!("http://127.0.0.1:{}/send", http(status)),
            method: "POST".into(),
            headers: Default::default(),
            body: "{\"to\": {{ to }}}".into(),
            accept: vec![200],
            bad_address: vec![],
            refused: vec![],
            id: None,
            timeout_ms: 2_000,
        })
        .unwrap();
        let sent = provider.send(&mail(), deadline()).await;
        assert!(
            !matches!(sent, SendResult::Refused { .. }),
            "{status}: {sent:?}"
        );
    }
}

/// `http://` only to this machine.
#[test]
fn plain_http_goes_to_this_machine_only() {
    for url in [
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "http://127.0.0.1@evil.example/",
        "https://user:secret@sms.example/",
        "ftp://127.0.0.1/",
        "not a url",
    ] {
        let made = HttpProvider::new(HttpConfig {
            url: url.into(),
            method: "POST".into(),
            headers: Default::default(),
            body: "{}".into(),
            accept: vec![200],
            bad_address: vec![],
            refused: vec![],
            id: None,
            timeout_ms: 2_000,
        });
        assert!(made.is_err(), "{url} was taken");
    }
}

fn at(port: u16) -> HttpProvider {
    HttpProvider::new(HttpConfig {
        url: format!("http://127.0.0.1:{port}/send"),
        method: "POST".into(),
        headers: Default::default(),
        body: "{}".into(),
        accept: vec![200],
        bad_address: vec![],
        refused: vec![404],
        id: Some("/id".into()),
        timeout_ms: 2_000,
    })
    .unwrap()
}

#[tokio::test]
async fn a_provider_says_when_to_come_back() {
    let port = answering(
        "HTTP/1.1 429 Too Many\r\nretry-after: 90\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into(),
    );
    let wanted = SendResult::NotNow {
        detail: "status 429".into(),
        retry_after: Some(Span::from_secs(90)),
    };
    assert_eq!(at(port).send(&mail(), deadline()).await, wanted);
}

#[tokio::test]
async fn a_status_that_the_config_names_is_a_refusal() {
    let sent = at(http("404 Not Found")).send(&mail(), deadline()).await;
    assert!(
        matches!(
            sent,
            SendResult::Refused {
                address_is_bad: false,
                ..
            }
        ),
        "{sent:?}"
    );
}

/// The id stands at the beginning; nobody reads hundreds of megabytes behind it.
#[tokio::test]
async fn a_huge_answer_is_read_only_in_part() {
    const OFFERED: usize = 256 * 1024 * 1024;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = taken.clone();
    serve(move || {
        let (mut out, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(out.try_clone().unwrap());
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap_or(0) > 2 {
            line.clear();
        }
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {OFFERED}\r\n\r\n");
        let mut offered = out.write_all(head.as_bytes()).is_ok();
        let chunk = vec![b'x'; 64 * 1024];
        while offered && counted.load(Ordering::SeqCst) < OFFERED {
            offered = out.write_all(&chunk).is_ok();
            counted.fetch_add(chunk.len(), Ordering::SeqCst);
        }
    });
    let sent = at(port).send(&mail(), deadline()).await;
    assert_eq!(sent, SendResult::Accepted { provider_id: None });
    // What the sockets hold is taken by nobody.
    let taken = taken.load(Ordering::SeqCst);
    assert!(taken < OFFERED / 4, "{taken} bytes were taken");
}

#[allow(
    clippy::disallowed_methods,
    reason = "a fake server of one test, gone with its process"
)]
fn serve(work: impl FnOnce() + Send + 'static) {
    std::thread::spawn(work);
}

/// More than enough.
fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

/// What the shop says wrong of itself is not held against the customer.
#[tokio::test]
async fn a_wrong_sender_is_no_fault_of_the_customer() {
    let provider = provider_of("550 5.1.1 no such user");
    for wrong in [
        RenderedMessage {
            from: "not an address".into(),
            ..mail()
        },
        RenderedMessage {
            reply_to: Some("nor this".into()),
            ..mail()
        },
    ] {
        let sent = provider.send(&wrong, deadline()).await;
        assert!(matches!(sent, SendResult::NotNow { .. }), "{sent:?}");
    }
    let nobody = RenderedMessage {
        to: "nobody".into(),
        ..mail()
    };
    let sent = provider.send(&nobody, deadline()).await;
    assert!(
        matches!(
            sent,
            SendResult::Refused {
                address_is_bad: true,
                ..
            }
        ),
        "{sent:?}"
    );
}
