//! The figures of a case: those of one run, and how they spread over the runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One value of each figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figures<T> {
    /// Messages that arrived at sinks, or round trips for `ping-pong`.
    pub messages: T,
    /// Messages per second, between the first and the last that each sink received, all sinks together. For
    /// `ping-pong`: round trips per second.
    pub messages_per_s: T,
    /// Bytes of payload per second, in the same way.
    pub bytes_per_s: T,
    /// Time from when a message is ready to be sent to when its sink has it, in nanoseconds; half of the round trip for
    /// `ping-pong`. Half of the messages took no longer.
    pub latency_p50_ns: T,
    /// 99 % of the messages took no longer.
    pub latency_p99_ns: T,
    /// 99.9 % of the messages took no longer.
    pub latency_p999_ns: T,
    /// No message took longer.
    pub latency_max_ns: T,
    /// Processor time of all backends, in seconds, for a million messages that arrived at sinks.
    pub cpu_s_per_million: T,
    /// The most memory that a sink's process has had, in bytes, shared memory that it has read among it.
    pub receiver_peak_rss_bytes: T,
    /// From the launch of the run to the first message at a sink, in milliseconds.
    pub first_message_ms: T,
    /// From the launch of the run to the end of its last process, in milliseconds.
    pub exit_ms: T,
}

/// How a figure spreads over the runs of a case.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// The middle one; of an even number, the mean of the two in the middle.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// Of at least one value.
    pub fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(0.0);
        let last = values.len().saturating_sub(1);
        Spread { median: f64::midpoint(at(last / 2), at(last.div_ceil(2))), min: at(0), max: at(last) }
    }
}

impl Figures<Spread> {
    /// How the figures of `runs` spread.
    pub fn over(runs: &[Figures<f64>]) -> Self {
        let of = |figure: fn(&Figures<f64>) -> f64| Spread::of(runs.iter().map(figure));
        Figures {
            messages: of(|run| run.messages),
            messages_per_s: of(|run| run.messages_per_s),
            bytes_per_s: of(|run| run.bytes_per_s),
            latency_p50_ns: of(|run| run.latency_p50_ns),
            latency_p99_ns: of(|run| run.latency_p99_ns),
            latency_p999_ns: of(|run| run.latency_p999_ns),
            latency_max_ns: of(|run| run.latency_max_ns),
            cpu_s_per_million: of(|run| run.cpu_s_per_million),
            receiver_peak_rss_bytes: of(|run| run.receiver_peak_rss_bytes),
            first_message_ms: of(|run| run.first_message_ms),
            exit_ms: of(|run| run.exit_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_lies_in_the_middle() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied());
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(spread(&[4.0, 1.0]), Spread { median: 2.5, min: 1.0, max: 4.0 });
        assert_eq!(spread(&[5.0]), Spread { median: 5.0, min: 5.0, max: 5.0 });
    }
}
