//! What is to be written to the log, in order and bounded: while it is away customers are answered all the same.
//!
//! Invariant: INV-12. A "no" goes before everything else and is never dropped for a click. Absent: writing.

use std::collections::VecDeque;

use winback_contract::{Outcome, OutcomeStatus};

/// Most that wait.
const MOST: usize = 20_000;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Spool {
    refusals: VecDeque<Outcome>,
    others: VecDeque<Outcome>,
}

impl Spool {
    /// False where there is no room.
    pub(crate) fn put(&mut self, outcome: Outcome) -> bool {
        let (queue, most) = if outcome.status == OutcomeStatus::Unsubscribed {
            (&mut self.refusals, MOST)
        } else {
            (&mut self.others, MOST)
        };
        let has_room = queue.len() < most;
        if has_room {
            queue.push_back(outcome);
        }
        has_room
    }

    pub(crate) fn len(&self) -> usize {
        self.refusals.len() + self.others.len()
    }

    /// The next to be written, without taking them out.
    pub(crate) fn next(&self, most: usize) -> Vec<Outcome> {
        let all = self.refusals.iter().chain(&self.others);
        all.take(most).cloned().collect()
    }

    /// These were written.
    pub(crate) fn done(&mut self, written: &[Outcome]) {
        for one in written {
            for queue in [&mut self.refusals, &mut self.others] {
                if queue.front() == Some(one) {
                    queue.pop_front();
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use winback_contract::{Channel, CustomerId, MessageId, Timestamp};

    use super::*;

    fn outcome(number: u8, status: OutcomeStatus) -> Outcome {
        Outcome {
            v: 1,
            message: MessageId([number; 16]),
            customer: CustomerId([number; 16]),
            channel: Channel::Email,
            attempt: 0,
            status,
            reason: None,
            provider_id: None,
            bot: false,
            rehearsed: false,
            retry_at: None,
            at: Timestamp::default(),
        }
    }

    #[test]
    fn a_no_goes_first_and_finds_room_behind_any_number_of_clicks() {
        let mut spool = Spool::default();
        let mut taken = 0;
        while spool.put(outcome(1, OutcomeStatus::Clicked)) {
            taken += 1;
        }
        assert_eq!(taken, MOST);
        assert!(spool.put(outcome(2, OutcomeStatus::Unsubscribed)));
        let next = spool.next(2);
        assert_eq!(next[0].status, OutcomeStatus::Unsubscribed);
        // What comes between asking and saying that it is written stays.
        assert!(spool.put(outcome(3, OutcomeStatus::Unsubscribed)));
        spool.done(&next);
        assert_eq!(spool.len(), MOST);
        assert_eq!(spool.next(1)[0].message, MessageId([3; 16]));
    }
}
