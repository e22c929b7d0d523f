//! The findings of `ezrun doctor` as tables for people.

use super::report::{Area, Check, Report, Verdict};
use crate::channel::SegmentKind;
use crate::cli::table;

/// All of it.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    for area in [Area::Sealed, Area::Named, Area::System, Area::Graph] {
        let checks: Vec<&Check> = report.checks.iter().filter(|check| check.about == area).collect();
        if !checks.is_empty() {
            let rows: Vec<Vec<String>> = checks.into_iter().map(row).collect();
            text += &format!("{}\n{}\n", title(report, area), table::table(&rows, 4));
        }
    }
    text + &conclusion(report)
}

fn title(report: &Report, area: Area) -> String {
    let used = |kind| if report.segments == kind { "" } else { " (not what a run would use)" };
    match area {
        Area::Sealed => format!("What a peer tries on a sealed segment{}", used(SegmentKind::Sealed)),
        Area::Named => format!("What a peer tries on a named segment{}", used(SegmentKind::Named)),
        Area::System => "This system".to_owned(),
        Area::Graph => {
            format!("A run of {}", report.graph.as_ref().map_or("the graph", |graph| graph.name.as_str()))
        }
    }
}

fn row(check: &Check) -> Vec<String> {
    let needs = check.needs.as_ref().map_or_else(String::new, |needs| format!("needs {needs}"));
    vec![format!("  {}", check.what), check.found.clone(), verdict(check.verdict).to_owned(), needs]
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Fails => "FAILS",
        Verdict::NotPromised => "not promised",
        Verdict::NotNeeded => "fails, not needed",
        Verdict::Told => "",
    }
}

fn conclusion(report: &Report) -> String {
    let failed: Vec<&str> =
        report.checks.iter().filter(|check| check.verdict == Verdict::Fails).map(|check| check.what.as_str()).collect();
    match failed.as_slice() {
        [] => "everything that a run needs holds\n".to_owned(),
        failed => format!("a run needs what fails here: {}\n", failed.join("; ")),
    }
}
