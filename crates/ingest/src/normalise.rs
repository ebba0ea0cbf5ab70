//! An envelope to a canonical event: names, money in minor units, lines, the person, and what the shop adds.
//!
//! Invariant: INV-8. A record is refused only where nobody is named, or where nobody could apply it; every other fault
//! costs the field. Absent: what one kind of value looks like, which `values` knows.

use std::borrow::Cow;

use serde_json::{Map, Value};
use winback_contract::spec::{self, EventSpec, FieldType, Need};
use winback_contract::{Currency, Event, FailedReason, Money};

use crate::customs::Customs;
use crate::decode::Envelope;
use crate::fields::{Fields, Refusal};
use crate::notes::{Notes, Why};
use crate::values::number::currency;
use crate::{consent, extras, lines, person, who};

/// An event, and how it was named.
#[derive(Clone, PartialEq, Debug)]
pub struct Normal {
    /// The event.
    pub event: Event,
    /// Whether its name is one of the contract.
    pub is_known: bool,
}

/// The event.
///
/// # Errors
/// [`Refusal`] with a stable reason.
pub fn normalise(
    mut envelope: Envelope,
    customs: &Customs,
    notes: &Notes,
) -> Result<Normal, Refusal> {
    let known = spec::lookup(&envelope.event);
    if known.is_none() && spec::is_derived(&envelope.event) {
        let detail = format!(
            "`{}` is derived by winback and never accepted from outside",
            envelope.event
        );
        return Err(Refusal::new(FailedReason::DerivedEvent, detail));
    }
    let mut name = known.map_or_else(|| envelope.event.clone(), |spec| spec.name.to_owned());
    let properties = renamed(
        std::mem::take(&mut envelope.properties),
        spec::PROPERTY_ALIASES,
        known,
    );
    let fields = Fields {
        map: &properties,
        place: "",
        notes,
        customs,
    };
    let identities = who::identities(&envelope, known, &fields);
    // The shop's own words are about everybody.
    if identities.strongest().is_none() && !spec::is_about_the_shop(&name) {
        let detail = "no userId, anonymousId, email or phone: nobody this could be about";
        return Err(Refusal::new(FailedReason::MissingIdentity, detail));
    }
    let currency = currency_of(&fields);
    let products = lines::products(&fields, known, currency);
    if name == "Cart Updated" && products.is_none() {
        // What is in the cart can't be read: that is no empty cart, only one that somebody looks at.
        fields.note("products", Why::Missing);
        name = "Cart Viewed".to_owned();
    } else if let Some(spec) = known {
        require(
            spec,
            &fields,
            products.as_deref().unwrap_or_default().is_empty(),
        )?;
    }
    let products = products.unwrap_or_default();
    let total = total(&fields, currency);
    let mut checkout_id = fields.text("checkout_id");
    let mut order_id = fields.text("order_id");
    if name == "Checkout Started" {
        // Segment v2 calls a checkout's id `order_id`; there is no order yet.
        checkout_id = checkout_id.or_else(|| order_id.take());
        order_id = None;
    }
    let event = Event {
        properties: extras::extras(known, &fields),
        consent: consent::change(&name, &fields),
        traits: person::traits(&envelope, notes, customs),
        identities,
        cart_id: fields.text("cart_id"),
        order_id,
        checkout_id,
        products,
        total,
        currency,
        url: fields.url("checkout_url").or_else(|| fields.url("url")),
        passive: envelope.passive,
        name,
    };
    Ok(Normal {
        event,
        is_known: known.is_some(),
    })
}

/// Other names of fields, and ours. Fields of products are left as they are here.
fn renamed(
    mut map: Map<String, Value>,
    aliases: &[(&str, &str)],
    known: Option<&EventSpec>,
) -> Map<String, Value> {
    for (alias, name) in aliases {
        // A name of the event's own table is no alias of another.
        let is_own = known.is_some_and(|spec| spec.fields.iter().any(|field| field.name == *alias));
        if !is_own
            && !map.contains_key(*name)
            && let Some(value) = map.remove(*alias)
        {
            map.insert((*name).to_owned(), value);
        }
    }
    map
}

/// The event's currency, else the shop's. One that can't be read is none: its amounts mean nothing then.
fn currency_of(fields: &Fields<'_>) -> Option<Currency> {
    match fields.text("currency") {
        Some(text) => {
            let read = currency(&text);
            if read.is_none() {
                fields.note("currency", Why::Unreadable);
            }
            read
        }
        None if fields.map.get("currency").is_none_or(Value::is_null) => {
            Some(fields.customs.currency)
        }
        None => None,
    }
}

/// The sum as the shop counts it.
fn total(fields: &Fields<'_>, currency: Option<Currency>) -> Option<Money> {
    let mut amounts = ["total", "revenue", "value", "amount"].into_iter();
    amounts.find_map(|name| fields.money(name, currency))
}

/// What an event can't do without. An order, a cart and a refusal can do without anything.
fn require(spec: &EventSpec, fields: &Fields<'_>, is_bare: bool) -> Result<(), Refusal> {
    let needed = spec
        .fields
        .iter()
        .filter(|field| field.need == Need::Required);
    for field in needed {
        let missing = match field.kind {
            FieldType::Products => false,
            FieldType::Texts => fields.list(field.name).is_none(),
            FieldType::Amount | FieldType::Number => fields.number(field.name).is_none(),
            _ => fields.text(field.name).is_none(),
        };
        if missing {
            let detail = format!("`{}` needs `{}`", spec.name, field.name);
            return Err(Refusal::new(FailedReason::MissingField, detail));
        }
    }
    if spec.product && is_bare && !spec::is_about_the_shop(spec.name) {
        // Somebody looked at, or took, a thing that nobody knows: that is a visit.
        fields.note("product_id", Why::Missing);
    } else if spec.product && is_bare {
        let detail = format!("`{}` needs `product_id`", spec.name);
        return Err(Refusal::new(FailedReason::MissingField, detail));
    }
    Ok(())
}

/// A map with the names of products as we have them.
pub(crate) fn product_names<'m>(map: &'m Map<String, Value>) -> Cow<'m, Map<String, Value>> {
    if spec::PRODUCT_ALIASES
        .iter()
        .any(|(alias, _)| map.contains_key(*alias))
    {
        Cow::Owned(renamed(map.clone(), spec::PRODUCT_ALIASES, None))
    } else {
        Cow::Borrowed(map)
    }
}
