//! Metrics of sessions. Counted per batch, after the commit is durable.

use prometheus::{HistogramVec, IntCounterVec};
use winback_contract::{FailedReason, Partition, Transition};
use winback_journey::{Count, Counts, Effects, GrantChange};
use winback_service::Metrics as Registry;
use winback_service::metrics::begin;

use crate::recover::metrics::Recoveries;
use crate::stops::Stops;

mod gauges;

pub use gauges::Gauges;

/// All of them; labels are bounded by partitions, reasons, channels and campaigns.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Counter: inputs by what became of them (INV-8).
    pub inputs: IntCounterVec,
    /// Counter: journeys entered, by campaign.
    pub entered: IntCounterVec,
    /// Counter: journeys ended, by campaign and outcome.
    pub exited: IntCounterVec,
    /// Counter: messages by campaign, channel and status.
    pub messages: IntCounterVec,
    /// Counter: steps skipped, by reason.
    pub skipped: IntCounterVec,
    /// Counter: steps held, by reason.
    pub held: IntCounterVec,
    /// Counter: triggers opened, decided, emitted again.
    pub triggers: IntCounterVec,
    /// Counter: grants made, taken back, moved.
    pub grants: IntCounterVec,
    /// Counter: messages whose answer was lost, and of them those sent again.
    pub unknown: IntCounterVec,
    /// What stops messages.
    pub stops: Stops,
    /// Counter: commits refused because of another owner.
    pub fences: IntCounterVec,
    /// Counter: commits that had been applied before.
    pub already_applied: IntCounterVec,
    /// Counter: inputs that went to `failed`.
    pub dead_letters: IntCounterVec,
    /// Gauges of partitions owned here.
    pub gauges: Gauges,
    /// Histogram: seconds of a commit.
    pub commit_seconds: HistogramVec,
    /// What was done after the store went back in time.
    pub recoveries: Recoveries,
    /// Histogram: seconds between due and fired.
    pub fire_delay: HistogramVec,
}

impl Metrics {
    /// Registers all.
    pub fn register(registry: &Registry) -> Self {
        let by = &["partition"];
        let count = |name, help, labels: &[&str]| registry.counter(name, help, labels);
        let made = Self {
            inputs: count(
                "inputs_total",
                "inputs of sessions by what became of them",
                &["result"],
            ),
            entered: count(
                "journeys_entered_total",
                "journeys whose delay ran out",
                &["campaign"],
            ),
            exited: count(
                "journeys_exited_total",
                "journeys ended",
                &["campaign", "reason"],
            ),
            messages: count(
                "messages_total",
                "messages by status",
                &["campaign", "channel", "status"],
            ),
            skipped: count(
                "messages_skipped_total",
                "steps that were not sent",
                &["reason"],
            ),
            held: count("messages_held_total", "steps that were held", &["reason"]),
            triggers: count(
                "triggers_total",
                "triggers opened, decided, emitted again, and put off while too many were open",
                &["event"],
            ),
            grants: count(
                "grants_total",
                "grants made, taken back and moved",
                &["change"],
            ),
            unknown: count(
                "messages_unknown_total",
                "messages whose answer was lost, and those of them that were sent again",
                &["what"],
            ),
            stops: Stops::register(registry),
            fences: count(
                "redis_script_conflicts_total",
                "commits refused by the fence",
                by,
            ),
            already_applied: count(
                "commit_already_applied_total",
                "commits whose first reply was lost",
                by,
            ),
            dead_letters: count(
                "dead_letters_total",
                "records sent to failed",
                &["stage", "reason"],
            ),
            gauges: Gauges::register(registry),
            recoveries: Recoveries::register(registry),
            commit_seconds: registry.seconds(
                "redis_command_duration_seconds",
                "duration of commits",
                &["command"],
            ),
            fire_delay: registry.seconds(
                "timer_fire_delay_seconds",
                "from due to fired",
                &["kind"],
            ),
        };
        made.begin();
        made
    }

    /// Counters whose series are known begin at nothing: an alert sees the first count.
    fn begin(&self) {
        for what in ["lost", "resent"] {
            begin(&self.unknown, &[what]);
        }
        for reason in FailedReason::ALL {
            begin(&self.dead_letters, &["sessions", reason.as_str()]);
        }
        for result in ["no_memory", "later_format"] {
            begin(&self.inputs, &[result]);
        }
        for result in ["reserved", "attached", "redeemed", "returned", "missing"] {
            begin(&self.stops.coupons, &[result]);
        }
        for result in ["sent", "in_doubt"] {
            begin(&self.recoveries.messages, &[result]);
        }
    }

    /// A partition is owned here: what may happen to it has not happened yet.
    pub fn own(&self, partition: Partition) {
        let label = partition.to_string();
        self.gauges.owned.with_label_values(&[&label]).set(1);
        let stops = &self.stops;
        for counter in [&self.fences, &self.recoveries.times, &stops.bundles_refused] {
            begin(counter, &[&label]);
        }
    }

    /// A partition is no longer owned here: what was known of it is not known any more. Its new owner tells.
    pub fn forget(&self, partition: Partition) {
        let label = partition.to_string();
        self.gauges.forget(&label);
        // One that was never set has nothing to forget.
        let _absent = self.stops.waits.remove_label_values(&[&label]);
    }

    /// Counts what one input caused.
    pub fn counts(&self, counts: &Counts) {
        for count in Count::ALL {
            let times = u64::from(counts.of(count));
            if times == 0 {
                continue;
            }
            let counter = match count {
                Count::Unknown => self.unknown.with_label_values(&["lost"]),
                Count::Resent => self.unknown.with_label_values(&["resent"]),
                Count::Reemitted => self.triggers.with_label_values(&["emitted_again"]),
                Count::PutOff => self.triggers.with_label_values(&["put_off"]),
                Count::CouponReserved => self.stops.coupons.with_label_values(&["reserved"]),
                Count::CouponAttached => self.stops.coupons.with_label_values(&["attached"]),
                Count::CouponRedeemed => self.stops.coupons.with_label_values(&["redeemed"]),
                Count::CouponReturned => self.stops.coupons.with_label_values(&["returned"]),
                Count::CouponMissing => self.stops.coupons.with_label_values(&["missing"]),
                other => self.inputs.with_label_values(&[word(other)]),
            };
            counter.inc_by(times);
        }
    }

    /// Counts what left a customer.
    pub fn effects(&self, effects: &Effects) {
        self.triggers
            .with_label_values(&["opened"])
            .inc_by(effects.triggers.len() as u64);
        for change in &effects.grants {
            let word = match change {
                GrantChange::Grant { .. } => "granted",
                GrantChange::Remove(_) => "removed",
                GrantChange::Withdraw(_) => "withdrawn",
                GrantChange::Move(_) => "moved",
            };
            self.grants.with_label_values(&[word]).inc();
        }
        for message in &effects.messages {
            self.messages
                .with_label_values(&[
                    message.campaign.as_str(),
                    message.channel.as_str(),
                    "queued",
                ])
                .inc();
        }
        for record in &effects.journeys {
            match &record.transition {
                Transition::Entered => self.entered.with_label_values(&[&record.campaign]).inc(),
                Transition::Skipped { reason, .. } => {
                    self.skipped.with_label_values(&[reason.as_str()]).inc()
                }
                Transition::Held { reason, .. } => {
                    self.held.with_label_values(&[reason.as_str()]).inc()
                }
                Transition::Ended { outcome, .. } => {
                    self.exited
                        .with_label_values(&[record.campaign.as_str(), outcome.as_str()])
                        .inc();
                }
                Transition::Booked { .. }
                | Transition::Sent { .. }
                | Transition::NotBegun { .. }
                | Transition::Goal => {}
            }
        }
    }
}

fn word(count: Count) -> &'static str {
    match count {
        Count::Applied => "applied",
        Count::Duplicate => "duplicate",
        Count::Late => "late",
        Count::Stale => "stale",
        Count::Truncated => "truncated",
        Count::ConditionFailed => "condition_failed",
        Count::Reentry => "reentry",
        Count::Forwarded => "forwarded",
        Count::Unheld => "unheld",
        Count::LaterFormat => "later_format",
        Count::NoMemory => "no_memory",
        Count::Unknown
        | Count::Resent
        | Count::Reemitted
        | Count::PutOff
        | Count::CouponReserved
        | Count::CouponAttached
        | Count::CouponRedeemed
        | Count::CouponReturned
        | Count::CouponMissing => "other",
    }
}
