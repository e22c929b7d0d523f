//! Two reports beside each other: what has become faster, and what slower, beyond noise.

use super::figures::{Figures, Spread};
use super::report::{CaseReport, Report};
use super::{exit, refuse, units};
use crate::cli::nodes;
use crate::cli::table::table;
use std::path::Path;

/// A figure that is compared.
struct Compared {
    name: &'static str,
    figure: fn(&Figures<Spread>) -> Spread,
    show: fn(f64) -> String,
    /// Whether more of it is faster.
    more_is_faster: bool,
}

const COMPARED: [Compared; 4] = [
    Compared { name: "messages/s", figure: |f| f.messages_per_s, show: units::count, more_is_faster: true },
    Compared { name: "p50", figure: |f| f.latency_p50_ns, show: units::nanoseconds, more_is_faster: false },
    Compared { name: "p99", figure: |f| f.latency_p99_ns, show: units::nanoseconds, more_is_faster: false },
    Compared { name: "CPU/million", figure: |f| f.cpu_s_per_million, show: units::seconds, more_is_faster: false },
];

/// What a comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Faster,
    Slower,
    WithinNoise,
    /// One run says nothing of noise.
    OneRun,
}

/// Prints the comparison and returns the exit code.
pub fn run(old: &Path, new: &Path) -> u8 {
    let (old_report, new_report) = match (Report::read(old), Report::read(new)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(e), _) | (_, Err(e)) => return refuse(&e),
    };
    let pairs: Vec<(&CaseReport, &CaseReport)> =
        old_report.cases.iter().filter_map(|case| Some((case, like(case, &new_report)?))).collect();
    if pairs.is_empty() {
        let (old, new) = (old.display(), new.display());
        return refuse(&format!("{old} and {new} have no case in common: measure both with the same flags"));
    }
    let lonely = [(old, &old_report, &new_report), (new, &new_report, &old_report)];
    for (path, report, other) in lonely {
        for case in report.cases.iter().filter(|case| like(case, other).is_none()) {
            say!("only in {}: {}", path.display(), case.case.name());
        }
    }
    nodes::print(&text(&pairs), exit::OK)
}

fn like<'a>(case: &CaseReport, report: &'a Report) -> Option<&'a CaseReport> {
    report.cases.iter().find(|other| other.case.is_like(&case.case))
}

fn text(pairs: &[(&CaseReport, &CaseReport)]) -> String {
    let titles = ["case", "figure", "verdict", "old", "new", "ratio", "band"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    for (old, new) in pairs {
        let runs = old.runs.len().min(new.runs.len());
        for (at, compared) in COMPARED.iter().enumerate() {
            let name = if at == 0 { new.case.name() } else { String::new() };
            rows.push(row(name, compared, (compared.figure)(&old.figures), (compared.figure)(&new.figures), runs));
        }
    }
    table(&rows, 3)
}

fn row(case: String, compared: &Compared, old: Spread, new: Spread, runs: usize) -> Vec<String> {
    let (low, high) = band(old, new);
    let verdict = match verdict((low, high), compared.more_is_faster, runs) {
        Verdict::Faster => "faster",
        Verdict::Slower => "slower",
        Verdict::WithinNoise => "within noise",
        Verdict::OneRun => "not told from noise: one run",
    };
    vec![
        case,
        compared.name.to_owned(),
        verdict.to_owned(),
        (compared.show)(old.median),
        (compared.show)(new.median),
        format!("{:.2}", ratio(new.median, old.median)),
        format!("{low:.2} to {high:.2}"),
    ]
}

/// The ratios, new to old, that the runs allow for: from the least of the new with the greatest of the old to the
/// opposite.
fn band(old: Spread, new: Spread) -> (f64, f64) {
    (ratio(new.min, old.max), ratio(new.max, old.min))
}

/// Both nothing is the same.
fn ratio(new: f64, old: f64) -> f64 {
    if new == old { 1.0 } else { new / old }
}

fn verdict((low, high): (f64, f64), more_is_faster: bool, runs: usize) -> Verdict {
    match (low > 1.0, high < 1.0) {
        _ if runs < 2 => Verdict::OneRun,
        (false, false) => Verdict::WithinNoise,
        (more, _) if more == more_is_faster => Verdict::Faster,
        _ => Verdict::Slower,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(min: f64, median: f64, max: f64) -> Spread {
        Spread { median, min, max }
    }

    #[test]
    fn only_runs_that_do_not_overlap_are_told_apart() {
        let old = spread(90.0, 100.0, 110.0);
        let of = |new: Spread, more_is_faster| verdict(band(old, new), more_is_faster, 3);
        assert_eq!(of(spread(111.0, 120.0, 130.0), true), Verdict::Faster);
        assert_eq!(of(spread(111.0, 120.0, 130.0), false), Verdict::Slower);
        assert_eq!(of(spread(70.0, 80.0, 89.0), true), Verdict::Slower);
        assert_eq!(of(spread(70.0, 80.0, 89.0), false), Verdict::Faster);
        assert_eq!(of(spread(105.0, 120.0, 130.0), true), Verdict::WithinNoise);
        assert_eq!(of(old, true), Verdict::WithinNoise);
    }

    #[test]
    fn one_run_says_nothing_of_noise() {
        let (old, new) = (spread(1.0, 1.0, 1.0), spread(2.0, 2.0, 2.0));
        assert_eq!(verdict(band(old, new), true, 1), Verdict::OneRun);
    }
}
