//! Names and types that conditions may use (ADR 0014). One table serves checking, samples and the docs.

use winback_contract::spec::{self, FieldType};

/// The type of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Yes or no.
    Bool,
    /// A whole number.
    Int,
    /// A number; money is in whole units of the shop's currency.
    Number,
    /// Words.
    Text,
    /// A moment.
    Time,
    /// A day, written as a text.
    Date,
    /// A length of time.
    Duration,
    /// A list of texts.
    Texts,
    /// A list of products.
    Products,
    /// Text to number.
    Numbers,
    /// Anything, by any name.
    Any,
}

use Kind::{Any, Bool, Date, Duration, Int, Number, Numbers, Products, Text, Texts, Time};

/// A variable and its fields; an empty list means that it is a value itself, or that any field may be asked.
pub const VARIABLES: &[(&str, &[(&str, Kind)])] = &[
    ("now", &[]),
    ("settings", &[]),
    (
        "news",
        &[
            ("name", Text),
            ("title", Text),
            ("url", Text),
            ("text", Text),
            ("published_at", Time),
        ],
    ),
    ("event", EVENT),
    ("answer", EVENT),
    ("entry", ENTRY),
    (
        "item",
        &[
            ("product_id", Text),
            ("name", Text),
            ("category", Text),
            ("price", Number),
            ("quantity", Int),
            ("variant", Text),
            ("sku", Text),
            ("brand", Text),
            ("fields", Any),
        ],
    ),
    (
        "product",
        &[
            ("product_id", Text),
            ("name", Text),
            ("category", Text),
            ("price", Number),
            ("was", Number),
            ("seen_price", Number),
            ("available", Int),
            ("variant", Text),
            ("sku", Text),
            ("brand", Text),
            ("fields", Any),
        ],
    ),
    (
        "customer",
        &[
            ("known", Bool),
            ("reachable", Bool),
            ("complaint_open", Bool),
            ("waits_for_offers", Bool),
            ("locale", Text),
            ("zone", Text),
            ("city", Text),
            ("country", Text),
            ("level", Text),
            ("churn_reason", Text),
            ("preferred_channel", Text),
            ("birthday", Date),
            ("created_at", Time),
            ("last_visit", Time),
            ("unanswered", Int),
            ("interests", Numbers),
            ("score", Number),
            ("value", Number),
            ("loyalty", Number),
            ("upsell", Number),
            ("influence", Number),
            ("cost", Number),
            ("rfm", Any),
            ("traits", Any),
        ],
    ),
    (
        "session",
        &[
            ("started_at", Time),
            ("ended_at", Time),
            ("viewed", Products),
            ("categories", Texts),
            ("searches", Texts),
            ("pages", Int),
        ],
    ),
    ("sessions", &[("count", Int)]),
    (
        "cart",
        &[
            ("id", Text),
            ("url", Text),
            ("open", Bool),
            ("checkout_started", Bool),
            ("items", Products),
            ("total", Number),
            ("updated_at", Time),
        ],
    ),
    (
        "order",
        &[
            ("id", Text),
            ("status", Text),
            ("coupon", Text),
            ("placed_at", Time),
            ("promised_at", Time),
            ("delivered_at", Time),
            ("total", Number),
            ("lines", Products),
            ("product_ids", Texts),
        ],
    ),
    (
        "orders",
        &[
            ("count", Int),
            ("total", Number),
            ("average", Number),
            ("first_at", Time),
            ("last_at", Time),
            ("silent", Duration),
            ("gap", Duration),
            ("interval", Duration),
        ],
    ),
    (
        "points",
        &[
            ("balance", Number),
            ("expiring", Number),
            ("earned", Number),
            ("to_next_level", Number),
            ("to_next_share", Number),
            ("expires_at", Time),
            ("level", Text),
        ],
    ),
    (
        "journey",
        &[
            ("key", Text),
            ("started_at", Time),
            ("variant", Any),
            ("delivered", Bool),
            ("opened", Bool),
            ("clicked", Bool),
            ("replied", Bool),
            ("visited", Bool),
        ],
    ),
];

/// What every event has; fields of its schema are allowed too.
const EVENT: &[(&str, Kind)] = &[
    ("name", Text),
    ("at", Time),
    ("arrived", Time),
    ("cart_id", Text),
    ("order_id", Text),
    ("checkout_id", Text),
    ("product_id", Text),
    ("price", Number),
    ("category", Text),
    ("quantity", Int),
    ("total", Number),
    ("value", Number),
    ("url", Text),
    ("products", Products),
    ("properties", Any),
    ("campaign", Text),
    ("outcome", Text),
    ("was", Number),
    ("variant", Text),
    ("brand", Text),
];

/// What began a journey.
const ENTRY: &[(&str, Kind)] = &[
    ("name", Text),
    ("at", Time),
    ("arrived", Time),
    ("cart_id", Text),
    ("order_id", Text),
    ("checkout_id", Text),
    ("product_id", Text),
    ("total", Number),
    ("date", Time),
    ("campaign", Text),
    ("outcome", Text),
];

/// Functions of winback: the name, and how many arguments each takes.
pub const CALLS: &[(&str, usize)] = &[
    ("segment", 1),
    ("campaign", 1),
    ("bucket", 1),
    ("can", 1),
    ("bought", 2),
    ("viewed", 2),
    ("usual", 1),
    ("local", 1),
    ("sent", 1),
    ("orders_within", 1),
    ("sessions_within", 1),
];

/// Functions that make durations.
pub const FUNCTIONS: &[&str] = &["days", "hours", "minutes"];

/// CEL's own functions and operators that campaigns may use.
pub const BUILT_IN: &[&str] = &[
    "size",
    "has",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "all",
    "exists",
    "exists_one",
    "filter",
    "map",
    "string",
    "double",
    "int",
    "uint",
    "max",
    "min",
    "duration",
    "timestamp",
];

/// What there is of a product in a list.
pub const PRODUCT: &[&str] = &[
    "product_id",
    "name",
    "category",
    "price",
    "quantity",
    "url",
    "image_url",
    "variant",
    "sku",
    "brand",
    "fields",
];
/// What `campaign('name')` tells.
pub const CAMPAIGN: &[&str] = &[
    "active",
    "count",
    "first_at",
    "last_at",
    "converted_at",
    "outcome",
];

/// The type of a field of a variable; fields of events' schemas count for `event`, `answer` and `entry`.
pub fn kind(variable: &str, field: &str) -> Option<Kind> {
    let (_, fields) = VARIABLES.iter().find(|(name, _)| *name == variable)?;
    if fields.is_empty() {
        return Some(Any);
    }
    let own = fields.iter().find(|(name, _)| *name == field);
    if let Some((_, kind)) = own {
        return Some(*kind);
    }
    if !["event", "answer", "entry"].contains(&variable) {
        return None;
    }
    spec::events()
        .flat_map(|event| event.fields)
        .find(|known| known.name == field)
        .map(|known| match known.kind {
            FieldType::Text => Text,
            FieldType::Number | FieldType::Amount => Number,
            FieldType::Bool => Bool,
            FieldType::Time => Time,
            FieldType::Products => Products,
            FieldType::Texts => Texts,
        })
}

/// Names of the fields of a variable, for suggestions.
pub fn fields(variable: &str) -> Vec<&'static str> {
    VARIABLES
        .iter()
        .filter(|(name, _)| *name == variable)
        .flat_map(|(_, fields)| fields.iter().map(|(name, _)| *name))
        .collect()
}
