//! Payloads of Shopify's webhooks: orders, checkouts, carts, customers and what they consent to.
//!
//! A payload without the header `X-Shopify-Topic` is told by the fields that only its kind has. A cart knows nobody: its
//! token stands for the device, and the checkout or the order that names it says whose it is.

use serde_json::{Map, Value, json};
use winback_contract::FailedReason;

use super::{code_of, first, get, inner, lines, unsupported, version};
use crate::fields::Refusal;

const NAME: &str = "shopify";

/// See [`super::translate`].
pub(super) fn call(topic: Option<&str>, body: &Map<String, Value>) -> Result<Value, Refusal> {
    let topic = topic.or_else(|| kind_of(body)).ok_or_else(|| {
        Refusal::new(
            FailedReason::MissingField,
            "shopify: this is no order, checkout, cart or customer: pass the header X-Shopify-Topic on",
        )
    })?;
    let call = match topic {
        "orders/create" | "orders/paid" => order("Order Completed", body, "created_at"),
        "orders/updated" | "orders/partially_fulfilled" => {
            order("Order Updated", body, "updated_at")
        }
        "orders/fulfilled" => order("Order Shipped", body, "updated_at"),
        "orders/cancelled" => order("Order Cancelled", body, "cancelled_at"),
        "checkouts/create" | "checkouts/update" => checkout(body)?,
        "carts/create" | "carts/update" => cart(body),
        "customers/create" | "customers/update" | "customers/enable" => customer(body),
        "customers_email_marketing_consent/update" => {
            consent("email", "email_marketing_consent", body)
        }
        "customers_marketing_consent/update" | "customers_sms_marketing_consent/update" => {
            consent("sms", "sms_marketing_consent", body)
        }
        "customers/redact" => match body.get("customer") {
            Some(Value::Object(customer)) => erased(customer),
            _ => erased(body),
        },
        "customers/delete" => erased(body),
        "refunds/create" => {
            return Err(unsupported(
                NAME,
                "a refund names nobody: subscribe orders/updated, which tells what is left",
            ));
        }
        _ => {
            return Err(unsupported(
                NAME,
                "this topic tells nothing of carts, orders or customers: don't subscribe it here",
            ));
        }
    };
    Ok(call)
}

/// What a payload without its topic is, by the fields that only its kind has.
fn kind_of(body: &Map<String, Value>) -> Option<&'static str> {
    let has = |name: &str| body.contains_key(name);
    if has("financial_status") && has("line_items") {
        let is_off = !get(body, "cancelled_at").is_null();
        Some(if is_off {
            "orders/cancelled"
        } else {
            "orders/create"
        })
    } else if has("abandoned_checkout_url") {
        Some("checkouts/update")
    } else if has("refund_line_items") {
        Some("refunds/create")
    } else if has("token") && has("line_items") {
        Some("carts/update")
    } else if has("orders_to_redact") {
        Some("customers/redact")
    } else if has("email_marketing_consent") && has("customer_id") {
        Some("customers_email_marketing_consent/update")
    } else if has("sms_marketing_consent") && has("customer_id") {
        Some("customers_sms_marketing_consent/update")
    } else if has("verified_email") || has("orders_count") {
        Some("customers/update")
    } else {
        None
    }
}

fn line(line: &Map<String, Value>) -> Value {
    json!({
        "product_id": first([get(line, "product_id"), get(line, "variant_id"), get(line, "sku")]),
        "name": first([get(line, "title"), get(line, "name")]),
        "variant": get(line, "variant_title"),
        "sku": first([get(line, "sku"), get(line, "variant_id")]),
        "brand": get(line, "vendor"),
        "price": get(line, "price"),
        // What an order still has of it, after edits and refunds.
        "quantity": first([get(line, "current_quantity"), get(line, "quantity")]),
        "url": get(line, "url"),
        "image_url": first([get(line, "image"), inner(line, "featured_image", "url")]),
    })
}

/// The ids of whoever bought.
fn person(body: &Map<String, Value>) -> (Value, Value) {
    (
        // `user_id` is the member of staff who served.
        first([inner(body, "customer", "id"), get(body, "customer_id")]),
        first([get(body, "cart_token"), get(body, "checkout_token")]),
    )
}

fn addresses(body: &Map<String, Value>) -> (Value, Value) {
    (
        first([
            get(body, "email"),
            get(body, "contact_email"),
            inner(body, "customer", "email"),
        ]),
        first([get(body, "phone"), inner(body, "customer", "phone")]),
    )
}

fn order(event: &str, body: &Map<String, Value>, time: &str) -> Value {
    let (user, cart) = person(body);
    let (email, phone) = addresses(body);
    let total = if event == "Order Completed" {
        get(body, "total_price")
    } else {
        first([get(body, "current_total_price"), get(body, "total_price")])
    };
    let status = match get(body, "financial_status").as_str() {
        _ if !get(body, "cancelled_at").is_null() => json!("cancelled"),
        Some("voided") => json!("cancelled"),
        // What went back is told by the sum that is left.
        _ => get(body, "fulfillment_status"),
    };
    json!({
        "type": "track",
        "event": event,
        "messageId": version(event, &get(body, "id"), &get(body, time)),
        "userId": user,
        "anonymousId": cart,
        "timestamp": first([get(body, time), get(body, "updated_at"), get(body, "created_at")]),
        // A shop's back office tells it, the customer is not there.
        "channel": "server",
        "context": { "locale": get(body, "customer_locale") },
        "properties": {
            "order_id": get(body, "id"),
            "order_number": first([get(body, "name"), get(body, "order_number")]),
            "checkout_id": get(body, "checkout_token"),
            "cart_id": get(body, "cart_token"),
            "email": email,
            "phone": phone,
            "total": total,
            "currency": get(body, "currency"),
            "products": lines(body, line),
            "coupon": code_of(body, "discount_codes"),
            "status": status,
            "url": get(body, "order_status_url"),
        },
    })
}

fn checkout(body: &Map<String, Value>) -> Result<Value, Refusal> {
    if !get(body, "completed_at").is_null() {
        return Err(unsupported(
            NAME,
            "a checkout that is completed tells nothing more: its order does",
        ));
    }
    let (user, cart) = person(body);
    let (email, phone) = addresses(body);
    Ok(json!({
        "type": "track",
        "event": "Checkout Started",
        "messageId": version("checkout", &get(body, "token"), &get(body, "updated_at")),
        "userId": user,
        "anonymousId": first([cart, get(body, "token")]),
        "timestamp": first([get(body, "updated_at"), get(body, "created_at")]),
        "context": { "locale": get(body, "customer_locale") },
        "properties": {
            "checkout_id": get(body, "token"),
            "cart_id": get(body, "cart_token"),
            "email": email,
            "phone": phone,
            "value": get(body, "total_price"),
            "currency": get(body, "currency"),
            "products": lines(body, line),
            "checkout_url": get(body, "abandoned_checkout_url"),
        },
    }))
}

fn cart(body: &Map<String, Value>) -> Value {
    let token = first([get(body, "token"), get(body, "id")]);
    json!({
        "type": "track",
        "event": "Cart Updated",
        "messageId": version("cart", &token, &get(body, "updated_at")),
        "anonymousId": token,
        "timestamp": first([get(body, "updated_at"), get(body, "created_at")]),
        "properties": { "cart_id": token, "currency": get(body, "currency"), "products": lines(body, line) },
    })
}

fn customer(body: &Map<String, Value>) -> Value {
    json!({
        "type": "identify",
        "messageId": version("customer", &get(body, "id"), &get(body, "updated_at")),
        "userId": get(body, "id"),
        "timestamp": first([get(body, "updated_at"), get(body, "created_at")]),
        "channel": "server",
        "traits": {
            "email": get(body, "email"),
            // The phone of an address is its recipient's.
            "phone": get(body, "phone"),
            "first_name": get(body, "first_name"),
            "last_name": get(body, "last_name"),
            "locale": get(body, "locale"),
            "country": inner(body, "default_address", "country_code"),
            "city": inner(body, "default_address", "city"),
            "tags": get(body, "tags"),
        },
    })
}

fn consent(channel: &str, field: &str, body: &Map<String, Value>) -> Value {
    let (id, at) = (
        get(body, "customer_id"),
        inner(body, field, "consent_updated_at"),
    );
    json!({
        "type": "track",
        "event": "Consent Updated",
        "messageId": version(field, &id, &at),
        "userId": id,
        "timestamp": at,
        "channel": "server",
        "properties": {
            "channel": channel,
            "status": inner(body, field, "state"),
            "topic": "marketing",
            // A no reaches everybody who has the address.
            "email": first([get(body, "email_address"), get(body, "email")]),
            "phone": get(body, "phone"),
        },
    })
}

fn erased(customer: &Map<String, Value>) -> Value {
    let id = get(customer, "id");
    json!({
        "type": "track",
        "event": "Customer Erased",
        "messageId": version("erased", &id, &Value::Null),
        "userId": id,
        "channel": "server",
        "properties": { "email": get(customer, "email"), "phone": get(customer, "phone") },
    })
}
