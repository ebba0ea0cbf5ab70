//! What was seen of a stream: names, fields that could not be read, identities, times, currencies. Counts and places, never
//! a value of a customer.

use std::collections::{BTreeMap, BTreeSet};

use winback_bus::Record;
use winback_contract::{CustomerId, Event, Identity, Span, Timestamp, spec};
use winback_ingest::calls::calls;
use winback_ingest::customs::Customs;
use winback_ingest::decode::decode;
use winback_ingest::fields::Refusal;
use winback_ingest::formats::{Call, Shape};
use winback_ingest::normalise::normalise;
use winback_ingest::notes::Notes;

/// Places named of each kind.
const PLACES: usize = 3;
/// Persons told apart; more are not counted.
const PERSONS: usize = 1_000_000;

/// How often, and where first.
#[derive(Debug, Default, Clone)]
struct Seen {
    count: usize,
    places: Vec<usize>,
}

impl Seen {
    fn add(&mut self, place: usize) {
        self.count += 1;
        if self.places.len() < PLACES && self.places.last() != Some(&place) {
            self.places.push(place);
        }
    }

    fn text(&self) -> String {
        let places: Vec<String> = self.places.iter().map(ToString::to_string).collect();
        format!("{:>8}  line {}", self.count, places.join(", "))
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Survey {
    customs: Customs,
    shape: Shape,
    max_bytes: usize,
    records: usize,
    refused: BTreeMap<(String, String), Seen>,
    /// By our name, then by how it was written.
    names: BTreeMap<String, BTreeMap<String, Seen>>,
    unknown: BTreeMap<String, Seen>,
    ignored: BTreeMap<(String, String, &'static str), Seen>,
    kinds: BTreeMap<&'static str, usize>,
    persons: BTreeSet<CustomerId>,
    addressed: BTreeSet<CustomerId>,
    taken: usize,
    silent: usize,
    without_time: usize,
    late: usize,
    currencies: BTreeMap<String, usize>,
}

impl Survey {
    pub(super) fn new(customs: Customs, shape: Shape, max_bytes: usize) -> Self {
        Self {
            customs,
            shape,
            max_bytes,
            records: 0,
            refused: BTreeMap::new(),
            names: BTreeMap::new(),
            unknown: BTreeMap::new(),
            ignored: BTreeMap::new(),
            kinds: BTreeMap::new(),
            persons: BTreeSet::new(),
            addressed: BTreeSet::new(),
            taken: 0,
            silent: 0,
            without_time: 0,
            late: 0,
            currencies: BTreeMap::new(),
        }
    }

    /// How many records would be refused.
    pub(super) fn refused(&self) -> usize {
        self.refused.values().map(|seen| seen.count).sum()
    }

    /// One record; its arrival where it is known.
    pub(super) fn take(&mut self, place: usize, record: &Record, arrival: Option<Timestamp>) {
        self.records += 1;
        let refused = match calls(record, self.max_bytes, &self.shape) {
            Ok(calls) => {
                self.silent += usize::from(calls.is_empty());
                let taken = calls
                    .into_iter()
                    .map(|call| self.call(place, record, call?, arrival));
                taken.filter_map(Result::err).collect()
            }
            Err(refusal) => vec![refusal],
        };
        for refusal in refused {
            let key = (refusal.reason.to_string(), refusal.detail);
            self.refused.entry(key).or_default().add(place);
        }
    }

    fn call(
        &mut self,
        place: usize,
        record: &Record,
        call: Call,
        arrival: Option<Timestamp>,
    ) -> Result<(), Refusal> {
        let notes = Notes::default();
        let envelope = decode(record, call, self.shape.format, &self.customs, &notes)?;
        let (written, at) = (envelope.event.clone(), envelope.timestamp);
        let event = normalise(envelope, &self.customs, &notes)?.event;
        for note in notes.take() {
            let field = without_places(&note.field);
            let key = (event.name.clone(), field, note.why.as_str());
            self.ignored.entry(key).or_default().add(place);
        }
        self.without_time += usize::from(at.is_none());
        let is_late = at
            .zip(arrival)
            .is_some_and(|(at, arrival)| arrival.since(at) > Span::from_hours(72));
        self.late += usize::from(is_late);
        self.event(place, &written, &event);
        self.taken += 1;
        Ok(())
    }

    fn event(&mut self, place: usize, written: &str, event: &Event) {
        if spec::lookup(&event.name).is_some() {
            let written = self
                .names
                .entry(event.name.clone())
                .or_default()
                .entry(written.to_owned());
            written.or_default().add(place);
        } else {
            self.unknown
                .entry(event.name.clone())
                .or_default()
                .add(place);
        }
        for identity in event.identities.iter() {
            *self.kinds.entry(identity.kind.as_str()).or_default() += 1;
        }
        let person = event.identities.strongest();
        let person = person
            .as_ref()
            .map(|identity: &Identity| identity.customer(""));
        if let Some(person) =
            person.filter(|person| self.persons.len() < PERSONS || self.persons.contains(person))
        {
            self.persons.insert(person);
            if event.identities.email.is_some() || event.identities.phone.is_some() {
                self.addressed.insert(person);
            }
        }
        if let Some(total) = event.total {
            *self
                .currencies
                .entry(total.currency.to_string())
                .or_default() += 1;
        }
    }

    /// The report.
    pub(super) fn text(&self) -> String {
        let mut out = vec![self.sum()];
        if self.silent > 0 {
            out.push(format!(
                "{} records say nothing: rows that were deleted, and what no rule of a map takes",
                self.silent
            ));
        }
        section(
            &mut out,
            "refused, and why",
            self.refused
                .iter()
                .map(|((reason, detail), seen)| format!("{}  {reason}: {detail}", seen.text())),
        );
        let names = self.names.iter().flat_map(|(name, spellings)| {
            spellings.iter().map(move |(written, seen)| {
                if written == name {
                    format!("{}  {name}", seen.text())
                } else {
                    format!("{}  {name}, written `{written}`", seen.text())
                }
            })
        });
        section(&mut out, "events of the contract", names);
        let unknown = self
            .unknown
            .iter()
            .map(|(name, seen)| match spec::nearest(name) {
                Some(near) => format!("{}  `{name}`: did you mean `{near}`?", seen.text()),
                None => format!("{}  `{name}`", seen.text()),
            });
        section(&mut out, "events of the shop's own", unknown);
        let ignored = self.ignored.iter().map(|((event, field, why), seen)| {
            format!(
                "{}  {event}: `{field}` {}",
                seen.text(),
                why.replace('_', " ")
            )
        });
        section(&mut out, "fields that are left out", ignored);
        let kinds = self
            .kinds
            .iter()
            .map(|(kind, count)| format!("{count:>8}  records name their {kind}"));
        section(
            &mut out,
            "who they are about",
            kinds.chain([self.reachable()]),
        );
        section(&mut out, "times", self.times());
        let currencies = self.currencies.iter().map(|(currency, count)| {
            let other = if *currency == self.customs.currency.to_string() {
                ""
            } else {
                ": another than the shop's, counted and not summed"
            };
            format!("{count:>8}  {currency}{other}")
        });
        section(&mut out, "currencies", currencies);
        out.join("\n")
    }

    fn sum(&self) -> String {
        let (records, taken, refused) = (self.records, self.taken, self.refused());
        let calls = taken + refused;
        let calls = if calls + self.silent == records {
            String::new()
        } else {
            format!(" with {calls} events")
        };
        format!("{records} records{calls}, {taken} are taken, {refused} would be refused")
    }

    fn times(&self) -> impl Iterator<Item = String> {
        let times = [
            (
                self.without_time,
                "have no time that can be read: their arrival counts",
            ),
            (
                self.late,
                "are more than 72 hours late: they update state and begin nothing",
            ),
        ];
        let times = times.into_iter().filter(|(count, _)| *count > 0);
        times.map(|(count, what)| format!("{count:>8}  {what}"))
    }

    fn reachable(&self) -> String {
        let (persons, addressed) = (self.persons.len(), self.addressed.len());
        let share = 100 * addressed / persons.max(1);
        format!(
            "{persons:>8}  persons by their strongest name, {addressed} of them ({share} %) with an address beside it"
        )
    }
}

fn section(out: &mut Vec<String>, title: &str, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        out.push(format!("\n{title}"));
        out.extend(lines);
    }
}

/// `products[2].price` is `products[].price`: places are told as lines.
fn without_places(field: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in field.chars() {
        match c {
            '[' => {
                inside = true;
                out.push_str("[]");
            }
            ']' => inside = false,
            _ if inside => {}
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use winback_contract::Currency;

    use super::*;
    use crate::command::shape::record;

    #[test]
    fn a_stream_is_described_without_its_values() {
        let mut survey = Survey::new(
            Customs::new(Currency::parse("EUR").unwrap()),
            Shape::default(),
            100_000,
        );
        for (place, line) in [
            r#"{"type":"track","event":"order_completed","userId":"canary-1","properties":{"order_id":"o1","total":"a lot"}}"#,
            r#"{"type":"track","event":"Order Compleet","userId":"canary-1","timestamp":"2026-01-05T10:00:00Z"}"#,
            r#"{"type":"identify","userId":"canary-2","traits":{"email":"canary@example.com","birthday":"05/06/1990"}}"#,
            r#"{"type":"track","event":"Order Completed","properties":{"order_id":"canary-3"}}"#,
            "no json",
        ]
        .iter()
        .enumerate()
        {
            survey.take(place + 1, &record(line), None);
        }
        let text = survey.text();
        for expected in [
            "5 records, 3 are taken, 2 would be refused",
            "missing_identity",
            "Order Completed, written `order_completed`",
            "`Order Compleet`: did you mean `Order Completed`?",
            "Order Completed: `total` unreadable",
            "Identified: `traits.birthday` unreadable",
            "2  persons by their strongest name, 1 of them (50 %)",
            "line 5",
        ] {
            assert!(text.contains(expected), "{expected} is not in:\n{text}");
        }
        assert!(!text.contains("canary"), "{text}");
        assert_eq!(survey.refused(), 2);
    }
}
