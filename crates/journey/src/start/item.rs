//! Elements of `each`, and the values of an event that a campaign keeps.

use std::collections::BTreeSet;

use winback_campaign::model::Start;
use winback_contract::Event;

use crate::customer::Line;
use crate::effects::Count;
use crate::facts::property::line;
use crate::facts::{Facts, field};
use crate::incoming::IncomingEvent;
use crate::scene::Scene;
use crate::state::Field;

/// Most journeys that one event begins through `each` (INV-12).
const ELEMENTS: usize = 8;

/// Longest text of an event that is kept.
const TEXT: usize = 256;

/// One journey without an element, or one per element.
pub(crate) fn items(
    scene: &mut Scene<'_>,
    start: &Start,
    incoming: &IncomingEvent<'_>,
) -> Vec<Option<Line>> {
    let (Some(each), Some(bundle)) = (&start.each, scene.world.active) else {
        return vec![None];
    };
    let facts = Facts {
        event: Some((incoming.event, incoming.at, incoming.arrival)),
        ..scene
            .world
            .facts(&bundle.policy, scene.customer, incoming.arrival)
    };
    match each.list(&facts) {
        Ok(list) => {
            if list.len() > ELEMENTS {
                scene.out.count(Count::Truncated);
            }
            list.iter()
                .take(ELEMENTS)
                .filter_map(line)
                .map(Some)
                .collect()
        }
        Err(_) => {
            scene.out.count(Count::ConditionFailed);
            Vec::new()
        }
    }
}

/// The wanted values of an event.
pub(crate) fn values(event: &Event, wanted: &BTreeSet<String>) -> Vec<(String, Field)> {
    let mut found = Vec::new();
    for name in wanted {
        let short = |text: &str| Field::Text(text.chars().take(TEXT).collect());
        let own = match name.as_str() {
            "url" => event.url.as_deref().map(short),
            "category" => event
                .products
                .first()
                .and_then(|product| product.category.as_deref())
                .map(short),
            _ => None,
        };
        let of_properties = || match field(event.properties.get(name)?, name)? {
            Field::Text(text) => Some(short(&text)),
            kept @ (Field::Number(_)
            | Field::Bool(_)
            | Field::Time(_)
            | Field::List(_)
            | Field::Map(_)) => Some(kept),
        };
        if let Some(value) = own.or_else(of_properties) {
            found.push((name.clone(), value));
        }
    }
    found
}
