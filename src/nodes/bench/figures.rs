//! What a node of `ezrun bench` measures, and the file that it leaves it in.

use super::Settings;
use crate::message::monotonic_ns;
use crate::node::{Context, Result};
use anyhow::Context as _;
use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Digits to which a latency is kept.
const DIGITS: u8 = 3;
/// The longest latency that is told from longer ones: an hour.
const MAX_LATENCY_NS: u64 = 3_600_000_000_000;

/// The figures of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Number of its process.
    pub pid: u32,
    /// Messages that it sent.
    pub sent: u64,
    /// Messages that it received.
    pub received: u64,
    /// When it received the first, on `CLOCK_MONOTONIC`; 0 where it received none, or times none.
    pub first_ns: u64,
    /// When it received the last.
    pub last_ns: u64,
    /// Processor time of its process when the node was ready.
    pub cpu_before_ns: u64,
    /// Processor time of its process when the node had ended.
    pub cpu_after_ns: u64,
    /// The most memory that its process has had, in bytes, shared memory that it has mapped and touched among it.
    pub peak_rss_bytes: u64,
    /// Latencies in nanoseconds, each with how many there were.
    pub latencies: Vec<(u64, u64)>,
}

/// Takes the figures of one node.
pub struct Meter {
    path: PathBuf,
    figures: Figures,
    latencies: Histogram<u64>,
}

impl Meter {
    pub fn new(settings: &Settings) -> Self {
        Meter { path: PathBuf::from(&settings.figures), figures: Figures::default(), latencies: no_latencies() }
    }

    /// The node is ready.
    pub fn begin(&mut self, context: &Context) {
        self.path = context.path(&self.path);
        self.figures.pid = std::process::id();
        self.figures.cpu_before_ns = cpu_ns();
    }

    /// A message was sent.
    pub fn sent(&mut self) {
        self.figures.sent += 1;
    }

    /// A message was received.
    pub fn received(&mut self) {
        self.figures.received += 1;
    }

    /// A message was received at `now_ns`, and took `latency_ns`.
    pub fn timed(&mut self, now_ns: u64, latency_ns: u64) {
        if self.figures.received == 0 {
            self.figures.first_ns = now_ns;
        }
        self.figures.last_ns = now_ns;
        self.latencies.saturating_record(latency_ns);
        self.received();
    }

    #[cfg(test)]
    pub fn longest_ns(&self) -> u64 {
        self.latencies.max()
    }

    /// The node has ended: writes the file.
    ///
    /// # Errors
    /// Where that cannot be written.
    pub fn end(&mut self) -> Result<()> {
        self.figures.cpu_after_ns = cpu_ns();
        self.figures.peak_rss_bytes = peak_rss_bytes();
        let recorded = self.latencies.iter_recorded();
        self.figures.latencies = recorded.map(|step| (step.value_iterated_to(), step.count_at_value())).collect();
        let json = serde_json::to_vec(&self.figures)?;
        std::fs::write(&self.path, json).with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// A histogram for latencies, empty. Its memory is fixed, so that recording never allocates.
pub fn no_latencies() -> Histogram<u64> {
    Histogram::new_with_max(MAX_LATENCY_NS, DIGITS).expect("the bounds are within what the histogram takes")
}

/// Now, on the clock of all figures.
pub fn now_ns() -> u64 {
    monotonic_ns()
}

/// Processor time of this process, of all its threads.
fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The most memory that this process has had; 0 where the system does not tell.
fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.map_or(0, |kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_kept_to_three_digits() {
        let mut latencies = no_latencies();
        for ns in [1, 999, 123_456, 59_000_000_000] {
            latencies.saturating_record(ns);
            assert!(latencies.max().abs_diff(ns) <= ns / 1000, "{ns} ns counts as {}", latencies.max());
        }
    }

    #[test]
    fn a_process_has_used_time_and_memory() {
        assert!(cpu_ns() > 0);
        assert!(peak_rss_bytes() > 64 * 1024);
    }
}
