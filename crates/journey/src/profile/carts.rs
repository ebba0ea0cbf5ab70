//! Carts: opened by additions, replaced by snapshots, closed by orders. Bounded, the newest first.

use winback_contract::{Product, spec};

use crate::customer::{Cart, Customer, Line, limit};
use crate::effects::{Count, Effects};
use crate::happening::Happening;

/// Applies a cart event. True when a cart lost its last line.
pub(crate) fn fold(customer: &mut Customer, happening: &Happening<'_>, out: &mut Effects) -> bool {
    let event = happening.event;
    match event.name.as_str() {
        "Product Added" | "Cart Updated" | "Product Removed" | "Checkout Started" => {}
        spec::ORDER_COMPLETED => {
            close(customer, happening);
            return false;
        }
        _ => return false,
    }
    let Some(id) = event.cart_id.clone() else {
        return false;
    };
    // A cart counts only if it is newer than the last order by both clocks.
    let orders = &customer.orders;
    let bought = orders.last_at.is_some_and(|at| happening.at <= at)
        || orders
            .last_arrived
            .is_some_and(|arrived| happening.arrival <= arrived);
    if bought {
        return false;
    }
    let known = customer.carts.iter().position(|cart| cart.id == id);
    if known.is_some_and(|index| customer.carts[index].updated_at > happening.at)
        && event.name == "Cart Updated"
    {
        // An older snapshot that came late says nothing new.
        return false;
    }
    let mut cart = match known {
        Some(index) => customer.carts.remove(index),
        None if event.name == "Product Removed" => return false,
        None => Cart {
            id,
            lines: Vec::new(),
            more: 0,
            total: None,
            url: None,
            checkout_started: false,
            snapshot: false,
            updated_at: happening.at,
            arrived: happening.arrival,
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
    cart.updated_at = cart.updated_at.max(happening.at);
    cart.arrived = cart.arrived.max(happening.arrival);
    bound(&mut cart, out);
    let emptied = cart.lines.is_empty() && (had_lines || event.name == "Cart Updated");
    if !emptied {
        customer.carts.insert(0, cart);
        if customer.carts.len() > limit::CARTS {
            customer.carts.truncate(limit::CARTS);
            out.count(Count::Truncated);
        }
    }
    emptied
}

/// An order closes the cart it names and every cart older than it by either clock.
fn close(customer: &mut Customer, happening: &Happening<'_>) {
    let named = happening.event.cart_id.as_ref();
    customer.carts.retain(|cart| {
        Some(&cart.id) != named
            && cart.updated_at > happening.at
            && cart.arrived > happening.arrival
    });
}

fn add(cart: &mut Cart, products: &[Product]) {
    // The shop's own sum is of another moment.
    cart.total = None;
    for product in products {
        match cart
            .lines
            .iter_mut()
            .find(|line| line.product_id == product.product_id)
        {
            Some(line) => {
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

fn remove(cart: &mut Cart, products: &[Product]) {
    cart.total = None;
    for product in products {
        if let Some(index) = cart
            .lines
            .iter()
            .position(|line| line.product_id == product.product_id)
        {
            let line = &mut cart.lines[index];
            line.quantity = line.quantity.saturating_sub(product.quantity);
            if line.quantity == 0 {
                cart.lines.remove(index);
            }
        }
    }
}

fn bound(cart: &mut Cart, out: &mut Effects) {
    let mut bytes = 0;
    let mut fits = 0;
    for line in &cart.lines {
        let texts = [&line.name, &line.category, &line.url, &line.image_url];
        bytes += line.product_id.len()
            + texts
                .iter()
                .filter_map(|text| text.as_ref().map(String::len))
                .sum::<usize>();
        if fits == limit::LINES || bytes > limit::LINE_BYTES {
            break;
        }
        fits += 1;
    }
    let over = cart.lines.len() - fits;
    if over > 0 {
        cart.lines.truncate(fits);
        cart.more = cart
            .more
            .saturating_add(u32::try_from(over).unwrap_or(u32::MAX));
        out.count(Count::Truncated);
    }
}
