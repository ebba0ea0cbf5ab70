//! What a negative reply of a mail server means (RFC 5321, enhanced codes of RFC 3463 and RFC 2034).
//!
//! Invariant: INV-4. Only a code that names the recipient's address suppresses it; a refusal of the sender, of the host
//! or of its place on a blocklist says nothing about the customer, and is tried again. The words of a reply are never
//! searched: they may quote anything.

use super::SendResult;

/// Which command was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Greeting, EHLO, STARTTLS, AUTH, MAIL: nothing was said of the recipient yet.
    Sender,
    /// RCPT.
    Recipient,
    /// DATA, and the content.
    Content,
}

/// An enhanced status code.
type Enhanced = (u16, u16, u16);

/// The enhanced code at the beginning of a reply's text; none where the server gives none.
pub(super) fn enhanced(text: &str) -> Option<Enhanced> {
    let word = text.split_whitespace().next()?;
    let mut parts = word.split('.');
    let mut part = || {
        let digits = parts.next()?;
        let fits = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| digits.parse::<u16>().ok())?
    };
    let code = (part()?, part()?, part()?);
    (parts.next().is_none() && matches!(code.0, 2 | 4 | 5)).then_some(code)
}

/// The meaning of a permanent reply (5yz) with this basic code and text.
pub(super) fn permanent(stage: Stage, code: u16, text: &str) -> SendResult {
    let said = enhanced(text);
    let detail = match said {
        Some((class, subject, number)) => format!("answer {code} {class}.{subject}.{number}"),
        None => format!("answer {code}"),
    };
    let refused = |address_is_bad| SendResult::Refused {
        detail: detail.clone(),
        address_is_bad,
    };
    let not_now = || SendResult::not_now(detail.clone());
    match (stage, said) {
        // The server contradicts itself; the careful reading is that it may still take it.
        (_, Some((4, ..))) => not_now(),
        // Security and policy, a bad or unproven sender, the mail system itself: that is about us.
        (_, Some((_, 7, _) | (_, 1, 7 | 8) | (_, 3, 0..=3))) => not_now(),
        (Stage::Sender, _) => not_now(),
        (Stage::Recipient, Some((_, 1, 1 | 2 | 3 | 6 | 10) | (_, 2, 1))) => refused(true),
        // Servers without enhanced codes: these are their words for "not from you".
        (_, None)
            if matches!(code, 521 | 530 | 534 | 535 | 538 | 554) && stage != Stage::Content =>
        {
            not_now()
        }
        _ => refused(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(sent: &SendResult) -> &'static str {
        match sent {
            SendResult::Refused {
                address_is_bad: true,
                ..
            } => "bad address",
            SendResult::Refused { .. } => "refused",
            SendResult::NotNow { .. } => "not now",
            SendResult::Accepted { .. } | SendResult::Unknown { .. } => "other",
        }
    }

    #[test]
    fn only_codes_of_the_address_are_held_against_the_customer() {
        use Stage::{Content, Recipient, Sender};
        for (stage, code, text, wanted) in [
            (
                Recipient,
                550,
                "5.1.1 <ann@example.com>: no such user",
                "bad address",
            ),
            (Recipient, 550, "5.1.10 null MX", "bad address"),
            (Recipient, 550, "5.2.1 mailbox disabled", "bad address"),
            (Recipient, 552, "5.2.2 mailbox full", "refused"),
            (Recipient, 550, "no such user here", "refused"),
            (
                Recipient,
                550,
                "5.7.1 client host [195.1.20.3] blocked using a list, see 5.1.1",
                "not now",
            ),
            (Recipient, 550, "195.5.1.1 is on a blocklist", "refused"),
            (
                Recipient,
                550,
                "5.1.8 <shop@example.com>: sender's domain not found",
                "not now",
            ),
            (Recipient, 550, "5.1.7 bad sender", "not now"),
            (Recipient, 554, "relay access denied", "not now"),
            (
                Recipient,
                550,
                "5.7.26 unauthenticated mail is not accepted",
                "not now",
            ),
            (
                Sender,
                550,
                "5.1.1 nobody of that name sends here",
                "not now",
            ),
            (Sender, 535, "5.7.8 bad credentials", "not now"),
            (Content, 554, "5.7.1 listed", "not now"),
            (Content, 554, "5.6.0 malformed", "refused"),
            (Content, 554, "no", "refused"),
            (
                Content,
                550,
                "5.1.1 said too late to be about one address",
                "refused",
            ),
            (
                Recipient,
                550,
                "4.2.0 a temporary code in a permanent reply",
                "not now",
            ),
        ] {
            assert_eq!(
                word(&permanent(stage, code, text)),
                wanted,
                "{stage:?} {code} {text}"
            );
        }
    }

    #[test]
    fn an_enhanced_code_stands_first_or_not_at_all() {
        assert_eq!(enhanced("5.1.1 no"), Some((5, 1, 1)));
        assert_eq!(enhanced("5.7.999"), Some((5, 7, 999)));
        for text in [
            "",
            "no 5.1.1",
            "5.1",
            "5.1.1.2 x",
            "5.1.x",
            "195.1.20.3 listed",
            "3.1.1 x",
            "5.1.1111",
        ] {
            assert_eq!(enhanced(text), None, "{text}");
        }
    }
}
