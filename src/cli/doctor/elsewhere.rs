//! The examination where nothing runs: there is none.

use super::Report;
use crate::channel::SegmentKind;
use crate::plan::Plan;

/// Refuses.
pub fn is_possible() -> Result<(), &'static str> {
    Err("ezrun runs graphs on Linux 5.16 and later; here there is nothing to examine")
}

/// Nothing.
pub fn examine(segments: SegmentKind, _: Option<&Plan<'_>>) -> Report {
    Report::new(segments, None, Vec::new())
}
