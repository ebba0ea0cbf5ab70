//! Readiness by named parts. Liveness never looks here: an outage must not become a restart storm.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Cheap to clone; all clones share the parts.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<BTreeMap<String, Option<String>>>>);

impl Health {
    /// No parts: ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// `part` works.
    pub fn ready(&self, part: &str) {
        self.set(part, None);
    }

    /// `part` does not work, and why.
    pub fn not_ready(&self, part: &str, why: impl Into<String>) {
        self.set(part, Some(why.into()));
    }

    fn set(&self, part: &str, problem: Option<String>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(part.to_owned(), problem);
    }

    /// The parts that do not work, each with its reason.
    pub fn problems(&self) -> Vec<String> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts
            .iter()
            .filter_map(|(part, why)| why.as_ref().map(|why| format!("{part}: {why}")))
            .collect()
    }
}
