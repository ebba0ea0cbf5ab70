//! The store on Redis 7: one connection, answers awaited without a surprise timeout, reconnects by hand.
//!
//! A call that was cut off may have run. Commits carry an id, claims a token, so asking again is safe.

mod connection;
mod info;
mod keys;
mod rehearse;
mod scripts;
mod watches;

use std::collections::BTreeMap;

use async_trait::async_trait;
use redis::{Cmd, Value, cmd, pipe};
use winback_contract::{CustomerId, MessageId, Offset, Partition, Timestamp};

use crate::commit::{Commit, Committed, CouponChange, GrantWrite, WATCHERS};
use crate::error::Error;
use crate::memory::GRANT_SLACK;
use crate::meta::PartitionMeta;
use crate::port::{Claim, ClaimTerms, Grant, Lease, Problem, Progress, Standing, Store};
use connection::Connection;
pub use connection::Options;
use keys::Keys;
use scripts::Call;
pub use scripts::Mode;

/// See the module. Share it behind an `Arc`.
#[derive(Debug)]
pub struct RedisStore {
    connection: std::sync::Arc<Connection>,
    keys: Keys,
    high: std::sync::atomic::AtomicI64,
    tidied: watches::Tidied,
}

impl RedisStore {
    /// Opens the first connection and loads the library.
    ///
    /// # Errors
    /// When the address is malformed or the server can't be reached.
    pub async fn connect(options: Options) -> Result<Self, Error> {
        let keys = Keys(options.prefix.clone());
        let connection = std::sync::Arc::new(Connection::new(options)?);
        let store = Self {
            connection,
            keys,
            high: std::sync::atomic::AtomicI64::new(0),
            tidied: watches::Tidied::default(),
        };
        store.time().await.map(|_| store)
    }

    /// The same connection with a longer prefix.
    fn under(&self, prefix: &str) -> Self {
        Self {
            connection: self.connection.clone(),
            keys: Keys(format!("{}{prefix}", self.keys.0)),
            high: std::sync::atomic::AtomicI64::new(0),
            tidied: watches::Tidied::default(),
        }
    }

    fn meta(fields: BTreeMap<String, String>) -> Option<PartitionMeta> {
        (!fields.is_empty()).then(|| PartitionMeta::from_fields(&fields))
    }
}

fn malformed(what: &str) -> Error {
    Error::Fatal(format!("Redis gave an unexpected answer to {what}"))
}

/// What a commit says behind its keys, up to its grants: counts first, in the order in which the Function reads them.
fn commit_arguments(command: &mut Cmd, commit: &Commit, lists: usize) {
    let fields = commit.meta.to_fields(commit.base.as_ref());
    command
        .arg(commit.epoch)
        .arg(commit.sequence)
        .arg(MessageId(commit.id).to_string())
        .arg(commit.trim);
    command
        .arg(fields.len())
        .arg(commit.customers.len())
        .arg(commit.timers.len());
    command
        .arg(commit.outbox.len())
        .arg(commit.grants.len())
        .arg(lists)
        .arg(WATCHERS)
        .arg(commit.coupons.len());
    for (name, value) in fields {
        command.arg(name).arg(value);
    }
    for (_, blob) in &commit.customers {
        command.arg(blob.as_deref().unwrap_or_default());
    }
    for (id, due) in &commit.timers {
        command.arg(id.as_bytes());
        match due {
            Some(due) => command.arg(due.as_millis()),
            None => command.arg("-"),
        };
    }
    for entry in &commit.outbox {
        command.arg(entry.as_slice());
    }
    for write in &commit.grants {
        grant_arguments(command, write);
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn time(&self) -> Result<Timestamp, Error> {
        let (seconds, micros): (i64, i64) = self.connection.query(&cmd("TIME")).await?;
        let now = seconds.saturating_mul(1_000) + micros / 1_000;
        let high = self
            .high
            .fetch_max(now, std::sync::atomic::Ordering::SeqCst)
            .max(now);
        Ok(Timestamp::from_millis(high))
    }

    async fn acquire(&self, partition: Partition, known: Standing) -> Result<PartitionMeta, Error> {
        let fields: BTreeMap<String, String> = self
            .connection
            .call(Call::Acquire, 1, |command| {
                command
                    .arg(self.keys.meta(partition))
                    .arg(known.epoch)
                    .arg(known.sequence);
            })
            .await?;
        Ok(PartitionMeta::from_fields(&fields))
    }

    async fn metas(&self, partitions: &[Partition]) -> Result<Vec<Option<PartitionMeta>>, Error> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let mut batch = pipe();
        for partition in partitions {
            batch.cmd("HGETALL").arg(self.keys.meta(*partition));
        }
        let all: Vec<BTreeMap<String, String>> = self.connection.pipeline(&batch).await?;
        Ok(all.into_iter().map(Self::meta).collect())
    }

    async fn progress(&self, partitions: &[Partition]) -> Result<Vec<Option<Progress>>, Error> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let mut batch = pipe();
        for partition in partitions {
            batch
                .cmd("HMGET")
                .arg(self.keys.meta(*partition))
                .arg(&["commit", "events", "outcomes", "pushed", "trimmed"]);
        }
        type Fields = (
            Option<String>,
            Option<i64>,
            Option<i64>,
            Option<u64>,
            Option<u64>,
        );
        let all: Vec<Fields> = self.connection.pipeline(&batch).await?;
        let progress = |(commit, events, outcomes, pushed, trimmed): Fields| {
            commit.map(|_| Progress {
                events: Offset(events.unwrap_or(0)),
                outcomes: Offset(outcomes.unwrap_or(0)),
                pushed: pushed.unwrap_or(0),
                trimmed: trimmed.unwrap_or(0),
            })
        };
        Ok(all.into_iter().map(progress).collect())
    }

    async fn load(
        &self,
        partition: Partition,
        ids: &[CustomerId],
    ) -> Result<Vec<Option<Vec<u8>>>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = cmd("MGET");
        for id in ids {
            command.arg(self.keys.customer(partition, *id));
        }
        self.connection.query(&command).await
    }

    async fn commit(&self, partition: Partition, commit: &Commit) -> Result<Committed, Error> {
        let lists = self.tidied.lists(&self.keys, partition, &commit.watches);
        let keys = 3
            + commit.customers.len()
            + commit.grants.len()
            + lists.len()
            + 2 * commit.coupons.len();
        let answer: Vec<Value> = self
            .connection
            .call(Call::Commit, keys, |command| {
                command
                    .arg(self.keys.meta(partition))
                    .arg(self.keys.timers(partition))
                    .arg(self.keys.outbox(partition));
                for (id, _) in &commit.customers {
                    command.arg(self.keys.customer(partition, *id));
                }
                for write in &commit.grants {
                    command.arg(self.keys.grant(partition, write.message()));
                }
                for list in &lists {
                    command.arg(list.key());
                }
                for write in &commit.coupons {
                    command
                        .arg(self.keys.coupons(partition, &write.pool))
                        .arg(self.keys.coupons_known(partition, &write.pool));
                }
                commit_arguments(command, commit, lists.len());
                for list in &lists {
                    list.arguments(command);
                }
                for write in &commit.coupons {
                    coupon_arguments(command, &write.change);
                }
            })
            .await?;
        let [word, epoch, sequence] = answer.as_slice() else {
            return Err(malformed("commit"));
        };
        let word: String = redis::from_redis_value_ref(word).map_err(|_| malformed("commit"))?;
        let number = |value: &Value| {
            redis::from_redis_value_ref::<u64>(value).map_err(|_| malformed("commit"))
        };
        match word.as_str() {
            "ok" => {
                self.tidied.done(lists);
                Ok(Committed::Applied)
            }
            "already" => Ok(Committed::AlreadyApplied),
            "fenced" => Ok(Committed::Fenced {
                epoch: number(epoch)?,
                sequence: number(sequence)?,
            }),
            _ => Err(malformed("commit")),
        }
    }

    async fn due(
        &self,
        partition: Partition,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<(CustomerId, Timestamp)>, Error> {
        let mut command = cmd("ZRANGEBYSCORE");
        command
            .arg(self.keys.timers(partition))
            .arg("-inf")
            .arg(until.as_millis());
        command.arg("WITHSCORES").arg("LIMIT").arg(0).arg(most);
        let pairs: Vec<(Vec<u8>, f64)> = self.connection.query(&command).await?;
        pairs
            .into_iter()
            .map(|(id, due)| Ok((customer(&id)?, Timestamp::from_millis(due as i64))))
            .collect()
    }

    async fn earliest(&self, partition: Partition) -> Result<Option<Timestamp>, Error> {
        let mut command = cmd("ZRANGE");
        command
            .arg(self.keys.timers(partition))
            .arg(0)
            .arg(0)
            .arg("WITHSCORES");
        let pairs: Vec<(Vec<u8>, f64)> = self.connection.query(&command).await?;
        Ok(pairs
            .first()
            .map(|(_, due)| Timestamp::from_millis(*due as i64)))
    }

    async fn outbox(&self, partition: Partition) -> Result<Vec<Vec<u8>>, Error> {
        let mut command = cmd("LRANGE");
        command.arg(self.keys.outbox(partition)).arg(0).arg(-1);
        self.connection.query(&command).await
    }

    async fn grants(&self, places: &[(Partition, MessageId)]) -> Result<Vec<Option<Grant>>, Error> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let mut batch = pipe();
        for (partition, message) in places {
            batch
                .cmd("HMGET")
                .arg(self.keys.grant(*partition, *message))
                .arg("s")
                .arg("u");
        }
        let all: Vec<(Option<String>, Option<i64>)> = self.connection.pipeline(&batch).await?;
        Ok(all
            .into_iter()
            .map(|(state, until)| match state.as_deref() {
                Some("claimed") => Some(Grant::Claimed {
                    until: Timestamp::from_millis(until.unwrap_or(0)),
                }),
                Some("moved") => Some(Grant::Moved),
                Some("sent") => Some(Grant::Sent),
                Some(_) => Some(Grant::Granted),
                None => None,
            })
            .collect())
    }

    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Standing>, Error> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let mut batch = pipe();
        for lease in leases {
            let mut command = self.connection.command(Call::Renew, 1);
            command
                .arg(self.keys.meta(lease.partition))
                .arg(lease.epoch)
                .arg(lease.sequence);
            match lease.applied {
                Some(applied) => command.arg(applied.as_millis()),
                None => command.arg("-"),
            };
            batch.add_command(command);
        }
        let all: Vec<(u64, u64)> = self.connection.pipeline(&batch).await?;
        let standing = |(epoch, sequence)| Standing { epoch, sequence };
        Ok(all.into_iter().map(standing).collect())
    }

    async fn claim(
        &self,
        partition: Partition,
        message: MessageId,
        attempt: u32,
        token: u64,
        terms: ClaimTerms,
    ) -> Result<Claim, Error> {
        let word: String = self
            .connection
            .call(Call::Claim, 2, |command| {
                command
                    .arg(self.keys.grant(partition, message))
                    .arg(self.keys.meta(partition))
                    .arg(attempt)
                    .arg(token)
                    .arg(terms.timeout.as_millis())
                    .arg(terms.most_lag.as_millis());
            })
            .await?;
        Ok(match word.as_str() {
            "claimed" => Claim::Claimed,
            "gone" => Claim::Gone,
            "moved" => Claim::Moved,
            "taken" => Claim::Taken,
            "stale" => Claim::Stale,
            "sent" => Claim::Sent,
            "window" => Claim::OutsideWindow,
            "lag" => Claim::Lagging,
            _ => return Err(malformed("claim")),
        })
    }

    async fn roll(
        &self,
        partition: Partition,
        cursor: &str,
        most: usize,
    ) -> Result<(Vec<CustomerId>, Option<String>), Error> {
        // A scan's cursor means nothing to another server process: begin anew after a restart.
        let run = info::run_id(&self.connection).await?;
        let place = cursor
            .split_once(':')
            .filter(|(of, _)| *of == run)
            .map_or("0", |(_, place)| place);
        let mut command = cmd("ZSCAN");
        command
            .arg(self.keys.timers(partition))
            .arg(place)
            .arg("COUNT")
            .arg(most);
        let (next, pairs): (String, Vec<(Vec<u8>, f64)>) = self.connection.query(&command).await?;
        let ids = pairs
            .iter()
            .map(|(id, _)| customer(id))
            .collect::<Result<_, _>>()?;
        Ok((ids, (next != "0").then(|| format!("{run}:{next}"))))
    }

    async fn watchers(
        &self,
        partition: Partition,
        product: &str,
        cursor: &str,
        most: usize,
    ) -> Result<(Vec<CustomerId>, Option<String>), Error> {
        // From the newest on: whoever is added meanwhile pushes others back, so that nobody is passed over.
        let from: usize = cursor.parse().unwrap_or(0);
        let mut command = cmd("ZREVRANGE");
        command
            .arg(self.keys.watchers(partition, product))
            .arg(from)
            .arg(from + most.max(1) - 1);
        let ids: Vec<Vec<u8>> = self.connection.query(&command).await?;
        let next = (ids.len() == most).then(|| (from + most).to_string());
        let ids = ids
            .iter()
            .map(|id| customer(id))
            .collect::<Result<_, _>>()?;
        Ok((ids, next))
    }

    async fn coupons(
        &self,
        partition: Partition,
        pool: &str,
        most: usize,
    ) -> Result<(Vec<String>, u64), Error> {
        let key = self.keys.coupons(partition, pool);
        let mut batch = pipe();
        batch.cmd("LLEN").arg(&key);
        // An end before the beginning is an empty answer.
        let last = i64::try_from(most).unwrap_or(i64::MAX) - 1;
        match last {
            -1 => batch.cmd("LRANGE").arg(&key).arg(1).arg(0),
            last => batch.cmd("LRANGE").arg(&key).arg(0).arg(last),
        };
        let (left, codes): (u64, Vec<String>) = self.connection.pipeline(&batch).await?;
        Ok((codes, left))
    }

    async fn count(&self, name: &str, most: u32) -> Result<bool, Error> {
        self.connection
            .call(Call::Count, 1, |command| {
                command.arg(self.keys.counter(name)).arg(most);
            })
            .await
    }

    async fn uncount(&self, name: &str) -> Result<(), Error> {
        let key = self.keys.counter(name);
        let taken = self.connection.call(Call::Count, 1, |command| {
            command.arg(key).arg("-");
        });
        taken.await.map(|_: i64| ())
    }

    async fn pin(&self, name: &str, value: &str) -> Result<String, Error> {
        let key = self.keys.pin(name);
        let mut set = cmd("SETNX");
        set.arg(&key).arg(value);
        let _is_new: bool = self.connection.query(&set).await?;
        let mut get = cmd("GET");
        get.arg(&key);
        self.connection.query(&get).await
    }

    async fn fullness(&self) -> Result<f64, Error> {
        info::fullness(&self.connection).await
    }

    async fn problems(&self) -> Result<Vec<Problem>, Error> {
        info::problems(&self.connection).await
    }
}

fn customer(bytes: &[u8]) -> Result<CustomerId, Error> {
    <[u8; 16]>::try_from(bytes)
        .map(CustomerId)
        .map_err(|_| malformed("a read of timers"))
}

fn coupon_arguments(command: &mut Cmd, change: &CouponChange) {
    let verb = match change {
        CouponChange::Add(_) => "add",
        CouponChange::Take(_) => "take",
        CouponChange::Return(_) => "return",
    };
    let codes = change.codes();
    command.arg(verb).arg(codes.len());
    for code in codes {
        command.arg(code);
    }
}

fn grant_arguments(command: &mut Cmd, write: &GrantWrite) {
    match *write {
        GrantWrite::Grant {
            attempt,
            not_before,
            not_after,
            ..
        } => {
            command
                .arg("grant")
                .arg(attempt)
                .arg(not_before.as_millis())
                .arg(not_after.as_millis());
            command.arg((not_after + GRANT_SLACK).as_millis());
        }
        GrantWrite::Sent { until, .. } => {
            let until = until.as_millis();
            command.arg("sent").arg("").arg("").arg("").arg(until);
        }
        GrantWrite::Remove(_) => {
            command.arg("remove").arg("").arg("").arg("").arg("");
        }
        GrantWrite::Withdraw(_) => {
            command.arg("withdraw").arg("").arg("").arg("").arg("");
        }
        GrantWrite::Move(_) => {
            command.arg("move").arg("").arg("").arg("").arg("");
        }
    }
}
