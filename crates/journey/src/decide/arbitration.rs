//! One moment, several steps: the campaign that replaces another, then who goes first (INV-11), then the holdout.

use winback_campaign::Bundle;
use winback_campaign::model::{Campaign, Mode};
use winback_contract::ids::bucket;
use winback_contract::{Reason, Span, Timestamp, Trigger, Verdict};

/// A step with what it would do if it were alone.
pub(crate) struct Candidate<'a> {
    pub(super) verdict: Verdict,
    pub(super) campaign: Option<&'a Campaign>,
    pub(super) key: String,
    pub(super) has_sent: bool,
    pub(super) due: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) competitor: bool,
}

/// Of campaigns of which only one runs per key, the replacing one goes on if its audience holds (ADR 0015).
pub(crate) fn replace(candidates: &mut [Candidate<'_>]) {
    let gone: Vec<usize> = (0..candidates.len())
        .filter(|index| {
            let one = &candidates[*index];
            let Some(campaign) = one.campaign.filter(|_| !one.has_sent) else {
                return false;
            };
            candidates.iter().any(|other| {
                let replaces = other
                    .campaign
                    .is_some_and(|other| other.replaces.contains(&campaign.name));
                let goes = match other.verdict {
                    Verdict::Send { .. } => true,
                    Verdict::Hold { reason, .. } => reason != Reason::Paused,
                    Verdict::Skip { .. } => false,
                };
                let is_live = other
                    .campaign
                    .is_some_and(|campaign| campaign.mode == Mode::Live);
                replaces && other.key == one.key && goes && is_live
            })
        })
        .collect();
    for index in gone {
        candidates[index].verdict = Verdict::skip(Reason::Replaced);
    }
}

/// Several steps want the moment: service first, then priority, then the earlier due, then the name. One gets it.
pub(crate) fn arbitrate(candidates: &mut [Candidate<'_>], active: &Bundle, trigger: &Trigger) {
    let now = trigger.now;
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by_key(|index| {
        let candidate = &candidates[*index];
        let (service, priority, name) = candidate.campaign.map_or((false, 0, ""), |campaign| {
            (
                campaign.topic == "service",
                campaign.priority,
                campaign.name.as_str(),
            )
        });
        (
            std::cmp::Reverse(service),
            std::cmp::Reverse(priority),
            candidate.due,
            name.to_owned(),
        )
    });
    let mut taken: Option<Timestamp> = None;
    for index in order {
        let candidate = &mut candidates[index];
        if !matches!(candidate.verdict, Verdict::Send { .. }) {
            continue;
        }
        let exempt = candidate
            .campaign
            .and_then(|campaign| active.policy.topics.get(&campaign.topic))
            .is_some_and(|topic| topic.caps_exempt);
        if exempt {
            if is_held_out(active, candidate.campaign, trigger, false) {
                candidate.verdict = Verdict::skip(Reason::Holdout);
            }
            continue;
        }
        if let Some(until) = taken {
            let until = until.min(candidate.expires + Span::from_millis(1));
            candidate.verdict = Verdict::Hold {
                until,
                reason: Reason::Arbitration,
                because: None,
            };
            continue;
        }
        if is_held_out(active, candidate.campaign, trigger, true) {
            candidate.verdict = Verdict::skip(Reason::Holdout);
            continue;
        }
        taken = Some(if candidate.competitor {
            candidate.due
        } else {
            after(active, now)
        });
    }
}

/// When the next may go out behind one that goes out now.
fn after(active: &Bundle, now: Timestamp) -> Timestamp {
    now + active.policy.arbitration.max(Span::from_millis(1))
}

/// Drawn by the person, not by the profile's journey: the same person stays out of a campaign for good.
fn is_held_out(
    active: &Bundle,
    campaign: Option<&Campaign>,
    trigger: &Trigger,
    marketing: bool,
) -> bool {
    let draw = |salt: &str| {
        bucket(
            "holdout",
            &[salt.as_bytes(), trigger.customer.as_bytes()],
            10_000,
        )
    };
    let of_all = u64::from(active.policy.holdout);
    let of_this = campaign.map_or(0, |campaign| u64::from(campaign.holdout));
    (marketing && draw("") < of_all)
        || campaign.is_some_and(|campaign| draw(&campaign.name) < of_this)
}
