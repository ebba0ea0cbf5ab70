//! Days: `2026-05-14`, the day of a date-time as it is written, and forms that name the day one way only.

use jiff::civil::Date;
use serde_json::Value;

use super::Read;

/// A day of the calendar.
pub fn day(value: Option<&Value>) -> Read<Date> {
    match value {
        None | Some(Value::Null) => Read::Absent,
        Some(Value::String(text)) if text.trim().is_empty() => Read::Absent,
        Some(Value::String(text)) => Read::of(written(text.trim())),
        Some(_) => Read::Odd,
    }
}

fn written(text: &str) -> Option<Date> {
    // The day as it was written: a birthday is no moment, whatever zone stands behind it.
    let date = text.split(['T', ' ']).next()?;
    if let Ok(day) = date.parse::<Date>() {
        return plausible(day);
    }
    for mark in ['.', '/', '-'] {
        let parts: Vec<i16> = date
            .split(mark)
            .filter_map(|part| part.parse().ok())
            .collect();
        let [one, two, three] = parts[..] else {
            continue;
        };
        if one > 31 {
            return build(one, two, three);
        }
        // Points stand between day and month where people write points; of slashes only one order may be possible.
        let day_first = build(three, two, one);
        let month_first = build(three, one, two).filter(|_| mark != '.');
        return match (day_first, month_first) {
            (Some(day), None) | (None, Some(day)) => Some(day),
            (Some(one), Some(other)) if one == other => Some(one),
            _ => None,
        };
    }
    None
}

fn build(year: i16, month: i16, day: i16) -> Option<Date> {
    let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    plausible(Date::new(year, month, day).ok()?)
}

fn plausible(day: Date) -> Option<Date> {
    (1_900..2_200).contains(&day.year()).then_some(day)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn days_as_they_come() {
        let may = Some("1990-05-14");
        for (text, expect) in [
            ("1990-05-14", may),
            ("1990-05-14T00:00:00.000Z", may),
            ("1990-05-14 00:00:00", may),
            ("14.05.1990", may),
            ("14/05/1990", may),
            ("05/14/1990", may),
            ("1990/05/14", may),
            ("05/05/1990", Some("1990-05-05")),
            // Which of two days it is, nobody knows.
            ("05/06/1990", None),
            ("--05-14", None),
            ("31.02.1990", None),
            ("0000-00-00", None),
            ("May 14th", None),
        ] {
            let read = day(Some(&json!(text))).value().map(|day| day.to_string());
            assert_eq!(read.as_deref(), expect, "{text:?}");
        }
    }
}
