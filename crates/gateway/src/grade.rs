//! Which clicks and openings are a machine's: scanners of mail servers follow every link before a person sees the mail.
//!
//! A machine's click is reported as one and ends nothing (playbook P40). It is told by what asks (a HEAD, a program that says
//! what it is), by when (sooner after the mail was made than a person reads), and by how much at once: so a click waits for a
//! moment before it is reported. Pure: time is an argument, nothing is read. Absent: what becomes of a click.

use std::collections::{BTreeMap, BTreeSet};

use winback_contract::{MessageId, Span, Timestamp};

/// So long a click waits for others of the same message.
pub(crate) const WINDOW: Span = Span::from_secs(2);
/// So many different links of one message within the window are a machine's.
const AT_ONCE: usize = 3;
/// Most clicks that wait (INV-12), also while the log is away and nobody judges them.
const MOST: usize = 20_000;

/// Programs that say what they are, in small letters.
const MACHINES: [&str; 18] = [
    "bot",
    "crawl",
    "spider",
    "scan",
    "preview",
    "proofpoint",
    "mimecast",
    "barracuda",
    "urldefense",
    "safelinks",
    "python",
    "curl/",
    "wget/",
    "go-http-client",
    "java/",
    "okhttp",
    "headless",
    "monitor",
];

/// Who asked, as far as it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Asked<'r> {
    /// The value of `User-Agent`; empty where none was said.
    pub(crate) agent: &'r str,
    /// Whether only the head was asked for.
    pub(crate) is_head: bool,
}

impl Asked<'_> {
    /// Whether what asks says itself that it is a machine.
    pub(crate) fn is_machine(&self) -> bool {
        let agent = self.agent.to_ascii_lowercase();
        self.is_head || agent.is_empty() || MACHINES.iter().any(|word| agent.contains(word))
    }

    /// Whether a picture was loaded by a mail program's own server, whoever reads: it says nothing about an opening.
    pub(crate) fn is_prefetch(&self) -> bool {
        // Apple's privacy proxy says this and no more, for mails that nobody has opened.
        self.is_machine() || self.agent == "Mozilla/5.0"
    }
}

/// A click that waits to be judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Click<T> {
    pub(crate) message: MessageId,
    /// Which link of it.
    pub(crate) target: String,
    /// When the link was made.
    pub(crate) made_at: Timestamp,
    pub(crate) at: Timestamp,
    pub(crate) by_machine: bool,
    /// What is to be reported.
    pub(crate) report: T,
}

/// Clicks of the last moment.
#[derive(Debug)]
pub(crate) struct Grader<T> {
    /// A click sooner after its mail was made than this is a machine's.
    machine_within: Span,
    waiting: Vec<Click<T>>,
}

impl<T> Grader<T> {
    pub(crate) fn new(machine_within: Span) -> Self {
        Self {
            machine_within,
            waiting: Vec::new(),
        }
    }

    /// False where there is no room.
    pub(crate) fn put(&mut self, click: Click<T>) -> bool {
        let has_room = self.waiting.len() < MOST;
        if has_room {
            self.waiting.push(click);
        }
        has_room
    }

    /// Those that have waited long enough, in the order in which they came, each with whether it is a machine's.
    pub(crate) fn ripe(&mut self, now: Timestamp) -> Vec<(T, bool)> {
        let mut links: BTreeMap<MessageId, BTreeSet<&str>> = BTreeMap::new();
        for click in &self.waiting {
            links
                .entry(click.message)
                .or_default()
                .insert(&click.target);
        }
        let bursts = links
            .into_iter()
            .filter(|(_, links)| links.len() >= AT_ONCE);
        let bursts: BTreeSet<MessageId> = bursts.map(|(message, _)| message).collect();
        for click in &mut self.waiting {
            click.by_machine |= bursts.contains(&click.message)
                || click.at.since(click.made_at) < self.machine_within;
        }
        let ripe = self
            .waiting
            .extract_if(.., |click| now.since(click.at) >= WINDOW);
        ripe.map(|click| (click.report, click.by_machine)).collect()
    }

    /// All of them, at the end of the process.
    pub(crate) fn rest(&mut self) -> Vec<(T, bool)> {
        self.ripe(Timestamp::NEVER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + seconds * 1_000)
    }

    fn click(message: u8, target: &str, seconds: i64) -> Click<String> {
        Click {
            message: MessageId([message; 16]),
            target: target.into(),
            made_at: at(0),
            at: at(seconds),
            by_machine: false,
            report: format!("{message}{target}"),
        }
    }

    fn grader() -> Grader<String> {
        Grader::new(Span::from_secs(5))
    }

    #[test]
    fn a_click_waits_for_its_window_and_is_a_persons() {
        let mut grader = grader();
        assert!(grader.put(click(1, "a", 60)));
        assert!(grader.ripe(at(61)).is_empty());
        assert_eq!(grader.ripe(at(62)), [("1a".to_owned(), false)]);
        assert!(grader.ripe(at(99)).is_empty(), "once");
    }

    #[test]
    fn all_links_at_once_are_a_machines_also_those_that_came_first() {
        let mut grader = grader();
        for target in ["a", "b", "c"] {
            assert!(grader.put(click(1, target, 60)));
        }
        // Somebody else at the same time, and the same link again and again.
        for _ in 0..5 {
            assert!(grader.put(click(2, "a", 60)));
        }
        assert!(grader.put(click(2, "b", 61)));
        let ripe = grader.ripe(at(70));
        let machines = ripe.iter().filter(|(_, machine)| *machine);
        let machines: Vec<&str> = machines.map(|(report, _)| report.as_str()).collect();
        assert_eq!(machines, ["1a", "1b", "1c"]);
        assert_eq!(ripe.len(), 9);
    }

    #[test]
    fn nobody_clicks_before_the_mail_is_there() {
        let mut grader = grader();
        assert!(grader.put(click(1, "a", 4)));
        assert!(grader.put(click(2, "a", 5)));
        let rest = grader.rest();
        assert_eq!(rest, [("1a".to_owned(), true), ("2a".to_owned(), false)]);
    }

    #[test]
    fn what_says_that_it_is_a_machine_is_one() {
        for (agent, is_head, machine) in [
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15",
                false,
                false,
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0 Safari/537.36",
                false,
                false,
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0 Safari/537.36",
                true,
                true,
            ),
            ("Mozilla/5.0 (compatible; Googlebot/2.1)", false, true),
            ("python-requests/2.32", false, true),
            ("", false, true),
        ] {
            assert_eq!(Asked { agent, is_head }.is_machine(), machine, "{agent}");
        }
        let asked = |agent| Asked {
            agent,
            is_head: false,
        };
        assert!(asked("Mozilla/5.0").is_prefetch());
        assert!(!asked("Mozilla/5.0 (via ggpht.com GoogleImageProxy)").is_prefetch());
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut grader = grader();
        for _ in 0..MOST {
            assert!(grader.put(click(1, "a", 60)));
        }
        assert!(!grader.put(click(1, "a", 60)));
        assert_eq!(grader.ripe(at(70)).len(), MOST);
        assert!(grader.put(click(1, "a", 70)));
    }
}
