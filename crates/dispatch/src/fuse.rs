//! The fuse of a channel: more messages in an hour than the shop allows stop it, until a person resumes it.
//!
//! It counts the claims of this process, so a restart begins a new hour. What is not here: who is told; see the service.

use std::collections::VecDeque;

/// Length of the window, and of its parts, in milliseconds.
const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fuse {
    most: Option<u32>,
    /// Beginning of a minute, and messages in it.
    minutes: VecDeque<(i64, u32)>,
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

    /// Whether one more message may go at this moment, in milliseconds. If so it counts.
    pub fn allows(&mut self, now: i64) -> bool {
        let Some(most) = self.most else { return true };
        if self.blown {
            return false;
        }
        while self.minutes.front().is_some_and(|(at, _)| at + HOUR <= now) {
            self.minutes.pop_front();
        }
        let count: u64 = self
            .minutes
            .iter()
            .map(|(_, count)| u64::from(*count))
            .sum();
        if count >= u64::from(most) {
            self.blown = true;
            return false;
        }
        let minute = now - now.rem_euclid(MINUTE);
        match self.minutes.back_mut() {
            Some((at, count)) if *at == minute => *count += 1,
            _ => self.minutes.push_back((minute, 1)),
        }
        true
    }

    /// True once after it has blown.
    pub fn has_just_blown(&mut self) -> bool {
        let news = self.blown && !self.told;
        self.told |= news;
        news
    }

    /// A person resumed the channel: a new hour begins.
    pub fn mend(&mut self) {
        *self = Self::new(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::{Fuse, HOUR};

    #[test]
    fn it_blows_once_and_stays_open_until_it_is_mended() {
        let mut fuse = Fuse::new(Some(3));
        assert!(fuse.allows(0) && fuse.allows(1) && fuse.allows(HOUR / 2));
        assert!(!fuse.has_just_blown());
        assert!(!fuse.allows(HOUR - 1), "a fourth in the hour");
        assert!(fuse.has_just_blown());
        assert!(!fuse.has_just_blown(), "it is told once");
        assert!(!fuse.allows(9 * HOUR), "time alone mends nothing");
        fuse.mend();
        assert!(fuse.allows(9 * HOUR));
    }

    #[test]
    fn an_hour_rolls() {
        let mut fuse = Fuse::new(Some(2));
        assert!(fuse.allows(0) && fuse.allows(HOUR / 2));
        assert!(fuse.allows(HOUR), "the first has left the window");
        assert!(!fuse.allows(HOUR + 1));
        assert!((0..9).all(|_| Fuse::new(None).allows(0)));
    }
}
