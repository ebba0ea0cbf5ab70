//! `winback why PROFILE --all`: everything the topics still hold of one person, with versions and input positions.
//!
//! The customer itself keeps the newest decisions only; `journeys` and `decisions` keep them for as long as Kafka does.

use std::collections::BTreeSet;

use winback_bus::{Log, TopicPartition, between};
use winback_contract::{
    CustomerId, Decision, JourneyRecord, Offset, PartitionCount, SourcePosition, Timestamp, Topic,
    TopicNames, Transition, Verdict,
};

use super::why::short;
use crate::error::Error;

/// A line with its time; equal times keep the order of their topic.
type Line = (Timestamp, String);

/// What the topics say of the profiles, the oldest first.
pub(crate) async fn of(
    log: &dyn Log,
    names: &TopicNames,
    partitions: PartitionCount,
    profiles: &[CustomerId],
    only: Option<&str>,
) -> Result<Vec<Line>, Error> {
    let mut lines: Vec<Line> = Vec::new();
    for profile in profiles {
        let partition = partitions.of(*profile);
        for topic in [Topic::Journeys, Topic::Decisions] {
            let topic_partition = TopicPartition::new(&names.name(topic), partition);
            let mut seen = BTreeSet::new();
            for bytes in whole(log, &topic_partition, *profile).await? {
                // What is delivered twice is the same to the byte.
                if !seen.insert(bytes.clone()) {
                    continue;
                }
                if topic == Topic::Journeys {
                    journey(&bytes, *profile, only, &mut lines);
                } else {
                    decision(&bytes, *profile, only, &mut lines);
                }
            }
        }
    }
    lines.sort_by_key(|(at, _)| *at);
    Ok(lines)
}

/// Values of a place that speak of somebody; the others are not kept.
async fn whole(
    log: &dyn Log,
    topic_partition: &TopicPartition,
    who: CustomerId,
) -> Result<Vec<Vec<u8>>, Error> {
    let name = who.to_string();
    let speaks = |bytes: &Vec<u8>| {
        bytes
            .windows(name.len())
            .any(|window| window == name.as_bytes())
    };
    let index = topic_partition.partition.0 as usize;
    let at = |offsets: &[Offset]| {
        offsets
            .get(index)
            .copied()
            .unwrap_or(Offset(0))
            .max(Offset(0))
    };
    let start = at(&log.starts(&topic_partition.topic).await?);
    let end = at(&log.ends(&topic_partition.topic).await?);
    let mut values = Vec::new();
    between(log, "why", topic_partition, (start, end), |record| {
        values.extend(record.value.filter(speaks));
    })
    .await?;
    Ok(values)
}

fn journey(bytes: &[u8], profile: CustomerId, only: Option<&str>, lines: &mut Vec<Line>) {
    let Ok(record) = serde_json::from_slice::<JourneyRecord>(bytes) else {
        return;
    };
    if record.customer != profile || only.is_some_and(|only| only != record.campaign) {
        return;
    }
    let what = match &record.transition {
        Transition::Entered => "entered".to_owned(),
        Transition::Booked {
            step,
            channel,
            message,
        } => {
            format!("`{step}` handed over for {channel} as {message}")
        }
        Transition::Sent { step, message } => format!("`{step}` sent as {message}"),
        Transition::Skipped {
            step,
            reason,
            because,
        } => format!("`{step}` not sent [{reason}]{}", behind(because)),
        Transition::Held {
            step,
            reason,
            until,
            because,
        } => format!("`{step}` held until {until} [{reason}]{}", behind(because)),
        Transition::Ended {
            outcome,
            name,
            entered,
        } => {
            let name = name
                .as_ref()
                .map_or(String::new(), |name| format!(" as {name}"));
            let early = if *entered { "" } else { ", before it began" };
            format!("over{name} [{outcome}]{early}")
        }
        Transition::NotBegun { reason, because } => {
            format!("not begun [{reason}]{}", behind(because))
        }
        Transition::Goal => "its goal was reached".to_owned(),
    };
    lines.push((
        record.at,
        format!(
            "{}: {what}  (bundle {}{})",
            record.campaign,
            short(&record.bundle.to_string()),
            by(record.input.as_ref())
        ),
    ));
}

/// The part of a condition that decided, behind the reason.
fn behind(because: &Option<String>) -> String {
    let because = because.as_ref();
    because.map_or(String::new(), |because| format!(": {because}"))
}

fn decision(bytes: &[u8], profile: CustomerId, only: Option<&str>, lines: &mut Vec<Line>) {
    let Ok(record) = serde_json::from_slice::<Decision>(bytes) else {
        return;
    };
    if record.customer != profile {
        return;
    }
    for step in &record.steps {
        if only.is_some_and(|only| only != step.campaign) {
            continue;
        }
        let verdict = match &step.verdict {
            Verdict::Send {
                channel,
                not_after,
                offer,
                without,
                ..
            } => {
                let offer = match (offer, without) {
                    (true, _) => ", with its offer".to_owned(),
                    (false, Some(reason)) => format!(", without its offer [{reason}]"),
                    (false, None) => String::new(),
                };
                format!("send by {channel} until {not_after}{offer}")
            }
            Verdict::Hold {
                until,
                reason,
                because,
            } => format!("hold until {until} [{reason}]{}", behind(because)),
            Verdict::Skip { reason, because } => format!("skip [{reason}]{}", behind(because)),
        };
        lines.push((
            record.now,
            format!(
                "{}: `{}` judged: {verdict}  (bundle {}{})",
                step.campaign,
                step.step,
                short(&record.bundle.to_string()),
                by(record.seen.as_ref())
            ),
        ));
    }
}

/// The position of an input, as people look it up.
fn by(input: Option<&SourcePosition>) -> String {
    input.map_or(String::new(), |input| {
        format!(
            ", input {}/{}@{}",
            input.stream, input.partition, input.offset
        )
    })
}
