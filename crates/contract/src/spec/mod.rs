//! The table of canonical events: names, aliases and fields (`docs/events.md`; Segment v2, v1 and GA4 names).
//!
//! One table serves ingest (aliases, required fields), `winback check` (fields a condition may name) and the
//! JSON Schema of raw. Unknown events are accepted under their own name and are not listed here.

mod care;
pub mod guide;
mod names;
mod shopping;

pub use names::{is_derived, lookup, nearest};

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
    /// A list of texts.
    Texts,
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

use FieldType::{Amount, Bool, Number, Text};

/// Name of the conversion.
pub const ORDER_COMPLETED: &str = "Order Completed";
/// Name of the event derived when a cart loses its last line; never accepted from outside.
pub const CART_EMPTIED: &str = "Cart Emptied";
/// Name of the event derived from a journey's end.
pub const JOURNEY_ENDED: &str = "Journey Ended";
/// Name of the event derived when a session begins.
pub const SESSION_STARTED: &str = "Session Started";
/// Name of the event derived when a product's price falls.
pub const PRICE_DROPPED: &str = "Price Dropped";
/// Name of the event derived when it rises.
pub const PRICE_RAISED: &str = "Price Raised";
/// Name of the event derived when a product can be bought again.
pub const BACK_IN_STOCK: &str = "Back In Stock";
/// Name of the event derived when it no longer can.
pub const OUT_OF_STOCK: &str = "Out Of Stock";
/// Name of the shop's word about a product: about nobody, kept in `catalogue`.
pub const PRODUCT_UPDATED: &str = "Product Updated";
/// Name of the shop's new single-use codes for a coupon pool: about nobody.
pub const COUPONS_ADDED: &str = "Coupons Added";
/// Name of the word that a person is to be forgotten.
pub const CUSTOMER_ERASED: &str = "Customer Erased";
/// Names that winback derives itself; a storefront that sends one is refused.
pub const DERIVED: &[&str] = &[
    CART_EMPTIED,
    SESSION_STARTED,
    PRICE_DROPPED,
    PRICE_RAISED,
    BACK_IN_STOCK,
    OUT_OF_STOCK,
    "Session Ended",
    "Journey Entered",
    JOURNEY_ENDED,
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
pub fn events() -> impl Iterator<Item = &'static EventSpec> + Clone {
    shopping::EVENTS.iter().chain(care::EVENTS)
}

/// Events of the shop, not of a customer: the newest of each name is kept, and campaigns may tell everybody.
pub const ANNOUNCEMENTS: &[&str] = care::ANNOUNCEMENTS;

/// Whether an event is about nobody: the shop itself, or its goods.
pub fn is_about_the_shop(name: &str) -> bool {
    name == PRODUCT_UPDATED || name == COUPONS_ADDED || ANNOUNCEMENTS.contains(&name)
}

/// Events that the shop's own systems tell: the customer was not there.
const BACK_OFFICE: &[&str] = &[
    "Order Updated",
    "Order Cancelled",
    "Order Refunded",
    "Order Shipped",
    "Order Delivered",
    "Consent Updated",
    "Points Credited",
    "Points Spent",
    "Points Burnt",
    "Level Reached",
    "Complaint Opened",
    "Complaint Settled",
    "Churn Reason Recorded",
    "Call Completed",
    "Task Completed",
    "Unsubscribed",
    "Email Marked as Spam",
    "Email Bounced",
    "Email Delivered",
    "Email Opened",
    "Email Link Clicked",
    CUSTOMER_ERASED,
];

/// Whether an event says that the customer was at the storefront: idle delays start anew, and a journey has a visit.
pub fn is_activity(name: &str) -> bool {
    !BACK_OFFICE.contains(&name)
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
    ("availability", "in_stock"),
    ("is_in_stock", "in_stock"),
    ("stock_status", "in_stock"),
    ("productId", "product_id"),
    ("productID", "product_id"),
    ("ProductID", "product_id"),
    ("item_category_1", "category"),
    ("title", "name"),
    ("ProductName", "name"),
    ("ItemPrice", "price"),
    ("Quantity", "quantity"),
    ("ImageURL", "image_url"),
    ("ProductURL", "url"),
];

/// Other names of event fields, and ours.
pub const PROPERTY_ALIASES: &[(&str, &str)] = &[
    ("transaction_id", "order_id"),
    ("orderId", "order_id"),
    ("cartId", "cart_id"),
    ("items", "products"),
    ("checkoutId", "checkout_id"),
    ("search_term", "query"),
    ("orderID", "order_id"),
    ("OrderId", "order_id"),
    ("cart_token", "cart_id"),
    ("review_body", "text"),
    ("checkoutUrl", "checkout_url"),
    ("CheckoutURL", "checkout_url"),
    ("Items", "products"),
    ("grand_total", "total"),
    ("total_price", "total"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_one_event() {
        let mut seen = std::collections::BTreeSet::new();
        for spec in events() {
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
