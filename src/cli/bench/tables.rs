//! Tables for people: the figures of a measurement.

use super::Figures;
use super::figures::Spread;
use super::report::{CaseReport, Report};
use super::units;
use crate::cli::table::table;

/// Picks a figure.
type Pick = fn(&Figures<Spread>) -> Spread;
/// How a figure is shown.
type Show = fn(f64) -> String;

/// The columns: title, figure, unit.
const COLUMNS: [(&str, Pick, Show); 10] = [
    ("messages/s", |f| f.messages_per_s, units::count),
    ("bytes/s", |f| f.bytes_per_s, units::bytes),
    ("p50", |f| f.latency_p50_ns, units::nanoseconds),
    ("p99", |f| f.latency_p99_ns, units::nanoseconds),
    ("p99.9", |f| f.latency_p999_ns, units::nanoseconds),
    ("max", |f| f.latency_max_ns, units::nanoseconds),
    ("CPU/million", |f| f.cpu_s_per_million, units::seconds),
    ("peak RSS", |f| f.receiver_peak_rss_bytes, units::bytes),
    ("first message", |f| f.first_message_ms, units::milliseconds),
    ("exit", |f| f.exit_ms, units::milliseconds),
];

/// Three rows for each case, its median, its least and its greatest; one where it ran once.
pub fn text(report: &Report) -> String {
    let titles = ["case", ""].into_iter().chain(COLUMNS.iter().map(|(title, ..)| *title));
    let mut rows = vec![titles.map(str::to_owned).collect()];
    rows.extend(report.cases.iter().flat_map(rows_of));
    table(&rows, 2)
}

fn rows_of(case: &CaseReport) -> Vec<Vec<String>> {
    let row = |name: String, of: &str, pick: fn(Spread) -> f64| {
        let cells = COLUMNS.iter().map(|(_, figure, show)| show(pick(figure(&case.figures))));
        [name, of.to_owned()].into_iter().chain(cells).collect()
    };
    let mut rows = vec![row(case.case.name(), "median", |spread| spread.median)];
    if case.runs.len() > 1 {
        rows.push(row(String::new(), "min", |spread| spread.min));
        rows.push(row(String::new(), "max", |spread| spread.max));
    }
    rows
}
