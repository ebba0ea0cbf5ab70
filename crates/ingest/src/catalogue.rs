//! The catalogue as ingest knows it: the shop's word about a product becomes an entry, and news if it changed enough.
//!
//! Invariant: INV-3, a record read again makes the same entry and the same news. What is not here: who is told.

use std::collections::HashMap;
use std::time::Duration;

use winback_bus::{Error, Follower, Log};
use winback_contract::{
    Before, CatalogueEntry, Event, GoodsNews, Money, Product, SourcePosition, Timestamp,
};

/// Most products kept in memory (INV-12); updates of others are written and make no news.
const PRODUCTS: usize = 1_000_000;

/// See the module.
pub(crate) struct Catalogue {
    follower: Follower,
    known: HashMap<String, CatalogueEntry>,
    /// A price that changed by less than this, in hundredths of a percent, is no news.
    least_change: u32,
}

impl std::fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Catalogue({} products)", self.known.len())
    }
}

impl Catalogue {
    /// Starts to read the topic from its beginning; `None` when there is no such topic.
    ///
    /// # Errors
    /// When the log refuses.
    pub(crate) async fn start(
        log: &dyn Log,
        topic: &str,
        group: &str,
        least_change: u32,
    ) -> Result<Option<Self>, Error> {
        if log.partitions(topic).await?.is_none() {
            return Ok(None);
        }
        let follower = Follower::start(log, topic, group).await?;
        Ok(Some(Self {
            follower,
            known: HashMap::new(),
            least_change,
        }))
    }

    /// Reads what is new. False while it is still behind its beginning: updates must wait.
    ///
    /// # Errors
    /// When the log does not answer.
    pub(crate) async fn follow(&mut self) -> Result<bool, Error> {
        for value in self.follower.poll(Duration::ZERO).await? {
            match serde_json::from_slice::<CatalogueEntry>(&value) {
                Ok(entry) => self.keep(entry),
                Err(error) => tracing::error!(
                    line = error.line(),
                    "a record of the catalogue can't be read and is left aside"
                ),
            }
        }
        Ok(self.follower.has_caught_up())
    }

    fn keep(&mut self, entry: CatalogueEntry) {
        let id = &entry.product.product_id;
        if self.known.len() >= PRODUCTS && !self.known.contains_key(id) {
            return;
        }
        // Our own newer words come back from the log after us.
        let is_older = self.known.get(id).is_some_and(|known| {
            known.source.stream == entry.source.stream
                && known.source.partition == entry.source.partition
                && known.source.offset > entry.source.offset
        });
        if !is_older {
            self.known.insert(id.clone(), entry);
        }
    }

    /// What an update makes of the catalogue, and the news, if customers may wait for it. `None`: applied before.
    pub(crate) fn update(
        &mut self,
        event: &Event,
        source: SourcePosition,
        at: Timestamp,
    ) -> Option<(CatalogueEntry, Option<GoodsNews>)> {
        let said = event.products.first()?;
        let known = self.known.get(&said.product_id);
        let is_same = |known: &CatalogueEntry| {
            known.source.stream == source.stream && known.source.partition == source.partition
        };
        if known.is_some_and(|known| is_same(known) && known.source.offset > source.offset) {
            return None;
        }
        let before = match known {
            // Read again: it is compared with what it was compared with then.
            Some(known) if known.source == source => known.before.clone(),
            Some(known) => Before {
                price: known.told,
                sold: Some(known.is_for_sale()),
            },
            None => Before::default(),
        };
        let number = |name: &str| event.properties.get(name).and_then(as_number);
        let available = match number("available") {
            Some(pieces) => Some(pieces.clamp(0.0, f64::from(u32::MAX)) as u32),
            None => known.and_then(|known| known.available),
        };
        let mut product = known.map_or_else(
            || Product::of(&said.product_id),
            |known| known.product.clone(),
        );
        product.overlay(said);
        if said.in_stock.is_none() && number("available").is_some() {
            product.in_stock = available.map(|pieces| pieces > 0);
        }
        let removed = match event.properties.get("removed") {
            Some(flag) => flag.as_bool().unwrap_or(false),
            None => known.is_some_and(|known| known.removed),
        };
        let entry = CatalogueEntry {
            v: CatalogueEntry::VERSION,
            available,
            points: number("points").or_else(|| known.and_then(|known| known.points)),
            removed,
            told: product.price,
            before,
            source,
            at,
            product,
        };
        let (entry, news) = self.judge(entry);
        self.keep(entry.clone());
        Some((entry, news))
    }

    /// A small change of price is kept for later; whether the rest is worth telling.
    fn judge(&self, mut entry: CatalogueEntry) -> (CatalogueEntry, Option<GoodsNews>) {
        let is_small = match (entry.before.price, entry.product.price) {
            (Some(was), Some(is)) if was.currency == is.currency => self.is_small(was, is),
            _ => false,
        };
        if is_small {
            entry.told = entry.before.price;
        }
        let mut news = GoodsNews {
            product: entry.product.clone(),
            sold: entry.is_for_sale(),
            available: entry.available,
            before: entry.before.clone(),
        };
        if is_small {
            news.before.price = entry.product.price;
        }
        let worth_telling = !news.names().is_empty();
        (entry, worth_telling.then_some(news))
    }

    fn is_small(&self, was: Money, is: Money) -> bool {
        let change = i128::from(is.minor) - i128::from(was.minor);
        change.abs() * 10_000 < i128::from(was.minor.abs()) * i128::from(self.least_change)
    }
}

fn as_number(value: &serde_json::Value) -> Option<f64> {
    match value {
        serde_json::Value::Number(number) => number.as_f64(),
        serde_json::Value::String(text) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
#[path = "catalogue_tests.rs"]
mod tests;
