//! Every command once, under a prefix of its own, and nothing left behind: what the user of Redis may do.

use redis::cmd;
use winback_contract::{CustomerId, MessageId, Partition, Span, Timestamp};

use super::RedisStore;
use super::keys::Keys;
use crate::commit::{Commit, CouponChange, CouponWrite, GrantWrite, Watch};
use crate::error::Error;
use crate::port::{ClaimTerms, Lease, Standing, Store as _};

const P: Partition = Partition(0);

fn rehearsed(verb: &str) -> CouponWrite {
    let code = "rehearsal".to_owned();
    let change = match verb {
        "add" => CouponChange::Add(vec![code]),
        "take" => CouponChange::Take(code),
        _ => CouponChange::Return(code),
    };
    let pool = "rehearsal".into();
    CouponWrite { pool, change }
}

impl RedisStore {
    /// Runs every call of the port against keys that nobody else uses, and deletes them.
    ///
    /// # Errors
    /// With Redis' own words, when a command is not allowed.
    pub async fn rehearse(&self) -> Result<(), Error> {
        let stage = self.under("rehearsal:");
        let played = stage.play().await;
        let swept = stage.sweep().await;
        played.and(swept)
    }

    async fn play(&self) -> Result<(), Error> {
        let (who, message) = (CustomerId([0; 16]), MessageId([0; 16]));
        let meta = self.acquire(P, Standing::default()).await?;
        let now = self.time().await?;
        let commit = Commit {
            epoch: meta.epoch,
            sequence: meta.sequence,
            id: [1; 16],
            meta,
            base: None,
            customers: vec![(who, Some(vec![0]))],
            timers: vec![(who, Some(now))],
            outbox: vec![vec![0]],
            trim: 0,
            grants: vec![GrantWrite::Grant {
                message,
                attempt: 1,
                not_before: Timestamp::default(),
                not_after: now + Span::from_mins(1),
            }],
            watches: vec![Watch {
                product: "rehearsal".into(),
                by: vec![(now, who)],
                gone: Vec::new(),
            }],
            coupons: ["add", "return", "take"].map(rehearsed).into(),
        };
        self.commit(P, &commit).await?;
        let lease = Lease {
            partition: P,
            epoch: commit.epoch,
            sequence: commit.sequence,
            applied: Some(now),
        };
        self.renew(&[lease]).await?;
        let terms = ClaimTerms {
            timeout: Span::from_secs(1),
            most_lag: Span::from_mins(1),
        };
        self.claim(P, message, 1, 1, terms).await?;
        let meta = self.metas(&[P]).await?.into_iter().next().flatten();
        let meta = meta.unwrap_or_default();
        let undo = Commit {
            epoch: meta.epoch,
            sequence: meta.sequence,
            id: [2; 16],
            meta,
            base: None,
            customers: vec![(who, None)],
            timers: vec![(who, None)],
            outbox: Vec::new(),
            trim: 1,
            grants: vec![GrantWrite::Move(message)],
            watches: vec![Watch {
                product: "rehearsal".into(),
                by: Vec::new(),
                gone: vec![who],
            }],
            coupons: Vec::new(),
        };
        self.commit(P, &undo).await?;
        self.load(P, &[who]).await?;
        self.due(P, now, 1).await?;
        self.earliest(P).await?;
        self.outbox(P).await?;
        self.grants(&[(P, message)]).await?;
        self.roll(P, "", 1).await?;
        self.watchers(P, "rehearsal", "", 1).await?;
        self.coupons(P, "rehearsal", 1).await?;
        // A minute of long ago is dropped: that is a command of its own.
        let mut old = cmd("HSET");
        old.arg(self.keys.counter("rehearsal")).arg(1).arg(5);
        let _added: i64 = self.connection.query(&old).await?;
        self.count("rehearsal", 1).await?;
        self.uncount("rehearsal").await?;
        self.pin("rehearsal", "x").await.map(|_| ())
    }

    async fn sweep(&self) -> Result<(), Error> {
        let keys: &Keys = &self.keys;
        let (who, message) = (CustomerId([0; 16]), MessageId([0; 16]));
        for key in [
            keys.meta(P).into_bytes(),
            keys.timers(P).into_bytes(),
            keys.outbox(P).into_bytes(),
            keys.customer(P, who),
            keys.grant(P, message),
            keys.watchers(P, "rehearsal").into_bytes(),
            keys.coupons(P, "rehearsal").into_bytes(),
            keys.coupons_known(P, "rehearsal").into_bytes(),
            keys.counter("rehearsal").into_bytes(),
            keys.pin("rehearsal").into_bytes(),
        ] {
            let mut delete = cmd("DEL");
            delete.arg(key);
            let _deleted: i64 = self.connection.query(&delete).await?;
        }
        Ok(())
    }
}
