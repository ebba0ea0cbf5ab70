//! Parts of Policy: the offer guard, the calendar, how customers are scored.

use winback_contract::Span;

use super::policy::Reader;
use super::schedule::day;
use crate::policy::{Days, Guard, Scoring};
use crate::yaml::policy::{CalendarPart, Guard as GuardPart, Scoring as ScoringPart};
use crate::yaml::{Spanned, position};

/// Kinds of offers that a guard may count.
const KINDS: [&str; 5] = ["coupon", "points", "free_delivery", "gift", "terms"];

impl Reader<'_> {
    pub(super) fn guard(&mut self, part: Option<&Spanned<GuardPart>>) -> Guard {
        let value = part.map(|part| &part.value);
        let counts = value.and_then(|part| part.counts.as_ref());
        for word in counts.iter().flat_map(|words| &words.value.0) {
            if !KINDS.contains(&word.as_str()) {
                let message = format!("`{word}` is no kind of offer");
                self.error(
                    counts.and_then(position),
                    message,
                    "kinds are coupon, points, free_delivery, gift, terms",
                );
            }
        }
        Guard {
            one_offer_per: value
                .and_then(|part| part.one_offer_per.as_ref())
                .map_or(Span::from_days(60), |text| self.span(text)),
            waiter_after: value
                .and_then(|part| part.waiter_after.as_ref())
                .map_or(3, |count| count.value.min(16)),
            counts: counts.map_or_else(
                || {
                    ["coupon", "points", "free_delivery", "terms"]
                        .map(str::to_owned)
                        .to_vec()
                },
                |words| words.value.0.clone(),
            ),
        }
    }

    pub(super) fn days(&mut self, part: &Spanned<CalendarPart>) -> Option<Days> {
        let mut read = |text: &str| {
            let found = day(text);
            if found.is_none() {
                let message = format!("`{text}` is not a day");
                self.error(
                    position(part),
                    message,
                    "write month and day, such as \"12-31\", or with the year",
                );
            }
            found
        };
        match &part.value {
            CalendarPart::Days(days) => Some(Days::Days(
                days.iter().filter_map(|text| read(text)).collect(),
            )),
            CalendarPart::Span { from, to } => Some(Days::Span(read(from)?, read(to)?)),
        }
    }

    pub(super) fn scoring(&mut self, part: Option<&Spanned<ScoringPart>>) -> Scoring {
        let mut scoring = Scoring::default();
        let Some(part) = part else { return scoring };
        let at = position(part);
        let mut wrong = Vec::new();
        if let Some(texts) = &part.value.recency {
            let spans: Vec<Span> = texts
                .value
                .iter()
                .filter_map(|text| crate::duration::parse(text).ok())
                .collect();
            match <[Span; 4]>::try_from(spans) {
                Ok(spans) if spans.is_sorted() => scoring.recency = spans,
                _ => wrong
                    .push("`recency` is four durations, rising, such as [30d, 90d, 180d, 365d]"),
            }
        }
        if let Some(counts) = &part.value.frequency {
            match <[u32; 4]>::try_from(counts.value.clone()) {
                Ok(counts) if counts.is_sorted() => scoring.frequency = counts,
                _ => wrong
                    .push("`frequency` is four numbers of orders, rising, such as [2, 3, 5, 10]"),
            }
        }
        if let Some(sums) = &part.value.money {
            match <[f64; 4]>::try_from(sums.value.clone()) {
                Ok(sums) if sums.is_sorted() => scoring.money = sums,
                _ => wrong
                    .push("`money` is four sums of orders, rising, such as [50, 150, 500, 1500]"),
            }
        }
        if let Some(weights) = &part.value.weights {
            let names = ["value", "loyalty", "upsell", "influence", "cost"];
            if weights
                .value
                .keys()
                .any(|name| !names.contains(&name.as_str()))
                || weights
                    .value
                    .values()
                    .any(|weight| !(0.0..=1.0).contains(weight))
            {
                wrong.push(
                    "`weights` are numbers from 0 to 1 of value, loyalty, upsell, influence, cost",
                );
            } else {
                for (place, name) in names.iter().enumerate() {
                    if let Some(weight) = weights.value.get(*name) {
                        scoring.weights[place] = *weight;
                    }
                }
            }
        }
        for message in wrong {
            self.error(at, message, "");
        }
        scoring
    }
}
