//! The send limit of a channel: more messages in an hour than the shop allows stop it, until a person resumes it. In the
//! config, in metrics and on topics it is called the fuse.
//!
//! All processes of a channel count together, in the store, so a restart forgets nothing. Whoever resumes the channel
//! begins a new count: its name says when that was. What is not here: who is told; see the service.

use winback_contract::{Channel, Timestamp};

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct SendLimit {
    most: Option<u32>,
    resumed_at: Timestamp,
    tripped: bool,
    warned: bool,
}

impl SendLimit {
    /// So many messages an hour; `None` never stops.
    pub(crate) fn new(most: Option<u32>) -> Self {
        Self {
            most,
            ..Self::default()
        }
    }

    /// The name of the count and its limit; `None` where nothing has to be counted.
    pub(crate) fn counts(&self, channel: Channel) -> Option<(String, u32)> {
        let most = self.most?;
        Some((
            format!("fuse:{channel}:{}", self.resumed_at.as_millis()),
            most,
        ))
    }

    /// Whether it has tripped: nothing may go then, and nothing is counted.
    pub(crate) fn is_tripped(&self) -> bool {
        self.tripped
    }

    /// There is no room left.
    pub(crate) fn trip(&mut self) {
        self.tripped = true;
    }

    /// True once after it has tripped.
    pub(crate) fn has_just_tripped(&mut self) -> bool {
        let news = self.tripped && !self.warned;
        self.warned |= news;
        news
    }

    /// A person resumed the channel: a new count begins, the same for all processes.
    pub(crate) fn reset(&mut self, at: Timestamp) {
        *self = Self {
            resumed_at: at,
            ..Self::new(self.most)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::{Channel, SendLimit, Timestamp};

    #[test]
    fn it_blows_once_and_stays_open_until_it_is_mended() {
        let mut fuse = SendLimit::new(Some(3));
        let first = fuse.counts(Channel::Sms);
        assert_eq!(first, Some(("fuse:sms:0".to_owned(), 3)));
        assert!(!fuse.has_just_tripped());
        fuse.trip();
        assert!(fuse.is_tripped() && fuse.has_just_tripped());
        assert!(!fuse.has_just_tripped(), "it is told once");
        fuse.reset(Timestamp::from_millis(9));
        assert!(!fuse.is_tripped());
        assert_ne!(fuse.counts(Channel::Sms), first, "a new count");
        fuse.trip();
        assert!(fuse.has_just_tripped());
        assert_eq!(SendLimit::new(None).counts(Channel::Sms), None);
    }
}
