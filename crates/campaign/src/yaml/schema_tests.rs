//! The schema takes every shipped file and refuses what the reader refuses.

use std::path::Path;

use serde_json::{Value, json};

use super::{Kind, of};

/// As much of JSON Schema as our schemas use.
fn fits(schema: &Value, value: &Value, root: &Value) -> bool {
    if let Some(part) = schema.get("$ref").and_then(Value::as_str) {
        let part = root.pointer(part.trim_start_matches('#'));
        return part.is_some_and(|part| fits(part, value, root));
    }
    let of_type = |name: &Value| match name.as_str() {
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("boolean") => value.is_boolean(),
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("null") => value.is_null(),
        _ => false,
    };
    let typed = match schema.get("type") {
        Some(Value::Array(names)) => names.iter().any(of_type),
        Some(name) => of_type(name),
        None => true,
    };
    let list = |name: &str| schema.get(name).and_then(Value::as_array);
    let count = |all: &Vec<Value>| all.iter().filter(|one| fits(one, value, root)).count();
    let mut good = typed
        && list("anyOf").is_none_or(|all| count(all) > 0)
        && list("oneOf").is_none_or(|all| count(all) == 1)
        && list("enum").is_none_or(|all| all.contains(value));
    if let (Some(items), Some(all)) = (schema.get("items"), value.as_array()) {
        good &= all.iter().all(|one| fits(items, one, root));
    }
    if let Some(map) = value.as_object() {
        let required = list("required").into_iter().flatten();
        good &= required
            .filter_map(Value::as_str)
            .all(|name| map.contains_key(name));
        let known = schema.get("properties");
        for (name, value) in map {
            let part = known.and_then(|known| known.get(name));
            good &= match (part, schema.get("additionalProperties")) {
                (Some(part), _) => fits(part, value, root),
                (None, Some(Value::Bool(any))) => *any,
                (None, Some(part)) => fits(part, value, root),
                (None, None) => true,
            };
        }
    }
    good
}

fn is_taken(kind: Kind, text: &str) -> bool {
    let schema = of(kind);
    let value: Value = serde_saphyr::from_str(text).unwrap();
    fits(&schema, &value, &schema)
}

#[test]
fn every_shipped_file_fits() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../campaigns");
    assert!(is_taken(
        Kind::Policy,
        &std::fs::read_to_string(root.join("policy.yaml")).unwrap()
    ));
    let mut count = 0;
    for folder in std::fs::read_dir(&root).unwrap() {
        let path = folder.unwrap().path().join("campaign.yaml");
        if let Ok(text) = std::fs::read_to_string(&path) {
            assert!(is_taken(Kind::Campaign, &text), "{}", path.display());
            count += 1;
        }
    }
    assert!(count >= 33, "{count}");
}

#[test]
fn what_the_reader_refuses_does_not_fit() {
    let good = "apiVersion: winback/v1\nkind: Campaign\nmetadata: { name: a, group: g }\nspec:\n  enter: { on: Product Added, idle: 20m }\n  cascade: [ { step: x, send: [email] } ]\n";
    assert!(is_taken(Kind::Campaign, good));
    for (from, to) in [
        ("idle: 20m", "idel: 20m"),
        ("on: Product Added, idle: 20m", "idle: 20m"),
        ("on: Product Added", "on: Product Added, silence: 3d"),
        ("step: x, send: [email]", "send: [email]"),
        ("step: x, send: [email]", "step: x, wait: 3d"),
        ("send: [email]", "send: { email: 1 }"),
        ("metadata: { name: a, group: g }\n", ""),
    ] {
        assert!(good.contains(from));
        assert!(!is_taken(Kind::Campaign, &good.replace(from, to)), "{to}");
    }
    assert_eq!(
        of(Kind::Policy)["$schema"],
        json!("https://json-schema.org/draft/2020-12/schema")
    );
}
