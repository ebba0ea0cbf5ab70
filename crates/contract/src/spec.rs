//! The table of canonical events: names, aliases and fields (`docs/events.md`; Segment v2, v1 and GA4 names).
//!
//! One table serves ingest (aliases, required fields), `winback check` (fields a condition may name) and the
//! JSON Schema of raw. Unknown events are accepted under their own name and are not listed here.

/// Whether a field must be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// Without it the record goes to `failed`.
    Required,
    /// May be absent.
    Optional,
}

/// The type of a field, as conditions see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldType {
    /// Text; numbers are taken as text.
    Text,
    /// A number; numeric text is taken too.
    Number,
    /// An amount in whole units; minor units inside.
    Amount,
    /// A truth value.
    Bool,
    /// A list of products.
    Products,
    /// RFC 3339.
    Time,
}

/// One field of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: FieldType,
    /// Whether it must be there.
    pub need: Need,
}

/// One canonical event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventSpec {
    /// The name campaigns use.
    pub name: &'static str,
    /// Segment v1, GA4 and CloudEvents type names that mean the same.
    pub aliases: &'static [&'static str],
    /// Its fields beside those of a product.
    pub fields: &'static [Field],
    /// Whether the properties are themselves one product.
    pub product: bool,
    /// What it is for.
    pub role: &'static str,
}

const fn need(name: &'static str, kind: FieldType) -> Field {
    Field {
        name,
        kind,
        need: Need::Required,
    }
}
const fn may(name: &'static str, kind: FieldType) -> Field {
    Field {
        name,
        kind,
        need: Need::Optional,
    }
}
const fn event(
    name: &'static str,
    aliases: &'static [&'static str],
    product: bool,
    fields: &'static [Field],
    role: &'static str,
) -> EventSpec {
    EventSpec {
        name,
        aliases,
        fields,
        product,
        role,
    }
}

use FieldType::{Amount, Bool, Number, Products, Text, Time};

/// Name of the conversion.
pub const ORDER_COMPLETED: &str = "Order Completed";
/// Name of the event derived when a cart loses its last line; never accepted from outside.
pub const CART_EMPTIED: &str = "Cart Emptied";
/// Names that winback derives itself; a storefront that sends one is refused.
pub const DERIVED: &[&str] = &[
    CART_EMPTIED,
    "Session Started",
    "Session Ended",
    "Journey Entered",
    "Journey Ended",
    "Step Reached",
    "Converted",
    "Exited",
];

/// Fields of a product, wherever one stands.
pub const PRODUCT_FIELDS: &[Field] = &[
    need("product_id", Text),
    may("sku", Text),
    may("variant", Text),
    may("name", Text),
    may("brand", Text),
    may("category", Text),
    may("price", Amount),
    may("currency", Text),
    may("quantity", Number),
    may("coupon", Text),
    may("discount", Amount),
    may("position", Number),
    may("url", Text),
    may("image_url", Text),
    may("in_stock", Bool),
];

/// All canonical events, in the order of the documentation.
pub const EVENTS: &[EventSpec] = &[
    event(
        "Page Viewed",
        &["page_view", "page", "Viewed Page"],
        false,
        &[
            may("path", Text),
            may("url", Text),
            may("title", Text),
            may("referrer", Text),
            may("category", Text),
        ],
        "session",
    ),
    event(
        "Products Searched",
        &["search"],
        false,
        &[need("query", Text), may("results_count", Number)],
        "intent",
    ),
    event(
        "Product List Viewed",
        &["view_item_list", "Viewed Product Category"],
        false,
        &[
            may("list_id", Text),
            may("category", Text),
            may("products", Products),
        ],
        "intent",
    ),
    event(
        "Product Clicked",
        &["select_item", "Clicked Product"],
        true,
        &[],
        "intent",
    ),
    event(
        "Product Viewed",
        &["view_item", "Viewed Product"],
        true,
        &[],
        "browse abandonment",
    ),
    event(
        "Product Added",
        &["add_to_cart", "Added Product"],
        true,
        &[need("cart_id", Text), may("value", Amount)],
        "opens a cart",
    ),
    event(
        "Product Removed",
        &["remove_from_cart", "Removed Product"],
        true,
        &[need("cart_id", Text)],
        "cart change; an empty cart cancels",
    ),
    event(
        "Cart Viewed",
        &["view_cart", "Viewed Cart"],
        false,
        &[
            need("cart_id", Text),
            may("products", Products),
            may("value", Amount),
        ],
        "keep-alive",
    ),
    event(
        "Cart Updated",
        &[],
        false,
        &[
            need("cart_id", Text),
            need("products", Products),
            may("total", Amount),
            may("currency", Text),
            may("checkout_url", Text),
            may("updated_at", Time),
        ],
        "server-side truth of a cart",
    ),
    event(
        "Checkout Started",
        &["begin_checkout", "Started Order"],
        false,
        &[
            may("checkout_id", Text),
            may("order_id", Text),
            may("cart_id", Text),
            may("value", Amount),
            may("revenue", Amount),
            may("currency", Text),
            may("products", Products),
            may("email", Text),
            may("phone", Text),
            may("coupon", Text),
        ],
        "checkout abandonment",
    ),
    event(
        "Checkout Step Completed",
        &["add_shipping_info", "Completed Checkout Step"],
        false,
        &[
            may("checkout_id", Text),
            may("step", Number),
            may("shipping_method", Text),
            may("payment_method", Text),
        ],
        "stage",
    ),
    event(
        "Payment Info Entered",
        &["add_payment_info"],
        false,
        &[
            may("checkout_id", Text),
            may("order_id", Text),
            may("payment_method", Text),
        ],
        "stage",
    ),
    event(
        "Payment Failed",
        &[],
        false,
        &[
            need("order_id", Text),
            may("checkout_id", Text),
            may("amount", Amount),
            may("currency", Text),
            may("reason", Text),
            may("retry_url", Text),
        ],
        "payment recovery",
    ),
    event(
        ORDER_COMPLETED,
        &["purchase", "Completed Order"],
        false,
        &[
            need("order_id", Text),
            may("checkout_id", Text),
            may("cart_id", Text),
            may("total", Amount),
            may("subtotal", Amount),
            may("revenue", Amount),
            may("value", Amount),
            may("shipping", Amount),
            may("tax", Amount),
            may("discount", Amount),
            may("coupon", Text),
            may("currency", Text),
            may("products", Products),
            may("email", Text),
            may("phone", Text),
        ],
        "conversion, stops cascades",
    ),
    event(
        "Order Updated",
        &["Updated Order"],
        false,
        &[
            need("order_id", Text),
            may("total", Amount),
            may("status", Text),
            may("products", Products),
        ],
        "state",
    ),
    event(
        "Order Cancelled",
        &["Cancelled Order"],
        false,
        &[
            need("order_id", Text),
            may("reason", Text),
            may("total", Amount),
        ],
        "undoes a conversion",
    ),
    event(
        "Order Refunded",
        &["refund", "Refunded Order"],
        false,
        &[
            need("order_id", Text),
            may("total", Amount),
            may("currency", Text),
        ],
        "lifetime value",
    ),
    event(
        "Order Shipped",
        &[],
        false,
        &[
            need("order_id", Text),
            may("carrier", Text),
            may("tracking_url", Text),
            may("eta", Time),
        ],
        "service message",
    ),
    event(
        "Order Delivered",
        &[],
        false,
        &[need("order_id", Text), may("delivered_at", Time)],
        "review request",
    ),
    event(
        "Coupon Applied",
        &[],
        false,
        &[
            may("order_id", Text),
            may("cart_id", Text),
            may("coupon_id", Text),
            may("discount", Amount),
        ],
        "incentives",
    ),
    event(
        "Coupon Denied",
        &[],
        false,
        &[
            may("order_id", Text),
            may("cart_id", Text),
            may("coupon_id", Text),
            may("reason", Text),
        ],
        "incentives",
    ),
    event(
        "Coupon Removed",
        &[],
        false,
        &[
            may("order_id", Text),
            may("cart_id", Text),
            may("coupon_id", Text),
        ],
        "incentives",
    ),
    event(
        "Product Added to Wishlist",
        &["add_to_wishlist"],
        true,
        &[may("wishlist_id", Text)],
        "price-drop audience",
    ),
    event(
        "Product Removed from Wishlist",
        &[],
        true,
        &[may("wishlist_id", Text)],
        "price-drop audience",
    ),
    event(
        "Product Reviewed",
        &[],
        false,
        &[
            need("product_id", Text),
            may("review_id", Text),
            may("rating", Number),
        ],
        "stops the review request",
    ),
    event(
        "Promotion Viewed",
        &["view_promotion", "Viewed Promotion"],
        false,
        &[
            may("promotion_id", Text),
            may("creative", Text),
            may("name", Text),
            may("position", Text),
        ],
        "intent",
    ),
    event(
        "Promotion Clicked",
        &["select_promotion", "Clicked Promotion"],
        false,
        &[
            may("promotion_id", Text),
            may("creative", Text),
            may("name", Text),
            may("position", Text),
        ],
        "intent",
    ),
    event(
        "Signed Up",
        &["sign_up"],
        false,
        &[may("method", Text)],
        "welcome",
    ),
    event(
        "Signed In",
        &["login"],
        false,
        &[may("method", Text)],
        "joins the anonymous profile",
    ),
    event("Identified", &["identify"], false, &[], "profile"),
    event(
        "Consent Updated",
        &[],
        false,
        &[
            need("channel", Text),
            may("topic", Text),
            need("status", Text),
            may("source", Text),
            may("legal_basis", Text),
            may("at", Time),
            may("proof", Text),
        ],
        "gate before every send",
    ),
];

/// Finds an event by its canonical name or an alias, ignoring case.
pub fn lookup(name: &str) -> Option<&'static EventSpec> {
    EVENTS.iter().find(|spec| {
        spec.name.eq_ignore_ascii_case(name)
            || spec
                .aliases
                .iter()
                .any(|alias| alias.eq_ignore_ascii_case(name))
    })
}

/// GA4's names of product fields, and ours.
pub const PRODUCT_ALIASES: &[(&str, &str)] = &[
    ("item_id", "product_id"),
    ("id", "product_id"),
    ("item_name", "name"),
    ("item_brand", "brand"),
    ("item_category", "category"),
    ("item_variant", "variant"),
    ("index", "position"),
    ("imageUrl", "image_url"),
];

/// Other names of event fields, and ours.
pub const PROPERTY_ALIASES: &[(&str, &str)] = &[
    ("transaction_id", "order_id"),
    ("orderId", "order_id"),
    ("cartId", "cart_id"),
    ("items", "products"),
    ("checkoutId", "checkout_id"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_one_event() {
        let mut seen = std::collections::BTreeSet::new();
        for spec in EVENTS {
            for name in std::iter::once(&spec.name).chain(spec.aliases) {
                assert!(seen.insert(name.to_lowercase()), "{name} stands twice");
                assert_eq!(lookup(name).map(|found| found.name), Some(spec.name));
            }
        }
        assert_eq!(
            lookup("completed order").map(|spec| spec.name),
            Some(ORDER_COMPLETED)
        );
        assert!(DERIVED.iter().all(|name| lookup(name).is_none()));
    }
}
