//! Which variables a condition may use, by the moment at which it is judged (ADR 0014). A table, nothing else.

/// Variables when a start is judged, on arrival.
pub(crate) const ON_ARRIVAL: &[&str] = &["event", "settings", "now"];
/// Variables of delays and of `each`.
pub(crate) const ON_DELAY: &[&str] = &[
    "event", "settings", "now", "cart", "order", "orders", "customer", "points", "session", "item",
    "product",
];
/// Variables when an exit is judged.
pub(crate) const ON_EXIT: &[&str] = &[
    "event", "entry", "answer", "item", "product", "settings", "now", "cart", "order", "orders",
    "customer", "points", "session", "sessions", "journey",
];
/// Variables when a due step is judged.
pub(crate) const JUDGED: &[&str] = &[
    "entry", "answer", "item", "product", "settings", "now", "news", "cart", "order", "orders",
    "customer", "points", "session", "sessions", "journey",
];
