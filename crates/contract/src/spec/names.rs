//! Names as shops write them: case, underscores, blanks, breaks between words and the order of words make no difference.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use super::{DERIVED, EventSpec, events};

/// The words of a name, small, sorted: `order_completed`, `OrderCompleted` and `Completed Order` are one.
fn key(name: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut before: Option<char> = None;
    for c in name.chars() {
        let is_break = !c.is_alphanumeric()
            || c.is_uppercase() && before.is_some_and(|before| before.is_lowercase());
        if is_break && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        before = Some(c);
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words.sort_unstable();
    words.join(" ")
}

fn table() -> &'static HashMap<String, &'static EventSpec> {
    static TABLE: OnceLock<HashMap<String, &'static EventSpec>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = HashMap::new();
        for spec in events() {
            for name in std::iter::once(&spec.name).chain(spec.aliases) {
                // The first of two that are one by their words wins; the exact names are looked up before.
                table.entry(key(name)).or_insert(spec);
            }
        }
        table
    })
}

/// What tools put before a name. Another word may say that it is quite another thing: `failed.purchase`.
const TOOLS: &[&str] = &[
    "ecommerce",
    "e-commerce",
    "commerce",
    "shop",
    "store",
    "event",
    "events",
    "track",
    "custom",
    "web",
    "app",
    "mobile",
    "site",
    "braze",
    "segment",
    "analytics",
    "ga4",
    "gtm",
    "shopify",
    "woocommerce",
    "magento",
    "klaviyo",
    "rudderstack",
];

/// Finds an event by its canonical name or an alias.
pub fn lookup(name: &str) -> Option<&'static EventSpec> {
    let exact = || {
        events().find(|spec| {
            spec.name.eq_ignore_ascii_case(name)
                || spec
                    .aliases
                    .iter()
                    .any(|alias| alias.eq_ignore_ascii_case(name))
        })
    };
    exact()
        .or_else(|| table().get(&key(name)).copied())
        .or_else(|| {
            // A name with its tool's own in front: `ecommerce.order_placed`, `shop/Order Placed`.
            let (before, last) = name.rsplit_once(['.', '/', ':'])?;
            let is_tool = TOOLS.contains(&before.to_lowercase().as_str());
            is_tool.then(|| lookup(last)).flatten()
        })
}

fn derived() -> &'static HashSet<String> {
    static KEYS: OnceLock<HashSet<String>> = OnceLock::new();
    KEYS.get_or_init(|| DERIVED.iter().map(|name| key(name)).collect())
}

/// Whether a name is one that only winback itself makes.
pub fn is_derived(name: &str) -> bool {
    lookup(name).is_none() && derived().contains(&key(name))
}

/// The known name that an unknown one is nearly: a letter or two of its words differ.
pub fn nearest(name: &str) -> Option<&'static str> {
    let written = key(name);
    let most = if written.len() < 8 { 1 } else { 2 };
    table()
        .iter()
        // Nearly all are told apart by their lengths: every record with a name of the shop's own is asked about.
        .filter(|(known, _)| known.len().abs_diff(written.len()) <= 2 * most)
        .map(|(known, spec)| (distance(&written, known), spec.name))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, name)| name)
}

/// Letters to add, drop or change.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, a) in one.chars().enumerate() {
        let mut corner = line;
        row[0] = line + 1;
        for (column, b) in other.iter().enumerate() {
            let changed = corner + usize::from(a != *b);
            corner = row[column + 1];
            row[column + 1] = changed.min(corner + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_its_words() {
        for name in [
            "Order Completed",
            "order_completed",
            "OrderCompleted",
            "ORDER-COMPLETED",
            "Completed Order",
            "orderCompleted",
            "purchase",
            "Placed Order",
            "placed_order",
            "ecommerce.order_placed",
        ] {
            assert_eq!(
                lookup(name).map(|spec| spec.name),
                Some("Order Completed"),
                "{name}"
            );
        }
        assert_eq!(
            lookup("Searched Products").map(|spec| spec.name),
            Some("Products Searched")
        );
        assert_eq!(lookup("Order Compleet"), None);
        assert_eq!(lookup("failed.purchase"), None);
        assert!(
            is_derived("cart_emptied") && is_derived("Emptied Cart") && !is_derived("Cart Updated")
        );
    }

    #[test]
    fn what_is_nearly_known_is_named() {
        assert_eq!(nearest("Order Complete"), Some("Order Completed"));
        assert_eq!(nearest("produkt_added"), Some("Product Added"));
        assert_eq!(nearest("Bananas Peeled"), None);
        assert_eq!(nearest("x"), None);
    }
}
