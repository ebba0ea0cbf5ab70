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

use super::{Names, Options, PATIENCE, QuietClient, list_offsets, number, record};
use crate::log::TopicPartition;
use crate::mark::Mark;

/// How often anchors are asked for.
pub(super) const EVERY: Duration = Duration::from_secs(10);

/// The positions behind which the marked records lay.
pub(super) type Anchors = HashMap<TopicPartition, (Offset, Mark)>;

/// What was seen of the anchors.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Their record is another one now, or is not there. What retention took tells nothing.
    pub(super) torn: Vec<TopicPartition>,
    /// Nothing that a reader is handed lies between the position and there.
    pub(super) void: Vec<(TopicPartition, Offset, Offset)>,
}

/// What is asked of a place.
struct Asked {
    next: Offset,
    end: Offset,
    /// Its record is to be compared; none where retention took it.
    mark: Option<Mark>,
}

/// Looks at all anchors once.
pub(super) fn look(options: &Options, group: &str, anchors: &Anchors) -> Result<Seen, KafkaError> {
    let mut config = options.consumer(group);
    config
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("queued.max.messages.kbytes", "1024");
    let reader: BaseConsumer<QuietClient> = config.create_with_context(QuietClient::default())?;
    let (mut asked, mut seen) = (HashMap::new(), Seen::default());
    let mut list = TopicPartitionList::new();
    let ask = |which| list_offsets(&reader, anchors.keys(), which);
    let starts = ask(rdkafka::Offset::Beginning)?;
    let ends = ask(rdkafka::Offset::End)?;
    for ((topic_partition, (next, mark)), (start, end)) in
        anchors.iter().zip(starts.into_iter().zip(ends))
    {
        let partition = number(topic_partition.partition);
        if end < *next {
            seen.torn.push(topic_partition.clone());
        } else if start < *next || end > *next {
            let is_kept = start < *next;
            let from = if is_kept {
                next.before()
            } else {
                (*next).max(start)
            };
            list.add_partition_offset(
                &topic_partition.topic,
                partition,
                rdkafka::Offset::Offset(from.0),
            )?;
            let ask = Asked {
                next: *next,
                end,
                mark: is_kept.then_some(*mark),
            };
            asked.insert(topic_partition.clone(), ask);
        }
    }
    reader.assign(&list)?;
    let (mut names, watch) = (Names::default(), Stopwatch::start());
    while !asked.is_empty() && watch.elapsed() < PATIENCE {
        match reader.poll(Duration::from_millis(50)) {
            Some(Ok(message)) => {
                let record = record(&message, &mut names);
                let topic_partition = record.topic_partition();
                let Some(mut ask) = asked.remove(&topic_partition) else {
                    continue;
                };
                match ask.mark.take() {
                    Some(mark) if record.offset >= ask.next || Mark::of(&record) != mark => {
                        seen.torn.push(topic_partition);
                    }
                    // What comes behind it says whether the rest is void.
                    Some(_) if ask.end > ask.next => {
                        asked.insert(topic_partition, ask);
                    }
                    Some(_) | None => {}
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                let is_it = |topic_partition: &TopicPartition, ask: &Asked| {
                    number(topic_partition.partition) == partition && ask.mark.is_none()
                };
                let void = asked.extract_if(|topic_partition, ask| is_it(topic_partition, ask));
                let void = void.map(|(topic_partition, ask)| (topic_partition, ask.next, ask.end));
                seen.void.extend(void);
            }
            None => {}
            Some(Err(error)) => return Err(error),
        }
    }
    Ok(seen)
}
