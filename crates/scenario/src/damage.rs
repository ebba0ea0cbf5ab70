//! What shops do to payloads: fields dropped, renamed, of other types, nested, repeated, cut. Seeded.
//!
//! What a record is nothing without stays whole: `needed` names those fields of its outermost map.

use serde_json::{Value, json};

use crate::Random;

fn below(random: &mut Random, count: usize) -> usize {
    usize::try_from(random.below(count as u64)).unwrap_or(0)
}

/// Changes one thing, anywhere but in what is needed.
pub fn damage(value: &mut Value, random: &mut Random, needed: &[&str]) {
    mutate(value, random, 0, needed);
}

/// What programs write where something else is meant.
fn odd(random: &mut Random) -> Value {
    let nines = "9".repeat(400);
    let texts = [
        "",
        " ",
        "undefined",
        "null",
        "NaN",
        "[object Object]",
        "0",
        "-0",
        "-1",
        "1e999",
        &nines,
        "1.234.567,89 €",
        "$-12.30",
        "٣٫١٤",
        "１２",
        "true",
        "да",
        "2026-02-30",
        "2026-13-45T99:99:99Z",
        "0000-00-00 00:00:00",
        "+99999-12-31T00:00:00Z",
        "-271821-04-20T00:00:00Z",
        "2026-03-02T08:00:00.1234567890123Z",
        "02/03/2026",
        "Mon, 02 Mar 2026 08:00:00 GMT",
        "день",
        "🛒🛒🛒",
        "a\u{0}b",
        "\u{202e}evil",
        "\u{feff}",
        "<script>",
        "{{ x }}",
        "javascript:alert(1)",
        "http://",
        "https://[::1",
        "//x",
        "data:text/html,x",
        "@",
        "a@",
        "a@b@c",
        "\"x\"@y.example",
        "+",
        "+0",
        "00",
        "tel:+380501234567",
        "EURO",
        "€",
        "eur",
        "[]",
        "{}",
        "[1,2",
        "{\"a\":1}",
        "[{\"product_id\":\"p\"}]",
        "Europe/Nowhere",
        "UTC+25",
        "xx-XX-XX",
        "ends with \u{301}",
    ];
    match below(random, 16) {
        0 => Value::Null,
        1 => json!(below(random, 2) == 0),
        2 => json!(i64::MIN),
        3 => json!(u64::MAX),
        4 => json!(f64::MAX),
        5 => json!(-0.000_000_1),
        6 => json!([]),
        7 => json!({}),
        8 => json!([[], {}, null, "x", 1]),
        9 => json!({ "value": { "value": 3 } }),
        10 => (0..60).fold(json!("deep"), |inner, _| json!([inner])),
        11 => json!("ы".repeat(below(random, 5_000))),
        _ => json!(texts[below(random, texts.len())]),
    }
}

/// A cut or a splice inside of a text, at a boundary of letters.
fn splice(text: &str, random: &mut Random) -> String {
    let letters: Vec<char> = text.chars().collect();
    let at = below(random, letters.len() + 1);
    let put = [
        'é', '\u{0}', ' ', ',', '.', '-', '9', '€', '\u{2003}', 'T', ':', '+',
    ][below(random, 12)];
    let tail = if below(random, 2) == 0 {
        at
    } else {
        letters.len().min(at + 1)
    };
    letters[..at]
        .iter()
        .chain([&put])
        .chain(&letters[tail..])
        .collect()
}

fn mutate(value: &mut Value, random: &mut Random, depth: usize, needed: &[&str]) {
    match value {
        Value::Object(map) if !map.is_empty() && below(random, 8 + depth) < 8 => {
            let Some(key) = map.keys().nth(below(random, map.len())).cloned() else {
                return;
            };
            // The name and one identifier are what a record needs.
            if depth == 0 && needed.contains(&key.as_str()) {
                return;
            }
            match below(random, 10) {
                0 => drop(map.remove(&key)),
                1 => {
                    let moved = map.remove(&key).unwrap_or_default();
                    let name = match below(random, 4) {
                        0 => key.to_uppercase(),
                        1 => key.replace('_', ""),
                        2 => format!("{key} "),
                        _ => splice(&key, random),
                    };
                    // Never onto what a record needs.
                    if depth > 0 || !needed.contains(&name.as_str()) {
                        map.insert(name, moved);
                    }
                }
                _ => mutate(
                    map.entry(key).or_insert(Value::Null),
                    random,
                    depth + 1,
                    needed,
                ),
            }
        }
        Value::Array(list) if !list.is_empty() && below(random, 3) > 0 => {
            let at = below(random, list.len());
            match below(random, 4) {
                0 => list.extend(vec![list[at].clone(); below(random, 60)]),
                1 => list.push(odd(random)),
                _ => mutate(&mut list[at], random, depth + 1, needed),
            }
        }
        Value::String(text) if below(random, 3) == 0 => *text = splice(text, random),
        other if depth > 0 => {
            *other = match below(random, 6) {
                0 => json!([other.clone()]),
                1 => json!({ "value": other.clone(), "currency": odd(random) }),
                2 => json!(other.to_string()),
                _ => odd(random),
            };
        }
        _ => {}
    }
}
