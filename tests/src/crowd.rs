//! People who leave carts and buy, on and on while something breaks; and an oracle of its own that says afterwards what
//! went wrong: mail that is missing, came twice, or came although the order was there in time.
//!
//! Times are the broker's, which also puts the arrival on what winback reads; mail counts when the server has it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;
use winback_testkit::{Result, until};

use crate::shop::{Running, Shop};

/// When they order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Buys {
    /// Never: mail is due.
    Never,
    /// Before the mail is due: none may come.
    Before,
    /// When it may be under way.
    After,
}

impl Buys {
    fn of(number: usize) -> Self {
        [Self::Never, Self::Before, Self::After][number % 3]
    }
}

/// They come one after the other until they are stopped.
#[derive(Debug)]
pub struct Crowd {
    stop: Arc<AtomicBool>,
    /// Not even what was begun is finished.
    abandon: Arc<AtomicBool>,
    pump: Option<JoinHandle<Result<usize>>>,
    /// The same moment by both clocks.
    began: (Instant, SystemTime),
    idle: Duration,
}

/// What became of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verdict {
    /// How many came.
    pub people: usize,
    /// Mails that were taken.
    pub mails: usize,
    /// Never ordered, and got none.
    pub missing: Vec<String>,
    /// Got more than one.
    pub twice: Vec<String>,
    /// Ordered before their mail was due, and got it.
    pub in_time: Vec<String>,
    /// Milliseconds from the order to a mail that came after it: of those who ordered when it was under way.
    pub after: Vec<u128>,
}

impl Crowd {
    /// Somebody comes every `every`; the campaign waits for `idle`.
    ///
    /// # Errors
    /// When the storefront can't be started.
    #[allow(
        clippy::disallowed_methods,
        reason = "people come at their own pace, in a thread of their own, by the clock that mail is measured by"
    )]
    pub fn begin(shop: &Shop, every: Duration, idle: Duration) -> Result<Self> {
        let mut storefront = shop.storefront()?;
        let stop = Arc::new(AtomicBool::new(false));
        let abandon = Arc::new(AtomicBool::new(false));
        let (stopped, abandoned) = (stop.clone(), abandon.clone());
        let pump = std::thread::spawn(move || {
            let (mut people, mut due) = (0, Vec::<(Instant, usize)>::new());
            while !abandoned.load(Ordering::SeqCst)
                && (!stopped.load(Ordering::SeqCst) || !due.is_empty())
            {
                if !stopped.load(Ordering::SeqCst) {
                    let now = Instant::now();
                    let user = format!("u{people}");
                    let traits = json!({ "type": "identify", "userId": user, "anonymousId": format!("d-{user}"),
                        "traits": { "email": format!("{user}@example.com") } });
                    storefront.send(&format!("name:{user}"), &traits)?;
                    let line =
                        json!({ "cart_id": format!("k{user}"), "product_id": "p1", "price": 12.5 });
                    let cart = json!({ "type": "track", "event": "Product Added", "userId": user,
                        "anonymousId": format!("d-{user}"), "properties": line });
                    storefront.send(&format!("cart:{user}"), &cart)?;
                    match Buys::of(people) {
                        Buys::Never => {}
                        Buys::Before => due.push((now + idle / 2, people)),
                        Buys::After => due.push((now + idle + every, people)),
                    }
                    people += 1;
                }
                std::thread::sleep(every);
                let now = Instant::now();
                let (ripe, left): (Vec<_>, Vec<_>) =
                    due.into_iter().partition(|(at, _)| *at <= now);
                due = left;
                for (_, number) in ripe {
                    let user = format!("u{number}");
                    let order = json!({ "order_id": format!("o{number}"), "total": 12.5 });
                    let bought = json!({ "type": "track", "event": "Order Completed", "userId": user, "properties": order });
                    storefront.send(&format!("order:{user}"), &bought)?;
                }
            }
            if !abandoned.load(Ordering::SeqCst) {
                storefront.close()?;
            }
            Ok(people)
        });
        Ok(Self {
            stop,
            abandon,
            pump: Some(pump),
            began: (Instant::now(), SystemTime::now()),
            idle,
        })
    }

    /// Nobody comes any more; waits until winback has dealt with all, and judges.
    ///
    /// # Errors
    /// When the storefront failed, or winback does not come to rest within two minutes.
    pub fn end(mut self, shop: &Shop, sessions: &[&Running]) -> Result<Verdict> {
        self.stop.store(true, Ordering::SeqCst);
        let pump = self.pump.take().ok_or("the crowd has ended")?;
        let people = pump.join().map_err(|_| "the crowd panicked")??;
        let appended = appended(shop)?;
        let never = (0..people).filter(|number| Buys::of(*number) == Buys::Never);
        let wanted: Vec<String> = never
            .map(|number| format!("u{number}@example.com"))
            .collect();
        let rests = || {
            let open = |what: &str| {
                let series = format!("winback_{what}{{");
                let sum = |running: &&Running| running.sum(&series);
                sessions.iter().map(sum).sum::<Option<u64>>()
            };
            let got: Vec<String> = shop
                .smtp
                .received()
                .into_iter()
                .map(|mail| mail.to)
                .collect();
            wanted.iter().all(|to| got.contains(to))
                && open("messages_in_flight") == Some(0)
                && open("triggers_open") == Some(0)
        };
        // What is missing is judged below: that it never comes to rest tells nothing by itself.
        let rested = until(Duration::from_secs(120), "winback comes to rest", rests);
        let mut verdict = Verdict {
            people,
            ..Verdict::default()
        };
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for mail in shop.smtp.received() {
            verdict.mails += 1;
            let user = mail.to.split('@').next().unwrap_or_default().to_owned();
            *counts.entry(user.clone()).or_default() += 1;
            let wall = self.began.1 + mail.at.duration_since(self.began.0);
            let at = wall
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_millis());
            let order = appended.get(&format!("order:{user}")).copied();
            let cart = appended.get(&format!("cart:{user}")).copied();
            let (Some(order), Some(cart)) = (order, cart) else {
                continue;
            };
            let due = cart + i64::try_from(self.idle.as_millis()).unwrap_or(i64::MAX);
            if order < cart {
                // The storefront's retries put it before its cart: that is a new cart, of after the order.
                continue;
            }
            if order < due {
                verdict.in_time.push(user);
            } else if let Ok(order) = u128::try_from(order)
                && at > order
            {
                verdict.after.push(at - order);
            }
        }
        let several = counts.iter().filter(|(_, count)| **count > 1);
        verdict.twice = several.map(|(user, _)| user.clone()).collect();
        let has_none =
            |to: &&String| !counts.contains_key(to.split('@').next().unwrap_or_default());
        verdict.missing = wanted.iter().filter(has_none).cloned().collect();
        if verdict.missing.is_empty() {
            rested?;
        }
        Ok(verdict)
    }
}

/// When the broker appended what the storefront sent, by key; asked with Kafka's own reader.
fn appended(shop: &Shop) -> Result<BTreeMap<String, i64>> {
    let said = shop.kafka.tool_says(
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        &[
            "--topic",
            "winback.raw",
            "--from-beginning",
            "--timeout-ms",
            "5000",
            "--formatter-property",
            "print.timestamp=true",
            "--formatter-property",
            "print.key=true",
            "--formatter-property",
            "print.value=false",
        ],
    )?;
    let mut appended = BTreeMap::new();
    for line in said.lines() {
        let mut parts = line.split('\t');
        let (Some(time), Some(key)) = (parts.next(), parts.next()) else {
            continue;
        };
        if let Some(at) = time
            .strip_prefix("LogAppendTime:")
            .and_then(|at| at.parse().ok())
        {
            // Of a repeat of the producer's the first counts.
            appended.entry(key.to_owned()).or_insert(at);
        }
    }
    if appended.is_empty() {
        return Err("nothing was read of what the storefront sent".into());
    }
    Ok(appended)
}

impl Drop for Crowd {
    /// A test that failed leaves nobody behind.
    fn drop(&mut self) {
        self.abandon.store(true, Ordering::SeqCst);
        self.stop.store(true, Ordering::SeqCst);
    }
}

impl Verdict {
    /// Nothing is missing, nothing came twice, and nobody who had bought in time was written to.
    ///
    /// # Errors
    /// What is wrong.
    pub fn is_right(&self) -> Result<()> {
        let wrong = [
            ("got no mail", &self.missing),
            ("got it twice", &self.twice),
            ("had bought before it was due", &self.in_time),
        ];
        let wrong: Vec<String> = wrong
            .iter()
            .filter(|(_, who)| !who.is_empty())
            .map(|(what, who)| format!("{what}: {} {:?}", who.len(), &who[..who.len().min(5)]))
            .collect();
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(format!("of {} people: {}", self.people, wrong.join("; ")))
        }
    }

    /// Of those who ordered while their mail was under way: how many got it all the same, and how late at most.
    pub fn late(&self) -> (usize, u128) {
        (
            self.after.len(),
            self.after.iter().copied().max().unwrap_or(0),
        )
    }
}
