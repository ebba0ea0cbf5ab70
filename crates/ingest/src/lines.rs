//! The products of an event. A line that can't be read is left out; the others stand.

use serde_json::Value;
use winback_contract::spec::EventSpec;
use winback_contract::{Currency, Product};

use crate::fields::Fields;
use crate::normalise::product_names;
use crate::notes::Why;
use crate::values::number::currency as read_currency;

/// Most products kept of one event; the rest is dropped and shows in `more` of the cart.
const PRODUCTS: usize = 100;

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
    })
}
