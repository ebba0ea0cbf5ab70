//! Visits: a session begins after half an hour without activity and remembers what was looked at (ADR 0006).

use crate::behaviour::{SESSION_GAP, Session, Touch, limit, push};
use crate::customer::{Customer, Line};
use crate::facts::property::text;
use crate::incoming::IncomingEvent;

/// A visit goes on or begins. True when a session began. Called before the activity itself is noted.
pub(crate) fn session(customer: &mut Customer, incoming: &IncomingEvent<'_>) -> bool {
    let last = customer.last_activity;
    let behaviour = &mut customer.behaviour;
    let begins = behaviour.session.is_none()
        || last.is_none_or(|last| incoming.arrival.since(last) >= SESSION_GAP);
    if begins {
        behaviour.session = Some(Session {
            started_at: incoming.arrival,
            viewed: Vec::new(),
            categories: Vec::new(),
            searches: Vec::new(),
            pages: 0,
        });
        push(&mut behaviour.sessions, incoming.arrival, limit::SESSIONS);
    }
    let Some(session) = &mut behaviour.session else {
        return begins;
    };
    session.pages = session.pages.saturating_add(1);
    let event = incoming.event;
    match event.name.as_str() {
        "Product Viewed" | "Product Clicked" => {
            for product in &event.products {
                session
                    .viewed
                    .retain(|line| line.product_id != product.product_id);
                push(
                    &mut session.viewed,
                    Line::from(product),
                    limit::SESSION_PRODUCTS,
                );
                if let Some(category) = &product.category
                    && !session.categories.contains(category)
                {
                    push(&mut session.categories, category.clone(), limit::CATEGORIES);
                }
                let touch = Touch {
                    product_id: product.product_id.clone(),
                    category: product.category.clone(),
                    at: incoming.at,
                };
                push(&mut behaviour.views, touch, limit::VIEWS);
            }
        }
        "Products Searched" => {
            if let Some(query) = text(event, "query") {
                push(&mut session.searches, query, limit::SEARCHES);
            }
        }
        _ => {}
    }
    begins
}
