//! One customer's story: what the person did and what campaigns did, on one line of time.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::tz::TimeZone;
use winback_bus::memory::MemoryLog;
use winback_contract::{
    Body, CustomerId, Event, EventRecord, JourneyRecord, Reason, Timestamp, Topic, TopicNames,
    Transition,
};

use super::report::moment;

/// The customer with the richest story: mails, a purchase after a mail, more than one campaign.
pub(crate) fn choose(records: &[JourneyRecord]) -> Option<CustomerId> {
    let mut scores: BTreeMap<CustomerId, u32> = BTreeMap::new();
    for record in records {
        let points = match &record.transition {
            Transition::Sent { .. } => 3,
            Transition::Goal => 4,
            Transition::Ended {
                outcome: Reason::Converted,
                entered: true,
                ..
            } => 5,
            Transition::Held { .. } => 2,
            Transition::Skipped { .. } => 1,
            _ => 0,
        };
        *scores.entry(record.customer).or_default() += points;
    }
    scores
        .into_iter()
        .max_by_key(|(id, score)| (*score, std::cmp::Reverse(*id)))
        .map(|(id, _)| id)
}

/// What the customer did.
fn did(event: &Event) -> String {
    let goods = event.products.iter();
    let what: Vec<&str> = goods
        .filter_map(|product| product.name.as_deref())
        .collect();
    if what.is_empty() {
        format!("  {}", event.name)
    } else {
        format!("  {} ({})", event.name, what.join(", "))
    }
}

/// The story, a line per happening.
pub(crate) fn tell(
    log: &MemoryLog,
    names: &TopicNames,
    who: CustomerId,
    records: &[JourneyRecord],
    zone: &TimeZone,
) -> String {
    let mut lines: Vec<(Timestamp, u8, String)> = Vec::new();
    for record in log.dump(&names.name(Topic::Events)) {
        let Ok(event) =
            serde_json::from_slice::<EventRecord>(record.value.as_deref().unwrap_or_default())
        else {
            continue;
        };
        if event.to != who {
            continue;
        }
        match &event.body {
            Body::Storefront(happened)
                if happened.name != "Product Viewed" && happened.name != "Identified" =>
            {
                lines.push((event.at, 0, did(happened)));
            }
            Body::Handover { .. } => lines.push((
                event.arrival,
                0,
                "  logged in: joined with the visitor known so far".into(),
            )),
            _ => {}
        }
    }
    for record in records.iter().filter(|record| record.customer == who) {
        let campaign = &record.campaign;
        let line = match &record.transition {
            Transition::Entered => format!("> {campaign}: begins"),
            Transition::Sent { step, .. } => format!("> {campaign}: mail `{step}` sent"),
            Transition::Held {
                step,
                reason,
                until,
                ..
            } => format!(
                "> {campaign}: `{step}` waits until {} ({reason})",
                moment(*until, zone)
            ),
            Transition::Skipped { step, reason, .. } => {
                format!("> {campaign}: `{step}` not sent ({reason})")
            }
            Transition::Ended {
                outcome: Reason::Converted,
                entered: true,
                ..
            } => {
                format!("> {campaign}: stopped, the customer bought")
            }
            Transition::Ended {
                outcome,
                entered: true,
                ..
            } => format!("> {campaign}: over ({outcome})"),
            Transition::Goal => format!("> {campaign}: counted as won back"),
            Transition::Booked { .. } | Transition::NotBegun { .. } | Transition::Ended { .. } => {
                continue;
            }
        };
        lines.push((record.at, 1, line));
    }
    lines.sort_by_key(|(at, rank, _)| (*at, *rank));
    lines.dedup();
    let mut out = String::new();
    for (at, _, line) in lines {
        let moment = moment(at, zone);
        // Writing to a String can't fail.
        let _done = writeln!(out, "  {moment}  {line}");
    }
    out
}
