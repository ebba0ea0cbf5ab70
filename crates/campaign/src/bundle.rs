//! A bundle: the files of a folder, their content hash, and what they compile to.
//!
//! The hash is over paths and bytes alone, so every service that compiles the same files gets the same bundle.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use winback_contract::{BundleHash, ids::digest};

use crate::compile;
use crate::diagnostic::Report;
use crate::model::Campaign;
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
            Some((policy, campaigns, templates)) if !report.has_errors() => Ok((
                Self {
                    hash: files.hash(),
                    policy,
                    campaigns,
                    templates,
                },
                report,
            )),
            _ => Err(report),
        }
    }

    /// Names of events that begin or end something here; all others only touch state.
    pub fn campaign(&self, name: &str) -> Option<&Campaign> {
        self.campaigns.get(name)
    }
}
