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

/// Programs that say what they are, in small letters. Never a part of what a browser says: there are phones called Cubot.
const MACHINES: [&str; 19] = [
    "bot/",
    "bot;",
    "bot)",
    "crawler",
    "spider/",
    "linkpreview",
    "urlscan",
    "virustotal",
    "proofpoint",
    "mimecast",
    "barracuda",
    "urldefense",
    "safelinks",
    "python-",
    "curl/",
    "wget/",
    "go-http-client",
    "java/",
    "headless",
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

/// What was asked for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum What {
    /// Somewhere that a link leads.
    Link(String),
    /// The page of a "no", looked at: a scanner follows it as well.
    Page,
    /// The picture.
    Picture,
}

/// A request that waits to be judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Heard<T> {
    pub(crate) message: MessageId,
    pub(crate) what: What,
    /// When the link was made.
    pub(crate) made_at: Timestamp,
    pub(crate) at: Timestamp,
    pub(crate) by_machine: bool,
    /// What is to be reported, if anything.
    pub(crate) report: Option<T>,
}

/// Requests of the last moment.
#[derive(Debug)]
pub(crate) struct Grader<T> {
    /// What comes sooner after the mail was made than this is a machine's.
    machine_within: Span,
    waiting: Vec<Heard<T>>,
    /// What waits, each once: the same request again within the window says nothing new.
    known: BTreeSet<(MessageId, What, bool)>,
}

impl<T> Grader<T> {
    pub(crate) fn new(machine_within: Span) -> Self {
        Self {
            machine_within,
            waiting: Vec::new(),
            known: BTreeSet::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// False where there is no room.
    pub(crate) fn put(&mut self, heard: Heard<T>) -> bool {
        if self.waiting.len() >= MOST {
            return false;
        }
        let once = (heard.message, heard.what.clone(), heard.by_machine);
        if self.known.insert(once) {
            self.waiting.push(heard);
        }
        true
    }

    /// Those that have waited long enough, in the order in which they came, each with whether it is a machine's.
    pub(crate) fn ripe(&mut self, now: Timestamp) -> Vec<(T, bool)> {
        let mut followed: BTreeMap<MessageId, BTreeSet<&What>> = BTreeMap::new();
        let links = self
            .waiting
            .iter()
            .filter(|heard| heard.what != What::Picture);
        for heard in links {
            followed
                .entry(heard.message)
                .or_default()
                .insert(&heard.what);
        }
        let bursts = followed
            .into_iter()
            .filter(|(_, links)| links.len() >= AT_ONCE);
        let bursts: BTreeSet<MessageId> = bursts.map(|(message, _)| message).collect();
        let known = &mut self.known;
        let ripe = self
            .waiting
            .extract_if(.., |heard| now.since(heard.at) >= WINDOW);
        let mut judged = Vec::new();
        for heard in ripe {
            known.remove(&(heard.message, heard.what, heard.by_machine));
            let by_machine = heard.by_machine
                || bursts.contains(&heard.message)
                || heard.at.since(heard.made_at) < self.machine_within;
            judged.extend(heard.report.map(|report| (report, by_machine)));
        }
        judged
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

    fn heard(message: u8, what: What, seconds: i64) -> Heard<String> {
        let report = match &what {
            What::Link(target) => Some(format!("{message}{target}")),
            What::Page => None,
            What::Picture => Some(format!("{message} opened")),
        };
        Heard {
            message: MessageId([message; 16]),
            what,
            made_at: at(0),
            at: at(seconds),
            by_machine: false,
            report,
        }
    }

    fn click(message: u8, target: &str, seconds: i64) -> Heard<String> {
        heard(message, What::Link(target.into()), seconds)
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
        assert!(grader.put(heard(2, What::Picture, 60)));
        assert!(grader.put(click(2, "b", 61)));
        let ripe = grader.ripe(at(70));
        let machines = ripe.iter().filter(|(_, machine)| *machine);
        let machines: Vec<&str> = machines.map(|(report, _)| report.as_str()).collect();
        assert_eq!(machines, ["1a", "1b", "1c"]);
        // The same click again is no second one.
        assert_eq!(ripe.len(), 6);
    }

    /// The page of a "no" stands in every mail: who follows it with all the others is no person.
    #[test]
    fn two_links_and_the_page_of_a_no_are_a_burst() {
        let mut grader = grader();
        for what in [What::Link("a".into()), What::Page, What::Link("b".into())] {
            assert!(grader.put(heard(1, what, 60)));
        }
        let wanted = [("1a".to_owned(), true), ("1b".to_owned(), true)];
        assert_eq!(grader.ripe(at(70)), wanted);
    }

    #[test]
    fn nobody_clicks_or_opens_before_the_mail_is_there() {
        let mut grader = grader();
        assert!(grader.put(click(1, "a", 4)));
        assert!(grader.put(heard(1, What::Picture, 4)));
        assert!(grader.put(click(2, "a", 5)));
        let wanted = [("1a", true), ("1 opened", true), ("2a", false)];
        assert_eq!(
            grader.rest(),
            wanted.map(|(report, machine)| (report.to_owned(), machine))
        );
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
                "Mozilla/5.0 (Linux; Android 13; CUBOT NOTE 21) Chrome/140.0 Mobile",
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
    fn what_waits_is_bounded_and_one_link_fills_nothing() {
        let mut grader = grader();
        for _ in 0..MOST * 2 {
            assert!(grader.put(click(1, "a", 60)));
        }
        assert_eq!(grader.len(), 1);
        for number in 0..MOST - 1 {
            assert!(grader.put(click(2, &number.to_string(), 60)));
        }
        assert!(!grader.put(click(3, "a", 60)));
        assert_eq!(grader.ripe(at(70)).len(), MOST);
        assert!(grader.put(click(3, "a", 70)));
    }
}
