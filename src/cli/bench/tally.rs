//! From what the nodes of a run counted to the figures of the run.

use super::Figures;
use super::case::Case;
use super::graph::Part;
use crate::nodes::bench::{Figures as NodeFigures, no_latencies};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// What a node counted.
pub struct Tally {
    pub part: Part,
    pub figures: NodeFigures,
}

/// When a run was launched and when its last process had ended, on the clock of all figures.
#[derive(Clone, Copy)]
pub struct Launch {
    pub launched_ns: u64,
    pub ended_ns: u64,
}

/// The figures of a run.
///
/// # Errors
/// Where too few messages arrived for a rate.
pub fn figures(case: &Case, tallies: &[Tally], launch: Launch) -> Result<Figures<f64>, String> {
    let receivers: Vec<&NodeFigures> =
        tallies.iter().filter(|tally| tally.part.measures()).map(|tally| &tally.figures).collect();
    if receivers.iter().any(|figures| figures.received < 2) {
        return Err(
            "a sink received fewer than two messages: give a longer `--duration` or a higher `--rate`".to_owned()
        );
    }
    let received: u64 = receivers.iter().map(|figures| figures.received).sum();
    let messages_per_s: f64 = receivers.iter().map(|figures| rate(figures)).sum();
    let latencies = latencies(&receivers);
    let latency = |quantile: f64| latencies.value_at_quantile(quantile) as f64;
    let first_ns = receivers.iter().map(|figures| figures.first_ns).min().unwrap_or(0);
    let since_launch_ms = |ns: u64| ns.saturating_sub(launch.launched_ns) as f64 / 1e6;
    let peak_rss_bytes = receivers.iter().map(|figures| figures.peak_rss_bytes).max().unwrap_or(0);
    Ok(Figures {
        messages: received as f64,
        messages_per_s,
        bytes_per_s: messages_per_s * case.size_bytes as f64,
        latency_p50_ns: latency(0.5),
        latency_p99_ns: latency(0.99),
        latency_p999_ns: latency(0.999),
        latency_max_ns: latencies.max() as f64,
        cpu_s_per_million: cpu_ns(tallies) as f64 / 1e9 / received as f64 * 1e6,
        receiver_peak_rss_bytes: peak_rss_bytes as f64,
        first_message_ms: since_launch_ms(first_ns),
        exit_ms: since_launch_ms(launch.ended_ns),
    })
}

/// Messages per second between a receiver's first and its last.
fn rate(figures: &NodeFigures) -> f64 {
    let window_ns = figures.last_ns.saturating_sub(figures.first_ns).max(1);
    (figures.received - 1) as f64 / (window_ns as f64 / 1e9)
}

fn latencies(receivers: &[&NodeFigures]) -> Histogram<u64> {
    let mut all = no_latencies();
    for &(ns, count) in receivers.iter().flat_map(|figures| &figures.latencies) {
        all.saturating_record_n(ns, count);
    }
    all
}

/// Processor time of all processes; one that runs several nodes counts once, from the first that was ready to the last
/// that had ended.
fn cpu_ns(tallies: &[Tally]) -> u64 {
    let mut processes: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for figures in tallies.iter().map(|tally| &tally.figures) {
        let (before, after) = processes.entry(figures.pid).or_insert((u64::MAX, 0));
        *before = (*before).min(figures.cpu_before_ns);
        *after = (*after).max(figures.cpu_after_ns);
    }
    processes.values().map(|(before, after)| after.saturating_sub(*before)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(part: Part, pid: u32, cpu_ns: (u64, u64)) -> Tally {
        let (cpu_before_ns, cpu_after_ns) = cpu_ns;
        Tally { part, figures: NodeFigures { pid, cpu_before_ns, cpu_after_ns, ..NodeFigures::default() } }
    }

    #[test]
    fn a_process_of_several_nodes_counts_once() {
        let apart = [tally(Part::Source, 1, (10, 30)), tally(Part::Sink, 2, (5, 10))];
        assert_eq!(cpu_ns(&apart), 25);
        let together = [tally(Part::Source, 1, (10, 30)), tally(Part::Sink, 1, (12, 35))];
        assert_eq!(cpu_ns(&together), 25);
    }

    #[test]
    fn a_rate_counts_the_gaps_between_messages() {
        let figures = NodeFigures { received: 11, first_ns: 1_000, last_ns: 11_000, ..NodeFigures::default() };
        assert!((rate(&figures) - 1e6).abs() < 1.0);
    }
}
