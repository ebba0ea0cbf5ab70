//! What becomes of a record that can't be applied: a record of `failed` that says all of it, and the way back (INV-8).

use winback_contract::{Failed, FailedReason, FailedStage, Timestamp};

use crate::record::{Outgoing, Record};

/// Header of a record that was put back: when it arrived first, in milliseconds since the epoch.
const ARRIVED: &str = "winback-arrived";

impl Record {
    /// When it arrived; of a record that was put back, when it arrived first. Never later than the broker says.
    pub fn arrived(&self) -> Timestamp {
        self.first_arrival().unwrap_or(self.time)
    }

    /// Whether it failed before and was put back: its position says nothing about what it was then.
    pub fn is_redriven(&self) -> bool {
        self.first_arrival().is_some()
    }

    fn first_arrival(&self) -> Option<Timestamp> {
        let millis: i64 = self.header(ARRIVED)?.parse().ok()?;
        let at = Timestamp::from_millis(millis);
        (millis > 0 && at <= self.time).then_some(at)
    }
}

/// The failure of a record.
pub fn dead_letter(
    record: &Record,
    stage: FailedStage,
    reason: FailedReason,
    detail: String,
) -> Failed {
    let payload = record.value.as_deref().unwrap_or_default();
    let topic_partition = (
        record.topic.as_ref(),
        record.partition,
        record.offset,
        record.arrived(),
    );
    Failed::new(stage, reason, detail, topic_partition, payload).with(&record.key, &record.headers)
}

/// The record of a failure as it goes back to its topic, with its first arrival.
pub fn put_back(failed: &Failed) -> Outgoing {
    let is_arrival = |name: &str| name.eq_ignore_ascii_case(ARRIVED);
    let kept = failed.headers.iter().filter(|(name, _)| !is_arrival(name));
    let mut headers: Vec<(String, Vec<u8>)> = kept
        .map(|(name, value)| (name.clone(), value.0.clone()))
        .collect();
    let arrived = failed.arrival.as_millis().to_string();
    headers.push((ARRIVED.to_owned(), arrived.into_bytes()));
    Outgoing {
        topic: failed.topic.as_str().into(),
        partition: Some(failed.partition),
        key: failed
            .key
            .as_ref()
            .map_or_else(Vec::new, |key| key.0.clone()),
        value: failed.payload.0.clone(),
        headers,
    }
}

#[cfg(test)]
mod tests {
    use winback_contract::{Offset, Partition};

    use super::*;
    use crate::record::Stamp;

    fn record(headers: &[(&str, &str)]) -> Record {
        Record {
            topic: "raw".into(),
            partition: Partition(3),
            offset: Offset(7),
            time: Timestamp::from_millis(5_000),
            stamp: Stamp::Broker,
            key: b"k".to_vec(),
            value: Some(b"payload".to_vec()),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
                .collect(),
        }
    }

    #[test]
    fn what_is_put_back_is_what_came_and_keeps_its_first_arrival() {
        let first = record(&[("ce_type", "t")]);
        let letter = |record: &Record| {
            let reason = FailedReason::WrongType;
            dead_letter(record, FailedStage::Ingest, reason, "x".into())
        };
        let back = put_back(&letter(&first));
        assert_eq!(
            (back.topic.as_ref(), back.partition),
            ("raw", Some(Partition(3)))
        );
        assert_eq!(
            (back.key.as_slice(), back.value.as_slice()),
            (&b"k"[..], &b"payload"[..])
        );
        let again = Record {
            time: Timestamp::from_millis(900_000),
            headers: back.headers,
            ..first.clone()
        };
        assert!(again.is_redriven() && !first.is_redriven());
        assert_eq!(again.arrived(), first.time);
        assert_eq!(again.header("ce_type"), Some("t"));
        // A second failure does not make it younger.
        assert_eq!(put_back(&letter(&again)).headers.len(), 2);
        assert_eq!(letter(&again).arrival, first.time);
    }

    #[test]
    fn an_arrival_that_can_not_be_is_none() {
        for odd in ["", "x", "-1", "0", "5001", "99999999999999999999"] {
            let record = record(&[(ARRIVED, odd)]);
            assert_eq!(record.arrived(), record.time, "{odd:?}");
            assert!(!record.is_redriven());
        }
    }
}
