//! A bundle: the files of a folder, their content hash, and what they compile to.
//!
//! The hash is over paths and bytes alone, so every service that compiles the same files gets the same bundle.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use winback_contract::{BundleHash, Channel, ids::digest};

use crate::compile;
use crate::diagnostic::{Report, Severity};
use crate::index::{Concerns, Index};
use crate::model::{Campaign, Seen};
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

    /// The pools of single-use codes that its Policy has, read without compiling the rest.
    pub fn single_use_pools(&self) -> BTreeSet<String> {
        compile::single_use_pools(self)
    }
}

#[cfg(test)]
impl Files {
    /// Everything under a folder, for tests: this crate reads no files.
    pub(crate) fn of_folder(root: &std::path::Path) -> Self {
        let mut found = Self::default();
        let mut open = vec![root.to_owned()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    open.push(path);
                } else if let (Ok(text), Ok(inside)) =
                    (std::fs::read_to_string(&path), path.strip_prefix(root))
                {
                    found.0.insert(inside.display().to_string(), text);
                }
            }
        }
        found
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
    /// Campaigns that this release can't use: they begin nothing, and what runs of them waits. Empty but for
    /// [`Bundle::lenient`].
    pub aside: BTreeSet<String>,
    index: Index,
}

impl Bundle {
    /// Compiles; warnings come along.
    ///
    /// # Errors
    /// The report, when it has errors.
    pub fn compile(files: &Files) -> Result<(Self, Report), Report> {
        let mut report = Report::default();
        let parts = compile::files(files, &mut report);
        if let Some(parts) = parts.as_ref().filter(|_| !report.has_errors()) {
            compile::newcomer(files, parts, &mut report);
        }
        report.sort();
        match parts {
            Some((policy, campaigns, templates)) if !report.has_errors() => {
                let bundle = Self::of(files, (policy, campaigns, templates));
                Ok((bundle, report))
            }
            _ => Err(report),
        }
    }

    /// What this release can use of a bundle that it would not take: the one that is active already, after an upgrade
    /// that checks more, or a step back to a release that knows less. A campaign in whose folder something is wrong is
    /// set aside whole: half of one would be another campaign. If the fault lies with what all share, all are.
    /// `None` without a Policy that can be read.
    pub fn lenient(files: &Files) -> Option<Self> {
        let mut report = Report::default();
        let parts = compile::files(files, &mut report);
        let (policy, mut campaigns, templates) = parts?;
        let faulty: BTreeSet<&str> = report
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(|finding| compile::folder_of(&finding.file))
            .collect();
        let folders: BTreeMap<&str, &str> = files
            .0
            .keys()
            .filter_map(|path| Some((path.strip_suffix("/campaign.yaml")?, path.as_str())))
            .map(|(folder, _)| (folder, folder.rsplit('/').next().unwrap_or(folder)))
            .collect();
        let is_shared = faulty.iter().any(|folder| !folders.contains_key(folder));
        let mut aside: BTreeSet<String> = folders
            .iter()
            .filter(|(folder, _)| is_shared || faulty.contains(*folder))
            .map(|(_, name)| (*name).to_owned())
            .collect();
        if is_shared {
            aside.extend(campaigns.keys().cloned());
        }
        campaigns.retain(|name, _| !aside.contains(name));
        Some(Self {
            aside,
            ..Self::of(files, (policy, campaigns, templates))
        })
    }

    fn of(files: &Files, (policy, campaigns, templates): compile::Parts) -> Self {
        Self {
            hash: files.hash(),
            index: Index::of(&campaigns, &policy),
            policy,
            campaigns,
            templates,
            aside: BTreeSet::new(),
        }
    }

    /// What an event of this name concerns.
    pub fn concerns(&self, event: &str) -> &Concerns {
        self.index.concerns(event)
    }

    /// Whether a journey of this campaign may wait for inactivity.
    pub fn is_idle(&self, campaign: &str) -> bool {
        self.index.idle.contains(campaign)
    }

    /// Starts by silence, whether of orders or of visits.
    pub fn silences(&self) -> impl Iterator<Item = (&Campaign, usize)> {
        self.starts(&self.index.silences)
    }

    /// Whether a start waits for visits to stop.
    pub fn misses_visits(&self) -> bool {
        self.index.misses_visits
    }

    /// Starts by a date of the customer.
    pub fn dates(&self) -> impl Iterator<Item = (&Campaign, usize)> {
        self.starts(&self.index.dates)
    }

    /// Starts by news of goods.
    pub fn goods(&self) -> impl Iterator<Item = (&Campaign, usize)> {
        self.starts(&self.index.goods)
    }

    /// Starts by the end of a journey of this campaign.
    pub fn begun_by_end(&self, campaign: &str) -> impl Iterator<Item = (&Campaign, usize)> {
        self.starts(self.index.ended(campaign))
    }

    /// The campaigns of starts, with the index of the start.
    pub fn starts<'b>(
        &'b self,
        starts: &'b [(String, usize)],
    ) -> impl Iterator<Item = (&'b Campaign, usize)> {
        let found = |(name, start): &'b (String, usize)| Some((self.campaign(name)?, *start));
        starts.iter().filter_map(found)
    }

    /// Ways of knowing a product that a campaign waits for news of.
    pub fn watched(&self) -> &BTreeSet<Seen> {
        &self.index.watched
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
