//! What a campaign won, by its holdout: how many of those it wrote to bought within its goal's window, against those it
//! would have written to and left in peace.
//!
//! Only people whose whole window lies before the horizon are counted. The interval is the normal one of a difference
//! of two shares, at 95 %.

use std::collections::BTreeMap;

use winback_campaign::Bundle;
use winback_contract::{CustomerId, JourneyRecord, Reason, Span, Timestamp, Transition};

/// One half of a comparison.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) people: u64,
    pub(crate) bought: u64,
}

impl Group {
    /// The share that bought; 0 of nobody.
    pub(crate) fn share(self) -> f64 {
        if self.people == 0 {
            return 0.0;
        }
        self.bought as f64 / self.people as f64
    }

    /// The variance of that share.
    fn variance(self) -> f64 {
        let share = self.share();
        share * (1.0 - share) / self.people.max(1) as f64
    }
}

/// The comparison of one campaign.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Uplift {
    pub(crate) campaign: String,
    /// Buyers are counted for so long.
    pub(crate) within: Span,
    pub(crate) written: Group,
    pub(crate) held_out: Group,
}

impl Uplift {
    /// The difference of the two shares.
    pub(crate) fn difference(&self) -> f64 {
        self.written.share() - self.held_out.share()
    }

    /// Its interval at 95 %.
    pub(crate) fn interval(&self) -> (f64, f64) {
        let error = 1.96 * (self.written.variance() + self.held_out.variance()).sqrt();
        (self.difference() - error, self.difference() + error)
    }

    /// Buyers who would not have bought.
    pub(crate) fn won(&self) -> f64 {
        self.difference() * self.written.people as f64
    }
}

/// The first moment at which a campaign wrote to somebody, or would have.
#[derive(Debug, Clone, Copy)]
struct First {
    at: Timestamp,
    held_out: bool,
}

/// Compares, for every campaign that kept somebody out.
pub(crate) fn of(
    records: &[JourneyRecord],
    orders: &BTreeMap<CustomerId, Vec<Timestamp>>,
    bundle: &Bundle,
    horizon: Timestamp,
) -> Vec<Uplift> {
    let mut firsts: BTreeMap<(&str, CustomerId), First> = BTreeMap::new();
    for record in records {
        let held_out = match record.transition {
            Transition::Sent { .. } => false,
            Transition::Skipped {
                reason: Reason::Holdout,
                ..
            } => true,
            _ => continue,
        };
        let at = record.at;
        let key = (record.campaign.as_str(), record.customer);
        firsts.entry(key).or_insert(First { at, held_out });
    }
    let mut all: BTreeMap<&str, Uplift> = BTreeMap::new();
    for ((campaign, customer), first) in firsts {
        let within = bundle
            .campaign(campaign)
            .map_or(Span::ZERO, |campaign| campaign.goal_within);
        let uplift = all.entry(campaign).or_insert_with(|| Uplift {
            campaign: campaign.to_owned(),
            within,
            written: Group::default(),
            held_out: Group::default(),
        });
        if first.at + within > horizon {
            continue;
        }
        let bought = orders.get(&customer).is_some_and(|orders| {
            orders
                .iter()
                .any(|at| *at > first.at && *at <= first.at + within)
        });
        let group = if first.held_out {
            &mut uplift.held_out
        } else {
            &mut uplift.written
        };
        group.people += 1;
        group.bought += u64::from(bought);
    }
    all.into_values()
        .filter(|uplift| uplift.held_out.people > 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: 30 of 200 is 15 %, 10 of 100 is 10 %. The difference is 5 points, and of 200 people that is 10 buyers.
    /// Its error is 1.96 x sqrt(0.15 x 0.85 / 200 + 0.10 x 0.90 / 100) = 1.96 x sqrt(0.0006375 + 0.0009) = 0.076853.
    #[test]
    fn the_arithmetic_is_the_one_on_paper() {
        let uplift = Uplift {
            campaign: "lost".into(),
            within: Span::from_days(14),
            written: Group {
                people: 200,
                bought: 30,
            },
            held_out: Group {
                people: 100,
                bought: 10,
            },
        };
        let near =
            |is: f64, wanted: f64| assert!((is - wanted).abs() < 1e-6, "{is} is not {wanted}");
        near(uplift.difference(), 0.05);
        near(uplift.won(), 10.0);
        near(uplift.interval().0, 0.05 - 0.076_853);
        near(uplift.interval().1, 0.05 + 0.076_853);
        near(Group::default().share(), 0.0);
    }
}
