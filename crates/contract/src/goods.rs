//! Goods: a product as the shop last described it (`catalogue`), and what changed about it (`events`).
//!
//! Invariant: INV-3. An entry keeps what the record before it said, so that a record read again makes the same news.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Product;
use crate::money::Money;
use crate::record::SourcePosition;
use crate::spec;
use crate::time::Timestamp;

/// One record of `catalogue`; the key is the product's id.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CatalogueEntry {
    /// Version of this shape.
    pub v: u8,
    /// The product; `in_stock` absent means that the shop keeps no stock of it.
    pub product: Product,
    /// Pieces in stock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<u32>,
    /// Points of the loyalty programme that it earns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<f64>,
    /// No longer sold.
    #[serde(default)]
    pub removed: bool,
    /// Price and stock before this record.
    #[serde(default)]
    pub before: Before,
    /// The price that customers were last told of: small changes add up until they are worth telling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Money>,
    /// The record that said so.
    pub source: SourcePosition,
    /// When it was said.
    pub at: Timestamp,
}

impl CatalogueEntry {
    /// Version written now.
    pub const VERSION: u8 = 1;

    /// Whether it can be bought now.
    pub fn is_for_sale(&self) -> bool {
        !self.removed && self.product.in_stock != Some(false)
    }
}

/// What was known of a product before.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Before {
    /// Its price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// Whether it could be bought; absent when it was not known at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sold: Option<bool>,
}

/// A change of a product that customers may wait for: a copy for every partition.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct GoodsNews {
    /// The product as it is now.
    pub product: Product,
    /// Whether it can be bought now.
    pub sold: bool,
    /// Pieces in stock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<u32>,
    /// What it was before.
    pub before: Before,
}

impl GoodsNews {
    /// Names of the derived events that it means, in a fixed order; none when nothing changed on the whole.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        let amount = |price: Option<Money>| price.map(|price| (price.currency, price.minor));
        if let (Some((before, was)), Some((now, is))) =
            (amount(self.before.price), amount(self.product.price))
            && before == now
        {
            if is < was {
                names.push(spec::PRICE_DROPPED);
            }
            if is > was {
                names.push(spec::PRICE_RAISED);
            }
        }
        match (self.before.sold, self.sold) {
            (Some(false), true) => names.push(spec::BACK_IN_STOCK),
            (Some(true), false) => names.push(spec::OUT_OF_STOCK),
            _ => {}
        }
        names
    }

    /// Takes in newer news of the same product: what it was before stays as it was.
    #[must_use]
    pub fn then(&self, newer: &Self) -> Self {
        Self {
            before: self.before.clone(),
            ..newer.clone()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use crate::money::Currency;

    fn news(was: Option<i64>, is: i64, before: Option<bool>, sold: bool) -> GoodsNews {
        let money = |minor| Money {
            minor,
            currency: Currency::parse("EUR").unwrap(),
        };
        GoodsNews {
            product: Product {
                price: Some(money(is)),
                ..Product::of("p1")
            },
            sold,
            available: None,
            before: Before {
                price: was.map(money),
                sold: before,
            },
        }
    }

    #[test]
    fn changes_have_names() {
        let table = [
            (news(None, 100, None, true), vec![]),
            (news(Some(100), 100, Some(true), true), vec![]),
            (
                news(Some(100), 90, Some(true), true),
                vec![spec::PRICE_DROPPED],
            ),
            (
                news(Some(90), 100, Some(true), true),
                vec![spec::PRICE_RAISED],
            ),
            (
                news(Some(100), 100, Some(false), true),
                vec![spec::BACK_IN_STOCK],
            ),
            (
                news(Some(100), 100, Some(true), false),
                vec![spec::OUT_OF_STOCK],
            ),
            (
                news(Some(100), 80, Some(false), true),
                vec![spec::PRICE_DROPPED, spec::BACK_IN_STOCK],
            ),
        ];
        for (news, names) in table {
            assert_eq!(news.names(), names);
        }
    }

    #[test]
    fn what_fell_and_rose_again_is_no_news() {
        let fell = news(Some(100), 80, Some(true), true);
        let rose = news(Some(80), 100, Some(true), true);
        assert_eq!(fell.then(&rose).names(), Vec::<&str>::new());
    }
}
