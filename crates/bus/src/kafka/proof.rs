//! Whether topics still are the ones that were read, asked now and then while they are read: one that is deleted, made
//! anew and filled past our position looks like any other to a client (INV-8).
//!
//! An anchor is a record that was dealt with before the last time it was asked for. While it lies where it lay, nothing
//! was made anew in between. Absent: what becomes of it; the member stops, and a person begins the topic anew.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use winback_contract::Offset;
use winback_service::clock::Stopwatch;

use super::{Names, Options, PATIENCE, Quiet, list_offsets, number, record};
use crate::log::Place;
use crate::mark::Mark;

/// How often anchors are asked for.
pub(super) const EVERY: Duration = Duration::from_secs(10);

/// The positions behind which the marked records lay.
pub(super) type Anchors = HashMap<Place, (Offset, Mark)>;

/// Those of the anchors whose record is another one now, or is not there. What retention took tells nothing.
pub(super) fn torn(
    options: &Options,
    group: &str,
    anchors: &Anchors,
) -> Result<Vec<Place>, KafkaError> {
    let mut config = options.consumer(group);
    config
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("queued.max.messages.kbytes", "1024");
    let reader: BaseConsumer<Quiet> = config.create_with_context(Quiet)?;
    let (mut asked, mut torn) = (HashMap::new(), Vec::new());
    let mut list = TopicPartitionList::new();
    for (place, (next, mark)) in anchors {
        let partition = number(place.partition);
        let ask = |which| list_offsets(&reader, &place.topic, [partition], which);
        let start = ask(rdkafka::Offset::Beginning)?;
        let end = ask(rdkafka::Offset::End)?;
        let (start, end) = (start.first(), end.first());
        if end.is_some_and(|end| end < next) {
            torn.push(place.clone());
        } else if start.is_some_and(|start| start < next) {
            let before = rdkafka::Offset::Offset(next.before().0);
            list.add_partition_offset(&place.topic, partition, before)?;
            asked.insert(place.clone(), (*next, *mark));
        }
    }
    reader.assign(&list)?;
    let (mut names, watch) = (Names::default(), Stopwatch::start());
    while !asked.is_empty() && watch.elapsed() < PATIENCE {
        match reader.poll(Duration::from_millis(50)) {
            Some(Ok(message)) => {
                let record = record(&message, &mut names);
                let place = Place::new(&record.topic, record.partition);
                if let Some((next, mark)) = asked.remove(&place)
                    && (record.offset >= next || Mark::of(&record) != mark)
                {
                    torn.push(place);
                }
            }
            // Whoever can't say now is asked again.
            Some(Err(KafkaError::PartitionEOF(_))) | None => {}
            Some(Err(error)) => return Err(error),
        }
    }
    Ok(torn)
}
