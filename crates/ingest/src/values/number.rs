//! Numbers and amounts: as JSON has them, or as people and shops' templates write them. `1 250,00 €`, `1,250.00` and
//! `1'250` are 1,250; one separator before exactly three digits is read by the locale, and without one not at all.

use serde_json::Value;
use winback_contract::Currency;

use super::Read;

/// What stands between whole units and their parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decimal {
    /// `1.5`
    Point,
    /// `1,5`
    Comma,
}

/// Languages whose numbers have a point, and those with a comma (CLDR 45, decimal symbol). Others are not known.
const POINT: &str = "en zh ja ko th he iw hi bn ms fil ur ta te mr ga cy mt sw am";
const COMMA: &str = "uk ru de fr es it pl pt nl cs sk sv da nb nn no fi ro hu bg hr sl sr bs mk el tr lt lv et kk be az ka hy id vi ca eu gl is uz ky";
/// Regions that write otherwise than their language.
const POINT_REGIONS: &str =
    "de-CH de-LI it-CH es-MX es-US es-PA es-DO es-GT es-HN es-NI es-SV es-PR es-PE";

impl Decimal {
    /// Of a BCP 47 locale.
    pub fn of(locale: &str) -> Option<Self> {
        let locale = locale.replace('_', "-");
        let has = |list: &str, word: &str| {
            list.split(' ')
                .any(|known| known.eq_ignore_ascii_case(word))
        };
        let language = locale.split('-').next().unwrap_or(&locale);
        if has(POINT_REGIONS, &locale) || has(POINT, language) {
            Some(Self::Point)
        } else if has(COMMA, language) {
            Some(Self::Comma)
        } else {
            None
        }
    }
}

/// A finite number, or text that is one.
pub fn number(value: Option<&Value>, decimal: Option<Decimal>) -> Read<f64> {
    match value {
        None | Some(Value::Null) => Read::Absent,
        Some(Value::Number(number)) => {
            Read::of(number.as_f64().filter(|number| number.is_finite()))
        }
        Some(Value::String(text)) if text.trim().is_empty() => Read::Absent,
        Some(Value::String(text)) => Read::of(
            scientific(text).or_else(|| bare(text).and_then(|bare| written(&bare, decimal))),
        ),
        Some(_) => Read::Odd,
    }
}

/// An amount in whole units. A currency that stands with it must be the one that is meant.
pub fn amount(value: Option<&Value>, decimal: Option<Decimal>, currency: Currency) -> Read<f64> {
    if let Some(Value::String(text)) = value
        && let Some(named) = named(text)
        && named != currency
    {
        return Read::Odd;
    }
    match value {
        Some(Value::String(text)) if !is_amount(text) => Read::Odd,
        _ => number(value, decimal),
    }
}

/// Words of currencies that are written against the number and are no codes.
const WORDS: &[&str] = &[
    "rs", "kr", "kč", "kc", "lei", "ft", "лв", "din", "dh", "dhs", "tl", "us", "au", "nz", "hk",
    "ca", "r", "p", "р", "rp", "rm",
];

/// Whether what touches the digits may stand there. `E4g=` is a number in base64, as some connectors write decimals, and no
/// amount of four.
fn is_amount(text: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_digit();
    let (Some(first), Some(last)) = (text.find(is_digit), text.rfind(is_digit)) else {
        return true;
    };
    let before: String = text[..first]
        .chars()
        .rev()
        .take_while(|c| c.is_alphabetic())
        .collect();
    let before: String = before.chars().rev().collect();
    let behind = text[last + 1..].chars().take_while(|c| c.is_alphabetic());
    let behind: String = behind.collect();
    let is_word = |word: &str| {
        word.is_empty() || currency(word).is_some() || WORDS.contains(&word.to_lowercase().as_str())
    };
    let is_scientific = scientific(text).is_some();
    is_scientific || !text.contains('=') && is_word(&before) && is_word(&behind)
}

/// A whole number that is not negative, up to a million; `2.0` is one, `0.5` of something is one of it.
pub fn count(value: Option<&Value>, decimal: Option<Decimal>) -> Read<u32> {
    number(value, decimal).and_then(|number| {
        let is_count = (0.0..=1_000_000.0).contains(&number);
        Read::of(is_count.then(|| (number.round() as u32).max(u32::from(number > 0.0))))
    })
}

/// Signs that are one currency's alone.
const SIGNS: &[(&str, &str)] = &[
    ("€", "EUR"),
    ("£", "GBP"),
    ("₴", "UAH"),
    ("₽", "RUB"),
    ("₸", "KZT"),
    ("₺", "TRY"),
    ("₹", "INR"),
    ("₪", "ILS"),
    ("₩", "KRW"),
    ("zł", "PLN"),
    ("грн", "UAH"),
    ("руб", "RUB"),
];

/// A currency by its code or by a sign that is its alone.
pub fn currency(text: &str) -> Option<Currency> {
    let text = text.trim().trim_end_matches('.');
    let sign = SIGNS
        .iter()
        .find(|(sign, _)| sign.eq_ignore_ascii_case(text));
    Currency::parse(sign.map_or(text, |(_, code)| code)).ok()
}

/// The currency that stands beside an amount.
fn named(text: &str) -> Option<Currency> {
    let is_letter =
        |c: char| c.is_alphabetic() || SIGNS.iter().any(|(sign, _)| sign.starts_with(c));
    let word: String = text.chars().filter(|c| is_letter(*c)).collect();
    currency(&word)
}

/// `1e3`, as programs write large and small numbers.
fn scientific(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.trim().split_once(['e', 'E'])?;
    let is_plain = |part: &str| {
        let digits = part.strip_prefix(['+', '-']).unwrap_or(part);
        !digits.is_empty()
            && digits
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    let number: f64 =
        (is_plain(mantissa) && is_plain(exponent)).then(|| text.trim().parse().ok())??;
    number.is_finite().then_some(number)
}

/// From the first digit to the last, with a sign and a point before it: without signs of currencies, units and blanks.
fn bare(text: &str) -> Option<String> {
    let first = text.find(|c: char| c.is_ascii_digit())?;
    let last = text.rfind(|c: char| c.is_ascii_digit())?;
    let before = &text[..first];
    let (before, point) = match before.strip_suffix('.') {
        Some(rest) => (rest, "."),
        None => (before, ""),
    };
    let sign = if before.trim_end().ends_with(['-', '−']) {
        "-"
    } else {
        ""
    };
    let mut kept = format!("{sign}{point}");
    for c in text[first..=last].chars() {
        match c {
            '0'..='9' | '.' | ',' => kept.push(c),
            '\'' | '’' => {}
            _ if c.is_whitespace() => {}
            _ => return None,
        }
    }
    Some(kept)
}

fn written(text: &str, decimal: Option<Decimal>) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let points = digits.matches('.').count();
    let commas = digits.matches(',').count();
    let (whole, part) = match (points, commas) {
        (0, 0) => (digits.to_owned(), ""),
        // Both: the last one divides, the other groups.
        (1.., 1..) => {
            let last = digits.rfind(['.', ','])?;
            let mark = digits.as_bytes()[last];
            let other = if mark == b'.' { ',' } else { '.' };
            (ungrouped(&digits[..last], other)?, &digits[last + 1..])
        }
        (2.., 0) => (ungrouped(digits, '.')?, ""),
        (0, 2..) => (ungrouped(digits, ',')?, ""),
        (1, 0) | (0, 1) => {
            let mark = if points == 1 { '.' } else { ',' };
            let (whole, part) = digits.split_once(mark)?;
            let may_group = part.len() == 3 && (1..=3).contains(&whole.len()) && whole != "0";
            let divides = match decimal {
                _ if !may_group => true,
                Some(Decimal::Point) => mark == '.',
                Some(Decimal::Comma) => mark == ',',
                None => return None,
            };
            if divides {
                (whole.to_owned(), part)
            } else {
                (format!("{whole}{part}"), "")
            }
        }
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(&whole) || !is_digits(part) || whole.is_empty() && part.is_empty() {
        return None;
    }
    let number: f64 = format!("{}{whole}.{part}0", if sign { "-" } else { "" })
        .parse()
        .ok()?;
    number.is_finite().then_some(number)
}

/// Digits in groups of three.
fn ungrouped(text: &str, mark: char) -> Option<String> {
    let mut groups = text.split(mark);
    let first = groups.next()?;
    let mut whole = first.to_owned();
    for group in groups {
        if group.len() != 3 {
            return None;
        }
        whole.push_str(group);
    }
    (1..=3).contains(&first.len()).then_some(whole)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value, decimal: Option<Decimal>) -> Option<f64> {
        number(Some(&value), decimal).value()
    }

    #[test]
    fn numbers_as_they_come() {
        for (text, expect) in [
            ("1250", Some(1250.0)),
            ("1,250.00", Some(1250.0)),
            ("1.250,00", Some(1250.0)),
            ("1 250,00", Some(1250.0)),
            ("1\u{a0}250,50 €", Some(1250.5)),
            ("€ 25", Some(25.0)),
            ("$1,250.99", Some(1250.99)),
            ("1'250.00 CHF", Some(1250.0)),
            ("1,250,000", Some(1_250_000.0)),
            ("12,5", Some(12.5)),
            ("12.50", Some(12.5)),
            ("0.125", Some(0.125)),
            ("1250,125", Some(1250.125)),
            ("-3.5", Some(-3.5)),
            ("−3,5", Some(-3.5)),
            ("25.-", Some(25.0)),
            ("1 pc", Some(1.0)),
            ("2 шт.", Some(2.0)),
            (".5", Some(0.5)),
            // Which of two it is, nobody knows.
            ("1,250", None),
            ("1.250", None),
            ("12,34,56", None),
            ("1.2.3", None),
            ("a lot", None),
            ("NaN", None),
            ("inf", None),
            ("1e3", Some(1000.0)),
            ("1e400", None),
            ("12-15", None),
            ("--", None),
        ] {
            assert_eq!(read(json!(text), None), expect, "{text:?}");
        }
        assert_eq!(read(json!("1,250"), Decimal::of("en-GB")), Some(1250.0));
        assert_eq!(read(json!("1,250"), Decimal::of("uk")), Some(1.25));
        assert_eq!(read(json!("1.250"), Decimal::of("de")), Some(1250.0));
        assert_eq!(read(json!("1.250"), Decimal::of("de-CH")), Some(1.25));
        assert_eq!(read(json!(12.5), None), Some(12.5));
        for odd in [json!(true), json!([1]), json!({ "a": 1 })] {
            assert_eq!(number(Some(&odd), None), Read::Odd);
        }
        assert_eq!(number(Some(&json!("  ")), None), Read::Absent);
    }

    #[test]
    fn an_amount_in_another_currency_is_not_read() {
        let eur = Currency::parse("EUR").unwrap();
        let read = |text: &str| amount(Some(&json!(text)), None, eur).value();
        assert_eq!(read("25 EUR"), Some(25.0));
        assert_eq!(read("€25"), Some(25.0));
        assert_eq!(read("25 USD"), None);
        assert_eq!(read("25 грн"), None);
        assert_eq!(currency("€"), Some(eur));
        assert_eq!(currency("money"), None);
    }

    #[test]
    fn counts_are_whole_and_something_is_not_nothing() {
        let read = |value: Value| count(Some(&value), None).value();
        assert_eq!(read(json!(2.0)), Some(2));
        assert_eq!(read(json!("2 pcs")), Some(2));
        assert_eq!(read(json!(0.4)), Some(1));
        assert_eq!(read(json!(0)), Some(0));
        assert_eq!(read(json!(-1)), None);
        assert_eq!(read(json!(1e9)), None);
    }

    /// What is no amount is none, however many digits are in it.
    #[test]
    fn what_touches_an_amount_is_a_currency() {
        let eur = Currency::parse("EUR").unwrap();
        for (text, expected) in [
            ("E4g=", None),
            ("C7g=", None),
            ("9g==", None),
            ("AB12", None),
            ("12AB", None),
            ("x12", None),
            ("12", Some(12.0)),
            ("EUR12", Some(12.0)),
            ("12EUR", Some(12.0)),
            ("€12", Some(12.0)),
            ("12,50€", Some(12.5)),
            ("12 total", Some(12.0)),
            ("1e3", Some(1_000.0)),
            ("kr12", Some(12.0)),
        ] {
            let read = amount(Some(&json!(text)), None, eur).value();
            assert_eq!(read, expected, "{text}");
        }
    }
}
