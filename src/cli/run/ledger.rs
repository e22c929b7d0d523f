//! The ledger as a table: what the report says of each edge, for people.

use crate::graph::Delivery;
use crate::plan::{EdgePlan, Plan, Transport};
use crate::runner::{EdgeLedger, Summary};
use std::fmt::Write;

const TITLES: [&str; 14] = [
    "edge",
    "delivery",
    "transport",
    "sent",
    "received",
    "dropped",
    "in flight",
    "copies",
    "copied bytes",
    "moves",
    "views",
    "p50",
    "p99",
    "max",
];
/// Columns of words, which stand left; numbers stand right.
const WORDS: usize = 3;

/// One row for each edge, under a line of titles.
pub fn table(plan: &Plan<'_>, summary: &Summary) -> String {
    let mut rows = vec![TITLES.map(str::to_owned)];
    rows.extend(plan.edges.iter().zip(&summary.edges).map(|(edge, ledger)| row(edge, ledger)));
    let widths: Vec<usize> =
        (0..TITLES.len()).map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (at, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let gap = if at == 0 { "" } else { "  " };
            // Writing to a string cannot fail.
            let _ = if at < WORDS { write!(line, "{gap}{cell:<width$}") } else { write!(line, "{gap}{cell:>width$}") };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn row(edge: &EdgePlan, ledger: &EdgeLedger) -> [String; 14] {
    let delivery = match edge.delivery {
        Delivery::Copy => "copy",
        Delivery::ZeroCopy => "zero_copy",
    };
    let transport = match edge.transport {
        Transport::Local => "local",
        Transport::Sealed => "sealed",
        Transport::Named => "named",
    };
    [
        edge.terms.name.clone(),
        delivery.to_owned(),
        transport.to_owned(),
        ledger.sent.to_string(),
        ledger.received.to_string(),
        ledger.dropped.to_string(),
        ledger.in_flight.to_string(),
        ledger.copies.to_string(),
        ledger.copied_bytes.to_string(),
        ledger.moves.to_string(),
        ledger.views.to_string(),
        duration(ledger.latency.p50),
        duration(ledger.latency.p99),
        duration(ledger.latency.max),
    ]
}

/// Three digits and a unit, as in `26.1 µs`; a dash where nothing was measured.
fn duration(ns: u64) -> String {
    let (value, unit) = match ns {
        0 => return "-".to_owned(),
        1..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (ns as f64 / 1e3, "µs"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    let decimals = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits() {
        let shown: Vec<String> = [0, 999, 1_234, 26_100, 512_000, 3_000_000_000].map(duration).to_vec();
        assert_eq!(shown, ["-", "999 ns", "1.23 µs", "26.1 µs", "512 µs", "3.00 s"]);
    }
}
