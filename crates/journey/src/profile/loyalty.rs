//! Points, levels, complaints, answers and wishes. State only; nothing begins or ends here.

use winback_contract::{Event, EventId, Timestamp};

use crate::behaviour::{Points, limit, push};
use crate::customer::Customer;
use crate::facts::property::{moment, number, text};
use crate::incoming::IncomingEvent;

/// Everything else an event says about the person.
pub(crate) fn fold(customer: &mut Customer, incoming: &IncomingEvent<'_>) {
    let event = incoming.event;
    match event.name.as_str() {
        "Points Credited" | "Points Spent" | "Points Burnt" => {
            points(customer, event, incoming.at);
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
