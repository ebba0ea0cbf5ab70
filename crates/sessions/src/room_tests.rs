//! What is given up while the store is nearly full, and what is not written on the format of before (INV-12, ADR 0012).

use serde_json::{Value, json};
use winback_contract::*;

use super::stage::{NOW, Stage, who};
use super::tests::{files, names};

#[tokio::test]
async fn a_store_that_is_nearly_full_forgets_no_order() {
    let mut stage = Stage::new().await;
    let known = who(0, 1);
    stage.order(known, 1, "o1").await;
    stage.rounds().await;
    let before = stage.blob(known).await.unwrap();
    stage.store.fill(0.85);
    stage.clock.advance_to(NOW + 2_000);
    stage.rounds().await;
    let anonymous = json!({ "anonymous": "d1" });
    let put = async |stage: &Stage, number: u8, name: &str, identities: &Value| {
        let record = json!({
            "v": 1, "to": who(0, number).to_string(), "id": EventId([number; 16]), "kind": "live",
            "source": { "stream": "raw:raw", "partition": 0, "offset": 10 + i64::from(number), "index": 0 },
            "arrival": NOW, "at": NOW,
            "body": { "storefront": { "name": name, "identities": identities, "order_id": "o9" } },
        });
        stage.put(Topic::Events, 0, &record).await;
    };
    for (number, name, identities, is_kept) in [
        (2, "Product Viewed", &anonymous, false),
        (3, "Order Completed", &anonymous, true),
        (
            4,
            "Product Viewed",
            &json!({ "email": "ann@example.com" }),
            true,
        ),
        (
            5,
            "Product Viewed",
            &json!({ "user": "u5", "anonymous": "d5" }),
            true,
        ),
    ] {
        put(&stage, number, name, identities).await;
        stage.rounds().await;
        let blob = stage.blob(who(0, number)).await;
        assert_eq!(blob.is_some(), is_kept, "{name} {identities}");
    }
    put(&stage, 1, "Product Viewed", &anonymous).await;
    stage.rounds().await;
    assert_eq!(stage.failed(), []);
    assert_eq!(
        stage.applied(0).await,
        6,
        "what is given up is passed all the same"
    );
    assert_eq!(
        stage.blob(known).await.unwrap(),
        before,
        "a position of before"
    );
    // Invented user ids take what was left: whoever is new and does not order is given up as well.
    stage.store.fill(0.92);
    stage.clock.advance_to(NOW + 3_000);
    stage.rounds().await;
    let user = json!({ "user": "u8", "email": "u8@example.com" });
    for (number, name, is_kept) in [(8, "Product Viewed", false), (9, "Order Completed", true)] {
        put(&stage, number, name, &user).await;
        stage.rounds().await;
        assert_eq!(
            stage.blob(who(0, number)).await.is_some(),
            is_kept,
            "{name}"
        );
    }
    stage.store.fill(0.5);
    stage.clock.advance_to(NOW + 5_000);
    stage.rounds().await;
    put(&stage, 10, "Product Viewed", &anonymous).await;
    stage.rounds().await;
    assert!(
        stage.blob(who(0, 10)).await.is_some(),
        "there is room again"
    );
}

/// What was said of an address goes from holder to holder in records that the release before can't read: not before the
/// shop is on the newest format, and then at once.
#[tokio::test]
async fn a_shop_of_before_is_written_as_before_until_it_is_told() {
    for finalized in [false, true] {
        let mut stage = Stage::new().await;
        let bundle = files("on: Product Added, idle: 20m");
        let value = serde_json::to_value(&bundle).unwrap();
        stage.put(Topic::Campaigns, 0, &value).await;
        let said = if finalized { Format::Two } else { Format::One };
        let record = serde_json::to_value(FormatRecord::of(said)).unwrap();
        stage.put(Topic::Campaigns, 0, &record).await;
        stage.rounds().await;
        assert_eq!(stage.service.shared.bundles.format(), said);
        let identities = json!({ "user": "u1", "email": "ann@example.com" });
        let line = json!({ "product_id": "p1", "brand": "Lavoro", "quantity": 1 });
        let view = json!({ "storefront": { "name": "Product Added", "identities": identities, "products": [line] } });
        for (offset, body) in [(1, &view), (2, &json!("erased")), (3, &view)] {
            let record = json!({
                "v": 2, "to": who(0, 1).to_string(), "id": EventId([offset; 16]), "kind": "live",
                "source": { "stream": "raw:raw", "partition": 0, "offset": offset, "index": 0 },
                "arrival": NOW + i64::from(offset), "at": NOW + i64::from(offset), "body": body,
            });
            stage.put(Topic::Events, 0, &record).await;
        }
        stage.rounds().await;
        let blob = stage.blob(who(0, 1)).await.unwrap();
        assert_eq!(stage.failed(), []);
        assert_eq!(blob[0] > 3, finalized, "version {}", blob[0]);
        let written = stage.log.dump(&names().name(Topic::Events)).into_iter();
        let versions = written.map(|record| {
            let value: Value = serde_json::from_slice(&record.value.unwrap()).unwrap();
            value["v"].as_u64().unwrap()
        });
        let newest = versions.max();
        assert_eq!(newest == Some(3), finalized, "{newest:?}");
    }
}
