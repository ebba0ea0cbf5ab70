//! A bundle: the files of a folder, their content hash, and what they compile to.
//!
//! The hash is over paths and bytes alone, so every service that compiles the same files gets the same bundle.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use winback_contract::{BundleHash, Channel, ids::digest};

use crate::compile;
use crate::diagnostic::Report;
use crate::model::{Campaign, Entry, Seen, StartKind};
use crate::policy::Policy;
use crate::template::Templates;

/// Path inside the folder, with `/`, to text.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Files(pub BTreeMap<String, String>);

impl Files {
    /// Content hash.
    pub fn hash(&self) -> BundleHash {
        let parts: Vec<&[u8]> = self
            .0
            .iter()
            .flat_map(|(path, text)| [path.as_bytes(), text.as_bytes()])
            .collect();
        BundleHash(digest("bundle", &parts))
    }
}

/// A checked, compiled bundle.
#[derive(Debug)]
pub struct Bundle {
    /// Content hash.
    pub hash: BundleHash,
    /// The shop's rules.
    pub policy: Policy,
    /// By name.
    pub campaigns: BTreeMap<String, Campaign>,
    /// Texts.
    pub templates: Templates,
    begins: Begins,
    listens: Listens,
    watched: BTreeSet<Seen>,
}

impl Bundle {
    /// Compiles; warnings come along.
    ///
    /// # Errors
    /// The report, when it has errors.
    pub fn compile(files: &Files) -> Result<(Self, Report), Report> {
        let mut report = Report::default();
        let parts = compile::files(files, &mut report);
        report.sort();
        match parts {
            Some((policy, campaigns, templates)) if !report.has_errors() => {
                let (begins, listens) = indexes(&campaigns);
                let watched = watched(&campaigns);
                let bundle = Self {
                    watched,
                    hash: files.hash(),
                    policy,
                    campaigns,
                    templates,
                    begins,
                    listens,
                };
                Ok((bundle, report))
            }
            _ => Err(report),
        }
    }

    /// Starts that an event of this name may begin: campaign and index of the start.
    pub fn begun_by(&self, event: &str) -> &[(String, usize)] {
        self.begins.get(event).map_or(&[], Vec::as_slice)
    }

    /// Whether a journey of this campaign waits for an event of this name, or is excused by it.
    pub fn listens(&self, campaign: &str, event: &str) -> bool {
        self.listens
            .get(event)
            .is_some_and(|campaigns| campaigns.iter().any(|name| name == campaign))
    }

    /// Ways of knowing a product that a campaign waits for news of.
    pub fn watched(&self) -> &BTreeSet<Seen> {
        &self.watched
    }

    /// The channels that its steps use.
    pub fn channels(&self) -> BTreeSet<Channel> {
        let campaigns = self.campaigns.values();
        let steps = campaigns.flat_map(Campaign::steps);
        steps.flat_map(|step| step.send.iter().copied()).collect()
    }

    /// A campaign by its name.
    pub fn campaign(&self, name: &str) -> Option<&Campaign> {
        self.campaigns.get(name)
    }
}

fn watched(campaigns: &BTreeMap<String, Campaign>) -> BTreeSet<Seen> {
    let starts = campaigns.values().flat_map(|campaign| &campaign.starts);
    let kinds = starts.filter_map(|start| match &start.kind {
        StartKind::Product { seen, .. } => Some(seen.iter().copied()),
        _ => None,
    });
    kinds.flatten().collect()
}

/// Starts by the event that begins them: campaign, and index of the start.
type Begins = HashMap<String, Vec<(String, usize)>>;
/// Campaigns by the event that their waiting journeys listen for.
type Listens = HashMap<String, Vec<String>>;

/// Which starts and which waiting entries an event name concerns: an event looks at these alone.
fn indexes(campaigns: &BTreeMap<String, Campaign>) -> (Begins, Listens) {
    let mut begins = Begins::new();
    let mut listens = Listens::new();
    for (name, campaign) in campaigns {
        for (index, start) in campaign.starts.iter().enumerate() {
            let on = match &start.kind {
                StartKind::After { on, .. } | StartKind::Idle { on, .. } => on,
                _ => continue,
            };
            for event in on {
                begins
                    .entry(event.clone())
                    .or_default()
                    .push((name.clone(), index));
            }
        }
        for entry in &campaign.entries {
            let patterns = match entry {
                Entry::Await { patterns, .. } => patterns,
                Entry::Wait { unless, .. } => &unless.patterns,
                _ => continue,
            };
            for event in patterns.iter().flat_map(|pattern| &pattern.on) {
                let names = listens.entry(event.clone()).or_default();
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
    }
    (begins, listens)
}
