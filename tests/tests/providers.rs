//! What every provider owes, whatever it speaks (INV-4): the same servers, the same answers, the same hostile texts. A new
//! provider stands here with a [`Stand`] of its own; what only one of them can say is in a file of its own.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;
use winback_dispatch::compose::RenderedMessage;
use winback_dispatch::{
    Deadline, FileProvider, HttpProvider, Provider, SendResult, SmtpConfig, SmtpProvider, TlsMode,
};
use winback_service::{clock, secret::Secret};
use winback_testkit::files::Folder;
use winback_testkit::http::{Answer, HttpFake};
use winback_testkit::{Behaviour, Smtp, ports};

/// How a server treats what it is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Server {
    Takes,
    IsBusy,
    KnowsNoSuchAddress,
    RefusesUs,
    DiesWithIt,
    IsSilent,
    IsAway,
}

/// A provider before a server. `None` where there is no such server for it.
trait Stand {
    fn provider(&mut self, server: Server) -> Option<Box<dyn Provider>>;

    /// What the server has taken.
    fn got(&self) -> Vec<String>;

    /// Whether what it took has the shape that was meant, and nothing smuggled in.
    fn is_whole(&self, got: &str) -> bool;
}

/// It takes connections and says nothing.
fn silent() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[derive(Default)]
struct OfSmtp {
    server: Option<Smtp>,
    silent: Option<TcpListener>,
}

impl Stand for OfSmtp {
    fn provider(&mut self, server: Server) -> Option<Box<dyn Provider>> {
        let fake = Smtp::start().unwrap();
        let mut port = fake.port();
        match server {
            Server::Takes => fake.behave(Behaviour::Accept),
            Server::IsBusy => fake.behave(Behaviour::NotNow),
            Server::KnowsNoSuchAddress => fake.behave(Behaviour::NoSuchUser),
            Server::RefusesUs => fake.behave(Behaviour::RelayDenied),
            Server::DiesWithIt => fake.behave(Behaviour::DropAfterContent),
            Server::IsSilent => {
                let (listener, of_it) = silent();
                (self.silent, port) = (Some(listener), of_it);
            }
            Server::IsAway => port = ports::free().unwrap(),
        }
        self.server = Some(fake);
        Some(Box::new(SmtpProvider::new(SmtpConfig {
            host: "127.0.0.1".into(),
            port,
            tls: TlsMode::None,
            user: String::new(),
            password: Secret::default(),
            timeout: Duration::from_secs(1),
            pool: 2,
        })))
    }

    fn got(&self) -> Vec<String> {
        let received = self.server.as_ref().map(Smtp::received);
        let received = received.into_iter().flatten();
        received.map(|mail| mail.content).collect()
    }

    fn is_whole(&self, got: &str) -> bool {
        let head = got.split("\r\n\r\n").next().unwrap_or_default();
        let names = head.lines().filter(|line| !line.starts_with([' ', '\t']));
        let names = names.filter_map(|line| line.split_once(':'));
        let mut names = names.map(|(name, _)| name.to_lowercase());
        !head.is_empty() && !names.any(|name| name == "bcc" || name == "cc")
    }
}

#[derive(Default)]
struct OfHttp {
    server: Option<HttpFake>,
    silent: Option<TcpListener>,
}

impl Stand for OfHttp {
    fn provider(&mut self, server: Server) -> Option<Box<dyn Provider>> {
        let status = |code| Answer::Status(code, String::new(), "{}".into());
        let mut of_port = None;
        let answer = match server {
            Server::Takes => status(200),
            Server::IsBusy => status(429),
            Server::KnowsNoSuchAddress => status(422),
            Server::RefusesUs => status(401),
            Server::DiesWithIt => Answer::HangUp,
            Server::IsSilent => {
                let (listener, port) = silent();
                (self.silent, of_port) = (Some(listener), Some(port));
                status(200)
            }
            Server::IsAway => {
                of_port = Some(ports::free().unwrap());
                status(200)
            }
        };
        let fake = HttpFake::start(vec![answer]).unwrap();
        let port = of_port.unwrap_or_else(|| fake.port());
        self.server = Some(fake);
        let config = json!({
            "url": format!("http://127.0.0.1:{port}/send"),
            "headers": { "authorization": "Bearer hush" },
            "body": r#"{"to": {{ to }}, "text": {{ text }}, "subject": {{ subject }}, "name": {{ facts.name }}}"#,
            "bad_address": [422],
            "timeout_ms": 1_000,
        });
        let config = serde_json::from_value(config).unwrap();
        Some(Box::new(HttpProvider::new(config).unwrap()))
    }

    fn got(&self) -> Vec<String> {
        let got = self.server.as_ref().map(HttpFake::got);
        got.into_iter()
            .flatten()
            .map(|request| request.body)
            .collect()
    }

    fn is_whole(&self, got: &str) -> bool {
        let body: serde_json::Value = serde_json::from_str(got).unwrap();
        body.as_object().is_some_and(|fields| fields.len() == 4) && body["to"] == "ann@example.com"
    }
}

#[derive(Default)]
struct OfFile(Option<Folder>);

impl Stand for OfFile {
    fn provider(&mut self, server: Server) -> Option<Box<dyn Provider>> {
        let folder = Folder::new("providers").unwrap();
        let inside = match server {
            Server::Takes => folder.path().join("mails"),
            Server::IsAway => folder.write("mails", "a file").unwrap(),
            Server::IsBusy
            | Server::KnowsNoSuchAddress
            | Server::RefusesUs
            | Server::DiesWithIt
            | Server::IsSilent => return None,
        };
        self.0 = Some(folder);
        Some(Box::new(FileProvider::new(&inside)))
    }

    fn got(&self) -> Vec<String> {
        let folder = self.0.as_ref().map(|folder| folder.path().join("mails"));
        let mut open: Vec<_> = folder.into_iter().collect();
        let mut texts = Vec::new();
        while let Some(path) = open.pop() {
            for entry in std::fs::read_dir(&path).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    open.push(entry.path());
                } else if entry.path().extension().is_some_and(|end| end == "txt") {
                    texts.push(std::fs::read_to_string(entry.path()).unwrap());
                }
            }
        }
        texts
    }

    fn is_whole(&self, got: &str) -> bool {
        got.contains("It waits")
    }
}

/// Every provider there is.
fn all() -> Vec<(&'static str, Box<dyn Stand>)> {
    vec![
        ("smtp", Box::new(OfSmtp::default())),
        ("http", Box::new(OfHttp::default())),
        ("file", Box::new(OfFile::default())),
    ]
}

fn message(to: &str, text: &str) -> RenderedMessage {
    RenderedMessage {
        message_id: "<m1@shop.example>".into(),
        to: to.into(),
        from: "Shop <hello@shop.example>".into(),
        reply_to: None,
        subject: format!("It waits {text}"),
        html: "<p>It waits</p>".into(),
        text: format!("It waits {text}"),
        unsubscribe: vec!["<https://shop.example/out>".into()],
        one_click: true,
        label: "cart/reminder".into(),
        facts: json!({ "name": text }),
    }
}

/// Ten times what a silent server is given.
const PATIENCE: Duration = Duration::from_secs(30);

async fn sent(provider: &dyn Provider, message: &RenderedMessage) -> SendResult {
    let deadline = Deadline::after(Duration::from_secs(3));
    let answered = clock::within(PATIENCE, provider.send(message, deadline)).await;
    answered.unwrap_or_else(|_| panic!("{} answers by no deadline", provider.name()))
}

/// Only what is sure is said: taken, never, not now; and where nobody can know, that.
#[tokio::test]
async fn each_server_is_understood() {
    for (name, mut stand) in all() {
        for (server, wanted) in [
            (Server::Takes, &["ok"][..]),
            (Server::IsBusy, &["not_now"]),
            (Server::KnowsNoSuchAddress, &["refused"]),
            // It is about us, never about the customer: nothing of the message is lost.
            (Server::RefusesUs, &["not_now", "refused"]),
            (Server::DiesWithIt, &["unknown"]),
            // Whether the content went out before it kept silent depends on what is spoken.
            (Server::IsSilent, &["unknown", "not_now"]),
            (Server::IsAway, &["not_now"]),
        ] {
            let Some(provider) = stand.provider(server) else {
                continue;
            };
            let message = message("canary@example.com", "Ann");
            let result = sent(provider.as_ref(), &message).await;
            let class = result.class();
            assert!(wanted.contains(&class), "{name}: {server:?} is {result:?}");
            let is_bad = matches!(
                result,
                SendResult::Refused {
                    address_is_bad: true,
                    ..
                }
            );
            assert_eq!(
                is_bad,
                server == Server::KnowsNoSuchAddress,
                "{name}: {server:?}"
            );
            assert!(
                !format!("{result:?}").contains("canary"),
                "{name}: {result:?}"
            );
            let got = stand.got().len();
            match class {
                "ok" => assert_eq!(got, 1, "{name}"),
                _ => assert!(got <= 1, "{name}: {server:?} got {got}"),
            }
        }
    }
}

/// Whatever a name or an address holds: one message at most, to nobody else, and the text as it is.
#[tokio::test]
async fn hostile_texts_stay_texts() {
    let texts = [
        "\r\nBcc: victim@example.com\r\n\r\nnew",
        "\r\n.\r\nMAIL FROM:<x@example.com>\r\n",
        "\", \"to\": \"victim@example.com",
        "{{ 7777 * 7 }} {% raw %}",
        "../../../../tmp/x",
        "\u{0}\u{202e}\u{2028}\u{feff}",
        "O'Neil & <b>\"Söhne\"</b> 🛒",
        "",
    ];
    let addresses = [
        "a@example.com\r\nRCPT TO:<victim@example.com>",
        "a@example.com, victim@example.com",
        "<a@example.com> victim@example.com",
        "",
        "not an address",
        "ä@exämple.com",
    ];
    for (name, mut stand) in all() {
        for text in texts {
            let provider = stand.provider(Server::Takes).unwrap();
            let result = sent(provider.as_ref(), &message("ann@example.com", text)).await;
            assert_eq!(result.class(), "ok", "{name}: {text:?}: {result:?}");
            let got = stand.got();
            assert_eq!(got.len(), 1, "{name}: {text:?}");
            assert!(stand.is_whole(&got[0]), "{name}: {text:?}: {}", got[0]);
            assert!(
                !got[0].contains("54439"),
                "{name}: it is no template: {}",
                got[0]
            );
        }
        for address in addresses {
            let provider = stand.provider(Server::Takes).unwrap();
            let result = sent(provider.as_ref(), &message(address, "Ann")).await;
            assert!(stand.got().len() <= 1, "{name}: {address:?}: {result:?}");
            assert!(
                !format!("{result:?}").contains("victim"),
                "{name}: {result:?}"
            );
        }
    }
}
