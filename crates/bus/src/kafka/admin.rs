//! Topics as they should be against topics as they are: the plan, and its application.

use std::collections::BTreeMap;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::types::RDKafkaErrorCode;

use super::{KafkaLog, QuietClient, fatal, unavailable};
use crate::error::Error;
use crate::log::Log as _;

/// A topic as it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicSpec {
    /// Its name, with the prefix.
    pub name: String,
    /// Its partitions.
    pub partitions: u32,
    /// Its replicas.
    pub replication: i32,
    /// Its settings.
    pub settings: BTreeMap<String, String>,
}

/// A setting that differs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// As it is.
    pub is: String,
    /// As it should be.
    pub should: String,
}

/// What the plan says about a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Planned {
    /// It is missing and would be created.
    Create(TopicSpec),
    /// It is as it should be.
    Good(String),
    /// Settings differ; an admin has to change them.
    Differs(String, Vec<Setting>),
    /// The number of partitions differs; it can't be changed for life.
    WrongCount {
        /// The topic.
        name: String,
        /// As it is.
        is: u32,
        /// As it should be.
        should: u32,
    },
}

impl KafkaLog {
    pub(super) fn admin(&self) -> Result<AdminClient<QuietClient>, Error> {
        self.options
            .client(&[])
            .create_with_context(QuietClient::default())
            .map_err(|error| fatal(&error))
    }

    /// Compares topics with their specs; changes nothing.
    ///
    /// # Errors
    /// When the brokers don't answer or don't allow to describe.
    pub async fn plan(&self, specs: &[TopicSpec]) -> Result<Vec<Planned>, Error> {
        let admin = self.admin()?;
        let options = AdminOptions::new().request_timeout(Some(super::PATIENCE));
        let mut plan = Vec::new();
        for spec in specs {
            let Some(count) = self.partitions(&spec.name).await? else {
                plan.push(Planned::Create(spec.clone()));
                continue;
            };
            if count != spec.partitions {
                plan.push(Planned::WrongCount {
                    name: spec.name.clone(),
                    is: count,
                    should: spec.partitions,
                });
                continue;
            }
            let described = admin
                .describe_configs([&ResourceSpecifier::Topic(&spec.name)], &options)
                .await;
            let described = described.map_err(|error| unavailable(&error))?;
            let config = described.into_iter().next().and_then(Result::ok);
            let is = |name: &str| {
                config
                    .as_ref()
                    .and_then(|config| config.get(name))
                    .and_then(|entry| entry.value.clone())
            };
            let differing: Vec<Setting> = spec
                .settings
                .iter()
                .filter_map(|(name, should)| {
                    let is = is(name).unwrap_or_default();
                    (is != *should).then(|| Setting {
                        name: name.clone(),
                        is,
                        should: should.clone(),
                    })
                })
                .collect();
            plan.push(if differing.is_empty() {
                Planned::Good(spec.name.clone())
            } else {
                Planned::Differs(spec.name.clone(), differing)
            });
        }
        Ok(plan)
    }

    /// Creates topics; one that exists already is left alone.
    ///
    /// # Errors
    /// When a topic can't be created.
    pub async fn create(&self, specs: &[TopicSpec]) -> Result<(), Error> {
        let admin = self.admin()?;
        let options = AdminOptions::new()
            .request_timeout(Some(super::PATIENCE))
            .operation_timeout(Some(super::PATIENCE));
        for spec in specs {
            let partitions = i32::try_from(spec.partitions).unwrap_or(i32::MAX);
            let mut topic = NewTopic::new(
                &spec.name,
                partitions,
                TopicReplication::Fixed(spec.replication),
            );
            for (name, value) in &spec.settings {
                topic = topic.set(name, value);
            }
            let results = admin
                .create_topics([&topic], &options)
                .await
                .map_err(|error| unavailable(&error))?;
            for result in results {
                match result {
                    Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                    Err((name, code)) => {
                        return Err(Error::Fatal(format!(
                            "kafka: topic {name} can't be created: {code}"
                        )));
                    }
                }
            }
        }
        // The brokers tell of a new topic a little after they have made it.
        for spec in specs {
            let mut asked = 0;
            while self.partitions(&spec.name).await?.is_none() && asked < 100 {
                asked += 1;
                winback_service::clock::pause(std::time::Duration::from_millis(100)).await;
            }
        }
        Ok(())
    }
}
