//! What lies in the `campaigns` topic of a shop: bundles by hash, the kill switches, the format it is on.
//!
//! Invariant: INV-12. A bundle is compiled when it is first needed, which takes a fifth of a second and some megabytes: a
//! shop that has published two thousand times needs three of them. Absent: reading the topic.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::{Bundle, Campaign, Files};
use winback_contract::{
    Activations, BundleHash, Format, FormatRecord, Pause, PauseRecord, Scope, Timestamp,
};

/// One that was published; it is compiled once, by whoever needs it first.
#[derive(Default)]
struct Published {
    /// Gone when it is compiled.
    files: Mutex<Option<Arc<Files>>>,
    compiled: OnceLock<Compiled>,
    told: AtomicBool,
}

#[derive(Default)]
struct Compiled {
    /// All of it, or what this release can use.
    bundle: Option<Arc<Bundle>>,
    /// Why it is not made active.
    refused: Option<String>,
}

impl Published {
    fn compiled(&self) -> &Compiled {
        self.compiled.get_or_init(|| {
            let lock = || self.files.lock().unwrap_or_else(PoisonError::into_inner);
            let files = lock().clone();
            // A folder that makes the compiler panic is refused as one that is wrong: the shop goes on as before.
            let compiled = files.map_or_else(Compiled::default, |files| {
                let compiled = catch_unwind(AssertUnwindSafe(|| Compiled::of(&files)));
                compiled.unwrap_or_else(|_| Compiled::panicked(files.hash()))
            });
            *lock() = None;
            compiled
        })
    }
}

impl Compiled {
    fn panicked(hash: BundleHash) -> Self {
        Self {
            bundle: None,
            refused: Some(format!(
                "bundle {hash} can't be compiled, which is a fault of winback: it is not made active"
            )),
        }
    }

    fn of(files: &Files) -> Self {
        match Bundle::compile(files) {
            Ok((bundle, _)) => Self {
                bundle: Some(Arc::new(bundle)),
                refused: None,
            },
            Err(report) => {
                // Where it is active already it stays so, with all of it that can be used.
                let bundle = Bundle::lenient(files);
                let aside = match &bundle {
                    Some(bundle) => Vec::from_iter(bundle.aside.iter().cloned()).join(", "),
                    None => "all of it".to_owned(),
                };
                let hash = files.hash();
                Self {
                    bundle: bundle.map(Arc::new),
                    refused: Some(format!(
                        "bundle {hash} is not for this release: it is not made active, and where it is already it goes on without {aside}: {report}"
                    )),
                }
            }
        }
    }
}

/// Bundles by hash: the active one, those that running journeys began with, and those one may go back to.
#[derive(Clone)]
pub struct Bundles {
    all: BTreeMap<BundleHash, Arc<Published>>,
    /// Coupon pools of single-use codes, of all of them.
    pools: BTreeSet<String>,
    /// The kill switches, by scope.
    switches: BTreeMap<Scope, Pause>,
    /// None was said yet.
    format: Option<Format>,
    /// Those that were taken out, or will be, since when: nobody waits for them.
    leaving: BTreeMap<BundleHash, Timestamp>,
}

impl Default for Bundles {
    fn default() -> Self {
        Self {
            all: BTreeMap::new(),
            pools: BTreeSet::new(),
            switches: BTreeMap::new(),
            format: Some(Format::NEWEST),
            leaving: BTreeMap::new(),
        }
    }
}

impl std::fmt::Debug for Bundles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bundles", self.all.len())
    }
}

/// What became of a published bundle.
#[derive(Debug)]
pub enum Offered {
    /// It is here now.
    Taken(BundleHash),
    /// It was here already.
    Known,
    /// It is no bundle but a switch.
    Switched(Pause),
    /// It is no bundle but the list of those that were active.
    Activated(Activations),
    /// It is no bundle but the format that the shop is on.
    Formatted(Format),
    /// It is nothing of this topic.
    Unknown,
}

impl Bundles {
    /// Of a shop whose `campaigns` topic is going to be read.
    pub fn of_a_topic() -> Self {
        Self {
            format: None,
            ..Self::default()
        }
    }

    /// Takes a record of the `campaigns` topic, or its tombstone.
    pub fn take(&mut self, key: &[u8], value: Option<&[u8]>) -> Offered {
        match value {
            Some(value) => self.offer(value),
            None => {
                self.forget(key);
                Offered::Known
            }
        }
    }

    /// Takes what a record of the `campaigns` topic says.
    pub fn offer(&mut self, value: &[u8]) -> Offered {
        let Ok(files) = serde_json::from_slice::<Files>(value) else {
            if let Ok(PauseRecord { switch }) = serde_json::from_slice(value) {
                self.switches.insert(switch.scope.clone(), switch.clone());
                return Offered::Switched(switch);
            }
            if let Ok(FormatRecord { format }) = serde_json::from_slice(value) {
                let format = Format::of(format);
                self.format = Some(format);
                return Offered::Formatted(format);
            }
            if let Ok(activations) = serde_json::from_slice::<Activations>(value) {
                self.leaving = activations.leaving.iter().copied().collect();
                return Offered::Activated(activations);
            }
            return Offered::Unknown;
        };
        let hash = files.hash();
        if self.all.contains_key(&hash) {
            return Offered::Known;
        }
        self.pools.extend(files.single_use_pools());
        let published = Published {
            files: Mutex::new(Some(Arc::new(files))),
            ..Published::default()
        };
        self.all.insert(hash, Arc::new(published));
        Offered::Taken(hash)
    }

    /// Its tombstone came: nobody names it any more.
    fn forget(&mut self, key: &[u8]) {
        if let Some(hash) = BundleHash::of_key(key) {
            self.all.remove(&hash);
        }
    }

    /// Keeps a bundle that is compiled already.
    pub fn insert(&mut self, bundle: Arc<Bundle>) {
        let pools = bundle.policy.coupons.iter();
        let single_use = pools.filter(|(_, coupon)| coupon.code.is_none());
        self.pools.extend(single_use.map(|(name, _)| name.clone()));
        let hash = bundle.hash;
        let compiled = Compiled {
            bundle: Some(bundle),
            refused: None,
        };
        let published = Published {
            compiled: OnceLock::from(compiled),
            ..Published::default()
        };
        self.all.insert(hash, Arc::new(published));
    }

    /// Compiles a bundle that will be needed soon, wherever this is called.
    pub fn compiling(&self, hash: BundleHash) -> impl FnOnce() + Send + 'static {
        let published = self.all.get(&hash).cloned();
        move || {
            if let Some(published) = published {
                published.compiled();
            }
        }
    }

    /// Why bundles that were needed are left aside, each told once.
    pub fn untold(&self) -> impl Iterator<Item = &str> {
        self.all.values().filter_map(|published| {
            let refused = published.compiled.get()?.refused.as_deref()?;
            let told = published.told.swap(true, Ordering::Relaxed);
            (!told).then_some(refused)
        })
    }

    /// Whether a bundle came and is not made active by this release: nobody waits for it.
    pub fn is_refused(&self, hash: BundleHash) -> bool {
        let published = self.all.get(&hash);
        published.is_some_and(|published| published.compiled().refused.is_some())
    }

    /// Whether a bundle was taken out because nobody needed it.
    pub fn is_gone(&self, hash: BundleHash) -> bool {
        self.leaving.contains_key(&hash) && !self.all.contains_key(&hash)
    }

    /// Whether it was already leaving when this was said: whoever is told so goes on without it, and what followed comes. A
    /// later word is of one that was published again, and is on its way.
    pub fn was_gone(&self, hash: BundleHash, said: Timestamp) -> bool {
        let left = self.leaving.get(&hash);
        self.is_gone(hash) && left.is_some_and(|since| said < *since)
    }

    /// The bundle of a hash.
    pub fn get(&self, hash: BundleHash) -> Option<&Arc<Bundle>> {
        self.all.get(&hash)?.compiled().bundle.as_ref()
    }

    /// The format in which is written.
    pub fn format(&self) -> Format {
        self.format.unwrap_or(Format::UNSAID)
    }

    /// The hashes of all that were published, compiled or not.
    pub fn hashes(&self) -> impl Iterator<Item = BundleHash> {
        self.all.keys().copied()
    }

    /// Scopes that are paused.
    pub fn paused(&self) -> impl Iterator<Item = &Scope> {
        let switches = self.switches.values().filter(|switch| switch.paused);
        switches.map(|switch| &switch.scope)
    }

    /// All switches that were ever thrown, in the order of scopes.
    pub fn switches(&self) -> impl Iterator<Item = &Pause> {
        self.switches.values()
    }

    /// Coupon pools of single-use codes, of all bundles.
    pub fn pools(&self) -> &BTreeSet<String> {
        &self.pools
    }

    /// A campaign of a bundle.
    pub fn campaign(&self, hash: BundleHash, name: &str) -> Option<&Campaign> {
        self.get(hash)?.campaign(name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    fn files(campaign: &str) -> Files {
        let policy = "apiVersion: winback/v1\nkind: Policy\nspec: { coupons: { OWN: {}, ALL: { code: X } }, zone: UTC }\n";
        Files(BTreeMap::from([
            ("policy.yaml".into(), policy.into()),
            ("a/campaign.yaml".into(), campaign.into()),
        ]))
    }

    #[test]
    fn a_bundle_is_compiled_when_it_is_needed_and_told_once() {
        let mut bundles = Bundles::default();
        let published = files("no campaign");
        let value = serde_json::to_vec(&published).unwrap();
        assert!(matches!(bundles.offer(&value), Offered::Taken(hash) if hash == published.hash()));
        assert!(matches!(bundles.offer(&value), Offered::Known));
        let is_compiled = |bundles: &Bundles| {
            let published = bundles.all.values().next().unwrap();
            published.compiled.get().is_some()
        };
        assert!(!is_compiled(&bundles));
        assert_eq!(Vec::from_iter(bundles.pools()), ["OWN"], "known before");
        assert_eq!(bundles.untold().count(), 0);
        bundles.compiling(published.hash())();
        assert!(is_compiled(&bundles) && bundles.is_refused(published.hash()));
        assert_eq!((bundles.untold().count(), bundles.untold().count()), (1, 0));
        bundles.take(b"activations", None);
        assert_eq!(bundles.hashes().count(), 1);
        bundles.take(published.hash().to_string().as_bytes(), None);
        assert!(bundles.get(published.hash()).is_none() && bundles.hashes().count() == 0);
    }

    /// One that left may be published again, under the same hash: only what was said before it left is of the old one.
    #[test]
    fn a_word_of_after_it_left_is_of_one_that_comes_again() {
        let at = Timestamp::from_millis;
        let published = files("x");
        let (hash, mut bundles) = (published.hash(), Bundles::default());
        let mut past = Activations::default();
        past.leaving.push((hash, at(1_000)));
        bundles.offer(&serde_json::to_vec(&past).unwrap());
        assert!(bundles.is_gone(hash) && bundles.was_gone(hash, at(999)));
        assert!(!bundles.was_gone(hash, at(1_001)), "it is on its way");
        bundles.offer(&serde_json::to_vec(&published).unwrap());
        assert!(!bundles.is_gone(hash) && !bundles.was_gone(hash, at(999)));
    }

    #[test]
    fn the_format_is_what_the_topic_says() {
        assert_eq!(Bundles::default().format(), Format::NEWEST);
        let mut bundles = Bundles::of_a_topic();
        bundles.offer(&serde_json::to_vec(&files("x")).unwrap());
        assert_eq!(bundles.format(), Format::UNSAID);
        let before = serde_json::to_vec(&FormatRecord::of(Format::One)).unwrap();
        bundles.offer(&before);
        assert_eq!(bundles.format(), Format::One);
        let record = serde_json::to_vec(&FormatRecord::newest()).unwrap();
        assert!(matches!(
            bundles.offer(&record),
            Offered::Formatted(Format::Two)
        ));
        assert_eq!(bundles.format(), Format::Two);
        assert!(matches!(bundles.offer(b"{\"else\":1}"), Offered::Unknown));
    }
}
