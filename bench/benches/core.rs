//! What a fold and a decision cost on one core, with all shipped campaigns live. Figures are printed, never asserted.

#![allow(
    missing_docs,
    reason = "criterion's macros make functions without words"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use winback_campaign::Bundles;
use winback_campaign::{Bundle, Files};
use winback_contract::{
    Body, CustomerId, Event, EventId, EventRecord, Identities, Offset, Partition, Product,
    SourceKind, SourcePosition, Span, Timestamp,
};
use winback_journey::{Customer, GrantState, Limits, Room, World, decide, input, tick};

/// As in the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn files(folder: &Path, root: &Path, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, root, found);
        } else if let (Ok(text), Ok(inside)) =
            (std::fs::read_to_string(&path), path.strip_prefix(root))
        {
            found.insert(inside.display().to_string(), text);
        }
    }
}

fn event(name: &str, number: i64, at: Timestamp) -> EventRecord {
    let identities = Identities {
        user: Some("u1".into()),
        email: Some("ann@example.com".into()),
        ..Identities::default()
    };
    let product = Product {
        product_id: format!("p{}", number % 40),
        name: Some("Blue mug".into()),
        category: Some("mugs".into()),
        price: None,
        quantity: 1,
        url: Some("https://shop.example/p".into()),
        ..Product::of("")
    };
    EventRecord {
        v: EventRecord::VERSION,
        to: CustomerId([7; 16]),
        id: EventId::of_message_id(&number.to_string()),
        source: SourcePosition {
            stream: "raw:raw".into(),
            partition: Partition(0),
            offset: Offset(number),
            index: 0,
        },
        kind: SourceKind::Live,
        arrival: at,
        at,
        body: Body::Storefront(Box::new(Event {
            name: name.into(),
            identities,
            cart_id: Some("c1".into()),
            products: vec![product],
            ..Event::default()
        })),
    }
}

#[allow(clippy::too_many_lines, reason = "a table, or a story told in order")]
fn core(criterion: &mut Criterion) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaigns");
    let mut found = BTreeMap::new();
    files(&root, &root, &mut found);
    let Ok((bundle, _)) = Bundle::compile(&Files(found)) else {
        return;
    };
    let bundle = Arc::new(bundle);
    let mut bundles = Bundles::default();
    bundles.insert(bundle.clone());
    let limits = Limits::default();
    let sellers = winback_journey::Sellers::default();
    let coupons = winback_journey::Coupons::default();
    let world = World {
        customer: CustomerId([7; 16]),
        partition: Partition(0),
        bundles: &bundles,
        active: Some(&bundle),
        limits: &limits,
        news: &[],
        sellers: &sellers,
        coupons: &coupons,
        shop: "bench",
    };
    let start = Timestamp::from_millis(1_780_000_000_000);
    let mut customer = Customer::default();
    for number in 0..20 {
        let at = start + Span::from_secs(number * 30);
        let name = if number % 5 == 4 {
            "Product Added"
        } else {
            "Product Viewed"
        };
        input::apply(&mut customer, &event(name, number, at), &world);
    }
    let mut number = 100;
    criterion.bench_function("fold: a product view", |bencher| {
        bencher.iter_batched(
            || {
                number += 1;
                (
                    customer.clone(),
                    event("Product Viewed", number, start + Span::from_mins(11)),
                )
            },
            |(mut customer, record)| {
                // What was made and what was given is dropped outside the measurement.
                let effects = input::apply(&mut customer, &record, &world);
                (effects, customer, record)
            },
            BatchSize::SmallInput,
        );
    });
    criterion.bench_function("fold: an addition to the cart", |bencher| {
        bencher.iter_batched(
            || {
                number += 1;
                (
                    customer.clone(),
                    event("Product Added", number, start + Span::from_mins(11)),
                )
            },
            |(mut customer, record)| {
                let effects = input::apply(&mut customer, &record, &world);
                (effects, customer, record)
            },
            BatchSize::SmallInput,
        );
    });
    let later = start + Span::from_hours(2);
    let mut due = customer.clone();
    let fired = tick::tick(
        &mut due,
        later,
        &|_| GrantState::Gone,
        &Room::plenty(),
        &world,
    );
    let Some(trigger) = fired.triggers.first() else {
        return;
    };
    criterion.bench_function(
        &format!("decision: {} due steps", trigger.steps.len()),
        |bencher| {
            bencher.iter(|| decide(&bundles, trigger));
        },
    );
}

criterion_group!(benches, core);
criterion_main!(benches);
