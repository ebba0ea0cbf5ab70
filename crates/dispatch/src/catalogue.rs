//! Goods as they are at the moment of sending: prices refreshed, gone ones left out, recommendations filled in
//! (playbook P66, P82). A shop without a catalogue sends what its events said.
//!
//! Invariant: INV-12, the table is bounded. What is not here: which products a step is about.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use tokio::sync::Mutex;
use winback_bus::{Error, Follower, Log};
use winback_contract::message::{Facts, Wish};
use winback_contract::{CatalogueEntry, Money, Product};

/// Most products kept in memory (INV-12).
const PRODUCTS: usize = 1_000_000;

/// All that a step was about is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NothingLeft;

/// The catalogue of one process, shared by its channels.
pub struct Catalogue {
    inner: Mutex<Inner>,
}

struct Inner {
    follower: Option<Follower>,
    shelf: Shelf,
}

/// Products by id, by category and by points.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    known: HashMap<String, CatalogueEntry>,
    by_category: BTreeMap<String, BTreeSet<String>>,
    by_points: BTreeSet<(u64, String)>,
}

impl std::fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Catalogue")
    }
}

impl Catalogue {
    /// Starts to read the topic from its beginning; without the topic it stays empty.
    ///
    /// # Errors
    /// When the log refuses.
    pub async fn start(log: &dyn Log, topic: &str, group: &str) -> Result<Self, Error> {
        let follower = match log.partitions(topic).await? {
            Some(_) => Some(Follower::start(log, topic, group).await?),
            None => None,
        };
        let shelf = Shelf::default();
        Ok(Self {
            inner: Mutex::new(Inner { follower, shelf }),
        })
    }

    /// Reads what is new. False while it is still behind its beginning: nothing may be sent from what is half known.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn follow(&self) -> Result<bool, Error> {
        let mut inner = self.inner.lock().await;
        let Some(follower) = &mut inner.follower else {
            return Ok(true);
        };
        let values = follower.poll(Duration::ZERO).await?;
        let caught_up = follower.has_caught_up();
        for value in values {
            match serde_json::from_slice(&value) {
                Ok(entry) => inner.shelf.put(entry),
                Err(error) => tracing::error!(
                    line = error.line(),
                    "a record of the catalogue can't be read and is left aside"
                ),
            }
        }
        Ok(caught_up)
    }

    /// See `Shelf::refresh`.
    ///
    /// # Errors
    /// `NothingLeft`.
    pub async fn refresh(&self, facts: &mut Facts) -> Result<(), NothingLeft> {
        self.inner.lock().await.shelf.refresh(facts)
    }
}

impl Shelf {
    /// Keeps the newest word about a product.
    pub(crate) fn put(&mut self, entry: CatalogueEntry) {
        let id = entry.product.product_id.clone();
        if self.known.len() >= PRODUCTS && !self.known.contains_key(&id) {
            return;
        }
        if let Some(old) = self.known.remove(&id) {
            if let Some(ids) = old
                .product
                .category
                .as_ref()
                .and_then(|name| self.by_category.get_mut(name))
            {
                ids.remove(&id);
            }
            self.by_points.remove(&(points(&old), id.clone()));
        }
        if entry.is_for_sale() {
            if let Some(category) = &entry.product.category {
                let ids = self.by_category.entry(category.clone()).or_default();
                ids.insert(id.clone());
            }
            if points(&entry) > 0 {
                self.by_points.insert((points(&entry), id.clone()));
            }
        }
        self.known.insert(id, entry);
    }

    /// Makes the facts of a message true for this moment.
    ///
    /// # Errors
    /// [`NothingLeft`] when none of the products the step is about can be bought any more.
    pub(crate) fn refresh(&self, facts: &mut Facts) -> Result<(), NothingLeft> {
        let had_items = !facts.items.is_empty();
        self.freshen(&mut facts.items);
        if let Some(cart) = &mut facts.cart {
            let changed = self.freshen(&mut cart.items);
            if changed && cart.more == 0 {
                cart.total = sum(&cart.items).or(cart.total);
            }
        }
        let item = facts.entry.get("item").cloned();
        let item: Option<Product> = item.and_then(|item| serde_json::from_value(item).ok());
        if let Some(item) = item {
            let mut list = vec![item];
            self.freshen(&mut list);
            if let Some(value) = list
                .first()
                .and_then(|item| serde_json::to_value(item).ok())
            {
                facts.entry.insert("item".into(), value);
            }
        }
        if let Some(wish) = facts.recommend.take() {
            facts.recommended = self.recommended(&wish);
        }
        if had_items && facts.items.is_empty() {
            return Err(NothingLeft);
        }
        Ok(())
    }

    /// True when a price changed or something is gone.
    fn freshen(&self, products: &mut Vec<Product>) -> bool {
        let mut changed = false;
        products.retain_mut(|product| {
            let Some(entry) = self.known.get(&product.product_id) else {
                return true;
            };
            let before = product.clone();
            product.overlay(&entry.product);
            product.variant.clone_from(&before.variant);
            product.sku.clone_from(&before.sku);
            // The catalogue knows the product, or one size of it: what a line of another says of itself stays.
            if before.variant != entry.product.variant {
                let told = product.clone();
                *product = before.clone();
                for (mine, theirs) in [
                    (&mut product.name, told.name),
                    (&mut product.category, told.category),
                    (&mut product.url, told.url),
                    (&mut product.image_url, told.image_url),
                    (&mut product.brand, told.brand),
                ] {
                    *mine = mine.take().or(theirs);
                }
                // A price without a size is one of the product; that of another size is none.
                if entry.product.variant.is_none() {
                    product.price = product.price.or(told.price);
                }
            }
            changed |= product.price != before.price;
            changed |= !entry.is_for_sale();
            entry.is_for_sale()
        });
        changed
    }

    /// The first of the candidates that are sold; where they are too few, others of the same kind.
    fn recommended(&self, wish: &Wish) -> Vec<Product> {
        let mut found: Vec<Product> = Vec::new();
        let candidates = wish.candidates.iter();
        let of_categories = wish
            .categories
            .iter()
            .filter(|_| wish.kind == "from_viewed")
            .filter_map(|category| self.by_category.get(category))
            .flatten();
        let of_points = self.by_points.iter().rev().map(|(_, id)| id);
        let of_points = of_points.take_while(|_| wish.kind == "more_points");
        for id in candidates.chain(of_categories).chain(of_points) {
            if found.len() >= wish.count as usize {
                break;
            }
            let entry = self.known.get(id).filter(|entry| entry.is_for_sale());
            let is_new =
                !wish.not.contains(id) && found.iter().all(|known| known.product_id != *id);
            if let (Some(entry), true) = (entry, is_new) {
                found.push(entry.product.clone());
            }
        }
        found
    }
}

/// Points as an order of whole thousandths, so that they can be sorted.
fn points(entry: &CatalogueEntry) -> u64 {
    let points = entry.points.unwrap_or(0.0).clamp(0.0, 1e12);
    (points * 1_000.0) as u64
}

fn sum(items: &[Product]) -> Option<Money> {
    let currency = items.first()?.price?.currency;
    let mut minor = 0_i64;
    for item in items {
        let price = item.price.filter(|price| price.currency == currency)?;
        minor = minor.saturating_add(price.minor.saturating_mul(i64::from(item.quantity)));
    }
    Some(Money { minor, currency })
}

#[cfg(test)]
#[path = "catalogue_tests.rs"]
mod tests;
