//! Reads an edge's counters from the segments of its two ends, at any moment, at no cost to either.

use super::latency::{self, BUCKETS};
use super::layout::{InWords, OutWords, PortLayout, PortWords, Published, StationLayout};
use super::memory::ReadOnly;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

/// What a producer has counted for one edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProducerCounts {
    /// Messages offered to the edge.
    pub sent: u64,
    /// Those that it refused since it was full.
    pub rejected: u64,
    /// Those that were put into its queue.
    pub published: u64,
    /// Whether the consumer's words were found to be impossible.
    pub quarantined: bool,
}

/// What a consumer has counted for one edge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerCounts {
    /// Positions that have left the queue.
    pub taken: u64,
    /// Whether no more will be taken.
    pub left: bool,
    /// Messages that the node is done with.
    pub received: u64,
    /// Messages that the node has in hand.
    pub in_hand: u64,
    /// Messages overwritten before they were taken.
    pub overwritten: u64,
    /// Private copies made.
    pub copies: u64,
    /// Bytes copied for them.
    pub copied_bytes: u64,
    /// Messages received by move.
    pub moves: u64,
    /// Views given.
    pub views: u64,
    /// Time from publish to take.
    pub timings: Timings,
}

/// Latencies as they are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    buckets: Vec<u64>,
    max: u64,
}

/// Latencies in nanoseconds; all 0 where nothing was measured. Percentiles are true to 4 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Median.
    pub p50: u64,
    /// 99th percentile.
    pub p99: u64,
    /// Longest.
    pub max: u64,
}

/// How many messages the port will send in all; 0 where nobody knows.
#[must_use]
pub fn expected_messages(port: &ReadOnly) -> u64 {
    port.at::<PortWords>(0).expected.load(Relaxed)
}

/// Reads the producer's side of the port's edge `edge`.
#[must_use]
pub fn producer_counts(port: &ReadOnly, layout: &PortLayout, edge: usize) -> ProducerCounts {
    let words: &OutWords = port.at(layout.out_words(edge));
    ProducerCounts {
        published: Published::of(words.published.load(Acquire)).positions,
        sent: words.sent.load(Relaxed),
        rejected: words.rejected.load(Relaxed),
        quarantined: words.quarantined.load(Relaxed) != 0,
    }
}

/// Reads the consumer's side of the station's edge `edge`.
#[must_use]
pub fn consumer_counts(station: &ReadOnly, layout: StationLayout, edge: usize) -> ConsumerCounts {
    let words: &InWords = station.at(layout.in_words(edge));
    let taken = words.taken.load(Acquire);
    let counters = &words.counters;
    ConsumerCounts {
        taken: taken >> 1,
        left: taken & 1 == 1,
        received: counters.received.load(Relaxed),
        in_hand: counters.in_hand.load(Relaxed),
        overwritten: counters.dropped.load(Relaxed),
        copies: counters.copies.load(Relaxed),
        copied_bytes: counters.copied_bytes.load(Relaxed),
        moves: counters.moves.load(Relaxed),
        views: counters.views.load(Relaxed),
        timings: Timings {
            buckets: words.latency.iter().map(|count| count.load(Relaxed)).collect(),
            max: counters.latency_max.load(Relaxed),
        },
    }
}

impl Timings {
    /// Counts those of `other` as well.
    pub fn add(&mut self, other: &Timings) {
        self.buckets.resize(BUCKETS, 0);
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(sum, count)| *sum += count);
        self.max = self.max.max(other.max);
    }

    /// What they come to.
    #[must_use]
    pub fn latency(&self) -> Latency {
        let (counts, max) = (&self.buckets, self.max);
        Latency { p50: percentile(counts, 0.50).min(max), p99: percentile(counts, 0.99).min(max), max }
    }
}

fn percentile(counts: &[u64], share: f64) -> u64 {
    let total: u64 = counts.iter().sum();
    let rank = ((total as f64 * share).ceil() as u64).max(1);
    let mut seen = 0;
    for (bucket, count) in counts.iter().enumerate().take(BUCKETS) {
        seen += count;
        if seen >= rank {
            return latency::middle(bucket);
        }
    }
    0
}
