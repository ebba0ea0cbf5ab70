//! Payloads as the platforms document them, through the whole of ingest's reading.

use serde_json::{Value, json};
use winback_contract::{Currency, Event, Timestamp};

use super::Format;
use crate::customs::Customs;
use crate::decode::Envelope;
use crate::normalise::normalise;
use crate::notes::Notes;
use crate::tests::{envelope as read_one, record};

fn envelope(format: Format, topic: &str, body: &Value) -> Result<Envelope, String> {
    let header = match format {
        Format::Woocommerce => "X-WC-Webhook-Topic",
        _ => "X-Shopify-Topic",
    };
    let named = [(header, topic)];
    let headers = if topic.is_empty() { &[][..] } else { &named };
    let record = record(body.to_string().as_bytes(), headers);
    let customs = Customs::new(Currency::parse("EUR").unwrap());
    read_one(
        &record,
        100_000,
        &format.into(),
        &customs,
        &Notes::default(),
    )
    .map_err(|refusal| format!("{}: {}", refusal.reason, refusal.detail))
}

fn read(format: Format, topic: &str, body: &Value) -> Event {
    let customs = Customs::new(Currency::parse("EUR").unwrap());
    let envelope = envelope(format, topic, body).unwrap();
    normalise(envelope, &customs, &Notes::default())
        .unwrap()
        .event
}

fn shopify_order() -> Value {
    json!({
        "id": 6_200_407_294_252_u64, "admin_graphql_api_id": "gid://shopify/Order/6200407294252", "cart_token": "c1-abc",
        "checkout_id": 38_572_049_105_196_u64, "checkout_token": "ae0", "contact_email": "ann@shop.example",
        "created_at": "2026-03-01T23:10:15-05:00", "updated_at": "2026-03-01T23:10:16-05:00", "cancelled_at": null,
        "currency": "HKD", "current_total_price": "137.90", "customer_locale": "en", "email": "ann@shop.example",
        "financial_status": "paid", "fulfillment_status": null, "name": "#1001", "order_number": 1001, "phone": null,
        "subtotal_price": "164.90", "total_price": "186.90", "discount_codes": [{ "code": "CART10", "amount": "5.00" }],
        "customer": { "id": 1_110_987_654_321_u64, "email": "ann@shop.example", "first_name": "Ann", "phone": null },
        "shipping_address": { "phone": "+13125550100" },
        "line_items": [
            { "id": 1, "name": "Serum - L", "title": "Serum", "price": "49.00", "product_id": 8_061_536_829_755_u64,
              "variant_id": 9, "sku": "S", "quantity": 3, "current_quantity": 2, "vendor": "V" },
            { "id": 2, "title": "Gift wrap", "price": "1.00", "product_id": null, "variant_id": null, "sku": "", "quantity": 1 },
        ],
    })
}

#[test]
fn an_order_of_shopify_is_an_order() {
    for topic in ["orders/create", "orders/paid", ""] {
        let event = read(Format::Shopify, topic, &shopify_order());
        assert_eq!(event.name, "Order Completed");
        assert_eq!(event.order_id.as_deref(), Some("6200407294252"));
        assert_eq!(event.identities.user.as_deref(), Some("1110987654321"));
        assert_eq!(event.identities.email.as_deref(), Some("ann@shop.example"));
        assert_eq!(
            event.identities.phone, None,
            "the parcel's phone is not the buyer's"
        );
        assert_eq!(event.cart_id.as_deref(), Some("c1-abc"));
        let total = event.total.unwrap();
        assert_eq!(
            (total.minor, total.currency.to_string()),
            (18_690, "HKD".into())
        );
        let lines: Vec<_> = event
            .products
            .iter()
            .map(|line| (line.product_id.as_str(), line.quantity))
            .collect();
        assert_eq!(
            lines,
            [("8061536829755", 2)],
            "a line without an id is left out"
        );
        assert!(event.passive);
    }
}

#[test]
fn what_becomes_of_an_order_of_shopify_is_told() {
    let event = read(Format::Shopify, "orders/updated", &shopify_order());
    assert_eq!(event.name, "Order Updated");
    assert_eq!(
        event.total.map(|total| total.minor),
        Some(13_790),
        "what is left of it"
    );
    let mut order = shopify_order();
    order["cancelled_at"] = json!("2026-03-02T00:00:00Z");
    for topic in ["orders/cancelled", ""] {
        let envelope = envelope(Format::Shopify, topic, &order).unwrap();
        let at = Timestamp::parse("2026-03-02T00:00:00Z").unwrap();
        assert_eq!(
            (envelope.event.as_str(), envelope.timestamp),
            ("Order Cancelled", Some(at))
        );
    }
    let event = read(Format::Shopify, "orders/fulfilled", &shopify_order());
    assert_eq!(event.name, "Order Shipped");
    // A refund is told by what is left: a status would say that it has been taken back already.
    for word in ["refunded", "partially_refunded"] {
        let mut order = shopify_order();
        order["financial_status"] = json!(word);
        let event = read(Format::Shopify, "orders/updated", &order);
        assert_eq!(event.properties.get("status"), None, "{word}");
    }
}

#[test]
fn a_cart_and_a_checkout_of_shopify_are_one_persons_until_bought() {
    let line = json!({ "product_id": 1, "title": "Serum", "price": "49.00", "quantity": 1 });
    let cart = json!({ "id": "c1", "token": "c1", "line_items": [line], "updated_at": "2026-03-01T10:00:00Z",
        "created_at": "2026-03-01T10:00:00Z" });
    let event = read(Format::Shopify, "carts/update", &cart);
    assert_eq!(
        (event.name.as_str(), event.cart_id.as_deref()),
        ("Cart Updated", Some("c1"))
    );
    assert_eq!(event.identities.anonymous.as_deref(), Some("c1"));

    let mut checkout = json!({ "id": 1, "token": "t", "cart_token": "c1", "email": "ann@shop.example",
        "abandoned_checkout_url": "https://shop.example/recover", "line_items": [line], "total_price": "49.00",
        "currency": "USD", "completed_at": null, "updated_at": "2026-03-01T10:05:00Z" });
    let event = read(Format::Shopify, "", &checkout);
    assert_eq!(
        (event.name.as_str(), event.checkout_id.as_deref()),
        ("Checkout Started", Some("t"))
    );
    assert_eq!(event.identities.anonymous.as_deref(), Some("c1"));
    assert_eq!(event.identities.email.as_deref(), Some("ann@shop.example"));
    assert_eq!(event.url.as_deref(), Some("https://shop.example/recover"));

    checkout["completed_at"] = json!("2026-03-01T10:06:00Z");
    let refused = envelope(Format::Shopify, "checkouts/update", &checkout).unwrap_err();
    assert!(refused.starts_with("unsupported_call: "), "{refused}");
}

#[test]
fn a_customer_of_shopify_and_her_consents() {
    let customer = json!({ "id": 7, "email": "ann@shop.example", "first_name": "Ann", "orders_count": 0,
        "verified_email": true, "phone": "+380501234567", "updated_at": "2026-03-01T10:00:00Z",
        "default_address": { "country_code": "UA" } });
    let event = read(Format::Shopify, "customers/update", &customer);
    assert_eq!(event.name, "Identified");
    assert_eq!(event.identities.email.as_deref(), Some("ann@shop.example"));
    assert_eq!(event.identities.phone.as_deref(), Some("+380501234567"));

    for (state, expected) in [
        ("subscribed", "granted"),
        ("unsubscribed", "denied"),
        ("redacted", "denied"),
    ] {
        let said = json!({ "customer_id": 7, "email_marketing_consent": { "state": state,
            "consent_updated_at": "2026-03-01T10:00:00Z" } });
        let event = read(Format::Shopify, "", &said);
        let consent = serde_json::to_value(event.consent.unwrap()).unwrap();
        assert_eq!(
            (consent["channel"].as_str(), consent["status"].as_str()),
            (Some("email"), Some(expected))
        );
    }
}

#[test]
fn an_order_of_woocommerce_by_its_status() {
    let order = |status: &str| {
        json!({ "id": 727, "number": "727", "status": status, "currency": "USD", "total": "29.35", "customer_id": 0,
            "date_created": "2026-03-01T12:00:00", "date_created_gmt": "2026-03-01T10:00:00",
            "date_modified_gmt": "2026-03-01T11:00:00", "payment_url": "https://shop.example/pay/727",
            "billing": { "email": "ann@shop.example", "phone": "+15555555555" }, "coupon_lines": [{ "code": "cart10" }],
            "line_items": [{ "id": 315, "name": "Woo", "product_id": 93, "variation_id": 0, "quantity": 2, "price": 3 }] })
    };
    for (status, name) in [
        ("processing", "Order Completed"),
        ("on-hold", "Order Completed"),
        ("completed", "Order Completed"),
        ("cancelled", "Order Cancelled"),
        ("refunded", "Order Refunded"),
        ("failed", "Payment Failed"),
        ("packed", "Order Updated"),
    ] {
        let event = read(Format::Woocommerce, "order.updated", &order(status));
        assert_eq!(
            (event.name.as_str(), event.order_id.as_deref()),
            (name, Some("727")),
            "{status}"
        );
        assert_eq!(event.identities.user, None, "account 0 is a guest");
        assert!(event.identities.email.is_some(), "{status}: {event:?}");
    }
    for topic in ["order.created", ""] {
        let event = read(Format::Woocommerce, topic, &order("pending"));
        assert_eq!(
            (event.name.as_str(), event.order_id),
            ("Checkout Started", None)
        );
        assert_eq!(event.checkout_id.as_deref(), Some("727"));
    }
    // Queues keep no order: what is told late is still of before the payment.
    let at = |status: &str| {
        let mut order = order(status);
        order["date_paid_gmt"] = json!("2026-03-01T10:30:00");
        envelope(Format::Woocommerce, "", &order)
            .unwrap()
            .timestamp
            .unwrap()
    };
    let paid = Timestamp::parse("2026-03-01T10:30:00Z").unwrap();
    assert_eq!((at("processing"), at("completed")), (paid, paid));
    assert!(at("pending") < paid);
}

#[test]
fn what_tells_nothing_is_refused_with_what_to_do() {
    for (format, topic, body, words) in [
        (
            Format::Shopify,
            "products/update",
            json!({ "id": 1 }),
            "don't subscribe it here",
        ),
        (
            Format::Shopify,
            "refunds/create",
            json!({ "id": 1 }),
            "subscribe orders/updated",
        ),
        (
            Format::Shopify,
            "",
            json!({ "id": 1 }),
            "pass the header X-Shopify-Topic on",
        ),
        (
            Format::Woocommerce,
            "coupon.created",
            json!({ "id": 1 }),
            "don't make a webhook of it here",
        ),
        (
            Format::Woocommerce,
            "",
            json!({ "id": 1 }),
            "pass the header X-WC-Webhook-Topic on",
        ),
        (Format::Segment, "", shopify_order(), "format: shopify"),
    ] {
        let refused = envelope(format, topic, &body).unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }
}

#[test]
fn a_no_and_an_erasure_reach_the_address_they_name() {
    let said = json!({ "customer_id": 7, "phone": "+380501234567", "sms_marketing_consent": { "state": "unsubscribed",
        "consent_updated_at": "2026-03-01T10:00:00Z" } });
    for topic in ["customers_marketing_consent/update", ""] {
        let event = read(Format::Shopify, topic, &said);
        assert_eq!(event.identities.phone.as_deref(), Some("+380501234567"));
        let consent = serde_json::to_value(event.consent.unwrap()).unwrap();
        assert_eq!(
            (consent["channel"].as_str(), consent["status"].as_str()),
            (Some("sms"), Some("denied"))
        );
    }
    let redact = json!({ "shop_id": 1, "customer": { "id": 7, "email": "ann@shop.example", "phone": "+380501234567" },
        "orders_to_redact": [] });
    for topic in ["customers/redact", ""] {
        let event = read(Format::Shopify, topic, &redact);
        assert_eq!(event.name, "Customer Erased");
        assert_eq!(event.identities.user.as_deref(), Some("7"));
        assert_eq!(event.identities.email.as_deref(), Some("ann@shop.example"));
        assert_eq!(event.identities.phone.as_deref(), Some("+380501234567"));
    }
}

#[test]
fn nobody_is_named_by_the_staff_or_by_a_parcel() {
    let checkout = json!({ "token": "t", "user_id": 799_407_056, "customer": null, "email": "b@shop.example",
        "abandoned_checkout_url": "https://shop.example/r", "line_items": [], "updated_at": "2026-03-01T10:05:00Z" });
    let event = read(Format::Shopify, "checkouts/update", &checkout);
    assert_eq!(event.identities.user, None);
    let customer = json!({ "id": 7, "email": "ann@shop.example", "phone": null, "verified_email": true,
        "default_address": { "phone": "+380501234567" } });
    let event = read(Format::Shopify, "customers/update", &customer);
    assert_eq!(event.identities.phone, None);
}
