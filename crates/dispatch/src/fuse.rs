//! The fuse of a channel: more messages in an hour than the shop allows stop it, until a person resumes it.
//!
//! All processes of a channel count together, in the store, so a restart forgets nothing. Whoever resumes the channel
//! begins a new count: its name says when that was. What is not here: who is told; see the service.

use winback_contract::{Channel, Timestamp};

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fuse {
    most: Option<u32>,
    resumed_at: Timestamp,
    blown: bool,
    told: bool,
}

impl Fuse {
    /// A fuse for so many messages an hour; `None` never blows.
    pub fn new(most: Option<u32>) -> Self {
        Self {
            most,
            ..Self::default()
        }
    }

    /// The name of the count and its limit; `None` where nothing has to be counted.
    pub fn counts(&self, channel: Channel) -> Option<(String, u32)> {
        let most = self.most?;
        Some((
            format!("fuse:{channel}:{}", self.resumed_at.as_millis()),
            most,
        ))
    }

    /// Whether it has blown: nothing may go then, and nothing is counted.
    pub fn is_blown(&self) -> bool {
        self.blown
    }

    /// There is no room left.
    pub fn blow(&mut self) {
        self.blown = true;
    }

    /// True once after it has blown.
    pub fn has_just_blown(&mut self) -> bool {
        let news = self.blown && !self.told;
        self.told |= news;
        news
    }

    /// A person resumed the channel: a new count begins, the same for all processes.
    pub fn mend(&mut self, at: Timestamp) {
        *self = Self {
            resumed_at: at,
            ..Self::new(self.most)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::{Channel, Fuse, Timestamp};

    #[test]
    fn it_blows_once_and_stays_open_until_it_is_mended() {
        let mut fuse = Fuse::new(Some(3));
        let first = fuse.counts(Channel::Sms);
        assert_eq!(first, Some(("fuse:sms:0".to_owned(), 3)));
        assert!(!fuse.has_just_blown());
        fuse.blow();
        assert!(fuse.is_blown() && fuse.has_just_blown());
        assert!(!fuse.has_just_blown(), "it is told once");
        fuse.mend(Timestamp::from_millis(9));
        assert!(!fuse.is_blown());
        assert_ne!(fuse.counts(Channel::Sms), first, "a new count");
        fuse.blow();
        assert!(fuse.has_just_blown());
        assert_eq!(Fuse::new(None).counts(Channel::Sms), None);
    }
}
