//! What a run found beside the sums: caps that were hit, campaigns that met at one customer, uplift by holdout.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use winback_bus::memory::MemoryLog;
use winback_campaign::Bundle;
use winback_contract::{
    Body, CustomerId, EventRecord, Reason, Span, Timestamp, Topic, TopicNames, Transition, spec,
};

use super::report::{self, Sums};
use super::uplift::{self, Uplift};

/// Two campaigns meet where their messages to one customer are at most so far apart.
pub(crate) const MEETING: Span = Span::from_days(7);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) sums: BTreeMap<String, Sums>,
    /// Steps that a cap held, by day and campaign.
    pub(crate) capped: BTreeMap<String, BTreeMap<String, u64>>,
    /// Customers who got a message of the first and then of the second within the meeting.
    pub(crate) overlaps: BTreeMap<(String, String), u64>,
    pub(crate) uplift: Vec<Uplift>,
    /// Who got a message, by campaign.
    pub(crate) people: BTreeMap<String, BTreeSet<CustomerId>>,
}

impl Findings {
    /// Looks through what a machine has left.
    pub(crate) fn of(
        log: &MemoryLog,
        names: &TopicNames,
        bundle: &Bundle,
        horizon: Timestamp,
    ) -> Self {
        let records = report::journeys(log, names);
        let uplift = uplift::of(&records, &orders(log, names), bundle, horizon);
        let mut found = Self {
            sums: report::sums(&records),
            uplift,
            ..Self::default()
        };
        let mut sent: BTreeMap<CustomerId, Vec<(Timestamp, &str)>> = BTreeMap::new();
        for record in &records {
            match &record.transition {
                Transition::Sent { .. } => {
                    sent.entry(record.customer)
                        .or_default()
                        .push((record.at, &record.campaign));
                    let people = found.people.entry(record.campaign.clone()).or_default();
                    people.insert(record.customer);
                }
                Transition::Held {
                    reason: Reason::Capped,
                    ..
                } => {
                    let day = found.capped.entry(report::day(record.at)).or_default();
                    *day.entry(record.campaign.clone()).or_default() += 1;
                }
                _ => {}
            }
        }
        for messages in sent.values() {
            let mut pairs: BTreeSet<(&str, &str)> = BTreeSet::new();
            for (place, (at, first)) in messages.iter().enumerate() {
                let near = messages[place + 1..]
                    .iter()
                    .take_while(|(later, _)| *later <= *at + MEETING);
                pairs.extend(
                    near.filter(|(_, second)| second != first)
                        .map(|(_, second)| (*first, *second)),
                );
            }
            for (first, second) in pairs {
                *found
                    .overlaps
                    .entry((first.to_owned(), second.to_owned()))
                    .or_default() += 1;
            }
        }
        found
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut out = report::text(&self.sums);
        let capped: u64 = self.capped.values().flat_map(BTreeMap::values).sum();
        // Writing to a String can't fail.
        if capped > 0 {
            let _done = writeln!(
                out,
                "\n{capped} steps were held by a cap, on {} days",
                self.capped.len()
            );
        }
        if !self.overlaps.is_empty() {
            let _done = writeln!(
                out,
                "\ncustomers who heard from two campaigns within {}",
                MEETING
            );
            let mut pairs: Vec<_> = self.overlaps.iter().collect();
            pairs.sort_by_key(|(pair, count)| (std::cmp::Reverse(**count), *pair));
            for ((first, second), count) in pairs.into_iter().take(10) {
                let _done = writeln!(out, "  {count:>7}  {first}, then {second}");
            }
        }
        if !self.uplift.is_empty() {
            let _done = writeln!(
                out,
                "\nbuyers of those written to, against those held out (over past events, where nothing was sent, this is noise)"
            );
        }
        for uplift in &self.uplift {
            let (low, high) = uplift.interval();
            let _done = writeln!(
                out,
                "  {}: {} of {} ({:.2} %) against {} of {} ({:.2} %) within {}: {:+.2} points, between {:+.2} and {:+.2}, {:+.1} buyers",
                uplift.campaign,
                uplift.written.bought,
                uplift.written.people,
                100.0 * uplift.written.share(),
                uplift.held_out.bought,
                uplift.held_out.people,
                100.0 * uplift.held_out.share(),
                uplift.within,
                100.0 * uplift.difference(),
                100.0 * low,
                100.0 * high,
                uplift.won()
            );
        }
        out
    }

    /// Files by name.
    pub(crate) fn csv(&self) -> Vec<(&'static str, String)> {
        let mut sends = String::from("day,campaign,messages\n");
        let mut reasons = String::from("campaign,what,name,count\n");
        for (campaign, sums) in &self.sums {
            for (day, count) in &sums.by_day {
                let _done = writeln!(sends, "{day},{campaign},{count}");
            }
            for (what, map) in [
                ("skipped", &sums.skipped),
                ("held", &sums.held),
                ("ended", &sums.ended),
                ("never_began", &sums.never_began),
            ] {
                for (reason, count) in map {
                    let _done = writeln!(reasons, "{campaign},{what},{},{count}", reason.as_str());
                }
            }
            for (step, count) in &sums.sent {
                let _done = writeln!(reasons, "{campaign},sent,{step},{count}");
            }
            let _done = writeln!(reasons, "{campaign},entered,,{}", sums.entered);
        }
        let mut capped = String::from("day,campaign,held_by_a_cap\n");
        for (day, campaigns) in &self.capped {
            for (campaign, count) in campaigns {
                let _done = writeln!(capped, "{day},{campaign},{count}");
            }
        }
        let mut overlaps = String::from("first,then,customers\n");
        for ((first, second), count) in &self.overlaps {
            let _done = writeln!(overlaps, "{first},{second},{count}");
        }
        let mut uplift = String::from(
            "campaign,within,written,written_bought,held_out,held_out_bought,difference,low,high,won\n",
        );
        for one in &self.uplift {
            let (low, high) = one.interval();
            let _done = writeln!(
                uplift,
                "{},{},{},{},{},{},{:.6},{low:.6},{high:.6},{:.3}",
                one.campaign,
                one.within,
                one.written.people,
                one.written.bought,
                one.held_out.people,
                one.held_out.bought,
                one.difference(),
                one.won()
            );
        }
        vec![
            ("sends.csv", sends),
            ("reasons.csv", reasons),
            ("capped.csv", capped),
            ("overlaps.csv", overlaps),
            ("uplift.csv", uplift),
        ]
    }
}

/// When each customer ordered, by the events that were taken in.
fn orders(log: &MemoryLog, names: &TopicNames) -> BTreeMap<CustomerId, Vec<Timestamp>> {
    let mut orders: BTreeMap<CustomerId, Vec<Timestamp>> = BTreeMap::new();
    for record in log.dump(&names.name(Topic::Events)) {
        let bytes = record.value.as_deref().unwrap_or_default();
        let Ok(event) = serde_json::from_slice::<EventRecord>(bytes) else {
            continue;
        };
        if matches!(&event.body, Body::Storefront(body) | Body::Copy(body) if body.name == spec::ORDER_COMPLETED)
        {
            orders.entry(event.to).or_default().push(event.at);
        }
    }
    orders
}
