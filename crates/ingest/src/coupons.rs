//! Single-use codes of a coupon pool, dealt out to the partitions by hash: a code has one place, so that loading it
//! twice changes nothing (INV-3).

use winback_contract::{
    Body, CustomerId, Event, EventRecord, FailedReason, Partition, PartitionCount, ids::digest,
};

use crate::fields::{Refusal, clean};
use crate::route::{Arrived, EVERYBODY, index_in_call};

/// Most codes of one event.
const CODES: usize = 5_000;
/// Longest name of a pool, longest code, in bytes.
const LONGEST: usize = 64;

/// The records of `Coupons Added`: one for each partition that gets codes, the partition's number being the index.
///
/// # Errors
/// `wrong_type` when there is no list of codes, or one of them is no code.
pub(crate) fn deal(
    event: &Event,
    arrived: &Arrived<'_>,
    partitions: PartitionCount,
) -> Result<Vec<EventRecord>, Refusal> {
    let wrong = |detail: String| Refusal::new(FailedReason::WrongType, detail);
    let pool = event.properties.get("pool").and_then(|pool| pool.as_str());
    let pool = clean(pool.unwrap_or_default()).unwrap_or_default();
    if pool.is_empty() || pool.len() > LONGEST {
        return Err(wrong(format!(
            "`pool` must be a text of 1 to {LONGEST} bytes"
        )));
    }
    let codes = event
        .properties
        .get("codes")
        .and_then(|codes| codes.as_array());
    let codes = codes.filter(|codes| (1..=CODES).contains(&codes.len()));
    let Some(codes) = codes else {
        return Err(wrong(format!(
            "`codes` must be a list of 1 to {CODES} texts"
        )));
    };
    let mut dealt = vec![Vec::new(); partitions.get() as usize];
    for (place, code) in codes.iter().enumerate() {
        let code = code.as_str().map(str::trim).filter(|code| {
            !code.is_empty() && code.len() <= LONGEST && !code.chars().any(char::is_control)
        });
        let Some(code) = code else {
            return Err(wrong(format!(
                "`codes[{place}]` must be a text of 1 to {LONGEST} bytes"
            )));
        };
        let slot = partitions.of(CustomerId(digest(
            "coupon",
            &[pool.as_bytes(), code.as_bytes()],
        )));
        dealt[slot.0 as usize].push(code.to_owned());
    }
    let records = dealt.into_iter().enumerate();
    Ok(records
        .filter(|(_, codes)| !codes.is_empty())
        .map(|(partition, codes)| {
            let pool = pool.clone();
            arrived.record(EVERYBODY, partition, Body::Coupons { pool, codes })
        })
        .collect())
}

/// Where a record of [`deal`] belongs.
pub(crate) fn partition(record: &EventRecord) -> Partition {
    Partition(index_in_call(&record.source))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};
    use winback_contract::{EventId, Offset, SourceKind, Timestamp, spec};

    use super::*;

    fn dealt(properties: Value) -> Result<Vec<EventRecord>, Refusal> {
        let properties: BTreeMap<String, Value> = serde_json::from_value(properties).unwrap();
        let event = Event {
            name: spec::COUPONS_ADDED.into(),
            properties,
            ..Event::default()
        };
        let arrived = Arrived {
            stream: "raw:shop",
            kind: SourceKind::Live,
            partition: Partition(0),
            offset: Offset(7),
            arrival: Timestamp::default(),
            at: Timestamp::default(),
            id: EventId([0; 16]),
            call: 0,
        };
        deal(&event, &arrived, PartitionCount::new(4).unwrap())
    }

    #[test]
    fn each_code_has_one_place() {
        let codes: Vec<String> = (0..100).map(|n| format!("C{n}")).collect();
        let records = dealt(json!({ "pool": "TEN", "codes": codes })).unwrap();
        let again = dealt(json!({ "pool": "TEN", "codes": [" C7 "] })).unwrap();
        let of = |record: &EventRecord| match &record.body {
            Body::Coupons { codes, .. } => codes.clone(),
            _ => Vec::new(),
        };
        let mut all: Vec<String> = records.iter().flat_map(of).collect();
        all.sort();
        let mut wanted = codes;
        wanted.sort();
        assert_eq!(all, wanted);
        assert_eq!(records.len(), 4);
        let first = records
            .iter()
            .find(|record| of(record).contains(&"C7".into()));
        assert_eq!(partition(first.unwrap()), partition(&again[0]));
    }

    #[test]
    fn what_is_no_code_is_refused_by_its_place() {
        for (codes, place) in [
            (json!(["A", 5]), "codes[1]"),
            (json!(["A\nB"]), "codes[0]"),
            (json!([]), "list of 1"),
            (json!("A"), "list of 1"),
        ] {
            let refusal = dealt(json!({ "pool": "TEN", "codes": codes })).unwrap_err();
            assert!(refusal.detail.contains(place), "{}", refusal.detail);
        }
    }
}
