//! Sums over the `journeys` topic: what campaigns did, by day and step, and what stopped them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::tz::TimeZone;
use winback_bus::memory::MemoryLog;
use winback_contract::{
    JourneyId, JourneyRecord, Reason, Timestamp, Topic, TopicNames, Transition,
};

/// All records of journeys, in order of time.
pub(crate) fn journeys(log: &MemoryLog, names: &TopicNames) -> Vec<JourneyRecord> {
    let dump = log.dump(&names.name(Topic::Journeys));
    let mut records: Vec<JourneyRecord> = Vec::with_capacity(dump.len());
    let mut seen = BTreeSet::new();
    for record in dump {
        let bytes = record.value.as_deref().unwrap_or_default();
        // The outbox delivers at least once: a repeat is byte for byte the same.
        if let Ok(journey) = serde_json::from_slice::<JourneyRecord>(bytes)
            && seen.insert(bytes.to_vec())
        {
            records.push(journey);
        }
    }
    records.sort_by_key(|record| record.at);
    records
}

/// Sums of one campaign.
#[derive(Default, Debug, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) entered: u64,
    pub(crate) sent: BTreeMap<String, u64>,
    pub(crate) skipped: BTreeMap<Reason, u64>,
    pub(crate) held: BTreeMap<Reason, u64>,
    /// Of those that entered.
    pub(crate) ended: BTreeMap<Reason, u64>,
    /// Over before the delay ran out: nothing was ever due.
    pub(crate) never_began: BTreeMap<Reason, u64>,
    pub(crate) goals: u64,
    pub(crate) by_day: BTreeMap<String, u64>,
}

impl Sums {
    /// Journeys that entered and have not ended: entered is their sum with the ends.
    pub(crate) fn running(&self) -> u64 {
        let ended: u64 = self.ended.values().sum();
        self.entered.saturating_sub(ended)
    }
}

/// Sums by campaign.
pub(crate) fn sums(records: &[JourneyRecord]) -> BTreeMap<String, Sums> {
    let mut all: BTreeMap<String, Sums> = BTreeMap::new();
    // By id: a journey that begins anew before anything was sent has entered once.
    let mut begun: BTreeSet<JourneyId> = BTreeSet::new();
    for record in records {
        let sums = all.entry(record.campaign.clone()).or_default();
        match &record.transition {
            Transition::Entered => sums.entered += u64::from(begun.insert(record.journey)),
            Transition::Sent { step, .. } => {
                *sums.sent.entry(step.clone()).or_default() += 1;
                *sums.by_day.entry(day(record.at)).or_default() += 1;
            }
            Transition::Skipped { reason, .. } => *sums.skipped.entry(*reason).or_default() += 1,
            Transition::Held { reason, .. } => *sums.held.entry(*reason).or_default() += 1,
            Transition::Ended { outcome, .. } => {
                let of = if begun.contains(&record.journey) {
                    &mut sums.ended
                } else {
                    &mut sums.never_began
                };
                *of.entry(*outcome).or_default() += 1;
            }
            Transition::Goal => sums.goals += 1,
            Transition::Booked { .. } | Transition::NotBegun { .. } => {}
        }
    }
    all
}

/// `2026-11-22 09:30` on the shop's own clocks.
pub(crate) fn moment(at: Timestamp, zone: &TimeZone) -> String {
    let local = winback_campaign::calendar::local(at, zone);
    local.strftime("%Y-%m-%d %H:%M").to_string()
}

/// `2026-11-22`, in UTC.
pub(crate) fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// The summary for people.
pub(crate) fn text(sums: &BTreeMap<String, Sums>) -> String {
    let mut out = String::new();
    for (campaign, sums) in sums {
        out.push_str(campaign);
        out.push('\n');
        line(&mut out, "entered", sums.entered);
        for (step, count) in &sums.sent {
            line(&mut out, &format!("sent: {step}"), *count);
        }
        for (title, map) in [
            ("skipped", &sums.skipped),
            ("held", &sums.held),
            ("ended", &sums.ended),
        ] {
            for (reason, count) in map {
                let words = match reason {
                    Reason::Converted => "stopped by purchase",
                    other => other.as_str(),
                };
                line(&mut out, &format!("{title}: {words}"), *count);
            }
        }
        if sums.running() > 0 {
            line(&mut out, "still running", sums.running());
        }
        if sums.goals > 0 {
            line(&mut out, "bought after the last message", sums.goals);
        }
        for (reason, count) in &sums.never_began {
            let words = match reason {
                Reason::Converted => "bought before",
                other => other.as_str(),
            };
            line(&mut out, &format!("never began: {words}"), *count);
        }
    }
    out
}

fn line(out: &mut String, label: &str, count: u64) {
    // Writing to a String can't fail.
    let _done = writeln!(out, "  {label:<30} {count:>7}");
}

#[cfg(test)]
mod tests {
    use winback_contract::{BundleHash, CustomerId};

    use super::*;

    #[test]
    fn entered_is_what_ended_and_what_still_runs() {
        let record = |number: u8, transition| JourneyRecord {
            v: JourneyRecord::VERSION,
            journey: JourneyId([number; 16]),
            customer: CustomerId([1; 16]),
            campaign: "cart".into(),
            bundle: BundleHash([0; 16]),
            at: Timestamp::from_millis(i64::from(number)),
            transition,
            input: None,
        };
        let ended = |outcome, entered| Transition::Ended {
            outcome,
            entered,
            name: None,
        };
        let records = [
            record(1, Transition::Entered),
            record(1, ended(Reason::Finished, true)),
            // It began anew before anything was sent.
            record(2, Transition::Entered),
            record(2, Transition::Entered),
            record(3, ended(Reason::Cancelled, false)),
            record(4, Transition::Entered),
        ];
        let sums = sums(&records);
        let cart = &sums["cart"];
        assert_eq!((cart.entered, cart.running()), (3, 2));
        assert_eq!(cart.ended.values().sum::<u64>(), 1);
        assert_eq!(cart.never_began[&Reason::Cancelled], 1);
        assert!(text(&sums).contains("never began: cancelled"));
    }
}
