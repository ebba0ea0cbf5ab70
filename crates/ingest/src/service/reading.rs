//! A record to events: its calls one by one, each with a position and an id of its own (INV-3), and what of it is refused
//! (INV-8). Nothing is written but by way of the ledger.

use std::collections::HashMap;
use std::rc::Rc;

use serde_json::Value;
use winback_bus::{Outgoing, Record, dead_letter};
use winback_contract::{
    Body, Event, EventId, EventRecord, Failed, FailedReason, FailedStage, Identity, SourceKind,
    Span, Timestamp, ids::digest, spec,
};

use super::Service;
use crate::calls::{Batch, MOST, Part, parts};
use crate::coupons;
use crate::decode::decode;
use crate::fields::Refusal;
use crate::formats::{Call, Format};
use crate::normalise::{Normal, normalise};
use crate::notes::{Note, Notes, Why};
use crate::route::{Arrived, EVERYBODY, event_id, route};

/// Header of a dead letter: which calls of its payload were refused, where the others were applied.
pub(super) const CALLS: &str = "winback-calls";

/// What of a record is refused: why first, which parts, where it has more than one, and which calls, where the others of
/// its one part were applied.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) refusal: Refusal,
    pub(super) parts: Vec<(Value, Option<Rc<Batch>>)>,
    pub(super) calls: Option<Vec<usize>>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            parts: Vec::new(),
            calls: None,
        }
    }
}

impl Refused {
    /// Another part, at its place among so many. The first says why.
    fn add(
        known: &mut Option<Self>,
        refusal: Refusal,
        alone: Option<(Value, Option<Rc<Batch>>)>,
        (place, count): (usize, usize),
    ) -> &mut Self {
        let refused = known.get_or_insert_with(|| {
            if alone.is_none() {
                return refusal.into();
            }
            let Refusal { reason, detail } = refusal;
            Refusal::new(reason, format!("call {} of {count}: {detail}", place + 1)).into()
        });
        refused.parts.extend(alone);
        refused
    }
}

/// Where a call stands: in which payload, which of its calls it is, which of its record's, and the id that the record gives
/// to all of them, with the place of its part.
struct Placed<'p> {
    payload: &'p [u8],
    index: usize,
    number: usize,
    shared_id: Option<(&'p str, usize)>,
}

fn numbers(text: &str) -> Vec<usize> {
    let numbers = text.split(',');
    numbers
        .filter_map(|number| number.trim().parse().ok())
        .collect()
}

/// The id that a record's headers give to all calls in it.
fn shared_id(record: &Record, format: Format) -> Option<&str> {
    let header = match format {
        Format::Segment | Format::Cloudevents => Some("ce_id"),
        other => other.delivery(),
    };
    record.header(header?)
}

/// Of fields that can't be read alike, one record in so long is kept.
const SAMPLE_EVERY: Span = Span::from_hours(1);

/// The id of an order that has none: the same person, goods and sum of one day are one order.
fn nameless(event: &Event, at: Timestamp) -> String {
    let who = event.identities.strongest();
    let who = who.as_ref().map_or("", Identity::value);
    let goods = event.products.iter();
    let goods: Vec<String> = goods
        .map(|line| {
            let variant = line.variant.as_deref().unwrap_or_default();
            format!("{}{variant}x{}", line.product_id, line.quantity)
        })
        .collect();
    let goods = goods.join(",");
    let total = event
        .total
        .map(|total| total.to_string())
        .unwrap_or_default();
    let day = (at.as_millis() / 86_400_000).to_string();
    let parts = [
        who.as_bytes(),
        goods.as_bytes(),
        total.as_bytes(),
        day.as_bytes(),
    ];
    format!("~{}", EventId(digest("nameless order", &parts)))
}

impl Service {
    /// The events of a record, and what of it is refused.
    pub(super) fn events_of(
        &mut self,
        record: &Record,
    ) -> Result<(Vec<EventRecord>, Option<Refused>), Refusal> {
        let parts = parts(record, self.config.max_bytes, &self.shape)?;
        let count = parts.len();
        if parts.is_empty() {
            self.says_nothing();
        }
        let shared_id = shared_id(record, self.shape.format);
        // What failed of a record whose other calls were applied comes back alone.
        let again = record.header(CALLS).map(numbers);
        let mut events = Vec::new();
        let mut refused: Option<Refused> = None;
        let mut number = 0;
        // Two calls alike in one list are two: a thing that was put into the cart twice.
        let mut alike: HashMap<Vec<u8>, usize> = HashMap::new();
        for (place, part) in parts.into_iter().enumerate() {
            let Part {
                alone,
                batch,
                calls,
            } = part;
            let calls = match calls {
                Ok(calls) => calls,
                Err(refusal) => {
                    self.count_refusal(&refusal);
                    Refused::add(
                        &mut refused,
                        refusal,
                        alone.map(|alone| (alone, batch)),
                        (place, count),
                    );
                    continue;
                }
            };
            if calls.is_empty() {
                self.says_nothing();
            }
            let bytes = alone.as_ref().map(|alone| alone.to_string().into_bytes());
            let payload = bytes.as_deref().or(record.value.as_deref());
            let payload = payload.unwrap_or_default();
            let before = bytes.as_ref().map_or(0, |bytes| {
                let count = alike.entry(bytes.clone()).or_default();
                *count += 1;
                (*count - 1) * MOST
            });
            let of_part = calls.len();
            let mut problem = None;
            let mut failed = Vec::new();
            for (index, call) in calls.into_iter().enumerate() {
                number += 1;
                let is_wanted = again.as_ref().is_none_or(|again| again.contains(&index));
                if alone.is_none() && !is_wanted {
                    continue;
                }
                let place = Placed {
                    payload,
                    index: before + index,
                    number: number - 1,
                    shared_id: shared_id.filter(|_| alone.is_some()).map(|id| (id, place)),
                };
                match self.events_of_call(record, call, &place) {
                    Ok(made) => events.extend(made),
                    Err(refusal) => {
                        failed.push(index);
                        problem = problem.or(Some(refusal));
                    }
                }
            }
            let Some(refusal) = problem else { continue };
            self.count_refusal(&refusal);
            let is_some_of_them = alone.is_none() && failed.len() < of_part;
            let alone = alone.map(|alone| (alone, batch));
            let refused = Refused::add(&mut refused, refusal, alone, (place, count));
            if is_some_of_them {
                refused.calls = Some(failed);
            }
        }
        Ok((events, refused))
    }

    pub(super) fn count_refusal(&self, refusal: &Refusal) {
        let counted = [self.source.name.as_str(), refusal.reason.as_str()];
        self.metrics.invalid.with_label_values(&counted).inc();
    }

    fn says_nothing(&self) {
        let source = [self.source.name.as_str()];
        self.metrics.idle.with_label_values(&source).inc();
    }

    fn events_of_call(
        &mut self,
        record: &Record,
        call: Call,
        placed: &Placed<'_>,
    ) -> Result<Vec<EventRecord>, Refusal> {
        let notes = Notes::default();
        let envelope = decode(record, call, self.shape.format, &self.customs, &notes)?;
        // The id of a delivery is not that of each call in it.
        let message_id = match (envelope.message_id.clone(), placed.shared_id) {
            (Some(id), Some((shared, place))) if id == shared => Some(format!("{id}#{place}")),
            (id, _) => id,
        };
        let arrival = record.arrived();
        // The future is no time of an event.
        let at = envelope.timestamp.map_or(arrival, |at| at.min(arrival));
        let Normal {
            mut event,
            is_known,
        } = normalise(envelope, &self.customs, &notes)?;
        if event.name == spec::ORDER_COMPLETED && event.order_id.is_none() {
            notes.add("order_id", Why::Missing);
            event.order_id = Some(nameless(&event, at));
        }
        if !is_known {
            let counter = if spec::nearest(&event.name).is_some() {
                &self.metrics.nearly
            } else {
                &self.metrics.unknown
            };
            counter.with_label_values(&[&self.source.name]).inc();
        }
        let id = event_id(
            message_id.as_deref(),
            &event.name,
            placed.payload,
            placed.index,
        );
        self.tell(record, &event, &notes.take())?;
        let stream = self.stream_of(record);
        let arrived = Arrived {
            stream: &stream,
            kind: self.source.kind,
            partition: record.partition,
            offset: record.offset,
            arrival,
            at,
            id,
            call: placed.number,
        };
        if event.name == spec::PRODUCT_UPDATED {
            return self.product(&event, &arrived);
        }
        if event.name == spec::COUPONS_ADDED {
            return coupons::deal(&event, &arrived, self.partitions);
        }
        Ok(route(event, &arrived, &self.shop.id, &mut self.links))
    }

    /// Counts what was left out, and keeps a record of each kind once an hour: somebody may want to see one.
    fn tell(&mut self, record: &Record, event: &Event, notes: &[Note]) -> Result<(), Refusal> {
        if notes.is_empty() {
            return Ok(());
        }
        let name = spec::lookup(&event.name).map_or("other", |spec| spec.name);
        let mut details = Vec::new();
        for note in notes {
            let labels = (name, note.label(), note.why.as_str());
            self.metrics
                .ignored
                .with_label_values(&[labels.0, labels.1, labels.2])
                .inc();
            let last = self.sampled.get(&labels);
            if last.is_none_or(|last| record.time.since(*last) >= SAMPLE_EVERY) {
                self.sampled.insert(labels, record.time);
                details.push(format!("`{}` {}", note.field, note.why.as_str()));
            }
        }
        if details.is_empty() {
            return Ok(());
        }
        let detail = format!("{name}: {}", details.join(", "));
        let reason = FailedReason::FieldIgnored;
        let sample = Failed {
            applied: true,
            ..dead_letter(record, FailedStage::Ingest, reason, detail)
        };
        self.put_failed(record, &sample).map_err(|error| {
            Refusal::new(
                FailedReason::WrongType,
                format!("can't be written: {error}"),
            )
        })
    }

    /// The shop's word about a product: an entry of the catalogue, and news to every partition if it changed.
    fn product(
        &mut self,
        event: &Event,
        arrived: &Arrived<'_>,
    ) -> Result<Vec<EventRecord>, Refusal> {
        let Some(catalogue) = &mut self.catalogue else {
            let detail = "there is no topic for the catalogue: run `winback topics apply` and restart ingest";
            return Err(Refusal::new(FailedReason::NoCatalogue, detail));
        };
        let source = arrived.position(0);
        let Some((entry, news)) = catalogue.update(event, source, arrived.at) else {
            return Ok(Vec::new());
        };
        let value = serde_json::to_vec(&entry).map_err(|error| {
            Refusal::new(FailedReason::WrongType, format!("not a product: {error}"))
        })?;
        self.ledger.put(Outgoing {
            topic: self.catalogue_topic.clone(),
            partition: None,
            key: entry.product.product_id.into_bytes(),
            value,
            headers: Vec::new(),
        });
        let told = news.filter(|_| arrived.kind == SourceKind::Live);
        Ok(told
            .map(|news| arrived.record(EVERYBODY, 0, Body::Goods(Box::new(news))))
            .into_iter()
            .collect())
    }
}
