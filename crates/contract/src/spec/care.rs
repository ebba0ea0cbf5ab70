//! Events of points, complaints, answers and announcements (ADR 0016).

use super::FieldType::{Bool, Number, Text, Texts, Time};
use super::{EventSpec, event, may, need};

/// Named by [`super::ANNOUNCEMENTS`].
pub(super) const ANNOUNCEMENTS: &[&str] = &[
    "News Published",
    "Improvement Published",
    "Season Published",
    "Gathering Published",
];

/// In the order of the documentation.
pub(super) const EVENTS: &[EventSpec] = &[
    event(
        "Newsletter Subscribed",
        &[],
        false,
        &[may("list", Text), may("email", Text), may("phone", Text)],
        "welcome",
    ),
    event(
        "Points Credited",
        &[],
        false,
        &[
            may("points", Number),
            may("balance", Number),
            may("expiring", Number),
            may("expires_at", Time),
            may("order_id", Text),
            may("level", Text),
            may("to_next_level", Number),
            may("to_next_share", Number),
        ],
        "balance; level in sight",
    ),
    event(
        "Points Spent",
        &[],
        false,
        &[
            may("points", Number),
            may("balance", Number),
            may("expiring", Number),
            may("expires_at", Time),
        ],
        "balance; ends what asks to spend",
    ),
    event(
        "Points Burnt",
        &[],
        false,
        &[
            may("points", Number),
            may("balance", Number),
            may("expiring", Number),
            may("expires_at", Time),
        ],
        "balance",
    ),
    event(
        "Level Reached",
        &[],
        false,
        &[
            need("level", Text),
            may("to_next_level", Number),
            may("to_next_share", Number),
        ],
        "loyalty level",
    ),
    event(
        "Complaint Opened",
        &[],
        false,
        &[
            need("complaint_id", Text),
            may("order_id", Text),
            may("fault", Text),
            may("kind", Text),
        ],
        "no marketing while it is open",
    ),
    event(
        "Complaint Settled",
        &[],
        false,
        &[need("complaint_id", Text), may("remedy", Text)],
        "marketing goes on",
    ),
    event(
        "Survey Answered",
        &[],
        false,
        &[
            may("survey_id", Text),
            may("reason", Text),
            may("rating", Number),
        ],
        "stops the survey",
    ),
    event(
        "Churn Reason Recorded",
        &[],
        false,
        &[need("reason", Text)],
        "reason of leaving",
    ),
    event(
        "Call Completed",
        &[],
        false,
        &[
            may("task_id", Text),
            may("outcome", Text),
            may("agreed", Text),
        ],
        "result of a call",
    ),
    event(
        "Task Completed",
        &[],
        false,
        &[
            may("task_id", Text),
            may("outcome", Text),
            may("agreed", Text),
        ],
        "result of a task",
    ),
    event(
        "Invitation Answered",
        &[],
        false,
        &[may("gathering_id", Text), may("answer", Text)],
        "stops the invitation",
    ),
    event(
        super::PRODUCT_UPDATED,
        &[],
        true,
        &[
            may("available", Number),
            may("points", Number),
            may("removed", Bool),
        ],
        "price and stock of a product, for the catalogue",
    ),
    event(
        super::CUSTOMER_ERASED,
        &["User Deleted", "Account Deleted", "Customer Deleted"],
        false,
        &[may("email", Text), may("phone", Text)],
        "everything kept of the person goes",
    ),
    event(
        super::COUPONS_ADDED,
        &[],
        false,
        &[need("pool", Text), need("codes", Texts)],
        "single-use codes for a coupon pool",
    ),
    event(
        "Stock Alert Requested",
        &["Back In Stock Requested"],
        true,
        &[may("email", Text), may("phone", Text)],
        "wants to know when it is back",
    ),
    event(
        "News Published",
        &[],
        false,
        &[need("title", Text), may("url", Text), may("text", Text)],
        "announcement",
    ),
    event(
        "Improvement Published",
        &[],
        false,
        &[
            need("title", Text),
            may("url", Text),
            may("text", Text),
            may("reason", Text),
        ],
        "announcement to those who left for that reason",
    ),
    event(
        "Season Published",
        &[],
        false,
        &[
            need("title", Text),
            may("url", Text),
            may("text", Text),
            may("ends_at", Time),
        ],
        "announcement",
    ),
    event(
        "Gathering Published",
        &[],
        false,
        &[
            need("title", Text),
            may("gathering_id", Text),
            may("url", Text),
            may("city", Text),
            may("held_at", Time),
        ],
        "announcement",
    ),
];
