//! Telephone numbers as people write them, in E.164: international ones by themselves, national ones by the shop's country.
//!
//! A number that nobody can have is none. The plans of numbers are those of libphonenumber, which is known to panic on odd
//! texts: what has other letters than a number never reaches it, and a panic costs the number alone.

use std::panic::catch_unwind;

use phonenumber::Mode;
use phonenumber::country::Id;
use phonenumber::metadata::DATABASE;

/// Longest text that is read as a number, in bytes.
const LONGEST: usize = 64;

/// A country with a plan of numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Country(Id);

impl Country {
    /// By its two letters.
    pub fn parse(code: &str) -> Option<Self> {
        code.to_ascii_uppercase().parse().ok().map(Self)
    }
}

/// The number in E.164, if the text is one.
pub fn phone(text: &str, country: Option<Country>) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix("tel:").unwrap_or(text);
    if text.len() > LONGEST {
        return None;
    }
    // Digits of other scripts are digits; blanks and signs between them are nothing.
    let mut written = String::new();
    for c in text.replace("(0)", "").chars() {
        match c {
            '+' | '＋' if written.is_empty() => written.push('+'),
            _ if c.is_whitespace()
                || "-().‐‑‒–—―/\u{ad}\u{200e}\u{200f}\u{202a}\u{202c}".contains(c) => {}
            _ => written.push(char::from_digit(digit(c)?, 10)?),
        }
    }
    let international = written
        .strip_prefix('+')
        .or_else(|| written.strip_prefix("00"));
    match (international, country) {
        (Some(digits), _) => is_possible(digits).then(|| format!("+{digits}")),
        (None, Some(country)) => national(&written, country),
        (None, None) => None,
    }
}

fn digit(c: char) -> Option<u32> {
    // ASCII, full width, Arabic and Persian.
    let bases = ['0', '０', '٠', '۰'].map(u32::from);
    let number = u32::from(c);
    let base = bases
        .into_iter()
        .find(|base| (*base..base + 10).contains(&number))?;
    Some(number - base)
}

/// Whether a number with a country has one that exists, and a length that it may have there. Ranges change more often than
/// this table: a number in a new one is believed.
fn is_possible(digits: &str) -> bool {
    if !(7..=15).contains(&digits.len()) {
        return false;
    }
    let known = (1..=3).find_map(|length| {
        let code = digits.get(..length)?.parse().ok()?;
        let plans = DATABASE.by_code(&code).filter(|plans| !plans.is_empty())?;
        Some((plans, digits.len() - length))
    });
    known.is_some_and(|(plans, length)| {
        plans.iter().any(|plan| {
            let general = plan.descriptors().general();
            let lengths = general.possible_length();
            lengths.is_empty() || lengths.contains(&u16::try_from(length).unwrap_or(u16::MAX))
        })
    })
}

fn national(written: &str, country: Country) -> Option<String> {
    if !(4..=15).contains(&written.len()) {
        return None;
    }
    let read = catch_unwind(|| {
        let number = phonenumber::parse(Some(country.0), written).ok()?;
        number
            .is_valid()
            .then(|| number.format().mode(Mode::E164).to_string())
    });
    // Of a plus and the digits that E.164 allows; shorter ones are of no subscriber.
    read.ok()
        .flatten()
        .filter(|number| (8..=16).contains(&number.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn country(code: &str) -> Option<Country> {
        Country::parse(code)
    }

    #[test]
    fn numbers_as_people_write_them() {
        for (text, code, expected) in [
            ("+380 50 123-45-67", "", Some("+380501234567")),
            ("00380501234567", "", Some("+380501234567")),
            ("tel:+380(50)1234567", "", Some("+380501234567")),
            ("+44 (0)20 7946 0958", "", Some("+442079460958")),
            ("+380\u{a0}50\u{2013}1234567", "", Some("+380501234567")),
            ("＋３８０501234567", "", Some("+380501234567")),
            ("+1 555-555-5555", "", Some("+15555555555")),
            ("050 123 45 67", "UA", Some("+380501234567")),
            ("0501234567", "ua", Some("+380501234567")),
            ("380501234567", "UA", Some("+380501234567")),
            ("8 (029) 123-45-67", "BY", Some("+375291234567")),
            ("8 (912) 345-67-89", "RU", Some("+79123456789")),
            ("030 901820", "DE", Some("+4930901820")),
            ("(212) 736-5000", "US", Some("+12127365000")),
            ("+380501234567", "DE", Some("+380501234567")),
            // Nobody knows whose.
            ("050 123 45 67", "", None),
            // Nobody's.
            ("0501234", "UA", None),
            ("0000000000", "UA", None),
            ("1234567890", "UA", None),
            ("+0501234567", "", None),
            ("+999123456789", "", None),
            ("+38050", "", None),
            ("+3805012345678901", "", None),
            ("call me", "UA", None),
            ("", "UA", None),
            ("+", "UA", None),
            ("++380501234567", "", None),
            ("050 123 45 67 ext. 5", "UA", None),
        ] {
            assert_eq!(
                phone(text, country(code)).as_deref(),
                expected,
                "{text} {code}"
            );
        }
        assert!(country("ZZ").is_none() && country("Ukraine").is_none());
    }

    /// Whatever is read is a number of E.164, and nothing stops the process.
    #[test]
    fn any_text_is_a_number_or_none() {
        let mut random = winback_scenario::Random::new(1);
        let letters: Vec<char> = "0123456789+ ()-.٣８x\u{a0}".chars().collect();
        for _ in 0..3_000 {
            let length = random.below(18);
            let text: String = (0..length)
                .filter_map(|_| random.pick(&letters).copied())
                .collect();
            for code in ["", "UA", "US", "DE", "BR", "CN"] {
                if let Some(number) = phone(&text, country(code)) {
                    let digits = number.strip_prefix('+').unwrap();
                    assert!((7..=15).contains(&digits.len()), "{text} {number}");
                    assert!(digits.bytes().all(|byte| byte.is_ascii_digit()), "{number}");
                }
            }
        }
    }
}
