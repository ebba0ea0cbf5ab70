//! Starts: exactly one start word each.

use super::{ON_ARRIVAL, Scope, help};
use crate::diagnostic::Position;
use crate::model::{SpanRange, Start, StartKind};
use crate::yaml::{self, position};
use winback_contract::Span;

impl Scope<'_> {
    pub(super) fn start(
        &mut self,
        part: &yaml::campaign::Start,
        at: Option<Position>,
    ) -> Option<Start> {
        let kind = match (&part.on, &part.silence) {
            (Some(on), None) => {
                let events = self.events(&on.value.0, position(on));
                match (&part.idle, &part.after) {
                    (Some(idle), None) => StartKind::Idle {
                        on: events,
                        span: self.positive(idle),
                    },
                    (None, Some(after)) => StartKind::After {
                        on: events,
                        delay: self.span(after),
                    },
                    (None, None) => StartKind::After {
                        on: events,
                        delay: SpanRange {
                            from: Span::ZERO,
                            to: Span::ZERO,
                        },
                    },
                    (Some(idle), Some(_)) => {
                        self.error(
                            position(idle),
                            "a start has `idle` or `after`, not both",
                            help("`idle` is inactivity, `after` is a plain delay"),
                        );
                        return None;
                    }
                }
            }
            (None, Some(silence)) => {
                let Some(without) = &part.without else {
                    self.error(
                        position(silence),
                        "`silence` needs `without`: the event that is missed",
                        help("such as `without: Order Completed`"),
                    );
                    return None;
                };
                if without.value != winback_contract::spec::ORDER_COMPLETED {
                    self.error(
                        position(without),
                        format!("silence without `{}` is not supported", without.value),
                        help("write `without: Order Completed`"),
                    );
                }
                for (word, given) in [
                    ("idle", &part.idle),
                    ("after", &part.after),
                    ("when", &part.when),
                ] {
                    if let Some(given) = given {
                        self.error(
                            position(given),
                            format!("`{word}` does not go with `silence`"),
                            None,
                        );
                    }
                }
                StartKind::Silence {
                    without: without.value.clone(),
                    span: self.positive(silence),
                }
            }
            (None, None) => {
                self.error(
                    at,
                    "a start has no start word",
                    help("write `on: EVENT`, or `silence: 90d` with `without: Order Completed`"),
                );
                return None;
            }
            (Some(on), Some(_)) => {
                self.error(
                    position(on),
                    "a start has one start word, `on` or `silence`, not both",
                    help("write two starts as a list"),
                );
                return None;
            }
        };
        if let (Some(without), true) = (
            &part.without,
            matches!(kind, StartKind::After { .. } | StartKind::Idle { .. }),
        ) {
            self.error(
                position(without),
                "`without` goes with `silence` only",
                None,
            );
        }
        Some(Start {
            kind,
            when: part
                .when
                .as_ref()
                .and_then(|text| self.condition(text, ON_ARRIVAL)),
            key: part
                .key
                .as_ref()
                .and_then(|text| self.condition(text, ON_ARRIVAL)),
            reentry: match &part.reentry {
                None => Some(Span::from_days(7)),
                Some(word) if word.value == "never" => None,
                Some(text) => Some(self.span(text).from),
            },
        })
    }

    fn positive(&mut self, text: &yaml::Spanned<String>) -> SpanRange {
        let errors = self.report.findings.len();
        let range = self.span(text);
        if range.from == Span::ZERO && self.report.findings.len() == errors {
            self.error(position(text), "it must be longer than nothing", None);
        }
        range
    }
}
