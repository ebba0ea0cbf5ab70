//! The Policy that is active, read from the campaigns topic before the first record: currency, zone and language of a shop
//! have one truth.

use std::collections::BTreeMap;
use std::time::Duration;

use winback_bus::{Error, Follower, Log};
use winback_campaign::{Bundle, Files};
use winback_contract::{Activations, BundleHash};

use crate::customs::Customs;

/// Follows what is published.
#[derive(Debug)]
pub(crate) struct Published {
    follower: Follower,
    /// Of every publication that is not taken out: one may go back to any of them.
    files: BTreeMap<BundleHash, Files>,
    active: Option<BundleHash>,
}

impl Published {
    pub(crate) async fn start(log: &dyn Log, topic: &str, group: &str) -> Result<Self, Error> {
        Ok(Self {
            follower: Follower::start(log, topic, group).await?,
            files: BTreeMap::new(),
            active: None,
        })
    }

    /// Whether everything that was published before has been read.
    pub(crate) fn has_caught_up(&self) -> bool {
        self.follower.has_caught_up()
    }

    /// Reads what is new; the customs of a Policy that became active.
    pub(crate) async fn follow(&mut self) -> Result<Option<Customs>, Error> {
        let before = self.active;
        for record in self.follower.records(Duration::ZERO).await? {
            let Some(value) = record.value else {
                self.forget(&record.key);
                continue;
            };
            if let Ok(files) = serde_json::from_slice::<Files>(&value) {
                self.keep(files);
            } else if let Ok(activations) = serde_json::from_slice::<Activations>(&value)
                && let Some(newest) = activations.newest()
            {
                self.active = Some(newest);
            }
        }
        if self.active == before {
            return Ok(None);
        }
        let files = self.active.and_then(|hash| self.files.get(&hash));
        let Some(bundle) = files.and_then(Bundle::lenient) else {
            tracing::error!(bundle = ?self.active, "the Policy that became active is not here: currency, zone and locale stay as they were");
            return Ok(None);
        };
        Ok(Some(Customs::of(&bundle.policy)))
    }

    /// Texts of messages are nothing to ingest.
    fn keep(&mut self, mut files: Files) {
        let hash = files.hash();
        files.0.retain(|path, _| {
            let ending = path.rsplit('.').next();
            matches!(ending, Some("yaml" | "yml"))
        });
        self.files.insert(hash, files);
    }

    fn forget(&mut self, key: &[u8]) {
        let hash = std::str::from_utf8(key).ok();
        if let Some(hash) = hash.and_then(|text| BundleHash::parse(text).ok()) {
            self.files.remove(&hash);
        }
    }
}
