//! Starts: exactly one start word each, and only the fields that go with it.

use super::{ON_ARRIVAL, ON_DELAY, Scope, help};
use crate::condition::Wanted;
use crate::diagnostic::Position;
use crate::model::{Delay, GoodsChange, Missed, Seen, SpanRange, Start, StartKind, Times};
use crate::yaml::campaign::Start as Part;
use crate::yaml::{self, position};
use winback_contract::{Span, spec};

/// Which fields go with which start word.
const FITTING: &[(&str, &[&str])] = &[
    (
        "on",
        &[
            "when", "key", "idle", "after", "times", "within", "without", "each", "spread",
        ],
    ),
    ("silence", &["without"]),
    ("date", &["before", "every"]),
    ("schedule", &["spread"]),
    ("product", &["when", "key", "after", "by", "seen", "within"]),
    ("ended", &["when", "key", "after"]),
];

impl Scope<'_> {
    pub(super) fn start(&mut self, part: &Part, at: Option<Position>) -> Option<Start> {
        let words: Vec<(&str, Option<Position>)> = [
            ("on", part.on.as_ref().map(position)),
            ("silence", part.silence.as_ref().map(position)),
            ("date", part.date.as_ref().map(position)),
            ("schedule", part.schedule.as_ref().map(position)),
            ("product", part.product.as_ref().map(position)),
            ("ended", part.ended.as_ref().map(position)),
        ]
        .into_iter()
        .filter_map(|(word, place)| place.map(|place| (word, place)))
        .collect();
        let word = match words.as_slice() {
            [(word, _)] => *word,
            [] => {
                let hint = "write `on: EVENT`, or `silence: 90d` with `without: Order Completed`, or `date`, `schedule`, `product`, `ended`";
                self.error(at, "a start has no start word", help(hint));
                return None;
            }
            [(first, _), (second, place), ..] => {
                let message =
                    format!("a start has one start word, `{first}` or `{second}`, not both");
                self.error(*place, message, help("write two starts as a list"));
                return None;
            }
        };
        self.fitting(word, part);
        let kind = match word {
            "on" => self.on(part)?,
            "silence" => self.silence(part)?,
            "date" => self.date(part)?,
            "product" => self.product(part)?,
            "schedule" => StartKind::Schedule(self.schedule(part.schedule.as_ref()?)?),
            "ended" => StartKind::Ended {
                of: self.campaigns(part.ended.as_ref()?),
                delay: part
                    .after
                    .as_ref()
                    .map_or(Delay::NONE, |text| self.delay(text, ON_DELAY)),
            },
            other => {
                let message = format!("the start word `{other}` has no meaning yet");
                self.error(at, message, None);
                return None;
            }
        };
        let each = part
            .each
            .as_ref()
            .and_then(|text| self.expression(text, ON_DELAY, Wanted::List));
        Some(Start {
            kind,
            when: part
                .when
                .as_ref()
                .and_then(|text| self.expression(text, ON_ARRIVAL, Wanted::Answer)),
            key: part
                .key
                .as_ref()
                .and_then(|text| self.expression(text, ON_ARRIVAL, Wanted::Text)),
            times: self.times(part),
            each,
            reentry: match &part.reentry {
                None => Some(Span::from_days(7)),
                Some(word) if word.value == "never" => None,
                Some(text) => Some(self.span(text).from),
            },
            limit: part.limit.as_ref().map(|limit| {
                if !(1..=8).contains(&limit.value.at_most.value) {
                    let at = position(&limit.value.at_most);
                    self.error(at, "`at_most` of a limit is a number from 1 to 8", None);
                }
                let per = self.positive(&limit.value.per).from;
                (limit.value.at_most.value, per)
            }),
            spread: part
                .spread
                .as_ref()
                .map_or(Span::ZERO, |text| self.span(text).from),
        })
    }

    fn fitting(&mut self, word: &str, part: &Part) {
        let fitting = FITTING
            .iter()
            .find(|(name, _)| *name == word)
            .map_or(&[][..], |(_, fields)| *fields);
        let given = [
            ("without", part.without.as_ref().map(position)),
            ("before", part.before.as_ref().map(position)),
            ("every", part.every.as_ref().map(position)),
            ("when", part.when.as_ref().map(position)),
            ("key", part.key.as_ref().map(position)),
            ("idle", part.idle.as_ref().map(position)),
            ("after", part.after.as_ref().map(position)),
            ("times", part.times.as_ref().map(position)),
            ("within", part.within.as_ref().map(position)),
            ("by", part.by.as_ref().map(position)),
            ("seen", part.seen.as_ref().map(position)),
            ("each", part.each.as_ref().map(position)),
            ("spread", part.spread.as_ref().map(position)),
        ];
        for (field, place) in given {
            if let (Some(place), false) = (place, fitting.contains(&field)) {
                self.error(place, format!("`{field}` does not go with `{word}`"), None);
            }
        }
    }

    fn on(&mut self, part: &Part) -> Option<StartKind> {
        let on = part.on.as_ref()?;
        let events = self.events(&on.value.0, position(on));
        let announced = events
            .iter()
            .filter(|name| spec::ANNOUNCEMENTS.contains(&name.as_str()))
            .count();
        if announced > 0 {
            if announced < events.len() {
                let message = "announcements and events of customers can't begin the same journeys";
                self.error(position(on), message, help("write two starts as a list"));
            }
            for (word, given) in [
                ("idle", &part.idle),
                ("after", &part.after),
                ("key", &part.key),
            ] {
                if let Some(given) = given {
                    let message = format!(
                        "`{word}` does not go with an announcement: it begins when the shop tells it"
                    );
                    self.error(position(given), message, None);
                }
            }
            return Some(StartKind::Announced { on: events });
        }
        if let Some(spread) = &part.spread {
            self.error(
                position(spread),
                "`spread` goes with a start for many: an announcement or a schedule",
                None,
            );
        }
        match (&part.idle, &part.after) {
            (Some(idle), None) => Some(StartKind::Idle {
                on: events,
                span: self.positive(idle),
            }),
            (None, Some(after)) => Some(StartKind::After {
                on: events,
                delay: self.delay(after, ON_DELAY),
            }),
            (None, None) => Some(StartKind::After {
                on: events,
                delay: Delay::NONE,
            }),
            (Some(idle), Some(_)) => {
                let hint = "`idle` is inactivity, `after` is a plain delay";
                self.error(
                    position(idle),
                    "a start has `idle` or `after`, not both",
                    help(hint),
                );
                None
            }
        }
    }

    fn silence(&mut self, part: &Part) -> Option<StartKind> {
        let silence = part.silence.as_ref()?;
        let Some(without) = &part.without else {
            let hint = "such as `without: Order Completed`";
            self.error(
                position(silence),
                "`silence` needs `without`: the event that is missed",
                help(hint),
            );
            return None;
        };
        let missed = match without.value.as_str() {
            spec::ORDER_COMPLETED => Missed::Order,
            "Session Started" => Missed::Visit,
            other => {
                let hint =
                    "write `without: Order Completed`, or `without: Session Started` for any visit";
                self.error(
                    position(without),
                    format!("silence without `{other}` can't be told"),
                    help(hint),
                );
                return None;
            }
        };
        Some(StartKind::Silence {
            without: missed,
            span: self.positive(silence),
        })
    }

    fn date(&mut self, part: &Part) -> Option<StartKind> {
        let date = part.date.as_ref()?;
        let moment = self.expression(date, ON_DATE, Wanted::Moment)?;
        let yearly = match &part.every {
            None => false,
            Some(word) if word.value == "year" => true,
            Some(word) => {
                self.error(
                    position(word),
                    format!("`every` of a date can't be `{}`", word.value),
                    help("it is `year`, or absent"),
                );
                false
            }
        };
        if !yearly && date.value.trim() == "customer.birthday" {
            self.report.warning(
                self.path,
                position(date),
                "a birthday without `every: year` is the day of birth: it is long past",
                help("add `every: year`"),
            );
        }
        let before = part
            .before
            .as_ref()
            .map_or(Span::ZERO, |text| self.span(text).from);
        Some(StartKind::Date {
            moment,
            before,
            yearly,
        })
    }

    fn product(&mut self, part: &Part) -> Option<StartKind> {
        let word = part.product.as_ref()?;
        let by = match &part.by {
            None => 0,
            Some(text) => yaml::values::percent(&text.value).unwrap_or_else(|why| {
                self.error(position(text), why, None);
                0
            }),
        };
        let (change, usual) = match word.value.as_str() {
            "price_drop" => (GoodsChange::PriceDrop { by }, "viewed carted wished"),
            "back_in_stock" => {
                if let Some(by) = &part.by {
                    self.error(position(by), "`by` goes with `product: price_drop`", None);
                }
                (GoodsChange::BackInStock, "asked wished viewed")
            }
            other => {
                self.error(
                    position(word),
                    format!("`{other}` is not news of goods"),
                    help("it is `price_drop` or `back_in_stock`"),
                );
                return None;
            }
        };
        let mut seen = Vec::new();
        let words: Vec<String> = match &part.seen {
            Some(words) => words.value.0.clone(),
            None => usual.split(' ').map(str::to_owned).collect(),
        };
        for name in &words {
            match Seen::ALL.iter().find(|(word, _)| word == name) {
                Some((_, kind)) => seen.push(*kind),
                None => {
                    let at = part.seen.as_ref().and_then(position);
                    let hint = "it is viewed, carted, wished or asked";
                    self.error(
                        at,
                        format!("`{name}` is no way to know a product"),
                        help(hint),
                    );
                }
            }
        }
        Some(StartKind::Product {
            change,
            seen,
            within: part
                .within
                .as_ref()
                .map_or(Span::from_days(30), |text| self.positive(text).from),
            delay: part
                .after
                .as_ref()
                .map_or(Delay::NONE, |text| self.delay(text, ON_DELAY)),
        })
    }

    fn times(&mut self, part: &Part) -> Option<Times> {
        let count = part.times.as_ref()?;
        if !(1..=16).contains(&count.value) {
            self.error(position(count), "`times` is a number from 1 to 16", None);
        }
        let Some(within) = &part.within else {
            self.error(
                position(count),
                "`times` needs `within`: the window",
                help("such as `within: 14d`"),
            );
            return None;
        };
        Some(Times {
            count: count.value,
            within: self.positive(within).from,
            without: part.without.as_ref().map(|event| event.value.clone()),
        })
    }

    /// Names of campaigns, which must exist.
    pub(super) fn campaigns(&mut self, words: &yaml::Spanned<yaml::OneOrMany>) -> Vec<String> {
        let names = self.names.clone();
        words
            .value
            .0
            .iter()
            .map(|name| self.known_at(position(words), name, "campaign", names.iter()))
            .collect()
    }

    pub(super) fn positive(&mut self, text: &yaml::Spanned<String>) -> SpanRange {
        let errors = self.report.findings.len();
        let range = self.span(text);
        if range.from == Span::ZERO && self.report.findings.len() == errors {
            self.error(position(text), "it must be longer than nothing", None);
        }
        range
    }
}

/// Variables of the moment of a `date` start.
const ON_DATE: &[&str] = &["customer", "points", "order", "orders", "settings"];
