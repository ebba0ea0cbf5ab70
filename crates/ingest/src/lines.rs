//! The products of an event. A line that can't be read is left out; the others stand.

use std::collections::BTreeMap;

use serde_json::Value;
use winback_contract::spec::{self, EventSpec};
use winback_contract::{Currency, Product};

use crate::fields::Fields;
use crate::normalise::product_names;
use crate::notes::Why;
use crate::own;
use crate::values::number::currency as read_currency;

/// Most products kept of one event; the rest is dropped and shows in `more` of the cart.
const PRODUCTS: usize = 100;

/// Most fields of the shop's own that a line keeps, and how many bytes of them.
const OWN: usize = 16;
const OWN_BYTES: usize = 256;
/// Fields that speak of the event where it is one product itself, or have a place of their own.
const OF_EVENTS: &[&str] = &[
    "cart_id",
    "order_id",
    "checkout_id",
    "wishlist_id",
    "value",
    "total",
    "revenue",
    "email",
    "phone",
    "variant_id",
];

/// The list, or the event itself where it is one product; `None` where there is neither.
pub(crate) fn products(
    fields: &Fields<'_>,
    known: Option<&EventSpec>,
    currency: Option<Currency>,
) -> Option<Vec<Product>> {
    if let Some(list) = fields.list("products") {
        if list.len() > PRODUCTS {
            fields.note("products", Why::TooMany);
        }
        let lines = list.iter().enumerate().take(PRODUCTS);
        let read: Vec<Line> = lines
            .map(|(index, value)| line(fields, index, value, currency))
            .collect();
        // Lines of which none can be read are no empty list.
        let is_unread = read.iter().any(|line| matches!(line, Line::Unread))
            && !read.iter().any(|line| matches!(line, Line::Is(_)));
        let products = read.into_iter().filter_map(|line| match line {
            Line::Is(product) => Some(*product),
            Line::Nothing | Line::Unread => None,
        });
        return (!is_unread).then(|| products.collect());
    }
    let is_product = known.is_some_and(|spec| spec.product);
    let one = || {
        let map = product_names(fields.map);
        let own = Fields {
            map: &map,
            ..*fields
        };
        product(&own, currency)
    };
    is_product.then(|| one().into_iter().collect())
}

/// One entry of a list.
enum Line {
    Is(Box<Product>),
    /// Of quantity 0: it is no line.
    Nothing,
    Unread,
}

fn line(fields: &Fields<'_>, index: usize, value: &Value, currency: Option<Currency>) -> Line {
    let place = format!("products[{index}].");
    let map = match value {
        Value::Object(map) => product_names(map),
        _ => {
            fields.note(&format!("products[{index}]"), Why::Unreadable);
            return Line::Unread;
        }
    };
    let own = Fields {
        map: &map,
        place: &place,
        ..*fields
    };
    // A line of nothing is no line.
    let is_nothing = own.map.get("quantity").is_some() && own.count("quantity") == Some(0);
    if is_nothing {
        return Line::Nothing;
    }
    match product(&own, currency) {
        Some(product) => Line::Is(Box::new(product)),
        None => {
            fields.note(&format!("products[{index}]"), Why::Unreadable);
            Line::Unread
        }
    }
}

fn product(own: &Fields<'_>, currency: Option<Currency>) -> Option<Product> {
    let product_id = own
        .text("product_id")
        .or_else(|| own.text("variant_id"))
        .or_else(|| own.text("sku"))?;
    // A line may be priced in a currency of its own.
    let currency = match own.text("currency") {
        Some(text) => read_currency(&text),
        None => currency,
    };
    Some(Product {
        product_id,
        name: own.text("name"),
        category: own.text("category"),
        price: own.money("price", currency),
        quantity: own.count("quantity").unwrap_or(1).max(1),
        url: own.url("url"),
        image_url: own.url("image_url"),
        in_stock: own.flag("in_stock"),
        variant: own.text("variant"),
        // A number of a size is no word for it: it tells lines apart, and no mail shows it.
        sku: own.text("sku").or_else(|| own.text("variant_id")),
        brand: own.text("brand"),
        fields: own_fields(own),
    })
}

/// What the shop adds to a line, as many as there is room for (INV-12).
fn own_fields(fields: &Fields<'_>) -> BTreeMap<String, Value> {
    let mut kept = BTreeMap::new();
    let mut bytes = 0;
    for (name, value) in own::in_order(fields.map) {
        let is_ours = spec::PRODUCT_FIELDS.iter().any(|field| field.name == name)
            || OF_EVENTS.contains(&name.as_str());
        if is_ours || name.len() > 64 {
            continue;
        }
        let (value, is_cut) = own::own(value);
        let Some(value) = value else { continue };
        bytes += name.len() + own::bytes(&value);
        if is_cut {
            fields.note(name, Why::TooMany);
        }
        if kept.len() == OWN || bytes > OWN_BYTES {
            fields.note(name, Why::TooMany);
            break;
        }
        kept.insert(name.clone(), value);
    }
    kept
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use serde_json::json;
    use winback_contract::Currency;

    use super::*;
    use crate::customs::Customs;
    use crate::notes::Notes;

    fn read(properties: &Value, name: &str) -> (Vec<Product>, Vec<String>) {
        let customs = Customs::new(Currency::parse("EUR").unwrap());
        let notes = Notes::default();
        let fields = Fields {
            map: properties.as_object().unwrap(),
            place: "",
            notes: &notes,
            customs: &customs,
        };
        let lines = products(&fields, spec::lookup(name), Some(customs.currency)).unwrap();
        let noted = notes.take().into_iter().map(|note| note.field);
        (lines, noted.collect())
    }

    #[test]
    fn a_line_keeps_what_the_shop_adds() {
        let line = json!({ "item_id": "p1", "item_variant": "L", "item_brand": "Lavo", "sku": "S", "colour": "blue",
            "weight": 1.5, "gift": true, "tags": ["a"], "nothing": null, "price": 3, "position": 2 });
        for (properties, name) in [
            (json!({ "products": [line] }), "Cart Updated"),
            (line, "Product Added"),
        ] {
            let (lines, noted) = read(&properties, name);
            let line = &lines[0];
            assert_eq!(line.variant.as_deref(), Some("L"));
            assert_eq!(line.brand.as_deref(), Some("Lavo"));
            assert_eq!(line.sku.as_deref(), Some("S"));
            let own = json!({ "colour": "blue", "weight": 1.5, "gift": true, "tags": ["a"] });
            assert_eq!(json!(line.fields), own);
            assert_eq!(noted, [""; 0]);
        }
        // What speaks of the event is none of the line's.
        let added =
            json!({ "product_id": "p1", "cart_id": "c", "value": 5, "email": "ann@example.com" });
        assert!(read(&added, "Product Added").0[0].fields.is_empty());
    }

    #[test]
    fn what_a_shop_adds_is_bounded() {
        let mut many = json!({ "product_id": "p1" });
        for number in 0..40 {
            many[format!("f{number}")] = json!(number);
        }
        let (lines, noted) = read(&many, "Product Added");
        assert_eq!((lines[0].fields.len(), noted.len()), (16, 1));
        let deep = json!({ "product_id": "p1", "a": { "b": "x".repeat(250) }, "colour": "blue" });
        let (lines, _) = read(&deep, "Product Added");
        assert_eq!(lines[0].fields["colour"], "blue", "plain ones first");
        let long = json!({ "product_id": "p1", "a": "x".repeat(200), "b": "y".repeat(200) });
        let (lines, noted) = read(&long, "Product Added");
        assert_eq!((lines[0].fields.len(), noted.len()), (1, 1));
    }
}
