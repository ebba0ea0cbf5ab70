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
        if let Some(hash) = BundleHash::of_key(key) {
            self.files.remove(&hash);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use std::sync::Arc;

    use winback_bus::Outgoing;
    use winback_bus::memory::MemoryLog;
    use winback_contract::Timestamp;
    use winback_service::Clock;

    use super::*;

    fn files(currency: &str, number: usize) -> Files {
        let policy = format!(
            "apiVersion: winback/v1
kind: Policy
metadata: {{ name: shop-{number} }}
spec:
  shop: {{ zone: UTC, locale: en, currency: {currency} }}
  topics: {{ marketing: {{ consent: not_denied }} }}
  senders: {{ email: {{ from: a@b.example, unsubscribe: \"mailto:o@b.example\" }} }}
"
        );
        Files([("policy.yaml".to_owned(), policy)].into())
    }

    /// One may go back to any bundle that is remembered, also past many that came since; one that was taken out is forgotten.
    #[tokio::test]
    async fn the_policy_of_every_bundle_that_one_may_go_back_to_is_known() {
        let log = MemoryLog::new(Clock::at(0));
        log.create("campaigns", 1);
        let say = async |key: Vec<u8>, value: Vec<u8>| {
            let record = Outgoing {
                topic: Arc::from("campaigns"),
                partition: None,
                key,
                value,
                headers: Vec::new(),
            };
            log.produce(vec![record]).await.unwrap();
        };
        let activate = async |files: &Files, at: i64| {
            let mut past = Activations::default();
            past.publish(files.hash(), Timestamp::from_millis(at));
            let past = serde_json::to_vec(&past).unwrap();
            say(Activations::KEY.into(), past).await;
        };
        let publish = async |files: &Files| {
            let key = files.hash().to_string().into_bytes();
            say(key, serde_json::to_vec(files).unwrap()).await;
        };
        let (first, gone) = (files("UAH", 0), files("PLN", 0));
        publish(&first).await;
        publish(&gone).await;
        for number in 1..40 {
            publish(&files("EUR", number)).await;
        }
        say(gone.hash().to_string().into_bytes(), Vec::new()).await;
        activate(&files("EUR", 39), 1).await;
        let mut published = Published::start(&log, "campaigns", "t").await.unwrap();
        let mut follow = async || {
            let mut last = None;
            for _ in 0..200 {
                last = published.follow().await.unwrap().or(last);
            }
            last.map(|customs: Customs| customs.currency.to_string())
        };
        assert_eq!(follow().await.as_deref(), Some("EUR"));
        activate(&first, 2).await;
        assert_eq!(follow().await.as_deref(), Some("UAH"));
        activate(&gone, 3).await;
        assert_eq!(follow().await, None);
    }
}
