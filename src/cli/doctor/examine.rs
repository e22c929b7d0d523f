//! Everything that is tried and looked at, in the order in which it is told.

use super::report::{Check, Report};
use super::{graph_use, seals, system};
use crate::channel::SegmentKind;
use crate::plan::Plan;

/// Whether there is anything to examine.
pub fn is_possible() -> Result<(), &'static str> {
    Ok(())
}

/// Examines this machine, for runs with segments of a kind, and for one of `plan`.
pub fn examine(segments: SegmentKind, plan: Option<&Plan<'_>>) -> Report {
    let mut checks: Vec<Check> = Vec::new();
    for kind in [SegmentKind::Sealed, SegmentKind::Named] {
        checks.extend(seals::checks(kind, kind == segments));
    }
    checks.extend(system::checks(segments));
    let used = plan.map(graph_use::of);
    if let (Some(plan), Some(used)) = (plan, &used) {
        checks.extend(graph_use::checks(plan, used));
    }
    Report::new(segments, used, checks)
}
