//! Days: of the week, of the month, of the year, of Policy's calendar.

use jiff::civil::Weekday;

use super::{Scope, help};
use crate::model::{CalendarDay, Schedule};
use crate::policy::Days;
use crate::yaml::campaign::Schedule as Part;
use crate::yaml::{Spanned, position};

/// `12-31` or `2026-12-31`.
pub(super) fn day(text: &str) -> Option<CalendarDay> {
    let parts: Vec<&str> = text.split('-').collect();
    let (year, month, day) = match parts.as_slice() {
        [month, day] => (None, *month, *day),
        [year, month, day] if year.len() == 4 => (Some(year.parse::<i16>().ok()?), *month, *day),
        _ => return None,
    };
    let (month, day) = (month.parse().ok()?, day.parse().ok()?);
    // A leap year has every day there is.
    jiff::civil::Date::new(year.unwrap_or(2024), month, day).ok()?;
    Some(CalendarDay { year, month, day })
}

/// `monday` and so on.
pub(super) fn weekday(word: &str) -> Option<Weekday> {
    Some(match word {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

impl Scope<'_> {
    pub(super) fn schedule(&mut self, part: &Spanned<Part>) -> Option<Schedule> {
        let at = position(part);
        let hint = "write { every: week, days: [monday] }, { every: month, days: [1] }, { every: year, days: [\"03-08\"] } or { calendar: name }";
        if let Some(name) = &part.value.calendar {
            let calendar = self.policy.calendar.clone();
            self.known(name, "day of the calendar", calendar.keys());
            return match calendar.get(&name.value)? {
                Days::Days(days) => Some(Schedule::Days(days.clone())),
                Days::Span(first, _) => Some(Schedule::Span(vec![*first])),
            };
        }
        let Some(every) = &part.value.every else {
            self.error(at, "a schedule needs `every` or `calendar`", help(hint));
            return None;
        };
        let days: &[String] = part.value.days.as_ref().map_or(&[], |days| &days.value.0);
        if days.is_empty() {
            self.error(at, "a schedule needs `days`", help(hint));
            return None;
        }
        let wrong = |scope: &mut Self, word: &str| {
            scope.error(
                at,
                format!("`{word}` is no day of a {}", every.value),
                help(hint),
            );
        };
        match every.value.as_str() {
            "week" => {
                let mut found = Vec::new();
                for word in days {
                    match weekday(word) {
                        Some(day) => found.push(day),
                        None => wrong(self, word),
                    }
                }
                Some(Schedule::Week(found))
            }
            "month" => {
                let mut found = Vec::new();
                for word in days {
                    match word.parse::<i8>().ok().filter(|day| (1..=31).contains(day)) {
                        Some(day) => found.push(day),
                        None => wrong(self, word),
                    }
                }
                Some(Schedule::Month(found))
            }
            "year" => {
                let mut found = Vec::new();
                for word in days {
                    match day(word) {
                        Some(day) => found.push(day),
                        None => wrong(self, word),
                    }
                }
                Some(Schedule::Days(found))
            }
            other => {
                self.error(
                    position(every),
                    format!("`every` can't be `{other}`"),
                    help(hint),
                );
                None
            }
        }
    }
}
