//! What dispatch says of a message, it says under its claim: a copy that is read again after it went out says nothing.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use winback_bus::Record;
use winback_bus::memory::MemoryLog;
use winback_campaign::Files;
use winback_contract::message::{CartFacts, Facts};
use winback_contract::*;
use winback_store::{Claim, ClaimTerms, Commit, GrantWrite, Lease, MemoryStore, PartitionMeta};

use super::*;
use crate::compose::RenderedMessage;
use crate::provider::{Deadline, SendResult};

const P: Partition = Partition(0);
const ID: MessageId = MessageId([5; 16]);

/// The provider panics for this one.
const PANICS: MessageId = MessageId([6; 16]);
/// The text of this one panics.
const TEXT_PANICS: MessageId = MessageId([4; 16]);

pub(super) fn planted(message: &Message) {
    assert!(message.id != TEXT_PANICS, "planted");
}

/// Takes everything until it is told not to, and counts.
#[derive(Default)]
struct Counting(AtomicU32, AtomicBool, Stuck);

/// A message whose send does not end before it is set free.
type Stuck = Mutex<Option<(String, Arc<tokio::sync::Notify>)>>;

impl Counting {
    /// From now on it takes nothing.
    fn refuse(&self) {
        self.1.store(true, Ordering::SeqCst);
    }
}

#[async_trait]
impl Provider for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }
    async fn send(&self, mail: &RenderedMessage, _: Deadline) -> SendResult {
        assert!(!mail.message_id.contains(&PANICS.to_string()), "planted");
        let stuck = self.2.lock().unwrap().clone();
        if let Some((id, free)) = stuck
            && mail.message_id.contains(&id)
        {
            free.notified().await;
        }
        if self.1.load(Ordering::SeqCst) {
            return SendResult::not_now("not now");
        }
        self.0.fetch_add(1, Ordering::SeqCst);
        SendResult::Accepted { provider_id: None }
    }
}

struct Stage {
    log: MemoryLog,
    store: MemoryStore,
    service: Service,
    provider: Arc<Counting>,
    names: TopicNames,
}

impl Stage {
    /// A channel with one message on its topic and a grant for it.
    async fn new(send_limit: Option<u32>) -> Self {
        Self::behind(send_limit, &[]).await
    }

    /// The same where switches lie behind the bundle when the service starts.
    async fn behind(send_limit: Option<u32>, switches: &[bool]) -> Self {
        Self::on(Clock::at(1_000_000), send_limit, switches, &[ID]).await
    }

    /// The same on this clock, with these messages, all of which may be in flight at once.
    #[allow(clippy::too_many_lines, reason = "a table, or a story told in order")]
    async fn on(
        clock: Clock,
        send_limit: Option<u32>,
        switches: &[bool],
        ids: &[MessageId],
    ) -> Self {
        let not_after = Timestamp::from_millis(clock.now_millis() + 8_000_000);
        let (log, store) = (
            MemoryLog::new(clock.clone()),
            MemoryStore::new(clock.clone()),
        );
        let names = TopicNames::new("t.");
        for topic in [
            Topic::Campaigns,
            Topic::Catalogue,
            Topic::Outcomes,
            Topic::Failed,
            Topic::Dispatch(Channel::Sms),
        ] {
            log.create(&names.name(topic), 1);
        }
        let bundle = publish(&log, &names).await;
        for paused in switches {
            put(&log, &names, Topic::Campaigns, &switch(*paused)).await;
        }
        let meta = store
            .acquire(P, winback_store::Standing::default())
            .await
            .unwrap();
        let commit = Commit {
            epoch: meta.epoch,
            sequence: meta.sequence,
            id: [1; 16],
            meta: PartitionMeta::default(),
            base: None,
            grants: ids
                .iter()
                .map(|id| GrantWrite::Grant {
                    message: *id,
                    attempt: 1,
                    not_before: Timestamp::default(),
                    not_after,
                })
                .collect(),
            ..Commit::default()
        };
        store.commit(P, &commit).await.unwrap();
        // Vouched for up to long ago: what counts for a test that is not about it.
        let lease = Lease {
            partition: P,
            epoch: meta.epoch,
            sequence: 0,
            applied: Some(Timestamp::default()),
        };
        store.renew(&[lease]).await.unwrap();
        let provider = Arc::new(Counting::default());
        let config = Config {
            names: names.clone(),
            groups: "t.".into(),
            partitions: PartitionCount::new(1).unwrap(),
            channel: Channel::Sms,
            batch: 10,
            parallel: ids.len(),
            claim_timeout: Span::from_secs(60),
            most_lag: Span::from_days(100_000),
            only_to: BTreeSet::new(),
            shadow: false,
            send_limit,
            tracking: None,
        };
        let catalogue = Catalogue::start(&log, &names.name(Topic::Catalogue), "t")
            .await
            .unwrap();
        let registry = winback_service::Metrics::new();
        let service = Service::start(
            config,
            Arc::new(log.clone()),
            Arc::new(store.clone()),
            clock,
            (provider.clone(), provider.clone(), Arc::new(catalogue)),
            Metrics::register(&registry),
            (Shutdown::new(), 1),
        )
        .await
        .unwrap();
        let stage = Self {
            log,
            store,
            service,
            provider,
            names,
        };
        let topic = Topic::Dispatch(Channel::Sms);
        for id in ids {
            let message = Message {
                id: *id,
                not_after,
                ..message(bundle)
            };
            let value = serde_json::to_value(message).unwrap();
            put(&stage.log, &stage.names, topic, &value).await;
        }
        stage
    }

    async fn pause(&self, paused: bool) {
        put(&self.log, &self.names, Topic::Campaigns, &switch(paused)).await;
    }

    async fn run(&mut self) -> Vec<Outcome> {
        for _ in 0..10 {
            self.service.step(Duration::ZERO).await.unwrap();
        }
        let outcomes = self.log.dump(&self.names.name(Topic::Outcomes));
        let read = |record: Record| serde_json::from_slice(&record.value.unwrap()).unwrap();
        outcomes.into_iter().map(read).collect()
    }

    fn sent(&self) -> u32 {
        self.provider.0.load(Ordering::SeqCst)
    }
}

fn switch(paused: bool) -> serde_json::Value {
    serde_json::json!({ "switch": { "v": 1, "scope": "channel:sms", "paused": paused, "by": "person", "at": 1 } })
}

async fn put(log: &MemoryLog, names: &TopicNames, topic: Topic, value: &serde_json::Value) {
    let record = Outgoing {
        topic: Arc::from(names.name(topic)),
        partition: Some(P),
        key: Vec::new(),
        value: serde_json::to_vec(value).unwrap(),
        headers: Vec::new(),
    };
    log.produce(vec![record]).await.unwrap();
}

async fn publish(log: &MemoryLog, names: &TopicNames) -> BundleHash {
    let policy = "apiVersion: winback/v1\nkind: Policy\nmetadata: { name: shop }\nspec:\n  shop: { zone: Europe/Kyiv, locale: en, currency: EUR }\n  topics: { marketing: { consent: not_denied } }\n  groups: { cart: {} }\n  senders: { sms: { from: SHOP } }\n";
    let campaign = "apiVersion: winback/v1\nkind: Campaign\nmetadata: { name: cart, group: cart }\nspec:\n  enter: { on: Product Added, idle: 20m }\n  exit: { converted: Order Completed }\n  cascade: [ { step: reminder, send: [sms] } ]\n";
    let files = [
        ("policy.yaml", policy),
        ("cart/campaign.yaml", campaign),
        ("cart/templates/reminder.sms.en.txt", "Your cart waits"),
    ];
    let files = Files(
        files
            .map(|(path, text)| (path.to_owned(), text.to_owned()))
            .into(),
    );
    let record = Outgoing {
        topic: Arc::from(names.name(Topic::Campaigns)),
        partition: None,
        key: b"bundle".to_vec(),
        value: serde_json::to_vec(&files).unwrap(),
        headers: Vec::new(),
    };
    log.produce(vec![record]).await.unwrap();
    files.hash()
}

fn message(bundle: BundleHash) -> Message {
    Message {
        v: Message::VERSION,
        id: ID,
        attempt: 1,
        customer: CustomerId([7; 16]),
        partition: P,
        journey: JourneyId([9; 16]),
        campaign: "cart".into(),
        step: "reminder".into(),
        template: "reminder".into(),
        channel: Channel::Sms,
        address: "+380501234567".into(),
        bundle,
        not_before: Timestamp::default(),
        not_after: Timestamp::from_millis(9_000_000),
        facts: Facts::default(),
    }
}

#[tokio::test]
async fn a_paused_message_is_deferred_and_not_sent() {
    let mut stage = Stage::new(None).await;
    stage.pause(true).await;
    let outcomes = stage.run().await;
    assert_eq!(stage.sent(), 0);
    let said: Vec<_> = outcomes
        .iter()
        .map(|outcome| (outcome.status, outcome.reason))
        .collect();
    assert_eq!(said, [(OutcomeStatus::Deferred, Some(Reason::Paused))]);
}

#[tokio::test]
async fn a_copy_of_what_went_out_says_nothing_while_it_is_paused() {
    let mut stage = Stage::new(None).await;
    // Another process has claimed it, and died before it could report.
    let terms = ClaimTerms {
        timeout: Span::from_secs(60),
        most_lag: Span::from_days(100_000),
    };
    let claim = stage.store.claim(P, ID, 1, 99, terms).await.unwrap();
    assert_eq!(claim, Claim::Claimed);
    stage.pause(true).await;
    assert_eq!(stage.run().await, [], "that it was not sent is not known");
    assert_eq!(stage.sent(), 0);
}

/// INV-5: while sessions or ingest are behind the order may lie in Kafka already.
#[tokio::test]
async fn nothing_goes_out_while_nobody_vouches_for_the_input() {
    for (applied, wanted) in [(None, 0), (Some(990_000), 0), (Some(999_000), 1)] {
        let mut stage = Stage::new(None).await;
        let sender = Arc::get_mut(&mut stage.service.sender).unwrap();
        sender.config.most_lag = Span::from_secs(5);
        let epoch = stage.store.metas(&[P]).await.unwrap()[0]
            .as_ref()
            .unwrap()
            .epoch;
        let lease = Lease {
            partition: P,
            epoch,
            sequence: 0,
            applied: applied.map(Timestamp::from_millis),
        };
        stage.store.renew(&[lease]).await.unwrap();
        let outcomes = stage.run().await;
        assert_eq!(stage.sent(), wanted, "applied up to {applied:?}");
        let said = (outcomes[0].status, outcomes[0].reason);
        let lagging = (OutcomeStatus::Deferred, Some(Reason::InputLag));
        assert_eq!(said == lagging, wanted == 0, "{said:?}");
    }
}

#[tokio::test]
async fn nothing_goes_out_before_all_switches_are_read() {
    // More than one read brings, between the bundle and the pause.
    let mut switches = [false; 250];
    switches[249] = true;
    let mut stage = Stage::behind(None, &switches).await;
    let outcomes = stage.run().await;
    assert_eq!(stage.sent(), 0);
    assert_eq!(outcomes[0].reason, Some(Reason::Paused));
}

#[tokio::test]
async fn a_fuse_of_nothing_lets_nothing_through() {
    let mut stage = Stage::new(Some(0)).await;
    let outcomes = stage.run().await;
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0].reason, Some(Reason::Paused));
    let switches = stage.log.dump(&stage.names.name(Topic::Campaigns));
    let text = String::from_utf8(switches.last().unwrap().value.clone().unwrap()).unwrap();
    assert!(
        text.contains("channel:sms") && text.contains("fuse"),
        "{text}"
    );
}

#[tokio::test]
async fn all_processes_of_a_channel_blow_one_fuse() {
    let mut stage = Stage::new(Some(2)).await;
    // Another process has sent two in this hour.
    let (name, most) = SendLimit::new(Some(2)).counts(Channel::Sms).unwrap();
    for _ in 0..2 {
        assert!(stage.store.count(&name, most).await.unwrap());
    }
    let outcomes = stage.run().await;
    assert_eq!(
        (stage.sent(), outcomes[0].reason),
        (0, Some(Reason::Paused))
    );
    // Whoever resumes begins a new count, the same for all who hear of it.
    stage.pause(false).await;
    stage.run().await;
    assert!(!stage.service.sender.send_limit().is_tripped());
    let (mended, _) = stage
        .service
        .sender
        .send_limit()
        .counts(Channel::Sms)
        .unwrap();
    assert_ne!(mended, name);
    let mut other = Stage::behind(Some(2), &[true, false]).await;
    other.run().await;
    let (also, _) = other
        .service
        .sender
        .send_limit()
        .counts(Channel::Sms)
        .unwrap();
    assert_eq!((other.sent(), also), (1, mended));
}

#[tokio::test]
async fn what_did_not_go_out_is_not_counted() {
    let mut stage = Stage::new(Some(1)).await;
    stage.provider.refuse();
    let outcomes = stage.run().await;
    assert_eq!(outcomes[0].status, OutcomeStatus::Deferred);
    let (name, most) = SendLimit::new(Some(1)).counts(Channel::Sms).unwrap();
    assert!(stage.store.count(&name, most).await.unwrap());
}

#[tokio::test]
async fn a_message_goes_out_once() {
    let mut stage = Stage::new(Some(5)).await;
    let outcomes = stage.run().await;
    assert_eq!(stage.sent(), 1);
    assert_eq!(outcomes[0].status, OutcomeStatus::Sent);
}

/// INV-4: what went out is reported while another send takes its time; and nothing is committed past that one.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_send_holds_up_no_report() {
    let (slow, fast) = (MessageId([1; 16]), MessageId([2; 16]));
    let mut stage = Stage::on(Clock::real(), None, &[], &[slow, fast]).await;
    let free = Arc::new(tokio::sync::Notify::new());
    *stage.provider.2.lock().unwrap() = Some((slow.to_string(), free.clone()));
    let mut reported = Vec::new();
    for _ in 0..500 {
        reported = stage.run().await;
        if !reported.is_empty() {
            break;
        }
        clock::pause(Duration::from_millis(10)).await;
    }
    let said: Vec<_> = reported.iter().map(|outcome| outcome.message).collect();
    assert_eq!(said, [fast]);
    let topic = stage.names.name(Topic::Dispatch(Channel::Sms));
    let committed = stage.log.committed("t.dispatch.sms", &topic).await.unwrap();
    let at: Vec<_> = committed
        .into_iter()
        .flatten()
        .map(|one| one.next)
        .collect();
    assert_eq!(at, [Offset(0)], "the slow one lies before it");
    free.notify_one();
    for _ in 0..500 {
        reported = stage.run().await;
        if reported.len() == 2 {
            break;
        }
        clock::pause(Duration::from_millis(10)).await;
    }
    assert_eq!((reported.len(), stage.sent()), (2, 2));
    let committed = stage.log.committed("t.dispatch.sms", &topic).await.unwrap();
    assert_eq!(committed[0].as_ref().map(|commit| commit.next.0), Some(2));
}

/// A stranger sends a product with his own address, for somebody else's mailbox.
#[tokio::test]
async fn a_message_leads_to_no_strangers_page() {
    let mut stage = Stage::new(None).await;
    stage.run().await;
    let hash = stage.service.bundles.hashes().next().unwrap();
    let bundle = stage.service.bundles.get(hash).unwrap().clone();
    let mut message = message(bundle.hash);
    message.facts.cart = Some(CartFacts {
        items: Vec::new(),
        more: 0,
        total: None,
        url: Some("https://evil.example/win".into()),
    });
    message.facts.customer.first_name = Some("Ann, see https://evil.example".into());
    let mail = crate::compose::compose(&bundle, &message, None).unwrap();
    let facts = mail.facts.to_string();
    assert!(
        facts.contains("Ann, see") && !facts.contains("evil"),
        "{facts}"
    );
}

/// INV-4: a claim whose answer came too late to send anything is not sent under: whoever waits for it has given it up.
#[tokio::test]
async fn nothing_is_begun_when_the_time_of_its_claim_is_over() {
    let mut stage = Stage::new(None).await;
    let sender = Arc::get_mut(&mut stage.service.sender).unwrap();
    sender.config.claim_timeout = Span::from_millis(0);
    let outcomes = stage.run().await;
    assert_eq!(stage.sent(), 0);
    assert_eq!(outcomes[0].status, OutcomeStatus::Deferred);
}

/// What is with its provider when the process is told to stop is waited for, and told.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_its_way_at_shutdown_is_reported() {
    let slow = MessageId([1; 16]);
    let mut stage = Stage::on(Clock::real(), None, &[], &[slow]).await;
    let free = Arc::new(tokio::sync::Notify::new());
    *stage.provider.2.lock().unwrap() = Some((slow.to_string(), free.clone()));
    while stage.service.flights.is_empty() {
        stage.service.step(Duration::ZERO).await.unwrap();
    }
    stage.service.sender.shutdown.raise();
    // It is in the provider's hands when the loop ends.
    free.notify_one();
    let (log, names) = (stage.log.clone(), stage.names.clone());
    stage.service.run(Health::new()).await.unwrap();
    let told = log.dump(&names.name(Topic::Outcomes));
    assert_eq!(told.len(), 1);
}

/// A panic would come again at every start: it costs its own message, and everybody else gets theirs.
#[tokio::test]
async fn a_text_or_a_send_that_panics_costs_its_own_message() {
    let ids = [TEXT_PANICS, PANICS, ID];
    let mut stage = Stage::on(Clock::at(1_000_000), None, &[], &ids).await;
    let outcomes = stage.run().await;
    let said = outcomes
        .iter()
        .map(|outcome| (outcome.message, outcome.reason));
    assert_eq!(
        Vec::from_iter(said),
        [(TEXT_PANICS, Some(Reason::TemplateError)), (ID, None)],
        "of the one whose send panicked nobody knows whether it went out"
    );
    let topic = stage.names.name(Topic::Dispatch(Channel::Sms));
    let committed = stage.log.committed("t.dispatch.sms", &topic).await.unwrap();
    assert_eq!(committed[0].as_ref().map(|commit| commit.next.0), Some(3));
}

/// A message whose bundle had left when it was granted is answered at once, not when its time is over.
#[tokio::test]
async fn a_message_of_a_bundle_that_is_gone_is_waited_for_by_nobody() {
    let mut stage = Stage::new(None).await;
    let gone = BundleHash([0xEE; 16]);
    let mut past = Activations::default();
    past.leaving.push((gone, Timestamp::from_millis(1)));
    let past = serde_json::to_value(past).unwrap();
    put(&stage.log, &stage.names, Topic::Campaigns, &past).await;
    let late = Message {
        id: MessageId([3; 16]),
        ..message(gone)
    };
    let late = serde_json::to_value(late).unwrap();
    put(
        &stage.log,
        &stage.names,
        Topic::Dispatch(Channel::Sms),
        &late,
    )
    .await;
    let mut outcomes = stage.run().await;
    outcomes.extend(stage.run().await);
    // It has no grant here: what counts is that it is answered, and waited for by nobody.
    let mut answered = outcomes.iter().map(|outcome| outcome.message);
    assert!(answered.any(|message| message == MessageId([3; 16])));
    assert_eq!(stage.service.waiting.stands(), None);
}
