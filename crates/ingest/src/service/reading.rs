//! A record to events: its calls one by one, each with a position and an id of its own (INV-3), and what of it is refused
//! (INV-8). Nothing is written but by way of the ledger.

use serde_json::Value;
use winback_bus::{Outgoing, Record, dead_letter};
use winback_contract::{
    Body, Event, EventId, EventRecord, Failed, FailedReason, FailedStage, Identity, SourceKind,
    Span, Timestamp, ids::digest, spec,
};

use super::Service;
use crate::calls::{Part, parts};
use crate::coupons;
use crate::decode::decode;
use crate::fields::Refusal;
use crate::formats::Call;
use crate::normalise::{Normal, normalise};
use crate::notes::{Note, Notes, Why};
use crate::route::{Arrived, EVERYBODY, event_id, route};

/// What of a record is refused: why first, and which parts, where it has more than one.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) refusal: Refusal,
    pub(super) parts: Vec<Value>,
}

/// Of fields that can't be read alike, one record in so long is kept.
const SAMPLE_EVERY: Span = Span::from_hours(1);

/// The id of an order that has none: the same person, goods and sum of one day are one order.
fn nameless(event: &Event, at: Timestamp) -> String {
    let who = event.identities.strongest();
    let who = who.as_ref().map_or("", Identity::value);
    let goods = event.products.iter();
    let goods: Vec<String> = goods
        .map(|line| format!("{}x{}", line.product_id, line.quantity))
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
            self.metrics
                .idle
                .with_label_values(&[&self.source.name])
                .inc();
        }
        let mut events = Vec::new();
        let mut refused: Option<Refused> = None;
        let mut number = 0;
        for (place, part) in parts.into_iter().enumerate() {
            let Part { alone, calls } = part;
            let bytes = alone.as_ref().map(|alone| alone.to_string().into_bytes());
            let payload = bytes.as_deref().or(record.value.as_deref());
            let payload = payload.unwrap_or_default();
            let mut problem = None;
            match calls {
                Ok(calls) => {
                    if calls.is_empty() {
                        self.metrics
                            .idle
                            .with_label_values(&[&self.source.name])
                            .inc();
                    }
                    for (index, call) in calls.into_iter().enumerate() {
                        let made = self.events_of_call(record, call, (payload, index, number));
                        number += 1;
                        match made {
                            Ok(made) => events.extend(made),
                            Err(refusal) => problem = problem.or(Some(refusal)),
                        }
                    }
                }
                Err(refusal) => problem = Some(refusal),
            }
            let Some(refusal) = problem else { continue };
            let counted = [self.source.name.as_str(), refusal.reason.as_str()];
            self.metrics.invalid.with_label_values(&counted).inc();
            match &mut refused {
                Some(refused) => refused.parts.extend(alone),
                None => {
                    refused = Some(Refused {
                        refusal: if alone.is_some() {
                            let Refusal { reason, detail } = refusal;
                            Refusal::new(reason, format!("call {} of {count}: {detail}", place + 1))
                        } else {
                            refusal
                        },
                        parts: alone.into_iter().collect(),
                    });
                }
            }
        }
        Ok((events, refused))
    }

    fn events_of_call(
        &mut self,
        record: &Record,
        call: Call,
        (payload, index, number): (&[u8], usize, usize),
    ) -> Result<Vec<EventRecord>, Refusal> {
        let notes = Notes::default();
        let envelope = decode(record, call, self.shape.format, &self.customs, &notes)?;
        let message_id = envelope.message_id.clone();
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
        let id = event_id(message_id.as_deref(), &event.name, payload, index);
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
            call: number,
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
