//! How long to wait before something is tried once more.

use winback_contract::Span;

/// `first`, twice as long after every failure, up to `longest`, and never less than `first`.
pub(crate) fn backoff(first: Span, failures: u32, longest: Span) -> Span {
    let factor = 1_i64 << failures.min(30);
    let wait = first.as_millis().saturating_mul(factor);
    Span::from_millis(wait.min(longest.as_millis()).max(first.as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_its_end() {
        let minute = Span::from_mins(1);
        let waits = [0, 1, 2, 3, 9, u32::MAX].map(|n| backoff(minute, n, Span::from_mins(5)));
        assert_eq!(waits, [1, 2, 4, 5, 5, 5].map(Span::from_mins));
        assert_eq!(backoff(minute, 3, Span::from_secs(1)), minute);
    }
}
