//! How a journey ends: once, for one recorded reason, with its permissions and offers taken back (INV-4, INV-5).
//!
//! What begins with the end is armed by `start::ended`; whether an input ends a journey is asked in `exit`.

use winback_contract::{JourneyId, Reason, Span, Timestamp, Transition};

use crate::book::offer;
use crate::records::{keep, record};
use crate::scene::Scene;
use crate::start::ended::{Ended, after_end, is_an_end};
use crate::state::{Journey, What};

/// How a journey ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending<'e> {
    /// A reason of the contract.
    pub(crate) outcome: Reason,
    /// The campaign's own name for it.
    pub(crate) name: Option<&'e str>,
    /// The order that ended it.
    pub(crate) order_id: Option<&'e str>,
}

/// Ends a journey for one recorded reason.
pub(crate) fn end(scene: &mut Scene<'_>, id: JourneyId, outcome: Reason, at: Timestamp) {
    let ending = Ending {
        outcome,
        name: None,
        order_id: None,
    };
    end_as(scene, id, ending, at);
}

/// Ends every journey of which `ends` says so; those too that begin with such an end.
pub(crate) fn end_each(
    scene: &mut Scene<'_>,
    outcome: Reason,
    at: Timestamp,
    ends: impl Fn(&Scene<'_>, &Journey) -> bool,
) {
    let mut index = 0;
    while let Some(journey) = scene.customer.journeys.get(index) {
        if ends(scene, journey) {
            end(scene, journey.id, outcome, at);
        } else {
            index += 1;
        }
    }
}

/// Ends a journey; what begins with its end is armed.
pub(crate) fn end_as(scene: &mut Scene<'_>, id: JourneyId, ending: Ending<'_>, at: Timestamp) {
    let Some(index) = scene.index_of(id) else {
        return;
    };
    let journey = scene.customer.journeys.remove(index);
    let entered = journey.entered_at.is_some();
    let outcome = ending.outcome;
    scene.out.journeys.push(record(
        &journey,
        scene.world,
        at,
        Transition::Ended {
            outcome,
            entered,
            name: ending.name.map(str::to_owned),
        },
    ));
    // A message that nobody has claimed by now never will be: its outcome is not waited for.
    for pending in scene
        .customer
        .messages
        .iter()
        .filter(|pending| pending.journey == journey.id)
    {
        scene
            .out
            .grants
            .push(crate::effects::GrantChange::Withdraw(pending.message));
    }
    offer::take_back(scene, journey.id);
    let word = ending.name.unwrap_or(outcome.as_str());
    let campaign = scene
        .world
        .bundles
        .campaign(journey.bundle, &journey.campaign);
    if let Some(last) = journey.last_message_at {
        let within = campaign.map_or(Span::ZERO, |campaign| campaign.goal_within);
        let open = outcome != Reason::Converted && !journey.goal;
        let goal = open.then_some((journey.id, last + within));
        let history = scene.customer.history_mut(&journey.campaign);
        history.goal = goal;
        history.cart_id.clone_from(&journey.entry.cart_id);
    }
    if !entered {
        return;
    }
    let is_unsuited = matches!(outcome, Reason::Audience | Reason::OtherCurrency);
    let first_step = journey.first_message_at.is_some() || !is_unsuited;
    if first_step {
        let history = scene.customer.history_mut(&journey.campaign);
        history.outcome = Some(word.to_owned());
        if outcome == Reason::Converted {
            history.converted_at = Some(at);
        }
    }
    keep(
        scene.customer,
        &journey,
        String::new(),
        What::Ended(outcome),
        at,
    );
    if is_an_end(outcome) {
        let ended = Ended {
            journey: journey.id,
            campaign: &journey.campaign,
            outcome: word,
            order_id: ending.order_id.or(journey.entry.order_id.as_deref()),
            cart_id: journey.entry.cart_id.as_deref(),
            checkout_id: journey.entry.checkout_id.as_deref(),
            product_id: journey.entry.product_id.as_deref(),
            at,
        };
        after_end(scene, &ended);
    }
}
