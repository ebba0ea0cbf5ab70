//! Points in time: RFC 3339, RFC 2822, the same without a zone (then it is the shop's), and epochs in seconds or finer.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;
use winback_contract::Timestamp;

use super::Read;

/// Before and after this no event of a shop lies: 2000 to 2100, in milliseconds.
const PLAUSIBLE: std::ops::Range<i64> = 946_684_800_000..4_102_444_800_000;

/// A moment. Without a zone of its own it is one of `zone`.
pub fn moment(value: Option<&Value>, zone: &TimeZone) -> Read<Timestamp> {
    match value {
        None | Some(Value::Null) => Read::Absent,
        Some(Value::Number(number)) => Read::of(number.as_f64().and_then(epoch)),
        Some(Value::String(text)) if text.trim().is_empty() => Read::Absent,
        Some(Value::String(text)) => Read::of(written(text.trim(), zone)),
        Some(_) => Read::Odd,
    }
}

fn written(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(exact) = Timestamp::parse(text) {
        return Some(exact);
    }
    if text.len() >= 10
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return text.parse().ok().and_then(epoch);
    }
    if let Ok(sent) = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text) {
        return Some(Timestamp::from_millis(sent.as_millisecond()));
    }
    // A word of a zone behind a time, as databases write it.
    let (text, zone) = match text
        .strip_suffix(" UTC")
        .or_else(|| text.strip_suffix(" GMT"))
    {
        Some(bare) => (bare, &TimeZone::UTC),
        None => (text, zone),
    };
    // A date alone is a day, not a moment.
    let has_time = text.get(10..).is_some_and(|rest| rest.contains(':'));
    let local: DateTime = has_time
        .then(|| text.replacen(' ', "T", 1).parse().ok())
        .flatten()?;
    let zoned = local.to_zoned(zone.clone()).ok()?;
    Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
}

/// By its size: seconds, milliseconds, microseconds, nanoseconds.
fn epoch(number: f64) -> Option<Timestamp> {
    [1_000.0, 1.0, 1e-3, 1e-6]
        .into_iter()
        .map(|scale| (number * scale).round())
        .find(|millis| PLAUSIBLE.contains(&(*millis as i64)))
        .map(|millis| Timestamp::from_millis(millis as i64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_as_they_come() {
        let kyiv = TimeZone::get("Europe/Kyiv").unwrap();
        let noon = Some("2026-03-01T12:00:00.000Z");
        for (value, expect) in [
            (json!("2026-03-01T12:00:00Z"), noon),
            (json!("2026-03-01T14:00:00+02:00"), noon),
            (json!("2026-03-01 14:00:00"), noon),
            (json!("2026-03-01T14:00:00.000"), noon),
            (json!("2026-03-01 14:00"), noon),
            (json!("2026-03-01 12:00:00 UTC"), noon),
            (json!("Sun, 01 Mar 2026 14:00:00 +0200"), noon),
            (json!(1_772_366_400), noon),
            (json!(1_772_366_400_000_i64), noon),
            (json!("1772366400"), noon),
            (json!(1_772_366_400_000_000_i64), noon),
            (json!("1772366400.5"), Some("2026-03-01T12:00:00.500Z")),
            (json!("2026-03-01"), None),
            (json!("2026-03-01T12:00:27.029:Z"), None),
            (json!("yesterday"), None),
            (json!("14 марта 2026, 12:00"), None),
            (json!("2026‑03‑01 12:00"), None),
            (json!(42), None),
            (json!(true), None),
        ] {
            let read = moment(Some(&value), &kyiv).value().map(|at| at.to_string());
            assert_eq!(read.as_deref(), expect, "{value}");
        }
    }
}
