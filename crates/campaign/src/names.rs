//! Names that conditions may use, for checking files before they go live (grammar §5, the part that exists).

/// A variable and its fields; an empty list means that any field may be asked.
pub const VARIABLES: &[(&str, &[&str])] = &[
    ("now", &[]),
    ("settings", &[]),
    (
        "event",
        &[
            "name",
            "at",
            "arrived",
            "cart_id",
            "order_id",
            "checkout_id",
            "product_id",
            "price",
            "category",
            "quantity",
            "total",
            "value",
            "url",
            "properties",
        ],
    ),
    (
        "entry",
        &[
            "name",
            "at",
            "arrived",
            "cart_id",
            "order_id",
            "checkout_id",
            "product_id",
            "price",
            "category",
            "total",
        ],
    ),
    (
        "customer",
        &[
            "known",
            "reachable",
            "locale",
            "zone",
            "city",
            "country",
            "created_at",
            "last_visit",
            "birthday",
        ],
    ),
    (
        "cart",
        &[
            "id",
            "url",
            "open",
            "checkout_started",
            "items",
            "total",
            "updated_at",
        ],
    ),
    ("order", &["id", "total", "placed_at"]),
    (
        "orders",
        &["count", "total", "average", "first_at", "last_at", "silent"],
    ),
    (
        "journey",
        &[
            "key",
            "started_at",
            "delivered",
            "opened",
            "clicked",
            "replied",
            "visited",
        ],
    ),
];

/// Functions beside CEL's own.
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
