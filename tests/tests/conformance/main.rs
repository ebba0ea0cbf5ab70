//! The in-process store and the real one give the same answers to the same random commands.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod leases;

use std::time::Duration;

use winback_contract::{CustomerId, MessageId, Offset, Partition, Span, Timestamp};
use winback_scenario::Random;
use winback_service::Clock;
use winback_store::{
    ClaimTerms, Commit, Committed, CouponChange, CouponWrite, GrantWrite, Lease, MemoryStore,
    PartitionMeta, RedisStore, Standing, Store, Watch,
};
use winback_testkit::Redis;

const P: Partition = Partition(3);
/// Leases are another test's matter.
const TERMS: ClaimTerms = ClaimTerms {
    timeout: Span::from_secs(60),
    most_lag: Span::from_days(100_000),
};

fn lease(epoch: u64, applied: Option<Timestamp>) -> Lease {
    Lease {
        partition: P,
        epoch,
        sequence: 0,
        applied,
    }
}

async fn real(redis: &Redis, prefix: &str, mode: winback_store::redis::Mode) -> RedisStore {
    let options = winback_store::redis::Options {
        url: redis.url().to_owned(),
        prefix: prefix.to_owned(),
        mode,
        response_timeout: Duration::from_secs(5),
    };
    RedisStore::connect(options).await.unwrap()
}

fn customer(random: &mut Random) -> CustomerId {
    CustomerId([u8::try_from(random.below(12)).unwrap(); 16])
}

fn message(random: &mut Random) -> MessageId {
    MessageId([u8::try_from(random.below(6)).unwrap(); 16])
}

/// Fields that are written only where they changed.
fn vary(random: &mut Random, meta: &mut PartitionMeta) {
    let text = |random: &mut Random| format!("{{{}}}", random.below(3));
    match random.below(8) {
        0 => drop(meta.goods.insert("p1".into(), text(random))),
        1 => meta.goods.clear(),
        2 => meta.sellers = text(random),
        3 => meta.sellers.clear(),
        4 => drop(
            meta.news
                .insert(format!("n{}", random.below(3)), text(random)),
        ),
        5 => drop(
            meta.called
                .insert(format!("c{}", random.below(3)), text(random)),
        ),
        6 => drop(
            meta.held
                .insert(winback_contract::Reason::Paused, random.below(5)),
        ),
        _ => {}
    }
}

/// A commit of random content on top of `meta`; now and then with a wrong fence.
#[allow(clippy::too_many_lines, reason = "a table, or a story told in order")]
fn commit(random: &mut Random, meta: &PartitionMeta, number: u64) -> Commit {
    let mut next = meta.clone();
    next.positions.events = Offset(random.between(0, 1_000));
    next.high_water.insert(
        ("raw:raw".into(), Partition(1)),
        (Offset(random.between(0, 99)), 1),
    );
    next.sweep = random.percent(30).then(|| "x".to_owned());
    vary(random, &mut next);
    // Now and then more than one call takes.
    let many = random.percent(5);
    let outbox: Vec<Vec<u8>> = (0..if many { 450 } else { random.below(3) })
        .map(|n| vec![u8::try_from(n % 256).unwrap(); 3])
        .collect();
    let trim = random.below(meta.pushed.saturating_sub(meta.trimmed) + 1);
    next.pushed += outbox.len() as u64;
    next.trimmed += trim;
    let far = 4_000_000_000_000_i64;
    let grants = (0..random.below(3))
        .map(|_| match random.below(6) {
            5 => GrantWrite::Sent {
                message: message(random),
                until: Timestamp::from_millis(far + 1_000),
            },
            0 => GrantWrite::Remove(message(random)),
            1 => GrantWrite::Move(message(random)),
            2 => GrantWrite::Withdraw(message(random)),
            _ => GrantWrite::Grant {
                message: message(random),
                attempt: u32::try_from(random.below(2)).unwrap() + 1,
                not_before: Timestamp::from_millis(if random.percent(20) { far } else { 0 }),
                not_after: Timestamp::from_millis(far + 1_000),
            },
        })
        .collect();
    let customers = (0..if many { 250 } else { random.below(4) })
        .map(|_| {
            (
                customer(random),
                random
                    .percent(80)
                    .then(|| vec![1, 0, 255, u8::try_from(random.below(200)).unwrap()]),
            )
        })
        .collect();
    let timers = (0..random.below(4))
        .map(|_| {
            (
                customer(random),
                random
                    .percent(80)
                    .then(|| Timestamp::from_millis(random.between(0, 500))),
            )
        })
        .collect();
    let watches = (0..random.below(3))
        .map(|_| Watch {
            product: format!("p{}", random.below(3)),
            by: (0..if many { 150 } else { random.below(4) })
                .map(|_| {
                    (
                        Timestamp::from_millis(far + random.between(0, 50)),
                        customer(random),
                    )
                })
                .collect(),
            gone: (0..random.below(3)).map(|_| customer(random)).collect(),
        })
        .collect();
    let coupons = (0..random.below(3))
        .map(|_| {
            let code = |random: &mut Random| format!("CODE{}", random.below(20));
            let change = match random.below(3) {
                0 => CouponChange::Add((0..random.below(4)).map(|_| code(random)).collect()),
                1 => CouponChange::Take(code(random)),
                _ => CouponChange::Return(code(random)),
            };
            let pool = format!("POOL{}", random.below(2));
            CouponWrite { pool, change }
        })
        .collect();
    Commit {
        epoch: if random.percent(10) {
            meta.epoch.wrapping_sub(1)
        } else {
            meta.epoch
        },
        sequence: if random.percent(10) {
            meta.sequence + 1
        } else {
            meta.sequence
        },
        id: winback_contract::ids::digest("test", &[&number.to_be_bytes()]),
        meta: next,
        base: random.percent(50).then(|| meta.clone()),
        customers,
        timers,
        outbox,
        trim,
        grants,
        watches,
        coupons,
    }
}

/// Everything that can be seen of a partition.
async fn seen(store: &dyn Store) -> String {
    let ids: Vec<CustomerId> = (0..12).map(|n| CustomerId([n; 16])).collect();
    let messages: Vec<(Partition, MessageId)> = (0..6).map(|n| (P, MessageId([n; 16]))).collect();
    let (mut roll, mut cursor) = (Vec::new(), Some(String::new()));
    while let Some(at) = cursor {
        let (slice, next) = store.roll(P, &at, 5).await.unwrap();
        roll.extend(slice);
        cursor = next;
    }
    roll.sort_unstable();
    roll.dedup();
    let grants = store
        .grants(&messages)
        .await
        .unwrap()
        .into_iter()
        .map(|grant| match grant {
            // The two clocks differ: only that it is claimed counts.
            Some(winback_store::Grant::Claimed { .. }) => "claimed".to_owned(),
            other => format!("{other:?}"),
        });
    let mut watchers = Vec::new();
    for product in ["p0", "p1", "p2"] {
        let mut cursor = Some(String::new());
        while let Some(at) = cursor {
            let (slice, next) = store.watchers(P, product, &at, 3).await.unwrap();
            watchers.push(slice);
            cursor = next;
        }
    }
    let mut coupons = Vec::new();
    for pool in ["POOL0", "POOL1"] {
        for most in [0, 3] {
            coupons.push(store.coupons(P, pool, most).await.unwrap());
        }
    }
    format!(
        "{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{watchers:?}\n{coupons:?}",
        store.metas(&[P]).await.unwrap(),
        store.progress(&[P, Partition(9)]).await.unwrap(),
        store.load(P, &ids).await.unwrap(),
        store
            .due(P, Timestamp::from_millis(250), 100)
            .await
            .unwrap(),
        store.earliest(P).await.unwrap(),
        store.outbox(P).await.unwrap(),
        grants.collect::<Vec<_>>(),
        roll,
    )
}

/// Both take the partition over, say the same, and vouch for its input.
async fn acquire(stores: &[&dyn Store; 2], known: Standing) -> PartitionMeta {
    let mut metas = Vec::new();
    for store in stores {
        let meta = store.acquire(P, known).await.unwrap();
        assert!(meta.epoch > known.epoch && meta.sequence >= known.sequence);
        let now = store.time().await.unwrap();
        store.renew(&[lease(meta.epoch, Some(now))]).await.unwrap();
        metas.push(meta);
    }
    assert_eq!(metas[0], metas[1]);
    metas.remove(0)
}

async fn compare(seed: u64, redis: &Redis, mode: winback_store::redis::Mode) {
    let memory = MemoryStore::new(Clock::real());
    let real = real(redis, &format!("s{seed}:"), mode).await;
    let stores: [&dyn Store; 2] = [&memory, &real];
    let mut random = Random::new(seed);
    // Of a time to come: the clocks of both have no say in it.
    let mut known = Standing {
        epoch: 3,
        sequence: 8_000_000_000_000_000,
    };
    let mut meta = acquire(&stores, known).await;
    assert_eq!(meta.recovering, Some(0), "it is behind what is known");
    for number in 0..120 {
        match random.below(10) {
            0 => {
                known.epoch += random.below(2);
                known.sequence += random.below(40);
                meta = acquire(&stores, known).await;
            }
            1..=3 => {
                let (id, attempt, token) = (
                    message(&mut random),
                    u32::try_from(random.below(2)).unwrap() + 1,
                    random.below(3),
                );
                let mut answers = Vec::new();
                for store in stores {
                    answers.push(store.claim(P, id, attempt, token, TERMS).await.unwrap());
                }
                assert_eq!(answers[0], answers[1], "seed {seed}, step {number}");
            }
            _ => {
                let commit = commit(&mut random, &meta, number);
                let mut answers = Vec::new();
                for store in stores {
                    answers.push(store.commit(P, &commit).await.unwrap());
                }
                assert_eq!(answers[0], answers[1], "seed {seed}, step {number}");
                if random.percent(20) {
                    // The same again: a retry after a lost answer.
                    for store in stores {
                        let again = store.commit(P, &commit).await.unwrap();
                        assert_eq!(
                            again == Committed::AlreadyApplied,
                            answers[0] == Committed::Applied,
                            "seed {seed}"
                        );
                    }
                }
                meta = memory.metas(&[P]).await.unwrap().remove(0).unwrap();
            }
        }
        assert_eq!(
            seen(&memory).await,
            seen(&real).await,
            "seed {seed}, step {number}"
        );
    }
}

#[tokio::test]
async fn the_stores_agree() {
    let redis = Redis::start().unwrap();
    for seed in 0..8 {
        compare(seed, &redis, winback_store::redis::Mode::Function).await;
    }
    compare(99, &redis, winback_store::redis::Mode::Eval).await;
}

#[tokio::test]
async fn a_server_that_may_evict_is_named() {
    let redis = Redis::with(&[
        "--appendonly",
        "yes",
        "--appendfsync",
        "everysec",
        "--maxmemory-policy",
        "allkeys-lru",
    ])
    .unwrap();
    let store = real(&redis, "x:", winback_store::redis::Mode::Function).await;
    let problems = store.problems().await.unwrap();
    let problems = Vec::from_iter(problems.iter().map(ToString::to_string)).join("\n");
    assert!(
        problems.contains("allkeys-lru") && problems.contains("appendfsync is everysec"),
        "{problems}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_still_has_everything() {
    let mut redis = Redis::start().unwrap();
    let store = real(&redis, "r:", winback_store::redis::Mode::Function).await;
    let meta = store.acquire(P, Standing::default()).await.unwrap();
    let commit = Commit {
        epoch: meta.epoch,
        sequence: meta.sequence,
        id: [9; 16],
        customers: vec![(CustomerId([1; 16]), Some(vec![7]))],
        ..Commit::default()
    };
    assert_eq!(store.commit(P, &commit).await.unwrap(), Committed::Applied);
    redis.kill();
    assert!(matches!(
        store.time().await,
        Err(winback_store::Error::Unavailable(_))
    ));
    redis.restart().unwrap();
    let mut loaded = None;
    winback_testkit::until(Duration::from_secs(10), "the store answers again", || {
        loaded = futures_now(store.load(P, &[CustomerId([1; 16])]));
        loaded.is_some()
    })
    .unwrap();
    assert_eq!(loaded, Some(vec![Some(vec![7])]));
    assert_eq!(
        store.commit(P, &commit).await.unwrap(),
        Committed::AlreadyApplied
    );
}

/// Runs one call to its end on a thread of the runtime's.
fn futures_now<T>(call: impl Future<Output = Result<T, winback_store::Error>>) -> Option<T> {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(call)).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_stores_count_to_the_limit_and_no_further() {
    let redis = Redis::start().unwrap();
    let modes = [
        winback_store::redis::Mode::Function,
        winback_store::redis::Mode::Eval,
    ];
    let [function, eval] = modes.map(|mode| real(&redis, "count:", mode));
    let (function, eval) = (function.await, eval.await);
    let clock = Clock::at(1_000_000);
    let memory = MemoryStore::new(clock.clone());
    let stores: [(&str, &dyn Store); 2] = [("real", &function), ("memory", &memory)];
    for (which, store) in stores {
        for _ in 0..3 {
            assert!(store.count("fuse:sms:0", 3).await.unwrap(), "{which}");
        }
        assert!(!store.count("fuse:sms:0", 3).await.unwrap(), "{which}");
        // A refusal counts nothing, and other names have counts of their own.
        assert!(store.count("fuse:sms:0", 4).await.unwrap(), "{which}");
        assert!(!store.count("fuse:sms:0", 4).await.unwrap(), "{which}");
        // What is taken back leaves room for one.
        store.uncount("fuse:sms:0").await.unwrap();
        assert!(store.count("fuse:sms:0", 4).await.unwrap(), "{which}");
        assert!(!store.count("fuse:sms:0", 4).await.unwrap(), "{which}");
        assert!(store.count("fuse:sms:7", 1).await.unwrap(), "{which}");
        for _ in 0..2 {
            store.uncount("fuse:sms:7").await.unwrap();
        }
        assert!(
            store.count("fuse:sms:7", 1).await.unwrap(),
            "{which}: never below nothing"
        );
        assert!(!store.count("fuse:sms:7", 1).await.unwrap(), "{which}");
        assert!(!store.count("none", 0).await.unwrap(), "{which}");
    }
    // Another process, by scripts, shares the count.
    assert!(!eval.count("fuse:sms:0", 4).await.unwrap());
    // The hour rolls by minutes.
    let minute = 60_000;
    clock.advance_to(1_000_000 + 60 * minute);
    assert!(!memory.count("fuse:sms:0", 4).await.unwrap());
    clock.advance_to(1_000_000 + 61 * minute);
    assert!(memory.count("fuse:sms:0", 4).await.unwrap());
    // On Redis the minutes of long ago are put there, as its clock can't be moved.
    let now: i64 = redis
        .ask("EVAL \"return redis.call('TIME')[1]\" 0")
        .unwrap()
        .parse()
        .unwrap();
    let minute = now / 60;
    for (ago, counted) in [(62, 500), (59, 3), (1, 4)] {
        let told = format!("HSET count:count:old {} {counted}", minute - ago);
        redis.ask(&told).unwrap();
    }
    assert!(
        !function.count("old", 7).await.unwrap(),
        "the last hour holds seven"
    );
    assert!(function.count("old", 8).await.unwrap());
    let kept = redis.ask("HLEN count:count:old").unwrap();
    assert_eq!(kept, ":3", "what is older is dropped");
}
