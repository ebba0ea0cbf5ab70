//! What sells, and what sells together: a small table per partition, learned from orders (playbook P1, P9, P82).
//!
//! Customers fall into partitions by hash, so each partition sees a fair sample of the shop. Invariant: INV-12.

use serde::{Deserialize, Serialize};
use winback_campaign::model::RecommendKind;
use winback_contract::{Span, Timestamp};

use crate::behaviour::Touch;

/// Products in the table; a new one takes the place of the one that sells least.
const SELLERS: usize = 64;
/// Companions of each.
const COMPANIONS: usize = 6;
/// All counts are halved after so long: old fashions fade.
const HALVED: Span = Span::from_days(30);

/// See the module.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Sellers {
    list: Vec<Seller>,
    halved_at: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Seller {
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    count: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    with: Vec<(String, u32)>,
}

impl Sellers {
    /// Takes in an order.
    pub fn sold(&mut self, products: &[Touch], at: Timestamp) {
        self.fade(at);
        for (index, touch) in products.iter().enumerate() {
            // Each product once, however many lines it has.
            if products[..index]
                .iter()
                .any(|before| before.product_id == touch.product_id)
            {
                continue;
            }
            let seller = self.seller(touch);
            seller.count = seller.count.saturating_add(1);
            for other in products {
                if other.product_id != touch.product_id {
                    count(&mut seller.with, &other.product_id);
                }
            }
        }
    }

    fn seller(&mut self, touch: &Touch) -> &mut Seller {
        let known = self
            .list
            .iter()
            .position(|seller| seller.id == touch.product_id);
        let index = known.unwrap_or_else(|| {
            let fresh = Seller {
                id: touch.product_id.clone(),
                category: touch.category.clone(),
                count: 0,
                with: Vec::new(),
            };
            if self.list.len() < SELLERS {
                self.list.push(fresh);
                return self.list.len() - 1;
            }
            let least = (0..self.list.len())
                .min_by_key(|index| self.list[*index].count)
                .unwrap_or(0);
            // It starts from the count of the one it replaces: none that sells well can be missed for long.
            self.list[least] = Seller {
                count: self.list[least].count,
                ..fresh
            };
            least
        });
        &mut self.list[index]
    }

    fn fade(&mut self, at: Timestamp) {
        let since = *self.halved_at.get_or_insert(at);
        if at.since(since) < HALVED {
            return;
        }
        self.halved_at = Some(at);
        for seller in &mut self.list {
            seller.count /= 2;
            for (_, times) in &mut seller.with {
                *times /= 2;
            }
            seller.with.retain(|(_, times)| *times > 0);
        }
        self.list.retain(|seller| seller.count > 0);
    }

    /// Ids to recommend, the best first; `about` and `categories` are what the step and the person are about.
    pub fn candidates(
        &self,
        kind: RecommendKind,
        about: &[String],
        categories: &[String],
    ) -> Vec<String> {
        let mut found: Vec<(u64, &str)> = Vec::new();
        match kind {
            RecommendKind::Popular => {
                found.extend(
                    self.list
                        .iter()
                        .map(|seller| (u64::from(seller.count), seller.id.as_str())),
                );
            }
            RecommendKind::FromViewed => {
                let fits = |seller: &&Seller| {
                    seller
                        .category
                        .as_ref()
                        .is_some_and(|category| categories.contains(category))
                };
                let fitting = self.list.iter().filter(fits);
                found.extend(fitting.map(|seller| (u64::from(seller.count), seller.id.as_str())));
            }
            RecommendKind::AlsoBought => {
                let anchors = self.list.iter().filter(|seller| about.contains(&seller.id));
                for (id, times) in anchors.flat_map(|seller| &seller.with) {
                    match found.iter_mut().find(|(_, known)| known == id) {
                        Some((sum, _)) => *sum += u64::from(*times),
                        None => found.push((u64::from(*times), id)),
                    }
                }
            }
            RecommendKind::MorePoints => {}
        }
        found.sort_by(|(one, first), (other, second)| other.cmp(one).then(first.cmp(second)));
        let wanted = found
            .into_iter()
            .filter(|(_, id)| !about.iter().any(|known| known == id));
        wanted.map(|(_, id)| id.to_owned()).take(24).collect()
    }
}

fn count(with: &mut Vec<(String, u32)>, id: &str) {
    if let Some((_, times)) = with.iter_mut().find(|(known, _)| known == id) {
        *times = times.saturating_add(1);
        return;
    }
    if with.len() < COMPANIONS {
        with.push((id.to_owned(), 1));
        return;
    }
    if let Some(least) = with.iter_mut().min_by_key(|(_, times)| *times) {
        *least = (id.to_owned(), least.1.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(ids: &[&str]) -> Vec<Touch> {
        let touch = |id: &&str| Touch {
            product_id: (*id).to_owned(),
            category: Some(id.chars().take(1).collect()),
            at: Timestamp::default(),
        };
        ids.iter().map(touch).collect()
    }

    #[test]
    fn what_sells_comes_first_and_companions_are_known() {
        let mut sellers = Sellers::default();
        let at = Timestamp::default();
        for ids in [
            &["a1", "b1"][..],
            &["a1", "b1", "b1"],
            &["a1", "c1"],
            &["b2"],
        ] {
            sellers.sold(&order(ids), at);
        }
        let of = |kind, about: &[&str], categories: &[&str]| {
            let texts = |list: &[&str]| {
                list.iter()
                    .map(|text| (*text).to_owned())
                    .collect::<Vec<_>>()
            };
            sellers.candidates(kind, &texts(about), &texts(categories))
        };
        assert_eq!(
            of(RecommendKind::Popular, &[], &[]),
            ["a1", "b1", "b2", "c1"]
        );
        assert_eq!(of(RecommendKind::Popular, &["a1"], &[])[0], "b1");
        assert_eq!(of(RecommendKind::AlsoBought, &["a1"], &[]), ["b1", "c1"]);
        assert_eq!(of(RecommendKind::FromViewed, &[], &["b"]), ["b1", "b2"]);
    }

    #[test]
    fn it_stays_small_finds_what_sells_and_forgets() {
        let mut sellers = Sellers::default();
        let start = Timestamp::default();
        for n in 0..2_000_u32 {
            let rare = format!("x{n}");
            sellers.sold(&order(&["hit", rare.as_str()]), start);
        }
        assert!(sellers.list.len() <= SELLERS);
        assert_eq!(
            sellers.candidates(RecommendKind::Popular, &[], &[])[0],
            "hit"
        );
        let later = start + Span::from_days(30);
        let before = sellers
            .list
            .iter()
            .find(|seller| seller.id == "hit")
            .map(|seller| seller.count);
        sellers.sold(&order(&["new"]), later);
        let after = sellers
            .list
            .iter()
            .find(|seller| seller.id == "hit")
            .map(|seller| seller.count);
        assert_eq!(after, before.map(|count| count / 2));
    }
}
