//! The pools of single-use codes that a Policy has, read without compiling anything: how many codes are left is asked of the
//! store for bundles, too, that nobody needs to compile. Absent: what is wrong with the file.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::is_compiled;
use crate::bundle::Files;
use crate::yaml;

/// The pools of single-use codes of the Policy among the files, whatever else is in them.
pub(crate) fn single_use_pools(files: &Files) -> BTreeSet<String> {
    #[derive(Deserialize)]
    struct Pools {
        kind: String,
        spec: Spec,
    }
    #[derive(Deserialize)]
    struct Spec {
        #[serde(default)]
        coupons: BTreeMap<String, Pool>,
    }
    #[derive(Deserialize)]
    struct Pool {
        code: Option<IgnoredAny>,
    }
    let yaml = files.0.iter().filter(|(path, _)| is_compiled(path));
    yaml.filter_map(|(_, text)| yaml::read::<Pools>(text).ok())
        .filter(|file| file.kind == "Policy")
        .flat_map(|file| file.spec.coupons)
        .filter_map(|(name, pool)| pool.code.is_none().then_some(name))
        .collect()
}
