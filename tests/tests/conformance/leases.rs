//! Leases and claims: the in-process store and the real one judge alike how far input is applied, and by whom it was said.

use winback_contract::{MessageId, Span, Timestamp};
use winback_service::Clock;
use winback_store::{
    Claim, ClaimTerms, Commit, GrantWrite, Lease, MemoryStore, PartitionMeta, Standing, Store,
};
use winback_testkit::Redis;

use crate::{P, TERMS, lease, real};

/// Grants of the messages 1 and 2, by the partition's new owner; its meta, and the store's time.
async fn granted(store: &dyn Store) -> (PartitionMeta, Timestamp) {
    let meta = store.acquire(P, Standing::default()).await.unwrap();
    let now = store.time().await.unwrap();
    let grant = |id| GrantWrite::Grant {
        message: MessageId([id; 16]),
        attempt: 1,
        not_before: Timestamp::default(),
        not_after: now + Span::from_hours(1),
    };
    let commit = Commit {
        epoch: meta.epoch,
        sequence: meta.sequence,
        id: [7; 16],
        grants: [1, 2].map(grant).into(),
        ..Commit::default()
    };
    store.commit(P, &commit).await.unwrap();
    (meta, now)
}

/// INV-5: a claim asks how far its partition's input is applied; only the owner can say so, and never less than before.
#[tokio::test]
async fn a_claim_needs_a_fresh_lease_of_the_partitions_owner() {
    let redis = Redis::start().unwrap();
    let terms = ClaimTerms {
        most_lag: Span::from_secs(5),
        ..TERMS
    };
    for mode in [
        winback_store::redis::Mode::Function,
        winback_store::redis::Mode::Eval,
    ] {
        let memory = MemoryStore::new(Clock::real());
        let real = real(&redis, &format!("lease-{mode:?}:"), mode).await;
        let stores: [&dyn Store; 2] = [&memory, &real];
        for store in stores {
            let nobody = store.renew(&[lease(9, None)]).await.unwrap();
            assert_eq!(
                nobody,
                [Standing::default()],
                "a partition without state stands at zero"
            );
            let (meta, now) = granted(store).await;
            let claim = |id: u8| store.claim(P, MessageId([id; 16]), 1, 1, terms);
            assert_eq!(
                claim(1).await.unwrap(),
                Claim::Lagging,
                "nobody has vouched"
            );
            let old = now + Span::from_millis(-60_000);
            let standing = store.renew(&[lease(meta.epoch, Some(old))]).await.unwrap();
            let (epoch, sequence) = (meta.epoch, meta.sequence + 1);
            assert_eq!(standing, [Standing { epoch, sequence }]);
            assert_eq!(
                claim(1).await.unwrap(),
                Claim::Lagging,
                "input of a minute is not applied"
            );
            store
                .renew(&[lease(meta.epoch + 1, Some(now))])
                .await
                .unwrap();
            assert_eq!(
                claim(1).await.unwrap(),
                Claim::Lagging,
                "another epoch can't vouch"
            );
            assert!(
                meta.sequence > u64::try_from(now.as_millis()).unwrap(),
                "numbers are of the clock: a time that was lost has used lower ones"
            );
            let ahead = Lease {
                sequence: meta.sequence + 2,
                ..lease(meta.epoch, Some(now))
            };
            store.renew(&[ahead]).await.unwrap();
            assert_eq!(
                claim(1).await.unwrap(),
                Claim::Lagging,
                "the store is behind its owner"
            );
            store.renew(&[lease(meta.epoch, Some(now))]).await.unwrap();
            assert_eq!(claim(1).await.unwrap(), Claim::Claimed);
            store.renew(&[lease(meta.epoch, Some(old))]).await.unwrap();
            assert_eq!(
                claim(2).await.unwrap(),
                Claim::Claimed,
                "a lease never goes back"
            );
        }
    }
}

/// INV-4 and INV-5: what was vouched for before a restart says nothing of what is here now, and whoever's claim ran out must
/// not begin to send.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_of_this_run_of_the_server_and_of_its_time() {
    let mut redis = Redis::start().unwrap();
    let memory = MemoryStore::new(Clock::real());
    let real = real(&redis, "run:", winback_store::redis::Mode::Function).await;
    let stores: [&dyn Store; 2] = [&memory, &real];
    let mut epoch = 0;
    for store in stores {
        let (meta, now) = granted(store).await;
        epoch = meta.epoch;
        store.renew(&[lease(epoch, Some(now))]).await.unwrap();
        let brief = ClaimTerms {
            timeout: Span::from_millis(1),
            ..TERMS
        };
        let claim = || store.claim(P, MessageId([1; 16]), 1, 1, brief);
        assert_eq!(claim().await.unwrap(), Claim::Claimed);
        // The same token asks again, as after a lost answer, when its time is over.
        let mut answer = Claim::Claimed;
        while answer == Claim::Claimed && store.time().await.unwrap() < now + Span::from_secs(10) {
            answer = claim().await.unwrap();
        }
        assert_eq!(answer, Claim::Taken);
    }
    memory.restore(memory.snapshot());
    redis.restart().unwrap();
    for store in stores {
        let claim = || store.claim(P, MessageId([2; 16]), 1, 1, TERMS);
        let mut answer = claim().await;
        // A connection of before the restart is replaced by the next call.
        while matches!(answer, Err(winback_store::Error::Unavailable(_))) {
            answer = claim().await;
        }
        assert_eq!(answer, Ok(Claim::Lagging));
        let now = store.time().await.unwrap();
        store.renew(&[lease(epoch, Some(now))]).await.unwrap();
        assert_eq!(claim().await, Ok(Claim::Claimed));
    }
}

/// INV-5: a clock that went back leaves what was vouched for in the future, and whoever vouched for it may be dead.
#[tokio::test]
async fn what_is_vouched_for_in_the_future_says_nothing_of_now() {
    let redis = Redis::with_clock().unwrap();
    for mode in [
        winback_store::redis::Mode::Function,
        winback_store::redis::Mode::Eval,
    ] {
        redis.shift(0).unwrap();
        let store = real(&redis, &format!("future-{mode:?}:"), mode).await;
        let (meta, now) = granted(&store).await;
        let terms = ClaimTerms {
            most_lag: Span::from_secs(5),
            ..TERMS
        };
        let claim = |id| store.claim(P, MessageId([id; 16]), 1, 1, terms);
        store.renew(&[lease(meta.epoch, Some(now))]).await.unwrap();
        assert_eq!(claim(1).await.unwrap(), Claim::Claimed);
        redis.shift(-3_600).unwrap();
        assert_eq!(claim(2).await.unwrap(), Claim::Lagging);
        // Nor does what is said again of a time that has not come.
        store.renew(&[lease(meta.epoch, Some(now))]).await.unwrap();
        assert_eq!(claim(2).await.unwrap(), Claim::Lagging);
        // Whoever lives says it by the clock as it is now.
        let back = now + Span::from_secs(-3_600);
        store.renew(&[lease(meta.epoch, Some(back))]).await.unwrap();
        assert_eq!(claim(2).await.unwrap(), Claim::Claimed);
    }
}

/// A claim whose journey went to another profile can be taken away by nobody who hears its outcome: it goes by itself, long
/// after its message has left the topic. A claim of one's own stays until then (INV-4).
#[tokio::test]
async fn a_claim_that_was_handed_over_does_not_stay_for_ever() {
    let redis = Redis::start().unwrap();
    let store = real(&redis, "moved:", winback_store::redis::Mode::Function).await;
    let (meta, now) = granted(&store).await;
    store.renew(&[lease(meta.epoch, Some(now))]).await.unwrap();
    let message = MessageId([1; 16]);
    let claimed = store.claim(P, message, 1, 1, TERMS).await.unwrap();
    assert_eq!(claimed, Claim::Claimed);
    // The key ends in the id's raw bytes.
    let ask = format!("TTL \"moved:{{3}}:g:{}\"", "\\x01".repeat(16));
    let left = || redis.ask(&ask).unwrap();
    assert_eq!(left(), ":-1", "until its outcome is settled");
    let moved = Commit {
        epoch: meta.epoch,
        sequence: meta.sequence + 1,
        id: [8; 16],
        grants: vec![GrantWrite::Move(message)],
        ..Commit::default()
    };
    store.commit(P, &moved).await.unwrap();
    let seconds: i64 = left().trim_start_matches(':').parse().unwrap();
    assert!(seconds > 7 * 86_400 && seconds <= 14 * 86_400, "{seconds}");
}
