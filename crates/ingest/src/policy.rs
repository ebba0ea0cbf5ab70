//! The Policy that is active, read from the campaigns topic before the first record: currency, zone and language of a shop
//! have one truth.

use std::collections::BTreeMap;
use std::time::Duration;

use winback_bus::{Error, Follower, Log};
use winback_campaign::{Bundle, Files};
use winback_contract::{Activations, BundleHash};

use crate::customs::Customs;

/// Publications remembered: the newest activation names one of them.
const KEPT: usize = 16;

/// Follows what is published.
#[derive(Debug)]
pub(crate) struct Published {
    follower: Follower,
    files: BTreeMap<BundleHash, Files>,
    order: Vec<BundleHash>,
    active: Option<BundleHash>,
}

impl Published {
    pub(crate) async fn start(log: &dyn Log, topic: &str, group: &str) -> Result<Self, Error> {
        Ok(Self {
            follower: Follower::start(log, topic, group).await?,
            files: BTreeMap::new(),
            order: Vec::new(),
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
        for value in self.follower.poll(Duration::ZERO).await? {
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

    fn keep(&mut self, files: Files) {
        let hash = files.hash();
        if self.files.insert(hash, files).is_none() {
            self.order.push(hash);
        }
        while self.order.len() > KEPT {
            let oldest = self.order.remove(0);
            if Some(oldest) != self.active {
                self.files.remove(&oldest);
            }
        }
    }
}
