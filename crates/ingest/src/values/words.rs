//! Words that stand for something else: for nobody, for a channel, for yes and no of a consent.

use winback_contract::{Channel, ConsentStatus};

/// Texts that programs write where they know nobody.
pub const NOBODY: &[&str] = &[
    "undefined",
    "null",
    "nil",
    "none",
    "nan",
    "n/a",
    "na",
    "unknown",
    "guest",
    "anonymous",
    "anon",
    "[object object]",
    "object",
    "false",
    "true",
    "test",
    "user",
    "default",
    "(not set)",
    "not set",
    "no-id",
    "noid",
    "empty",
    "visitor",
    "customer",
    "-",
    "--",
    "{}",
    "[]",
    "\"\"",
    "''",
];

/// Whether a text names nobody: a word of the list or of the shop's own, or nothing but zeros and signs.
pub fn is_nobody(text: &str, own: &[String]) -> bool {
    let word = text.trim().to_lowercase();
    NOBODY.contains(&word.as_str())
        || own.contains(&word)
        || word.chars().all(|c| c == '0' || !c.is_alphanumeric())
}

/// A word without what programs write differently: case, blanks and signs.
pub(super) fn letters(word: &str) -> String {
    let lower = word.to_lowercase();
    lower.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// A channel by its name, or by one that other tools use.
pub fn channel(word: &str) -> Option<Channel> {
    let word = letters(word);
    match word.as_str() {
        "email" | "mail" | "newsletter" | "emails" | "emailmarketing" | "почта" | "пошта" => {
            Some(Channel::Email)
        }
        "sms" | "text" | "textmessage" | "mms" | "smsmarketing" => Some(Channel::Sms),
        "whatsapp" | "wa" => Some(Channel::Whatsapp),
        "telegram" | "tg" => Some(Channel::Telegram),
        "push" | "webpush" | "mobilepush" | "pushnotification" | "pushnotifications"
        | "apppush" => Some(Channel::Push),
        "call" | "phone" | "phonecall" | "voice" | "telephone" => Some(Channel::Call),
        "ads" | "ad" | "advertising" | "remarketing" | "retargeting" => Some(Channel::Ads),
        other => Channel::parse(other),
    }
}

const YES: &str = "granted subscribed subscribe optin optedin optedintrue true yes y 1 active on allow allowed accepted accept agreed confirmed enabled да так tak ja oui si sí given explicit";
const PENDING: &str =
    "pending unconfirmed requested awaiting waiting doubleoptin optinpending notconfirmed";
const NO: &str = "denied unsubscribed unsubscribe optout optedout false no n 0 inactive off deny declined decline rejected withdrawn revoked removed cleaned blocked disabled never нет ні nie nein non refused cancelled canceled bounced complained spam suppressed deleted";

/// What a status says. A word that nobody knows may be a refusal, and is taken for one: `false` beside it.
pub fn status(word: &str) -> (ConsentStatus, bool) {
    let word = letters(word);
    let is = |list: &str| list.split(' ').any(|known| known == word);
    if is(YES) {
        (ConsentStatus::Granted, true)
    } else if is(PENDING) {
        (ConsentStatus::Pending, true)
    } else {
        (ConsentStatus::Denied, is(NO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_many_names() {
        let own = ["web-shop".to_owned()];
        for text in [
            "undefined",
            "NULL",
            "[object Object]",
            "0",
            "0000-0000",
            "  ",
            "Guest",
            "---",
            "Web-Shop ",
        ] {
            assert!(is_nobody(text, &own), "{text}");
        }
        for text in ["u1", "10", "guest@example.com", "00a", "Ann", "guest-42"] {
            assert!(!is_nobody(text, &own), "{text}");
        }
    }

    #[test]
    fn a_refusal_is_understood_or_assumed() {
        for word in ["unsubscribed", "opt_out", "Opt-Out", "false", "NO", "ні"] {
            assert_eq!(status(word), (ConsentStatus::Denied, true), "{word}");
        }
        for word in ["subscribed", "opted_in", "true", "1"] {
            assert_eq!(status(word), (ConsentStatus::Granted, true), "{word}");
        }
        assert_eq!(status("pending").0, ConsentStatus::Pending);
        assert_eq!(status("of_another_tool"), (ConsentStatus::Denied, false));
        assert_eq!(channel("E-Mail"), Some(Channel::Email));
        assert_eq!(channel("pigeon"), None);
    }
}
