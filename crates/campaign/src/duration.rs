//! Durations as campaigns write them (ADR 0014): a whole number and a unit, or a range of two.

use winback_contract::Span;

use crate::model::SpanRange;

/// Longest that any delay may be: ten years.
pub(crate) const LONGEST: Span = Span::from_days(3_653);

/// Reads `20m`, `24h`, `3d`, `6w`, `10s`.
///
/// # Errors
/// A sentence that says what is wrong.
pub(crate) fn parse(text: &str) -> Result<Span, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: i64 = number.parse().map_err(|_| explain(text))?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(explain(text)),
    };
    let span = Span::from_secs(number.saturating_mul(seconds));
    if span > LONGEST {
        return Err(format!("`{text}` is longer than ten years"));
    }
    Ok(span)
}

/// Reads a duration or a range such as `60d to 90d`.
///
/// # Errors
/// A sentence that says what is wrong.
pub(crate) fn parse_range(text: &str) -> Result<SpanRange, String> {
    match text.split_once(" to ") {
        None => parse(text).map(|span| SpanRange {
            from: span,
            to: span,
        }),
        Some((from, to)) => {
            let (from, to) = (parse(from)?, parse(to)?);
            if from > to {
                return Err(format!("the range `{text}` ends before it begins"));
            }
            Ok(SpanRange { from, to })
        }
    }
}

fn explain(text: &str) -> String {
    format!(
        "`{text}` is not a duration: write a whole number and s, m, h, d or w, such as 20m or 90d"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, expect) in [
            ("20m", Some(Span::from_mins(20))),
            ("6w", Some(Span::from_days(42))),
            ("0s", Some(Span::ZERO)),
            ("1.5h", None),
            ("d", None),
            ("-3d", None),
            ("99999999999999999999d", None),
            ("4000d", None),
            ("", None),
        ] {
            assert_eq!(parse(text).ok(), expect, "{text}");
        }
        let range = parse_range("60d to 90d").unwrap();
        assert_eq!(
            (range.from, range.to),
            (Span::from_days(60), Span::from_days(90))
        );
        assert!(parse_range("90d to 60d").is_err());
    }
}
