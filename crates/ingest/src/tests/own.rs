//! What a shop adds of its own, through the whole reading of a record.

use serde_json::json;

use super::read;

/// What a shop adds of its own keeps its type, as a trait too; the text beside a number is for the release before.
#[test]
fn traits_and_properties_of_the_shop_keep_their_type() {
    let event = read(&json!({ "type": "identify", "userId": "u1",
        "traits": { "age": 34, "vip": true, "pets": ["dog", "cat"], "club": "gold", "nothing": null, "long": "x".repeat(80) } }), &[]).unwrap();
    let traits = event.traits.unwrap();
    assert_eq!(
        serde_json::to_value(&traits.typed).unwrap(),
        json!({ "age": 34, "vip": true, "pets": ["dog", "cat"] })
    );
    assert_eq!(
        serde_json::to_value(&traits.custom).unwrap(),
        json!({ "age": "34", "vip": "true", "club": "gold" })
    );
    // What is left out takes nobody's place.
    let mut many = json!({ "club": "gold" });
    for number in 0..20 {
        many[format!("a{number:02}")] = json!("");
    }
    let event = read(
        &json!({ "type": "identify", "userId": "u1", "traits": many }),
        &[],
    )
    .unwrap();
    assert_eq!(event.traits.unwrap().custom["club"], "gold");
    let event = read(
        &json!({ "type": "track", "event": "Quiz Done", "userId": "u1",
        "properties": { "answers": ["a", 2], "at": { "shop": "Lviv" } } }),
        &[],
    )
    .unwrap();
    assert_eq!(event.properties["answers"], json!(["a", 2]));
    assert_eq!(event.properties["at"], json!({ "shop": "Lviv" }));
}
