//! Whether a position fits the topic that is there now, asked once: for commands. Absent: reading on.

use winback_contract::Offset;

use crate::between::between;
use crate::error::Error;
use crate::log::{Log, Place};
use crate::mark::{Fit, Mark};

/// How `from` fits, if the record before it must be the marked one, and the first offset that is kept.
///
/// # Errors
/// When the log does not answer.
pub async fn fit(
    log: &dyn Log,
    group: &str,
    place: &Place,
    from: Offset,
    mark: Option<Mark>,
) -> Result<(Fit, Offset), Error> {
    let at = place.partition.0 as usize;
    let start = log.starts(&place.topic).await?.get(at).copied();
    let end = log.ends(&place.topic).await?.get(at).copied();
    let (start, end) = (start.unwrap_or_default(), end.unwrap_or_default());
    if start > from {
        return Ok((Fit::Deleted { start }, start));
    }
    if from > end {
        return Ok((Fit::MadeAnew, start));
    }
    let Some(mark) = mark.filter(|_| start < from) else {
        return Ok((Fit::Fits, start));
    };
    let mut found = None;
    between(log, group, place, (from.before(), from), |record| {
        found = Some(Mark::of(&record));
    })
    .await?;
    let fits = found == Some(mark);
    Ok((if fits { Fit::Fits } else { Fit::MadeAnew }, start))
}
