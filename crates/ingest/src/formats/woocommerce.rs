//! Payloads of `WooCommerce`'s webhooks: orders in all their states, and customers.
//!
//! An order begins as a checkout that is not paid: it is one for winback once it is paid or to be paid on delivery. Its times
//! `…_gmt` name no zone and are of UTC; an account of number 0 is a guest.

use serde_json::{Map, Value, json};
use winback_contract::FailedReason;

use super::{code_of, first, get, inner, lines, unsupported, version};
use crate::fields::Refusal;

const NAME: &str = "woocommerce";

/// See [`super::translate`].
pub(super) fn call(topic: Option<&str>, body: &Map<String, Value>) -> Result<Value, Refusal> {
    let is_order = body.contains_key("line_items") && body.contains_key("status");
    let is_customer = body.contains_key("username") || body.contains_key("is_paying_customer");
    let call = match topic {
        Some("order.created" | "order.updated" | "order.restored") => order(body)?,
        Some("order.deleted") => {
            return Err(unsupported(
                NAME,
                "an order in the bin names nobody: cancel it first",
            ));
        }
        Some("customer.created" | "customer.updated") => customer(body),
        Some("customer.deleted") => {
            return Err(unsupported(
                NAME,
                "an account that is deleted names its number alone: send `Customer Erased` for it",
            ));
        }
        Some(_) => {
            return Err(unsupported(
                NAME,
                "this topic tells nothing of orders or customers: don't make a webhook of it here",
            ));
        }
        None if is_order => order(body)?,
        None if is_customer => customer(body),
        None => {
            return Err(Refusal::new(
                FailedReason::MissingField,
                "woocommerce: this is no order and no customer: pass the header X-WC-Webhook-Topic on",
            ));
        }
    };
    Ok(call)
}

/// A time of a field `…_gmt`.
fn time(body: &Map<String, Value>, name: &str) -> Value {
    match get(body, &format!("{name}_gmt")).as_str() {
        Some(text) if !text.is_empty() => json!(format!("{}Z", text.trim_end_matches('Z'))),
        _ => get(body, name),
    }
}

fn order(body: &Map<String, Value>) -> Result<Value, Refusal> {
    let status = get(body, "status");
    let word = status
        .as_str()
        .unwrap_or_default()
        .trim_start_matches("wc-");
    let event = match word {
        "processing" | "on-hold" | "completed" => "Order Completed",
        "pending" | "checkout-draft" => "Checkout Started",
        "failed" => "Payment Failed",
        "cancelled" | "trash" => "Order Cancelled",
        "refunded" => "Order Refunded",
        // A status of a plugin's: the order is under way.
        _ => "Order Updated",
    };
    let is_order = event != "Checkout Started";
    let created = time(body, "date_created");
    let changed = first([time(body, "date_modified"), created.clone()]);
    // Queues keep no order: a checkout is of its beginning and an order of its payment, whenever they are told.
    let at = match event {
        "Order Completed" => first([time(body, "date_paid"), created]),
        "Checkout Started" => created,
        _ => changed.clone(),
    };
    let (order_id, checkout_id) = if is_order {
        (get(body, "id"), Value::Null)
    } else {
        (Value::Null, get(body, "id"))
    };
    // What is wholly refunded is taken back by what is left of it.
    let total = if event == "Order Refunded" {
        Value::Null
    } else {
        get(body, "total")
    };
    Ok(json!({
        "type": "track",
        "event": event,
        // An order is the same however often its states are told.
        "messageId": version(event, &get(body, "id"), &changed),
        "userId": account(&get(body, "customer_id")),
        "timestamp": at,
        "channel": if is_order { json!("server") } else { Value::Null },
        "properties": {
            "order_id": order_id,
            "checkout_id": checkout_id,
            "order_number": get(body, "number"),
            "email": inner(body, "billing", "email"),
            "phone": inner(body, "billing", "phone"),
            "total": total,
            "currency": get(body, "currency"),
            "products": lines(body, line),
            "coupon": code_of(body, "coupon_lines"),
            "status": if event == "Order Updated" { json!(word) } else { Value::Null },
            "checkout_url": get(body, "payment_url"),
        },
    }))
}

/// A guest has account 0.
fn account(id: &Value) -> Value {
    let is_guest = matches!(id.as_u64(), Some(0)) || id.as_str() == Some("0");
    if is_guest { Value::Null } else { id.clone() }
}

/// The words of a variation: its name goes on behind that of its product, as in `Shirt - L`.
fn variation(line: &Map<String, Value>) -> Value {
    let name = get(line, "name");
    let parent = get(line, "parent_name");
    let behind = name.as_str().zip(parent.as_str());
    let behind = behind.and_then(|(name, parent)| name.strip_prefix(parent)?.strip_prefix(" - "));
    behind.map_or(Value::Null, Value::from)
}

fn line(line: &Map<String, Value>) -> Value {
    json!({
        "product_id": first([get(line, "product_id"), get(line, "variation_id"), get(line, "sku")]),
        "name": first([get(line, "parent_name"), get(line, "name")]),
        "variant": variation(line),
        "sku": first([get(line, "sku"), account(&get(line, "variation_id"))]),
        "price": get(line, "price"),
        "quantity": get(line, "quantity"),
        "image_url": inner(line, "image", "src"),
    })
}

fn customer(body: &Map<String, Value>) -> Value {
    let changed = first([time(body, "date_modified"), time(body, "date_created")]);
    json!({
        "type": "identify",
        "messageId": version("customer", &get(body, "id"), &changed),
        "userId": account(&get(body, "id")),
        "timestamp": changed,
        "channel": "server",
        "traits": {
            "email": first([get(body, "email"), inner(body, "billing", "email")]),
            "phone": inner(body, "billing", "phone"),
            "first_name": first([get(body, "first_name"), inner(body, "billing", "first_name")]),
            "last_name": first([get(body, "last_name"), inner(body, "billing", "last_name")]),
            "country": inner(body, "billing", "country"),
            "city": inner(body, "billing", "city"),
        },
    })
}
