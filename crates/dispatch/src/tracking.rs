//! Links of a mail that lead through the gateway, so that a click, an opening and a "no" are known.
//!
//! Invariants: INV-11 (the header of RFC 8058 leads to the shop's gateway, which takes a POST and denies at once). What leads
//! to a page of the web is led through; `mailto:` and the like stay, and so does the text part, where people read addresses.
//! Absent: what becomes of a click.

use winback_contract::{Link, LinkKeys, LinkKind, Message, Timestamp};

/// How links of messages are made.
#[derive(Clone, Debug)]
pub struct Tracking {
    /// The gateway's public address, without a slash at its end.
    pub url: String,
    /// What signs.
    pub keys: LinkKeys,
    /// Whether a picture tells that a mail was opened.
    pub opens: bool,
}

impl Tracking {
    fn address(&self, message: &Message, kind: LinkKind, now: Timestamp) -> Option<String> {
        let path = match &kind {
            LinkKind::Click(_) => 'c',
            LinkKind::Open => 'o',
            LinkKind::Unsubscribe => 'u',
        };
        let link = Link {
            kind,
            message: message.id,
            customer: message.customer,
            channel: message.channel,
            made_at: now,
        };
        let signed = self.keys.sign(&link)?;
        Some(format!("{}/{path}/{signed}", self.url))
    }

    /// Whether an address leads to the gateway already.
    fn is_own(&self, address: &str) -> bool {
        let path = address.strip_prefix(&self.url).unwrap_or_default();
        ["/c/", "/o/", "/u/"]
            .iter()
            .any(|own| path.starts_with(own))
    }

    /// Where one says that nothing more is wanted.
    pub(crate) fn unsubscribe(&self, message: &Message, now: Timestamp) -> Option<String> {
        self.address(message, LinkKind::Unsubscribe, now)
    }

    /// The page with its links led through the gateway; what is the gateway's already stays.
    pub(crate) fn html(&self, html: &str, message: &Message, now: Timestamp) -> String {
        let mut out = String::with_capacity(html.len() * 2);
        let mut rest = html;
        while let Some((before, target, behind)) = next_link(rest) {
            out.push_str(before);
            let address = unescaped(target);
            let led = leads_to_a_page(&address) && !self.is_own(&address);
            let kind = LinkKind::Click(address);
            let through = led.then(|| self.address(message, kind, now)).flatten();
            // What is signed is letters and digits: nothing in it has to be escaped.
            out.push_str(through.as_deref().unwrap_or(target));
            rest = behind;
        }
        out.push_str(rest);
        let picture = self
            .opens
            .then(|| self.address(message, LinkKind::Open, now));
        if let Some(address) = picture.flatten() {
            let tag =
                format!(r#"<img src="{address}" width="1" height="1" alt="" style="border:0">"#);
            let end = out.rfind("</body>").unwrap_or(out.len());
            out.insert_str(end, &tag);
        }
        out
    }
}

/// The next address of an `href`, with what stands before and behind it.
fn next_link(html: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let at = from + html.get(from..)?.find("href=")? + "href=".len();
        let quote = html.get(at..)?.chars().next()?;
        // `data-href` and the like are other attributes.
        let is_own = html[..at - "href=".len()].ends_with([' ', '\n', '\t', '\r', '"', '\'']);
        let begin = at + quote.len_utf8();
        if is_own
            && is_of_a_link(&html[..at])
            && matches!(quote, '"' | '\'')
            && let Some(length) = html[begin..].find(quote)
        {
            let (before, behind) = html.split_at(begin);
            let (target, behind) = behind.split_at(length);
            return Some((before, target, behind));
        }
        from = at;
    }
}

/// Whether an attribute that ends here is of something that a person follows: not of a style sheet or a font.
fn is_of_a_link(before: &str) -> bool {
    let Some((_, tag)) = before.rsplit_once('<') else {
        return false;
    };
    let name = tag.split(|sign: char| sign.is_whitespace()).next();
    let name = name.unwrap_or_default().to_ascii_lowercase();
    // Outlook draws buttons as shapes (`v:roundrect`).
    !tag.contains('>') && (name == "a" || name == "area" || name.starts_with("v:"))
}

fn leads_to_a_page(address: &str) -> bool {
    let lower = address.get(..8).unwrap_or(address).to_ascii_lowercase();
    lower.starts_with("https://") || lower.starts_with("http://")
}

/// As a browser reads the value of an attribute: each entity once, from left to right; what is none stays.
fn unescaped(target: &str) -> String {
    let mut out = String::with_capacity(target.len());
    let mut rest = target;
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let entity = from.find(';').filter(|end| *end <= 10);
        let sign = entity.and_then(|end| Some((sign(&from[1..end])?, end)));
        match sign {
            Some((sign, end)) => {
                out.push(sign);
                rest = &from[end + 1..];
            }
            None => {
                out.push('&');
                rest = &from[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// The sign that an entity stands for, without `&` and `;`.
fn sign(entity: &str) -> Option<char> {
    let numbered = entity.strip_prefix('#');
    if let Some(digits) = numbered.and_then(|digits| digits.strip_prefix(['x', 'X'])) {
        return char::from_u32(u32::from_str_radix(digits, 16).ok()?);
    }
    if let Some(digits) = numbered {
        return char::from_u32(digits.parse().ok()?);
    }
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use winback_contract::message::Facts;
    use winback_contract::{BundleHash, Channel, CustomerId, JourneyId, MessageId, Partition};

    use super::*;

    fn message() -> Message {
        Message {
            v: 1,
            id: MessageId([1; 16]),
            attempt: 1,
            customer: CustomerId([2; 16]),
            partition: Partition(0),
            journey: JourneyId([3; 16]),
            campaign: "cart".into(),
            step: "reminder".into(),
            template: "reminder".into(),
            channel: Channel::Email,
            address: "ann@example.com".into(),
            bundle: BundleHash([4; 16]),
            not_before: Timestamp::default(),
            not_after: Timestamp::NEVER,
            facts: Facts::default(),
        }
    }

    fn tracking(opens: bool) -> Tracking {
        Tracking {
            url: "https://go.shop.example".into(),
            keys: LinkKeys::new(["a key of sixteen bytes"]).unwrap(),
            opens,
        }
    }

    /// Where the links of a page lead after all.
    fn targets(html: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut rest = html;
        while let Some((_, target, behind)) = next_link(rest) {
            let signed = target.strip_prefix("https://go.shop.example/c/");
            found.push(match signed {
                None => target.to_owned(),
                Some(signed) => match tracking(false).keys.verify(signed).unwrap().kind {
                    LinkKind::Click(target) => format!("> {target}"),
                    other => format!("{other:?}"),
                },
            });
            rest = behind;
        }
        found
    }

    #[test]
    fn pages_are_led_through_and_everything_else_stays() {
        let html = r##"<body><a href="https://shop.example/c?a=1&amp;b=2">x</a><a class='b' href='HTTP://shop.example/'>y</a>
            <a href="mailto:out@shop.example">m</a><a href="tel:+380">t</a><a href="#top">h</a><a data-href="https://no.example">d</a>
            <a href="https://go.shop.example/u/abc">u</a><a href=https://bare.example>b</a> href="https://in.text.example"
            <link href="https://fonts.example/css" rel="stylesheet"><v:roundrect href="https://shop.example/b" arcsize="3%"></v:roundrect></body>"##;
        let led = tracking(false).html(html, &message(), Timestamp::default());
        assert_eq!(
            targets(&led),
            [
                "> https://shop.example/c?a=1&b=2",
                "> HTTP://shop.example/",
                "mailto:out@shop.example",
                "tel:+380",
                "#top",
                "https://go.shop.example/u/abc",
                "> https://shop.example/b",
            ]
        );
        assert!(led.contains("data-href=\"https://no.example\""));
        assert!(!led.contains("<img"));
        let opened = tracking(true).html(html, &message(), Timestamp::default());
        assert!(
            opened.contains("/o/") && opened.trim_end().ends_with("</body>"),
            "{opened}"
        );
    }

    /// Whatever a template escapes in an address is what a browser would follow.
    #[test]
    fn entities_are_read_once_and_as_browsers_do() {
        for (written, meant) in [
            (
                "https://a.example/women&#x27;s?a=1&amp;b=2",
                "https://a.example/women's?a=1&b=2",
            ),
            (
                "https://a.example/&#38;lt;&#x2f;&apos;&quot;&lt;&gt;",
                "https://a.example/&lt;/'\"<>",
            ),
            (
                "https://a.example/?a&b;&nbsp;&#xZ;&",
                "https://a.example/?a&b;&nbsp;&#xZ;&",
            ),
        ] {
            assert_eq!(unescaped(written), meant);
        }
        let shop = Tracking {
            url: "https://shop.example".into(),
            ..tracking(false)
        };
        let html = r#"<a href="https://shop.example/cart">x</a>"#;
        let led = shop.html(html, &message(), Timestamp::default());
        assert!(led.contains("https://shop.example/c/"), "{led}");
    }

    #[test]
    fn a_page_that_is_cut_or_odd_is_left_as_it_is() {
        for html in [
            "",
            "<a href=",
            "<a href=\"",
            "<a href=\"https://x",
            "href=",
            "é href=\"\"",
        ] {
            let led = tracking(false).html(html, &message(), Timestamp::default());
            assert_eq!(led, html);
        }
    }
}
