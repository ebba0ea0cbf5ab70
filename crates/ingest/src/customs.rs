//! How the shop writes things: its currency, its zone, its language, its topics. One truth: the Policy that is published;
//! the config only says what holds before the first publication.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::tz::TimeZone;
use winback_campaign::Policy;
use winback_contract::Currency;

use crate::values::number::Decimal;
use crate::values::phone::Country;

/// See the module.
#[derive(Clone, Debug)]
pub struct Customs {
    /// Of amounts that name none.
    pub currency: Currency,
    /// Of times that name none.
    pub zone: TimeZone,
    /// What stands in numbers between whole units and their parts, if the language says.
    pub decimal: Option<Decimal>,
    /// Whose national telephone numbers are read; without it none are.
    pub country: Option<Country>,
    /// Words of the shop's own that name nobody, in small letters (`ingest.nobody`).
    pub nobody: Arc<[String]>,
    /// Topics that a consent may name; none where nothing is published.
    pub topics: Option<BTreeSet<String>>,
}

impl Customs {
    /// Before anything is published.
    pub fn new(currency: Currency) -> Self {
        Self {
            currency,
            zone: TimeZone::UTC,
            decimal: None,
            country: None,
            nobody: Arc::default(),
            topics: None,
        }
    }

    /// With words that name nobody.
    #[must_use]
    pub fn without(self, nobody: &Arc<[String]>) -> Self {
        Self {
            nobody: nobody.clone(),
            ..self
        }
    }

    /// As a Policy says.
    pub fn of(policy: &Policy) -> Self {
        Self {
            currency: policy.currency,
            zone: policy.zone.clone(),
            decimal: Decimal::of(&policy.locale),
            country: policy.country.as_deref().and_then(Country::parse),
            nobody: Arc::default(),
            topics: Some(policy.topics.keys().cloned().collect()),
        }
    }
}
