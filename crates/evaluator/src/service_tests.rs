//! What the evaluator does with triggers that it can't decide: to whom they are left, and whom they hold up.

use serde_json::{Value, json};
use winback_bus::memory::MemoryLog;
use winback_contract::{Offset, Partition};
use winback_service::Clock;

use winback_bus::memory::Faults;
use winback_campaign::Files;
use winback_contract::{
    Activations, Blob, BundleHash, CustomerId, DueStep, JourneyId, Timestamp, TriggerId,
};
use winback_journey::{Customer, encode};

use super::*;

struct Stage {
    log: MemoryLog,
    names: TopicNames,
    service: Service,
}

impl Stage {
    async fn new() -> Self {
        let log = MemoryLog::new(Clock::at(0));
        let names = TopicNames::new("t.");
        for topic in [Topic::Triggers, Topic::Decisions] {
            log.create(&names.name(topic), 2);
        }
        for topic in [Topic::Campaigns, Topic::Failed] {
            log.create(&names.name(topic), 1);
        }
        let config = Config {
            names: names.clone(),
            groups: "t.".into(),
            partitions: PartitionCount::new(2).unwrap(),
            batch: 10,
        };
        let metrics = Metrics::register(&winback_service::Metrics::new());
        let service = Service::start(config, Arc::new(log.clone()), metrics);
        let service = service.await.unwrap();
        Self {
            log,
            names,
            service,
        }
    }

    async fn trigger(&self, partition: u32, value: &Value) {
        let record = Outgoing {
            topic: Arc::from(self.names.name(Topic::Triggers)),
            partition: Some(Partition(partition)),
            key: Vec::new(),
            value: serde_json::to_vec(value).unwrap(),
            headers: Vec::new(),
        };
        self.log.produce(vec![record]).await.unwrap();
    }

    async fn rounds(&mut self) {
        for _ in 0..20 {
            self.service.step(Duration::ZERO).await.unwrap();
        }
    }

    /// How far each partition is committed.
    async fn committed(&self) -> Vec<Option<i64>> {
        let topic = self.names.name(Topic::Triggers);
        let all = self.log.committed("t.evaluator", &topic).await.unwrap();
        let next = |commit: Option<winback_bus::Commit>| commit.map(|commit| commit.next.0);
        all.into_iter().map(next).collect()
    }

    fn failed(&self) -> Vec<FailedReason> {
        let records = self.log.dump(&self.names.name(Topic::Failed));
        let reason = |record: Record| {
            let failed: winback_contract::Failed =
                serde_json::from_slice(&record.value.unwrap()).unwrap();
            failed.reason
        };
        records.into_iter().map(reason).collect()
    }
}

/// To skip it would lose the message of everybody who is due during an upgrade.
#[tokio::test]
async fn a_trigger_of_a_newer_release_is_left_to_one_that_reads_it() {
    let mut stage = Stage::new().await;
    stage
        .trigger(0, &json!({ "v": 9, "of_the_next_release": true }))
        .await;
    stage.trigger(1, &json!({ "v": 1 })).await;
    stage.rounds().await;
    assert_eq!(
        stage.failed(),
        [FailedReason::MalformedTrigger],
        "the other partition goes on"
    );
    assert_eq!(stage.committed().await, [Some(0), Some(1)]);
    assert!(
        stage
            .log
            .dump(&stage.names.name(Topic::Decisions))
            .is_empty()
    );
    let why = stage.service.waiting.stands().expect("it is told");
    assert!(
        why.contains("partition 0") && why.contains("version 9"),
        "{why}"
    );
}

#[tokio::test]
async fn what_is_no_trigger_goes_to_failed_and_stops_nobody() {
    let mut stage = Stage::new().await;
    for value in [json!([]), json!("x"), json!({ "v": "1" }), json!({})] {
        stage.trigger(0, &value).await;
    }
    stage.rounds().await;
    assert_eq!(stage.failed(), [FailedReason::MalformedTrigger; 4]);
    assert_eq!(stage.committed().await[0], Some(Offset(4).0));
    assert_eq!(stage.service.waiting.stands(), None);
}

/// A Policy and nothing else.
fn bundle() -> Files {
    let policy = "apiVersion: winback/v1
kind: Policy
metadata: { name: Shop }
spec:
  shop: { zone: UTC, locale: en, currency: EUR }
  topics: { marketing: { consent: not_denied } }
  groups: { cart: { ended_by: Order Completed } }
  senders: { email: { from: shop@example.com, unsubscribe: 'mailto:out@example.com' } }
";
    let files = Files([("policy.yaml".to_owned(), policy.to_owned())].into());
    let compiled = winback_campaign::Bundle::compile(&files);
    assert!(compiled.is_ok(), "{}", compiled.unwrap_err());
    files
}

/// A trigger with one due step and one competitor.
fn due(number: u8, bundle: BundleHash, snapshot: Vec<u8>) -> Value {
    let step = |competitor| DueStep {
        journey: JourneyId([number; 16]),
        campaign: "cart".into(),
        bundle,
        step: "reminder".into(),
        due: Timestamp::default(),
        expires: Timestamp::from_millis(1_000),
        competitor,
    };
    let trigger = Trigger {
        v: Trigger::VERSION,
        id: TriggerId([number; 16]),
        customer: CustomerId([0; 16]),
        now: Timestamp::default(),
        bundle,
        steps: vec![step(false), step(true)],
        seen: None,
        news: Vec::new(),
        dry: Vec::new(),
        paused: Vec::new(),
        snapshot: Blob(snapshot),
    };
    serde_json::to_value(trigger).unwrap()
}

impl Stage {
    async fn publish(&self, files: &Files) {
        let record = Outgoing {
            topic: Arc::from(self.names.name(Topic::Campaigns)),
            partition: None,
            key: files.hash().to_string().into_bytes(),
            value: serde_json::to_vec(files).unwrap(),
            headers: Vec::new(),
        };
        self.log.produce(vec![record]).await.unwrap();
    }

    /// Which triggers were decided, in order, with the reasons of their steps.
    fn decided(&self) -> Vec<(u8, Vec<Option<Reason>>)> {
        let records = self.log.dump(&self.names.name(Topic::Decisions));
        let decided = |record: Record| {
            let decision: Decision = serde_json::from_slice(&record.value.unwrap()).unwrap();
            let reasons = decision.steps.iter().map(|step| step.verdict.reason());
            (decision.trigger.0[0], reasons.collect())
        };
        records.into_iter().map(decided).collect()
    }
}

/// Behind a trigger whose bundle is on its way everything of its partition waits, in order; the other partition does not.
#[tokio::test]
async fn a_trigger_waits_for_its_bundle_and_nothing_overtakes_it() {
    let mut stage = Stage::new().await;
    let (here, late) = (bundle(), {
        let mut files = bundle();
        let policy = files.0.get_mut("policy.yaml").unwrap();
        *policy = policy.replace("name: Shop", "name: Later");
        files
    });
    stage.publish(&here).await;
    let state = encode(&Customer::default());
    for (partition, number, of) in [(0, 1, &late), (0, 2, &here), (1, 3, &here)] {
        let trigger = due(number, of.hash(), state.clone());
        stage.trigger(partition, &trigger).await;
    }
    stage.rounds().await;
    // Its journey is in no state: that is no reason to be silent.
    assert_eq!(stage.decided(), [(3, vec![Some(Reason::Error)])]);
    let why = stage.service.waiting.stands().expect("it is told");
    assert!(why.contains(&late.hash().to_string()), "{why}");
    assert_eq!(stage.committed().await, [Some(0), Some(1)]);
    stage.publish(&late).await;
    stage.rounds().await;
    let order: Vec<u8> = stage.decided().iter().map(|(number, _)| *number).collect();
    assert_eq!(order, [3, 1, 2]);
    assert_eq!(stage.service.waiting.stands(), None);
    assert_eq!(stage.committed().await, [Some(2), Some(1)]);
}

/// A snapshot that can't be read costs its message, with a reason, and goes to `failed`; one of a newer release waits.
#[tokio::test]
async fn a_damaged_snapshot_is_answered_and_a_newer_one_is_left() {
    let mut stage = Stage::new().await;
    let files = bundle();
    stage.publish(&files).await;
    let mut cut = encode(&Customer::default());
    cut.pop();
    stage.trigger(0, &due(1, files.hash(), cut)).await;
    stage
        .trigger(1, &due(2, files.hash(), vec![codec::VERSION + 1]))
        .await;
    stage.rounds().await;
    assert_eq!(stage.failed(), [FailedReason::UnreadableSnapshot]);
    // Competitors are not answered.
    assert_eq!(stage.decided(), [(1, vec![Some(Reason::Error)])]);
    assert_eq!(stage.committed().await, [Some(1), Some(0)]);
    assert!(stage.service.waiting.stands().is_some());
}

/// A decision is committed once it is in the log, whatever the log refuses or does not acknowledge: none is lost, none
/// overtakes, and a repeat is one that sessions knows by its trigger.
#[tokio::test]
async fn decisions_survive_a_log_that_refuses_and_forgets_to_answer() {
    let stage = Stage::new().await;
    let files = bundle();
    stage.publish(&files).await;
    let state = encode(&Customer::default());
    for number in 0..60 {
        stage
            .trigger(0, &due(number, files.hash(), state.clone()))
            .await;
    }
    let Stage {
        log,
        names,
        service,
    } = stage;
    let mut stage = Stage {
        log: log.with_faults(Faults {
            seed: 7,
            lost_ack_one_in: 5,
            refused_one_in: 5,
        }),
        names,
        service,
    };
    for _ in 0..400 {
        match stage.service.step(Duration::ZERO).await {
            Ok(_) => {}
            Err(error) => assert!(error.is_transient(), "{error}"),
        }
    }
    // A repeat is harmless: what counts is when each came first.
    let mut order: Vec<u8> = Vec::new();
    for (number, _) in stage.decided() {
        if !order.contains(&number) {
            order.push(number);
        }
    }
    assert_eq!(order, Vec::from_iter(0..60));
}

/// A partition that goes to another process is answered there: what waits here is forgotten.
#[tokio::test]
async fn what_waits_goes_along_with_its_partition() {
    let mut stage = Stage::new().await;
    let files = bundle();
    let state = encode(&Customer::default());
    for partition in [0, 1] {
        stage
            .trigger(partition, &due(1, files.hash(), state.clone()))
            .await;
    }
    stage.rounds().await;
    assert!(stage.decided().is_empty() && stage.service.waiting.stands().is_some());
    let config = stage.service.config.clone();
    let metrics = Metrics::register(&winback_service::Metrics::new());
    let log: Arc<dyn Log> = Arc::new(stage.log.clone());
    let mut other = Service::start(config, log, metrics).await.unwrap();
    stage.publish(&files).await;
    for _ in 0..30 {
        stage.service.step(Duration::ZERO).await.unwrap();
        other.step(Duration::ZERO).await.unwrap();
    }
    assert_eq!(stage.decided().len(), 2, "{:?}", stage.decided());
    assert_eq!(stage.committed().await, [Some(1), Some(1)]);
}

/// Its campaign is what makes the decision panic, in tests.
pub(super) fn planted(trigger: &Trigger) {
    assert!(
        trigger.steps.iter().all(|step| step.campaign != "panics"),
        "planted"
    );
}

/// A panic in one decision would come again at every start: it is put aside, and everybody else is decided.
#[tokio::test]
async fn a_decision_that_panics_costs_its_own_message() {
    let mut stage = Stage::new().await;
    let files = bundle();
    stage.publish(&files).await;
    let state = encode(&Customer::default());
    let mut bad = due(1, files.hash(), state.clone());
    bad["steps"][0]["campaign"] = json!("panics");
    stage.trigger(0, &bad).await;
    stage.trigger(0, &due(2, files.hash(), state)).await;
    stage.rounds().await;
    assert_eq!(stage.failed(), [FailedReason::Panicked]);
    let reasons = vec![Some(Reason::Error)];
    assert_eq!(stage.decided(), [(1, reasons.clone()), (2, reasons)]);
    assert_eq!(stage.committed().await[0], Some(2));
}

/// A bundle that had left when a trigger was made is waited for by nobody; one that left before may come again.
#[tokio::test]
async fn a_trigger_of_a_bundle_that_is_gone_is_answered() {
    let mut stage = Stage::new().await;
    let mut past = Activations::default();
    past.leaving
        .push((bundle().hash(), Timestamp::from_millis(1)));
    let record = Outgoing {
        topic: Arc::from(stage.names.name(Topic::Campaigns)),
        partition: None,
        key: Activations::KEY.into(),
        value: serde_json::to_vec(&past).unwrap(),
        headers: Vec::new(),
    };
    stage.log.produce(vec![record]).await.unwrap();
    let state = encode(&Customer::default());
    let mut later = due(2, bundle().hash(), state.clone());
    later["now"] = json!(Timestamp::from_millis(2));
    stage.trigger(0, &due(1, bundle().hash(), state)).await;
    stage.trigger(1, &later).await;
    stage.rounds().await;
    assert_eq!(stage.decided(), [(1, vec![Some(Reason::Error)])]);
    assert_eq!(stage.committed().await, [Some(1), Some(0)]);
}
