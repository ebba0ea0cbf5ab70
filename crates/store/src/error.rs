//! What can go wrong with the store, in the classes that matter to a caller.

/// An error of the store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It may work later. A write may or may not have happened: ask again with the same commit id.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// It won't work however often it is tried: stop with this message.
    #[error("{0}")]
    Fatal(String),
}
