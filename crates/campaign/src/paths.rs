//! Paths through a cascade: which entries a journey may come to from another. Nothing is judged here.

use std::collections::BTreeSet;

use crate::model::{Campaign, Entry};

impl Campaign {
    /// Whether a journey that was at one entry may come to another later.
    pub fn leads(&self, from: usize, to: usize) -> bool {
        let next = |place: usize| -> Vec<usize> {
            let places = |targets: &[u16]| targets.iter().copied().map(usize::from).collect();
            match self.entries.get(place) {
                None | Some(Entry::End(_)) => Vec::new(),
                Some(Entry::Jump(to)) => places(&[*to]),
                Some(Entry::If { otherwise, .. }) => vec![place + 1, usize::from(*otherwise)],
                Some(Entry::Await { came, .. }) => vec![place + 1, usize::from(*came)],
                Some(Entry::Split { branches, rest, .. }) => {
                    let targets = branches.iter().map(|(_, _, to)| *to).chain([*rest]);
                    places(&targets.collect::<Vec<_>>())
                }
                Some(Entry::Step(_) | Entry::Wait { .. }) => vec![place + 1],
            }
        };
        // Jumps only go forward: what lies behind `to` never leads to it.
        let mut open = next(from);
        let mut seen = BTreeSet::new();
        while let Some(place) = open.pop() {
            if place == to {
                return true;
            }
            if place < to && seen.insert(place) {
                open.extend(next(place));
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::model::Entry;
    use crate::{Bundle, Files};

    #[test]
    fn branches_do_not_lead_into_each_other() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../campaigns");
        let bundle = Bundle::compile(&Files::of_folder(&root)).map(|(bundle, _)| bundle);
        let Ok(bundle) = bundle else {
            panic!("the shipped campaigns do not compile");
        };
        let Some(campaign) = bundle.campaign("apology") else {
            panic!("there is no apology");
        };
        let place = |name: &str| {
            let is = |entry: &Entry| matches!(entry, Entry::Step(step) if step.name == name);
            campaign.entries.iter().position(is).unwrap_or(usize::MAX)
        };
        let leads = |from: &str, to: &str| campaign.leads(place(from), place(to));
        assert!(
            leads("reply", "call") && leads("reply", "sorry") && leads("call", "sorry-discount")
        );
        assert!(!leads("sorry-discount", "sorry") && !leads("sorry", "sorry-discount"));
        assert!(!leads("call", "reply") && !leads("call", "call"));
    }
}
