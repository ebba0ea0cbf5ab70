//! What a run could not read of its events, with the line it stands on: whole records that were refused, and fields that were
//! left out of records that were applied.

use winback_bus::memory::MemoryLog;
use winback_contract::{Failed, FailedStage, Topic, TopicNames, spec};

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct Unread {
    /// Whether the record was applied, without what could not be read.
    pub(crate) applied: bool,
    /// The reason and the field.
    pub(crate) text: String,
    /// Which record it was of those that came, from 0; none where it is none of the shop's.
    pub(crate) place: Option<usize>,
}

/// All of a run, in the order in which they were met.
pub(crate) fn unread(log: &MemoryLog, names: &TopicNames) -> Vec<Unread> {
    let records = log.dump(&names.name(Topic::Failed)).into_iter();
    let failed = records.filter_map(|record| {
        serde_json::from_slice::<Failed>(record.value.as_deref().unwrap_or_default()).ok()
    });
    failed
        .map(|failed| Unread {
            applied: failed.applied,
            text: if failed.applied {
                format!("left out: {}", failed.detail)
            } else {
                format!("could not be applied: {}: {}", failed.reason, failed.detail)
            },
            place: (failed.stage == FailedStage::Ingest)
                .then(|| usize::try_from(failed.offset.0).ok())
                .flatten(),
        })
        .collect()
}

/// What to say of an event's name, if it is none of the contract.
pub(crate) fn of_name(name: &str) -> Option<String> {
    if spec::lookup(name).is_some() {
        return None;
    }
    Some(match spec::nearest(name) {
        Some(near) => format!(
            "`{name}` is an unknown name, did you mean `{near}`? It counts as an event of the shop's own"
        ),
        None => format!("`{name}` is an event of the shop's own"),
    })
}
