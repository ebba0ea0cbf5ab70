//! The shop's word about a product: what becomes an entry, what becomes news, and what a record read again does.

use serde_json::{Value, json};
use winback_bus::memory::MemoryLog;
use winback_contract::{Currency, Offset, Partition, Product, spec};
use winback_service::Clock;

use super::*;

async fn catalogue() -> Catalogue {
    let log = MemoryLog::new(Clock::at(0));
    log.create("catalogue", 1);
    let made = Catalogue::start(&log, "catalogue", "ingest", 100).await;
    let mut catalogue = made.unwrap().unwrap();
    assert!(catalogue.follow().await.unwrap());
    catalogue
}

fn position(offset: i64) -> SourcePosition {
    SourcePosition {
        stream: "raw:raw".into(),
        partition: Partition(0),
        offset: Offset(offset),
        index: 0,
    }
}

fn says(cents: Option<i64>, more: Value) -> Event {
    let currency = Currency::parse("EUR").unwrap();
    let price = cents.map(|minor| Money { minor, currency });
    let properties = more.as_object().cloned().unwrap_or_default();
    Event {
        name: spec::PRODUCT_UPDATED.into(),
        products: vec![Product {
            price,
            ..Product::of("p1")
        }],
        properties: properties.into_iter().collect(),
        ..Event::default()
    }
}

fn names(made: &Option<(CatalogueEntry, Option<GoodsNews>)>) -> Vec<&'static str> {
    let news = made.as_ref().and_then(|(_, news)| news.as_ref());
    news.map(GoodsNews::names).unwrap_or_default()
}

#[tokio::test]
async fn only_real_changes_are_news_and_small_ones_add_up() {
    let mut catalogue = catalogue().await;
    let table = [
        (says(Some(10_000), json!({ "available": 3 })), vec![]),
        (says(Some(9_950), json!({})), vec![]),
        (says(Some(9_910), json!({})), vec![]),
        // Half a percent each time: together it is more than one.
        (says(Some(9_890), json!({})), vec![spec::PRICE_DROPPED]),
        (
            says(None, json!({ "available": 0 })),
            vec![spec::OUT_OF_STOCK],
        ),
        (
            says(None, json!({ "available": "7" })),
            vec![spec::BACK_IN_STOCK],
        ),
        (
            says(None, json!({ "removed": true })),
            vec![spec::OUT_OF_STOCK],
        ),
        (
            says(Some(20_000), json!({ "removed": false })),
            vec![spec::PRICE_RAISED, spec::BACK_IN_STOCK],
        ),
    ];
    for (offset, (event, expected)) in table.into_iter().enumerate() {
        let source = position(i64::try_from(offset).unwrap());
        let made = catalogue.update(&event, source, Timestamp::default());
        assert_eq!(names(&made), expected, "record {offset}");
    }
}

#[tokio::test]
async fn a_record_read_again_makes_the_same_news() {
    let mut catalogue = catalogue().await;
    let at = Timestamp::default();
    catalogue.update(&says(Some(1_000), json!({})), position(1), at);
    let first = catalogue.update(&says(Some(500), json!({})), position(2), at);
    let again = catalogue.update(&says(Some(500), json!({})), position(2), at);
    assert_eq!(names(&first), [spec::PRICE_DROPPED]);
    assert_eq!(first, again);
    let older = catalogue.update(&says(Some(1_000), json!({})), position(1), at);
    assert_eq!(
        older, None,
        "what is older than what is known was applied before"
    );
}

#[tokio::test]
async fn what_is_not_said_stays() {
    let mut catalogue = catalogue().await;
    let at = Timestamp::default();
    catalogue.update(
        &says(Some(1_000), json!({ "points": 5, "available": 2 })),
        position(1),
        at,
    );
    let made = catalogue.update(&says(None, json!({})), position(2), at);
    let (entry, news) = made.unwrap();
    assert_eq!(
        (entry.points, entry.available, news),
        (Some(5.0), Some(2), None)
    );
    assert_eq!(entry.product.price.map(|price| price.minor), Some(1_000));
}
