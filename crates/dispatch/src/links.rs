//! Where a message may lead: only to hosts that Policy names (`links`), or, without a list, to the shop's own.
//!
//! Every storefront client may send a name, a page and a picture of a product, and an address to mail them to: without
//! this a stranger could make the shop mail a link of his. Addresses of other hosts are left out of what texts are made
//! from, also where they stand within a text. Absent: what templates and Policy say themselves; those the shop wrote.

use serde_json::Value;
use winback_campaign::Policy;

/// The hosts of a shop. A host stands for itself and everything under it.
#[derive(Debug)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    /// Those that Policy names, else the domain of its sender and the hosts of its unsubscribe addresses.
    pub(crate) fn of(policy: &Policy) -> Self {
        if !policy.links.is_empty() {
            return Self(policy.links.clone());
        }
        let email = policy.email.as_ref();
        let sender = email.and_then(|email| email.from.rsplit('@').next());
        let sender = sender.map(|domain| domain.trim_end_matches('>').trim().to_ascii_lowercase());
        let addresses = email.into_iter().flat_map(|email| &email.unsubscribe);
        let hosts = addresses.filter_map(|address| host(address));
        Self(sender.into_iter().chain(hosts).collect())
    }

    fn has(&self, host: &str) -> bool {
        self.0.iter().any(|own| {
            host.strip_suffix(own.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    /// Takes out of a value every address of another host. How many there were.
    pub(crate) fn clean(&self, value: &mut Value) -> usize {
        match value {
            Value::String(text) => match self.cleaned(text) {
                None => 0,
                Some((rest, count)) => {
                    *value = if rest.is_empty() {
                        Value::Null
                    } else {
                        Value::String(rest)
                    };
                    count
                }
            },
            Value::Array(values) => values.iter_mut().map(|value| self.clean(value)).sum(),
            Value::Object(map) => map.values_mut().map(|value| self.clean(value)).sum(),
            _ => 0,
        }
    }

    /// The text without them; `None` where nothing is to be taken out.
    fn cleaned(&self, text: &str) -> Option<(String, usize)> {
        if !leads_somewhere(text) {
            return None;
        }
        let is_own = |word: &str| host(word).is_some_and(|host| self.has(&host));
        let leads_away = |word: &str| leads_somewhere(word) && !is_own(word) && !is_own(bare(word));
        let words: Vec<&str> = text.split_whitespace().collect();
        let kept: Vec<&str> = words
            .iter()
            .copied()
            .filter(|word| !leads_away(word))
            .collect();
        let count = words.len() - kept.len();
        (count > 0).then(|| (kept.join(" "), count))
    }
}

/// Whether a browser or a reader's mail program may make a link of it.
fn leads_somewhere(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let schemes = [
        "//",
        r"\\",
        "http:",
        "https:",
        "ftp:",
        "javascript:",
        "data:",
        "www.",
    ];
    schemes.iter().any(|scheme| lower.contains(scheme))
        || lower.split_whitespace().any(is_bare_address)
}

/// Without brackets, quotation marks and full stops around it.
fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

/// A host within a word (`Win:evil.com`), or a name with a path behind it (`evil.example/win`): mail programs make links of
/// both. An address of mail is none.
fn is_bare_address(word: &str) -> bool {
    let word = bare(word);
    !word.contains('@') && word.split(|c| !is_of_host(c)).any(is_host) || has_path(word)
}

fn is_of_host(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-')
}

/// A name that ends as hosts do.
fn is_host(piece: &str) -> bool {
    let ends = bare(piece).rsplit_once('.');
    ends.is_some_and(|(name, end)| !name.is_empty() && tops::is_known(end))
}

/// A name that ends in a word, with something behind it.
fn has_path(word: &str) -> bool {
    let Some((host, rest)) = word.split_once(['/', '?', '#', ':']) else {
        return false;
    };
    let Some((name, end)) = host.rsplit_once('.') else {
        return false;
    };
    let is_label =
        |label: &str| !label.is_empty() && !label.contains('.') && label.chars().all(is_of_host);
    let is_word = end.len() >= 2 && end.chars().all(char::is_alphabetic) || end.starts_with("xn--");
    !rest.is_empty() && name.split('.').all(is_label) && is_word
}

mod tops;

/// The host of an address as browsers read it; `None` where it names a user, or none can be read.
fn host(word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase().replace('\\', "/");
    let has_scheme = lower
        .split_once(':')
        .is_some_and(|(scheme, _)| scheme.bytes().all(|byte| byte.is_ascii_alphabetic()));
    let from = if lower.starts_with("//") {
        format!("https:{lower}")
    } else if has_scheme {
        lower
    } else {
        format!("https://{lower}")
    };
    let url = reqwest::Url::parse(&from).ok()?;
    let is_plain = matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none();
    is_plain.then(|| url.host_str().map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hosts() -> Hosts {
        Hosts(vec!["shop.example".into(), "shop.com".into()])
    }

    #[test]
    fn only_the_shops_own_hosts_are_led_to() {
        for (address, is_kept) in [
            ("https://shop.example/p/1?x=1", true),
            ("http://www.shop.example/p", true),
            ("HTTPS://SHOP.EXAMPLE/", true),
            ("https://evil.example/p", false),
            ("https://notshop.example/", false),
            ("https://shop.example.evil.example/", false),
            ("https://shop.example@evil.example/", false),
            ("https://user@shop.example/", false),
            ("https://evil.example/?u=https://shop.example", false),
            ("https://shop.example\\\\.evil.example", true),
            ("//evil.example://x", false),
            ("www.evil.example", false),
            ("javascript:alert(1)", false),
            ("ftp://shop.example/", false),
            ("//evil.example/x", false),
            ("//shop.example/x", true),
            (r"https:/\evil.example", false),
            ("https:evil.example", false),
            ("evil.example/win", false),
            ("shop.example/p/1", true),
            ("data:text/html;base64,AA", false),
            ("evil.com", false),
            ("(evil.co.uk)!", false),
            ("win.evil.xn--p1ai", false),
            ("evil.рф", false),
            ("evil.com:8080", false),
            ("evil.shop?win", false),
            ("Win:evil.com", false),
            ("evil.com,win", false),
            ("Win→evil.com", false),
            ("a|evil.com", false),
            ("my_evil.com", false),
            ("shop.example", true),
            ("Shop.example:", true),
            ("(shop.com).", true),
            ("\"https://shop.com/p\"", true),
            ("(https://shop.com@evil.com/)", false),
        ] {
            let mut value = json!({ "url": address });
            let count = hosts().clean(&mut value);
            assert_eq!(count == 0, is_kept, "{address}: {value}");
            assert_eq!(value["url"].is_null(), !is_kept, "{address}");
        }
    }

    #[test]
    fn an_address_within_a_text_is_taken_out_and_the_text_stays() {
        let mut value = json!({ "items": [{ "name": "You won! http://evil.example/x now", "price": 5 }], "first_name": "Ann" });
        assert_eq!(hosts().clean(&mut value), 1);
        assert_eq!(value["items"][0]["name"], "You won! now");
        assert_eq!(value["first_name"], "Ann");
        let mut value = json!(
            "See https://shop.example/a and Mug 3.5 l, 5.5/10, and/or Node.js, ann@example.com, St.Pauli, \
             No.5, M.A.C., e.g. 10:30, A/B, file.txt, 1.5L/2.5L, Dr.Martens"
        );
        assert_eq!(hosts().clean(&mut value), 0);
    }
}
