//! `Retry-After` (RFC 9110, 10.2.3): seconds, or a date that is read against the answer's own `Date`, so that the clocks
//! of two machines need not agree. What can't be read, or lies in the past, says nothing.

use jiff::fmt::rfc2822;
use winback_contract::Span;

/// Nobody is left alone for longer: the step's own expiry comes first anyway.
const LONGEST: Span = Span::from_days(2);

/// How long to wait. `date` is the answer's `Date`.
pub(super) fn parse(text: &str, date: Option<&str>) -> Option<Span> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        let span = Span::from_millis(seconds.saturating_mul(1_000));
        return Some(span.min(LONGEST)).filter(|span| *span > Span::ZERO);
    }
    let at = |text: &str| {
        let parsed = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Some(parsed.as_millisecond())
    };
    let span = Span::from_millis(at(text)?.checked_sub(at(date?)?)?);
    Some(span.min(LONGEST)).filter(|span| *span > Span::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_junk_is_not() {
        let date = Some("Fri, 27 Nov 2026 10:00:00 GMT");
        for (text, wanted) in [
            ("30", Some(Span::from_secs(30))),
            (" 7 ", Some(Span::from_secs(7))),
            ("Fri, 27 Nov 2026 10:02:00 GMT", Some(Span::from_mins(2))),
            ("1000000000", Some(LONGEST)),
            ("99999999999999999999", None),
            ("0", None),
            ("-5", None),
            ("Fri, 27 Nov 2026 09:00:00 GMT", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(parse(text, date), wanted, "{text}");
        }
        assert_eq!(parse("Fri, 27 Nov 2026 10:02:00 GMT", None), None);
    }
}
