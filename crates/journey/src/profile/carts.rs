//! Carts: opened by additions, replaced by snapshots, closed by orders. Bounded, the newest first.

use std::borrow::Cow;
use std::collections::BTreeMap;

use winback_contract::{Event, EventId, Product, Span, spec};

use crate::customer::{BoughtCart, Cart, Customer, Line, limit};
use crate::effects::Count;
use crate::incoming::IncomingEvent;
use crate::scene::Scene;

/// The cart events that may come without a cart's id: they speak of the person's own cart then.
const OF_A_CART: &[&str] = &[
    "Product Added",
    "Product Removed",
    "Cart Viewed",
    "Cart Updated",
    "Checkout Started",
];
/// The cart of a shop that has no ids of carts.
const OWN: &str = "own";
/// So long what is told of a bought cart may be an echo.
const ECHO: Span = Span::from_hours(24);

/// The event with the cart it is about: the newest that is open, where it names none.
pub(crate) fn addressed<'e>(customer: &Customer, event: &'e Event) -> Cow<'e, Event> {
    if event.cart_id.is_some() || !OF_A_CART.contains(&event.name.as_str()) {
        return Cow::Borrowed(event);
    }
    let open = customer.carts.first().map(|cart| cart.id.clone());
    Cow::Owned(Event {
        cart_id: open.or_else(|| Some(OWN.to_owned())),
        ..event.clone()
    })
}

/// Whether an event tells of a cart what an order has just settled: the same goods once more, or none. Asked before the
/// event is applied.
pub(crate) fn is_echo(customer: &Customer, incoming: &IncomingEvent<'_>) -> bool {
    let event = incoming.event;
    let Some(id) = event.cart_id.as_deref() else {
        return false;
    };
    if !["Cart Updated", "Checkout Started", "Cart Viewed"].contains(&event.name.as_str())
        || customer.bought.is_empty()
        || customer.cart(id).is_some()
    {
        return false;
    }
    let id = short(id);
    customer.bought.iter().any(|bought| {
        bought.id == id
            && incoming.arrival.since(bought.at) < ECHO
            && (event.products.is_empty() || content(of(&event.products)) == bought.content)
    })
}

fn short(id: &str) -> u64 {
    EventId::of_message_id(id).short()
}

fn of(products: &[Product]) -> impl Iterator<Item = (&str, u32)> {
    let goods = products.iter();
    goods.map(|product| (product.product_id.as_str(), product.quantity))
}

/// What is in a cart: which products, and how many of each. Sizes and colours are not told apart: an order may not name them.
fn content<'g>(goods: impl Iterator<Item = (&'g str, u32)>) -> u64 {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for (product, quantity) in goods {
        let count = counts.entry(product).or_default();
        *count = count.saturating_add(quantity);
    }
    let parts = counts.iter();
    let mut parts: Vec<String> = parts
        .map(|(product, quantity)| format!("{product}x{quantity}"))
        .collect();
    // As it was sorted before sizes were known: what is stored is compared with it.
    parts.sort_unstable();
    short(&parts.join(","))
}

/// Applies a cart event. True when a cart lost its last line.
pub(crate) fn fold(scene: &mut Scene<'_>, incoming: &IncomingEvent<'_>) -> bool {
    let event = incoming.event;
    match event.name.as_str() {
        "Product Added" | "Cart Updated" | "Product Removed" | "Checkout Started" => {}
        spec::ORDER_COMPLETED => {
            close(scene.customer, incoming);
            return false;
        }
        _ => return false,
    }
    let Some(id) = event.cart_id.clone() else {
        return false;
    };
    // A cart counts only if it is newer than the last order by both clocks.
    let orders = &scene.customer.orders;
    let bought = orders.last_at.is_some_and(|at| incoming.at <= at)
        || orders
            .last_arrived
            .is_some_and(|arrived| incoming.arrival <= arrived);
    if bought {
        return false;
    }
    let known = scene.customer.carts.iter().position(|cart| cart.id == id);
    if known.is_some_and(|index| scene.customer.carts[index].updated_at > incoming.at)
        && event.name == "Cart Updated"
    {
        // An older snapshot that came late says nothing new.
        return false;
    }
    let mut cart = match known {
        Some(index) => scene.customer.carts.remove(index),
        None if event.name == "Product Removed" => return false,
        None => Cart {
            id,
            lines: Vec::new(),
            more: 0,
            total: None,
            url: None,
            checkout_started: false,
            snapshot: false,
            updated_at: incoming.at,
            arrived: incoming.arrival,
        },
    };
    let had_lines = !cart.lines.is_empty();
    match event.name.as_str() {
        "Product Added" => add(&mut cart, &event.products),
        "Product Removed" => remove(&mut cart, &event.products),
        "Cart Updated" => {
            cart.lines = event.products.iter().map(Line::from).collect();
            cart.total = event.total;
            cart.more = 0;
            cart.snapshot = true;
        }
        _ => {
            cart.checkout_started = true;
            if !event.products.is_empty() {
                cart.lines = event.products.iter().map(Line::from).collect();
                cart.total = event.total;
            }
        }
    }
    if event.url.is_some() && event.name != "Product Added" && event.name != "Product Removed" {
        cart.url.clone_from(&event.url);
    }
    cart.updated_at = cart.updated_at.max(incoming.at);
    cart.arrived = cart.arrived.max(incoming.arrival);
    if bound(&mut cart) {
        scene.out.count(Count::Truncated);
    }
    let emptied = cart.lines.is_empty() && (had_lines || event.name == "Cart Updated");
    if !emptied {
        scene.customer.carts.insert(0, cart);
        if scene.customer.carts.len() > limit::CARTS {
            scene.customer.carts.truncate(limit::CARTS);
            scene.out.count(Count::Truncated);
        }
    }
    emptied
}

/// An order closes the cart it names and every cart older than it by either clock.
fn close(customer: &mut Customer, incoming: &IncomingEvent<'_>) {
    let event = incoming.event;
    let named = event.cart_id.as_ref();
    let stays = |cart: &Cart| {
        Some(&cart.id) != named && cart.updated_at > incoming.at && cart.arrived > incoming.arrival
    };
    let mut closed: Vec<(u64, u64)> = customer
        .carts
        .iter()
        .filter(|cart| !stays(cart))
        .map(|cart| {
            let goods = cart.lines.iter();
            let goods = goods.map(|line| (line.product_id.as_str(), line.quantity));
            (short(&cart.id), content(goods))
        })
        .collect();
    if let Some(named) = named
        && !closed.iter().any(|(id, _)| *id == short(named))
    {
        // It may be told for the first time after its order.
        closed.push((short(named), content(of(&event.products))));
    }
    for (id, content) in closed {
        let at = incoming.arrival;
        remember_bought(customer, BoughtCart { id, content, at });
    }
    customer.carts.retain(stays);
}

/// A cart that an order has closed, once: what was known of it before is over.
pub(crate) fn remember_bought(customer: &mut Customer, cart: BoughtCart) {
    customer.bought.retain(|bought| bought.id != cart.id);
    Customer::push_bounded(&mut customer.bought, cart, limit::BOUGHT_CARTS);
}

fn add(cart: &mut Cart, products: &[Product]) {
    // The shop's own sum is of another moment.
    cart.total = None;
    for product in products {
        let lines = &cart.lines;
        let exact = lines.iter().position(|line| line.is_of(product));
        // A line of before sizes were told is of the size that is told now.
        let unsized_one = || lines.iter().position(|line| line.is_unsized(product));
        match exact.or_else(unsized_one) {
            Some(index) => {
                let line = &mut cart.lines[index];
                let quantity = line.quantity.saturating_add(product.quantity);
                *line = Line {
                    quantity,
                    ..Line::from(product)
                };
            }
            None => cart.lines.push(Line::from(product)),
        }
    }
}

/// Takes out the size that is told, else lines without one, and any size where none is told.
fn remove(cart: &mut Cart, products: &[Product]) {
    cart.total = None;
    for product in products {
        let mut left = product.quantity;
        let ways: [&dyn Fn(&Line) -> bool; 3] = [
            &|line| line.is_of(product),
            &|line| line.is_unsized(product),
            &|line| product.variant.is_none() && line.product_id == product.product_id,
        ];
        for way in ways {
            for line in cart.lines.iter_mut().filter(|line| way(line)) {
                let taken = left.min(line.quantity);
                line.quantity -= taken;
                left -= taken;
            }
        }
        cart.lines.retain(|line| line.quantity > 0);
    }
}

/// Whether lines had to be left out.
fn bound(cart: &mut Cart) -> bool {
    let over = Line::fit(&mut cart.lines);
    if over > 0 {
        cart.more = cart
            .more
            .saturating_add(u32::try_from(over).unwrap_or(u32::MAX));
    }
    over > 0
}
