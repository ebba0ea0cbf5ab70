//! What a position is kept with, so that a topic made anew under the same name is not taken for the old one.
//!
//! An offset alone says nothing after a topic was deleted and made again: the new one has the same offsets. The mark is a
//! hash of the last record that was dealt with, its broker's time included; whoever goes on from a position reads that
//! record once more and compares. Invariant: INV-8. Absent: topic ids, which no safe client tells.

use std::fmt;

use winback_contract::Offset;

use crate::log::TopicPartition;
use crate::record::Record;

/// The record before a position, told by its content. On the wire 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark(u64);

impl Mark {
    /// Of the last record that was dealt with.
    pub fn of(record: &Record) -> Self {
        let mut hash = 0x9E37_79B9_7F4A_7C15_u64;
        let mut mix = |word: u64| {
            hash = (hash ^ word)
                .wrapping_mul(0xFF51_AFD7_ED55_8CCD)
                .rotate_left(31);
        };
        mix(record.offset.0 as u64);
        mix(record.time.as_millis() as u64);
        for part in [
            record.key.as_slice(),
            record.value.as_deref().unwrap_or_default(),
        ] {
            mix(part.len() as u64);
            for chunk in part.chunks(8) {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                mix(u64::from_le_bytes(word));
            }
        }
        Self(hash ^ (hash >> 29))
    }

    /// From its text; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| u64::from_str_radix(text, 16).ok().map(Self))?
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What is committed beside a position: which topic of its name it is of, and the mark. On the wire `GENERATION;MARK`;
/// anything else is read as generation 0 without a mark. A third part says how far the rest is void.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Kept {
    /// The time of the topic's first record in seconds, or one more than before where a person began it anew; 0 where it
    /// is not known. Records of different generations are told apart although their offsets are the same.
    pub generation: u32,
    /// The last record that was dealt with.
    pub mark: Option<Mark>,
    /// Nothing that a reader is handed lies between the position and here: marks of transactions, aborted records. Where
    /// retention takes them nothing is lost.
    pub void_to: Option<Offset>,
}

impl Kept {
    /// From what was committed.
    pub fn read(text: &str) -> Self {
        let mut parts = text.split(';');
        let mut part = || parts.next().unwrap_or_default();
        Self {
            generation: part().parse().unwrap_or(0),
            mark: Mark::parse(part()),
            void_to: part().parse().ok().map(Offset),
        }
    }

    /// Where to go on from a position when the log begins at `start`; none where something is missing between.
    pub fn go_on(&self, from: Offset, start: Offset) -> Option<Offset> {
        let is_void = self.void_to.is_some_and(|void_to| start <= void_to);
        (from >= start || is_void).then_some(from.max(start))
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};", self.generation)?;
        self.mark.map_or(Ok(()), |mark| write!(f, "{mark}"))?;
        self.void_to
            .map_or(Ok(()), |void_to| write!(f, ";{void_to}"))
    }
}

/// Why a position is not one of the topic that is there now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Misfit {
    /// Records before the first that is kept were never dealt with.
    Deleted {
        /// The first that is kept.
        start: Offset,
    },
    /// It is another topic: what lies before the position is not what was dealt with, or nothing lies there.
    MadeAnew,
}

impl Misfit {
    /// Judges a position in a log that begins at `start`; `before` is the mark of what lies before it there. Without a
    /// mark, or where retention took all that was dealt with and no more, there is nothing to compare.
    pub fn of(
        from: Offset,
        start: Offset,
        mark: Option<Mark>,
        before: impl FnOnce() -> Option<Mark>,
    ) -> Option<Self> {
        if start > from {
            return Some(Self::Deleted { start });
        }
        let mark = mark.filter(|_| start < from)?;
        (before() != Some(mark)).then_some(Self::MadeAnew)
    }

    /// What a person is told.
    pub fn problem(self, topic_partition: &TopicPartition, from: Offset) -> String {
        let way_out = "`winback recover` shows what is given up and goes on from what is there";
        let (topic, partition) = (&topic_partition.topic, topic_partition.partition);
        match self {
            Self::Deleted { start } => format!(
                "topic {topic}, partition {partition}: {} records were deleted before they were applied (applied up to {from}, \
                 kept from {start} on). {way_out}",
                start.0 - from.0
            ),
            Self::MadeAnew => format!(
                "topic {topic}, partition {partition}: the topic was made anew: what lies before position {from} is not what was \
                 applied. {way_out}"
            ),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use crate::record::Stamp;
    use winback_contract::{Partition, Timestamp};

    fn record() -> Record {
        Record {
            topic: "t".into(),
            partition: Partition(0),
            offset: Offset(7),
            time: Timestamp::from_millis(1_000),
            stamp: Stamp::Broker,
            key: b"key".to_vec(),
            value: Some(b"a value of some length".to_vec()),
            headers: Vec::new(),
        }
    }

    #[test]
    fn every_part_of_a_record_counts() {
        let mark = Mark::of(&record());
        assert_eq!(mark, Mark::of(&record()));
        let mut others = vec![record(); 5];
        others[0].offset = Offset(8);
        others[1].time = Timestamp::from_millis(1_001);
        others[2].key = b"kez".to_vec();
        others[3].value = Some(b"a value of some lengtg".to_vec());
        others[4].value = None;
        for other in others {
            assert_ne!(mark, Mark::of(&other));
        }
        // What is committed must be read by every later release.
        assert_eq!(mark.to_string(), "ba0176fd01232a96");
    }

    #[test]
    fn what_is_committed_is_read_again() {
        let mark = Some(Mark::of(&record()));
        for generation in [0, 3] {
            for mark in [mark, None] {
                for void_to in [None, Some(Offset(12))] {
                    let kept = Kept {
                        generation,
                        mark,
                        void_to,
                    };
                    assert_eq!(Kept::read(&kept.to_string()), kept);
                }
            }
        }
        // What lay between was void as long as it could be seen: nothing is missing when it goes.
        let kept = Kept {
            void_to: Some(Offset(11)),
            ..Kept::default()
        };
        let goes = |start| kept.go_on(Offset(10), Offset(start)).map(|at| at.0);
        assert_eq!(
            [9, 10, 11, 12].map(goes),
            [Some(10), Some(10), Some(11), None]
        );
        for text in ["", "x", "7:9", ";", "zz;12;x"] {
            assert_eq!(Kept::read(text), Kept::default(), "{text}");
        }
    }
}
