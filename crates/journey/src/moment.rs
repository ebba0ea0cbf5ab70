//! Moments that a campaign names by an expression, as the customer's facts make them.

use jiff::tz::TimeZone;
use winback_campaign::{Condition, Moment, calendar};
use winback_contract::Timestamp;

use crate::facts::Facts;

/// The moment an expression names, counted from `base`; `None` when it can't be judged.
pub(crate) fn at(
    expression: &Condition,
    facts: &Facts<'_>,
    zone: &TimeZone,
    base: Timestamp,
) -> Option<Timestamp> {
    Some(match expression.moment(facts).ok()? {
        Moment::After(span) => base + span,
        Moment::At(at) => at,
        Moment::Day(day) => calendar::start_of(day, zone),
    })
}
