//! The way back on real Kafka and Redis: a click, a scanner, a HEAD, a forged link, a POST that says no, and a broker that is
//! away while somebody clicks.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use winback_service::clock::Stopwatch;
use winback_testkit::{ports, until};
use winback_tests::{Shop, carts};

const MAIL: &str = r#"<mjml><mj-head><mj-title>Your cart</mj-title></mj-head><mj-body><mj-section><mj-column>
<mj-button href="https://shop.example/cart?a=1&amp;b=2">To the cart</mj-button>
<mj-text><a href="https://shop.example/help">Help</a> <a href="https://shop.example/news">News</a> <a href="mailto:ask@shop.example">Ask</a>
<a href="{{ shop.unsubscribe }}">Unsubscribe</a></mj-text></mj-column></mj-section></mj-body></mjml>"#;

const CART: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: cart, group: cart }
spec:
  enter: { on: Product Added, key: event.cart_id, idle: 2s }
  exit: { converted: Order Completed }
  cascade: [ { step: reminder, send: [email] }, { wait: 30s }, { step: second, send: [email] } ]
";

/// A browser.
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36";

struct Answer {
    status: u16,
    text: String,
}

fn ask(port: u16, method: &str, path: &str, agent: &str) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let body = "List-Unsubscribe=One-Click";
    let length = if method == "POST" { body.len() } else { 0 };
    let body = &body[..length];
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: {agent}\r\nAccept-Language: uk\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1).and_then(|code| code.parse().ok());
    Answer {
        status: status.unwrap(),
        text,
    }
}

/// The text of a mail without the line breaks of its transport (RFC 2045, section 6.7).
fn decoded(content: &str) -> String {
    let joined = content.replace("=\r\n", "");
    let mut out = Vec::new();
    let mut bytes = joined.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'=' {
            let digits: String = bytes.clone().take(2).map(char::from).collect();
            if let Ok(plain) = u8::from_str_radix(&digits, 16) {
                out.push(plain);
                bytes.nth(1);
                continue;
            }
        }
        out.push(byte);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A shop whose mails lead through its gateway.
struct Led {
    shop: Shop,
    port: u16,
}

impl Led {
    fn open() -> Self {
        let port = ports::free().unwrap();
        let campaigns = [
            ("cart/campaign.yaml", CART),
            ("cart/templates/reminder.email.en.mjml", MAIL),
            ("cart/templates/second.email.en.mjml", MAIL),
        ];
        let (url, address) = (
            format!("http://127.0.0.1:{port}/"),
            format!("127.0.0.1:{port}"),
        );
        let settings = [
            ("GATEWAY__URL", url.as_str()),
            ("GATEWAY__ADDRESS", address.as_str()),
            ("GATEWAY__KEY", "a key of more than sixteen bytes"),
            ("GATEWAY__OPENS", "true"),
            ("GATEWAY__MACHINE_WITHIN", "1s"),
        ];
        let shop = Shop::open(carts::POLICY, &campaigns, &settings).unwrap();
        Self { shop, port }
    }

    fn mails(&self, user: &str) -> Vec<String> {
        let to = format!("{user}@example.com");
        let received = self.shop.smtp.received().into_iter();
        let own = received.filter(|mail| mail.to == to);
        own.map(|mail| decoded(&mail.content)).collect()
    }

    /// Paths of the first mail of somebody that begin like this, each once.
    fn paths(&self, user: &str, kind: &str) -> Vec<String> {
        let base = format!("http://127.0.0.1:{}{kind}", self.port);
        let mail = &self.mails(user)[0];
        let mut found: Vec<String> = mail
            .split(&base)
            .skip(1)
            .map(|rest| {
                let is_of_link = |sign: &char| sign.is_ascii_alphanumeric() || "-_".contains(*sign);
                format!(
                    "{kind}{}",
                    rest.chars().take_while(is_of_link).collect::<String>()
                )
            })
            .collect();
        found.sort();
        found.dedup();
        found
    }

    fn why(&self, user: &str) -> String {
        self.shop
            .expect(&["why", &format!("user:{user}")])
            .unwrap_or_default()
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table, or a story told in order")]
fn who_clicks_or_says_no_is_left_alone_and_machines_change_nothing() {
    let led = Led::open();
    let all = led.shop.serve("all").unwrap();
    let mut storefront = led.shop.storefront().unwrap();
    let people = ["reader", "scanned", "headed", "forged", "refuser", "looker"];
    for user in people {
        storefront.leave_cart(user).unwrap();
    }
    until(
        Duration::from_secs(60),
        "everybody has the first mail",
        || people.iter().all(|user| led.mails(user).len() == 1),
    )
    .unwrap();
    // A person reads first.
    let read = Stopwatch::start();
    until(Duration::from_secs(60), "they have read", || {
        read.elapsed() > Duration::from_millis(2_500)
    })
    .unwrap();
    let port = led.port;
    let mail = &led.mails("reader")[0];
    assert!(
        mail.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"),
        "{mail}"
    );
    assert!(mail.contains("mailto:ask@shop.example"), "{mail}");

    // Its links lead where they led.
    let links = led.paths("reader", "/c/");
    assert_eq!(links.len(), 3, "{links:?}");
    let mut targets = Vec::new();
    for link in &led.paths("scanned", "/c/") {
        let answer = ask(port, "GET", link, BROWSER);
        assert_eq!(answer.status, 302, "{}", answer.text);
        let lines = answer.text.lines();
        let location = lines.filter_map(|line| line.strip_prefix("location: "));
        targets.extend(location.map(str::to_owned));
    }
    targets.sort();
    assert_eq!(
        targets,
        [
            "https://shop.example/cart?a=1&b=2",
            "https://shop.example/help",
            "https://shop.example/news"
        ]
    );
    assert_eq!(ask(port, "GET", &links[0], BROWSER).status, 302);
    assert_eq!(
        ask(port, "HEAD", &led.paths("headed", "/c/")[0], BROWSER).status,
        302
    );
    let picture = &led.paths("looker", "/o/")[0];
    assert!(
        ask(port, "GET", picture, BROWSER)
            .text
            .contains("image/gif")
    );
    // What no key has signed leads nowhere, and says nothing of anybody.
    let mut forged = led.paths("forged", "/c/")[0].clone();
    forged.replace_range(20..21, if &forged[20..21] == "A" { "B" } else { "A" });
    for path in [
        forged.as_str(),
        "/c/x",
        "/u/",
        "/",
        "/c/%00",
        "/c/..%2f..%2fetc",
    ] {
        let answer = ask(port, "GET", path, BROWSER);
        assert_eq!(answer.status, 404, "{path}: {}", answer.text);
        assert!(
            !answer.text.to_lowercase().contains("location:"),
            "{}",
            answer.text
        );
    }
    // A page that is looked at changes nothing; a POST does.
    let page = ask(port, "GET", &led.paths("looker", "/u/")[0], BROWSER);
    assert!(
        page.status == 200 && page.text.contains("Відписатися"),
        "{}",
        page.text
    );
    let out = ask(
        port,
        "POST",
        &led.paths("refuser", "/u/")[0],
        "a mail provider",
    );
    assert_eq!(out.status, 200, "{}", out.text);

    until(
        Duration::from_secs(90),
        "machines have stopped nobody",
        || {
            ["scanned", "headed", "forged", "looker"]
                .iter()
                .all(|user| led.mails(user).len() == 2)
        },
    )
    .unwrap();
    until(Duration::from_secs(30), "it is known why", || {
        led.why("reader").contains("reacted") && led.why("refuser").contains("no_consent")
    })
    .unwrap_or_else(|error| panic!("{error}\n{}\n{}", led.why("reader"), led.why("refuser")));
    assert_eq!(led.mails("reader").len(), 1);
    assert_eq!(led.mails("refuser").len(), 1);
    let counted = |kind: &str, result: &str| {
        let series = format!("winback_gateway_requests_total{{kind=\"{kind}\",result=\"{result}\"");
        all.sum(&series).unwrap_or(0)
    };
    assert_eq!(
        (counted("click", "ok"), counted("click", "machine")),
        (1, 4)
    );
    assert_eq!(counted("unsubscribe", "ok"), 1);
    assert!(counted("click", "forged") >= 1 && counted("click", "malformed") >= 1);
    storefront.close().unwrap();
}

#[test]
fn a_click_is_answered_while_kafka_is_away_and_a_no_is_not_said_to_be_done() {
    let mut led = Led::open();
    let all = led.shop.serve("all").unwrap();
    let mut storefront = led.shop.storefront().unwrap();
    for user in ["clicker", "refuser"] {
        storefront.leave_cart(user).unwrap();
    }
    until(Duration::from_secs(60), "both have the first mail", || {
        ["clicker", "refuser"]
            .iter()
            .all(|user| led.mails(user).len() == 1)
    })
    .unwrap();
    storefront.close().unwrap();
    let read = Stopwatch::start();
    until(Duration::from_secs(60), "they have read", || {
        read.elapsed() > Duration::from_millis(2_500)
    })
    .unwrap();
    led.shop.kafka.kill();
    let (link, no) = (
        &led.paths("clicker", "/c/")[0],
        &led.paths("refuser", "/u/")[0],
    );
    assert_eq!(ask(led.port, "GET", link, BROWSER).status, 302);
    let answer = ask(led.port, "POST", no, BROWSER);
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(answer.text.contains("Спробуйте"), "{}", answer.text);
    // Many rounds of the loop pass: each must not hand over the same once more.
    until(Duration::from_secs(60), "it says that it stands", || {
        let readyz = winback_tests::shop::get(all.http, "/readyz").unwrap_or_default();
        readyz.contains("gateway: ")
    })
    .unwrap();
    led.shop.kafka.restart().unwrap();
    // Both are written when it is back, without anybody asking again.
    until(Duration::from_secs(90), "what was heard is known", || {
        led.why("clicker").contains("reacted") && led.why("refuser").contains("no_consent")
    })
    .unwrap_or_else(|error| {
        panic!(
            "{error}\n{}\n{}\n{}",
            led.why("clicker"),
            led.why("refuser"),
            led.shop.text("all")
        )
    });
    assert_eq!(led.mails("clicker").len(), 1);
    assert_eq!(led.mails("refuser").len(), 1);
    let said = led.shop.kafka.tool_says(
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        &[
            "--topic",
            "winback.outcomes",
            "--from-beginning",
            "--timeout-ms",
            "5000",
        ],
    );
    let said = said.unwrap();
    for status in ["clicked", "unsubscribed"] {
        let word = format!("\"status\":\"{status}\"");
        assert_eq!(said.matches(&word).count(), 1, "{status}: {said}");
    }
}

#[test]
fn a_gateway_that_can_not_work_is_refused_with_the_way_out() {
    let led = Led::open();
    let refuses = |key: &str, value: &str, says: &str| {
        let mut command = led.shop.command(&["serve", "gateway"]).unwrap();
        command
            .env("WINBACK__HTTP__ADDRESS", "127.0.0.1:0")
            .env(format!("WINBACK__GATEWAY__{key}"), value);
        let (code, out, errors) = winback_tests::run(&mut command).unwrap();
        assert_eq!(code, 3, "{key}: {out}{errors}");
        assert!(errors.contains(says), "{key}: {errors}");
        assert!(!errors.contains("hunter2"), "{errors}");
    };
    refuses("URL", "", "gateway.url is empty");
    refuses("URL", "go.shop.example", "gateway.url is no address");
    refuses("URL", "http://go.shop.example", "https://");
    refuses("URL", "https://shop.example/go", "ends with its host");
    refuses("KEY_BEFORE", "hunter2", "gateway.key_before");
    refuses("KEY", "", "gateway.key");
    refuses("KEY", "hunter2", "gateway.key");
}
