//! What a person does: sessions, views, wishes, points, complaints, answers. State only; nothing begins or ends here.

use serde_json::Value;
use winback_contract::{Event, EventId, Timestamp};

use super::Happening;
use crate::behaviour::{Points, SESSION_GAP, Session, Touch, limit, push};
use crate::customer::{Customer, Line};

/// A visit goes on or begins. True when a session began. Called before the activity itself is noted.
pub(super) fn session(customer: &mut Customer, happening: &Happening<'_>) -> bool {
    let last = customer.last_activity;
    let behaviour = &mut customer.behaviour;
    let begins = behaviour.session.is_none()
        || last.is_none_or(|last| happening.arrival.since(last) >= SESSION_GAP);
    if begins {
        behaviour.session = Some(Session {
            started_at: happening.arrival,
            viewed: Vec::new(),
            categories: Vec::new(),
            searches: Vec::new(),
            pages: 0,
        });
        push(&mut behaviour.sessions, happening.arrival, limit::SESSIONS);
    }
    let Some(session) = &mut behaviour.session else {
        return begins;
    };
    session.pages = session.pages.saturating_add(1);
    let event = happening.event;
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
                    at: happening.at,
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

/// Everything else an event says about the person.
pub(super) fn fold(customer: &mut Customer, happening: &Happening<'_>) {
    let event = happening.event;
    match event.name.as_str() {
        "Points Credited" | "Points Spent" | "Points Burnt" => {
            points(customer, event, happening.at);
        }
        "Level Reached" => {
            customer.profile.level = text(event, "level").or_else(|| customer.profile.level.take());
            if let Some(points) = &mut customer.behaviour.points {
                points.to_next_level = number(event, "to_next_level");
                points.to_next_share = number(event, "to_next_share");
            }
        }
        "Complaint Opened" => {
            if let Some(id) = complaint(event)
                && !customer.behaviour.complaints.contains(&id)
            {
                push(&mut customer.behaviour.complaints, id, limit::COMPLAINTS);
            }
        }
        "Complaint Settled" => {
            let id = complaint(event);
            customer
                .behaviour
                .complaints
                .retain(|open| Some(*open) != id);
        }
        "Churn Reason Recorded" | "Survey Answered" => {
            if let Some(reason) = text(event, "reason") {
                customer.behaviour.churn_reason = Some(reason);
            }
        }
        "Product Reviewed" => {
            customer.behaviour.reviews = customer.behaviour.reviews.saturating_add(1);
        }
        "Product Added to Wishlist" => {
            for product in &event.products {
                let wished = &mut customer.behaviour.wished;
                if !wished.contains(&product.product_id) {
                    push(wished, product.product_id.clone(), limit::WISHED);
                }
            }
        }
        "Product Removed from Wishlist" => {
            let gone = |id: &String| {
                event
                    .products
                    .iter()
                    .any(|product| product.product_id == *id)
            };
            customer.behaviour.wished.retain(|id| !gone(id));
        }
        _ => {}
    }
}

fn complaint(event: &Event) -> Option<u64> {
    text(event, "complaint_id").map(|id| EventId::of_message_id(&id).short())
}

/// The shop's own word counts; an older one that comes late does not.
fn points(customer: &mut Customer, event: &Event, at: Timestamp) {
    let known = customer.behaviour.points.unwrap_or_default();
    if known.at > at {
        return;
    }
    let credited = event.name == "Points Credited";
    let earned = if credited {
        number(event, "points").unwrap_or(0.0)
    } else {
        0.0
    };
    if let Some(level) = text(event, "level") {
        customer.profile.level = Some(level);
    }
    customer.behaviour.points = Some(Points {
        balance: number(event, "balance").unwrap_or(known.balance),
        expiring: number(event, "expiring").unwrap_or(0.0),
        earned: known.earned + earned,
        expires_at: moment(event, "expires_at"),
        to_next_level: number(event, "to_next_level").or(known.to_next_level),
        to_next_share: number(event, "to_next_share").or(known.to_next_share),
        at,
    });
}

/// A text among the properties of an event.
pub(crate) fn text(event: &Event, name: &str) -> Option<String> {
    match event.properties.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A number among them; numeric text is taken too.
pub(crate) fn number(event: &Event, name: &str) -> Option<f64> {
    match event.properties.get(name)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text
            .trim()
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

/// A moment among them.
pub(crate) fn moment(event: &Event, name: &str) -> Option<Timestamp> {
    text(event, name).and_then(|text| Timestamp::parse(&text).ok())
}
