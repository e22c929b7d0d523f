//! The ledger as a table: what the report says of each edge, for people.

use crate::cli::table;
use crate::plan::{EdgePlan, Plan};
use crate::runner::{EdgeLedger, Summary};
use std::collections::BTreeMap;

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
    let mut rows = vec![TITLES.map(str::to_owned).to_vec()];
    rows.extend(plan.edges.iter().zip(&summary.edges).map(|(edge, ledger)| row(edge, ledger)));
    table::table(&rows, WORDS)
}

/// A line that tells how often each process was started again, where any was.
pub fn restarts(plan: &Plan<'_>, summary: &Summary) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for made in &summary.restarts {
        *counts.entry(&plan.graph[made.backend].name).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(name, count)| format!("`{name}` {count}")).collect();
    if counts.is_empty() { String::new() } else { format!("restarts: {}\n", counts.join(", ")) }
}

fn row(edge: &EdgePlan, ledger: &EdgeLedger) -> Vec<String> {
    vec![
        edge.terms.name.clone(),
        table::delivery(edge.delivery).to_owned(),
        table::transport(edge.transport).to_owned(),
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
