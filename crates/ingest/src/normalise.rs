//! An envelope to a canonical event: aliases, money in minor units, products, traits, bounded extras.

use serde_json::{Map, Value};
use winback_contract::spec::{self, EventSpec, FieldType, Need};
use winback_contract::{
    Channel, ConsentChange, ConsentStatus, Currency, Event, FailedReason, Identities, Identity,
    IdentityKind, Money, Product, Traits,
};

use crate::decode::Envelope;
use crate::fields::{Refusal, clean, number, object, text, url};

/// Most products kept of one event; the rest is dropped and shows in `more` of the cart.
const PRODUCTS: usize = 100;
/// Most extra properties kept.
const EXTRAS: usize = 32;
/// Most custom fields kept of one profile.
const CUSTOM: usize = 16;

/// The event, and whether its name is one of the contract.
///
/// # Errors
/// [`Refusal`] with a stable reason.
pub fn normalise(mut envelope: Envelope, currency: Currency) -> Result<(Event, bool), Refusal> {
    if spec::DERIVED
        .iter()
        .any(|name| name.eq_ignore_ascii_case(&envelope.event))
    {
        let detail = format!(
            "`{}` is derived by winback and never accepted from outside",
            envelope.event
        );
        return Err(Refusal::new(FailedReason::DerivedEvent, detail));
    }
    rename(&mut envelope.properties, spec::PROPERTY_ALIASES);
    let known = spec::lookup(&envelope.event);
    let name = known.map_or_else(|| envelope.event.clone(), |spec| spec.name.to_owned());
    let properties = &envelope.properties;
    let currency = match text(properties, "currency")? {
        None => currency,
        Some(code) => Currency::parse(&code).map_err(|_| {
            Refusal::new(
                FailedReason::WrongType,
                "`currency` must be three letters of ISO 4217",
            )
        })?,
    };
    let identities = identities(&envelope, &name)?;
    // The shop's own words are about everybody.
    if identities.strongest().is_none() && !spec::is_about_the_shop(&name) {
        let detail = "no userId, anonymousId, email or phone: nobody this could be about";
        return Err(Refusal::new(FailedReason::MissingIdentity, detail));
    }
    let mut products = products(properties, known, currency)?;
    products.truncate(PRODUCTS);
    if let Some(spec) = known {
        require(spec, properties, &products)?;
    }
    let amount = |name: &str| -> Result<Option<Money>, Refusal> {
        Ok(number(properties, name)?.and_then(|major| Money::from_major(major, currency)))
    };
    let mut total = amount("total")?;
    for other in ["revenue", "value", "amount"] {
        if total.is_none() {
            total = amount(other)?;
        }
    }
    let mut checkout_id = text(properties, "checkout_id")?;
    let mut order_id = text(properties, "order_id")?;
    if name == "Checkout Started" {
        // Segment v2 calls a checkout's id `order_id`; there is no order yet.
        checkout_id = checkout_id.or_else(|| order_id.take());
        order_id = None;
    }
    let mut link = url(properties, "checkout_url")?;
    if link.is_none() {
        link = url(properties, "url")?;
    }
    let event = Event {
        properties: extras(&name, properties),
        consent: if name == "Consent Updated" {
            Some(consent(properties)?)
        } else {
            None
        },
        traits: traits(&envelope)?,
        name,
        identities,
        cart_id: text(properties, "cart_id")?,
        order_id,
        checkout_id,
        products,
        total,
        currency: Some(currency),
        url: link,
    };
    Ok((event, known.is_some()))
}

fn rename(map: &mut Map<String, Value>, aliases: &[(&str, &str)]) {
    for (alias, name) in aliases {
        if !map.contains_key(*name)
            && let Some(value) = map.remove(*alias)
        {
            map.insert((*name).to_owned(), value);
        }
    }
}

/// Identifiers are the ids, the addresses of identify's traits, and those of checkouts and orders: never others'.
fn identities(envelope: &Envelope, name: &str) -> Result<Identities, Refusal> {
    let mut email = None;
    let mut phone = None;
    if envelope.identify {
        email = text(&envelope.traits, "email")?;
        phone = text(&envelope.traits, "phone")?;
    } else if name == "Checkout Started" || name == spec::ORDER_COMPLETED {
        email = text(&envelope.properties, "email")?;
        phone = text(&envelope.properties, "phone")?;
    }
    let normal = |kind, raw: Option<&String>| {
        raw.and_then(|raw| Identity::new(kind, raw))
            .map(|id| id.value().to_owned())
    };
    Ok(Identities {
        user: normal(IdentityKind::User, envelope.user_id.as_ref()),
        email: normal(IdentityKind::Email, email.as_ref()),
        phone: normal(IdentityKind::Phone, phone.as_ref()),
        anonymous: normal(IdentityKind::Anonymous, envelope.anonymous_id.as_ref()),
    })
}

fn products(
    properties: &Map<String, Value>,
    known: Option<&EventSpec>,
    currency: Currency,
) -> Result<Vec<Product>, Refusal> {
    match properties.get("products") {
        None | Some(Value::Null) => {}
        Some(Value::Array(list)) => {
            return list
                .iter()
                .enumerate()
                .filter(|(_, value)| has_quantity(value))
                .map(|(index, value)| match value {
                    Value::Object(map) => product(map, currency, &format!("products[{index}].")),
                    _ => Err(Refusal::new(
                        FailedReason::WrongType,
                        format!("`products[{index}]` must be an object"),
                    )),
                })
                .collect();
        }
        Some(_) => {
            return Err(Refusal::new(
                FailedReason::WrongType,
                "`products` must be a list",
            ));
        }
    }
    match known {
        Some(spec) if spec.product => Ok(vec![product(properties, currency, "")?]),
        _ => Ok(Vec::new()),
    }
}

/// A line with quantity 0 is no line.
fn has_quantity(value: &Value) -> bool {
    value.get("quantity").and_then(Value::as_f64) != Some(0.0)
}

fn product(map: &Map<String, Value>, currency: Currency, place: &str) -> Result<Product, Refusal> {
    let mut map = map.clone();
    rename(&mut map, spec::PRODUCT_ALIASES);
    let at = |refusal: Refusal| Refusal::new(refusal.reason, format!("{place}{}", refusal.detail));
    let product_id = match text(&map, "product_id").map_err(at)? {
        Some(id) => id,
        None => text(&map, "sku").map_err(at)?.ok_or_else(|| {
            Refusal::new(
                FailedReason::MissingField,
                format!("`{place}product_id` is missing"),
            )
        })?,
    };
    let quantity = number(&map, "quantity").map_err(at)?.unwrap_or(1.0);
    if !(0.0..=1_000_000.0).contains(&quantity) {
        return Err(Refusal::new(
            FailedReason::WrongType,
            format!("`{place}quantity` is out of range"),
        ));
    }
    let price = number(&map, "price").map_err(at)?;
    Ok(Product {
        product_id,
        name: text(&map, "name").map_err(at)?,
        category: text(&map, "category").map_err(at)?,
        price: price.and_then(|major| Money::from_major(major, currency)),
        quantity: (quantity.round() as u32).max(1),
        url: url(&map, "url").map_err(at)?,
        image_url: url(&map, "image_url").map_err(at)?,
        in_stock: map.get("in_stock").and_then(Value::as_bool),
    })
}

fn require(
    spec: &EventSpec,
    properties: &Map<String, Value>,
    products: &[Product],
) -> Result<(), Refusal> {
    for field in spec
        .fields
        .iter()
        .filter(|field| field.need == Need::Required)
    {
        let missing = match field.kind {
            FieldType::Products | FieldType::Texts => !properties.contains_key(field.name),
            FieldType::Amount | FieldType::Number => number(properties, field.name)?.is_none(),
            _ => text(properties, field.name)?.is_none(),
        };
        if missing {
            return Err(Refusal::new(
                FailedReason::MissingField,
                format!("`{}` needs `{}`", spec.name, field.name),
            ));
        }
    }
    if spec.product && products.is_empty() {
        return Err(Refusal::new(
            FailedReason::MissingField,
            format!("`{}` needs `product_id`", spec.name),
        ));
    }
    Ok(())
}

fn consent(properties: &Map<String, Value>) -> Result<ConsentChange, Refusal> {
    let word = text(properties, "channel")?.unwrap_or_default();
    let channel = Channel::parse(&word.to_lowercase()).ok_or_else(|| {
        Refusal::new(
            FailedReason::WrongType,
            "`channel` of Consent Updated is not a channel of winback",
        )
    })?;
    let status = match text(properties, "status")?
        .unwrap_or_default()
        .to_lowercase()
        .as_str()
    {
        "granted" => ConsentStatus::Granted,
        "denied" => ConsentStatus::Denied,
        "pending" => ConsentStatus::Pending,
        _ => {
            return Err(Refusal::new(
                FailedReason::WrongType,
                "`status` must be granted, denied or pending",
            ));
        }
    };
    Ok(ConsentChange {
        channel,
        topic: text(properties, "topic")?,
        status,
    })
}

fn traits(envelope: &Envelope) -> Result<Option<Traits>, Refusal> {
    let source = &envelope.traits;
    let either = |one: &str, other: &str| -> Result<Option<String>, Refusal> {
        Ok(match text(source, one)? {
            Some(value) => Some(value),
            None => text(source, other)?,
        })
    };
    let address = object(source, "address")?;
    let of_address = |name: &str| {
        address
            .and_then(|map| map.get(name))
            .and_then(Value::as_str)
            .and_then(clean)
    };
    let context = |name: &str| {
        envelope
            .context
            .get(name)
            .and_then(Value::as_str)
            .and_then(clean)
    };
    let traits = Traits {
        first_name: either("firstName", "first_name")?,
        last_name: either("lastName", "last_name")?,
        locale: text(source, "locale")?.or_else(|| context("locale")),
        timezone: text(source, "timezone")?.or_else(|| context("timezone")),
        country: text(source, "country")?.or_else(|| of_address("country")),
        city: text(source, "city")?.or_else(|| of_address("city")),
        birthday: text(source, "birthday")?.filter(|day| day.parse::<jiff::civil::Date>().is_ok()),
        level: text(source, "level")?,
        push_token: either("pushToken", "push_token")?,
        telegram_id: either("telegramId", "telegram_id")?,
        custom: custom(source),
    };
    Ok((traits != Traits::default()).then_some(traits))
}

/// Custom fields of a profile: short scalars that have no place of their own, the first ones by name.
fn custom(source: &Map<String, Value>) -> std::collections::BTreeMap<String, String> {
    const PLACED: &[&str] = &[
        "email",
        "phone",
        "firstName",
        "first_name",
        "lastName",
        "last_name",
        "name",
        "locale",
        "timezone",
        "country",
        "city",
        "birthday",
        "level",
        "pushToken",
        "push_token",
        "telegramId",
        "telegram_id",
        "address",
        "createdAt",
        "created_at",
        "avatar",
    ];
    source
        .iter()
        .filter(|(name, _)| !PLACED.contains(&name.as_str()) && name.len() <= 32)
        .filter_map(|(name, value)| {
            let text = match value {
                Value::Bool(flag) => flag.to_string(),
                Value::Number(number) => number.to_string(),
                Value::String(text) => clean(text)?,
                _ => return None,
            };
            (text.len() <= 64).then(|| (name.clone(), text))
        })
        .take(CUSTOM)
        .collect()
}

/// Scalars that have no place of their own, the first ones by name, each cut to 1 KiB.
fn extras(
    name: &str,
    properties: &Map<String, Value>,
) -> std::collections::BTreeMap<String, Value> {
    const PLACED: &[&str] = &[
        "cart_id",
        "order_id",
        "checkout_id",
        "products",
        "total",
        "revenue",
        "value",
        "amount",
        "currency",
        "url",
        "checkout_url",
        "email",
        "phone",
        "product_id",
        "name",
        "category",
        "price",
        "quantity",
        "image_url",
        "in_stock",
    ];
    // What a consent says has its own place; an order has a status too.
    const OF_CONSENT: &[&str] = &["channel", "status", "topic"];
    let consent = name == "Consent Updated";
    // The codes are looked at one by one where they are dealt out; they go no further as a list.
    let codes = name == spec::COUPONS_ADDED;
    properties
        .iter()
        .filter(|(name, _)| !PLACED.contains(&name.as_str()) && name.len() <= 64)
        .filter(|(name, _)| !consent || !OF_CONSENT.contains(&name.as_str()))
        .filter_map(|(name, value)| {
            let kept = match value {
                Value::Bool(_) | Value::Number(_) => value.clone(),
                Value::String(text) => Value::String(clean(text)?),
                Value::Array(_) if codes && name == "codes" => value.clone(),
                _ => return None,
            };
            Some((name.clone(), kept))
        })
        .take(EXTRAS)
        .collect()
}
