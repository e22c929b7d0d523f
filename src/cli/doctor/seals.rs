//! What the kernel refuses a peer of a segment.

use super::report::{Area, Check, Verdict};
use crate::channel::{Attempt, Outcome, SegmentKind, attempts};

/// One check for each attempt on segments of a kind; `used` where runs would use that kind.
pub fn checks(kind: SegmentKind, used: bool) -> Vec<Check> {
    let area = match kind {
        SegmentKind::Sealed => Area::Sealed,
        SegmentKind::Named => Area::Named,
    };
    match attempts(kind) {
        Ok(attempts) => attempts.into_iter().map(|attempt| check(area, attempt, used)).collect(),
        Err(e) => vec![Check::new(area, "a segment", e.to_string(), Verdict::Fails.if_needed(used))],
    }
}

fn check(area: Area, attempt: Attempt, used: bool) -> Check {
    let (found, refused) = match attempt.outcome {
        Outcome::Refused(word) => (format!("refused: {word}"), true),
        Outcome::Done => ("done".to_owned(), false),
        Outcome::Untried(why) => (format!("not tried: {why}"), false),
    };
    let verdict = match (refused, attempt.promised) {
        (true, _) => Verdict::Holds,
        (false, true) => Verdict::Fails.if_needed(used),
        (false, false) => Verdict::NotPromised,
    };
    Check::new(area, attempt.what, found, verdict)
}
