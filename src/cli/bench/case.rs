//! What is measured: one case for each combination of what the command line lists.

use super::units;
use crate::cli::table;
use crate::graph::{Delivery, Wait, parse_bytes};
use crate::nodes::bench::{MIN_BYTES, Reach, Touch};
use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Sources, sinks or pairs at most: each is a process.
const MAX_CLIENTS: u32 = 1024;
/// Largest message.
const MAX_BYTES: u64 = 1 << 30;
/// Least and most messages of a source: two make a rate.
const MESSAGES: std::ops::RangeInclusive<u64> = 2..=1_000_000_000_000;
/// How long a run lasts where nothing is said.
const DEFAULT_DURATION: Duration = Duration::from_secs(1);

/// What to measure. Every combination of topologies, sizes, deliveries and places is a case.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// How the nodes are connected.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "pair")]
    topology: Vec<Topology>,
    /// Pairs, sources, sinks, or nodes of a chain. Default: 1 pair, 4 sources or sinks, 2 of each at a relay, a chain of 3.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_CLIENTS)))]
    clients: Option<u32>,
    /// Lengths of a message, such as `64,4KiB,1MiB`.
    #[arg(long, value_name = "SIZES", value_parser = size, value_delimiter = ',', default_value = "64,4KiB,1MiB")]
    size: Vec<u64>,
    /// How consumers receive: `copy`, `zero_copy`, or both.
    #[arg(long, value_parser = delivery, value_delimiter = ',', default_value = "copy,zero_copy")]
    delivery: Vec<Delivery>,
    /// Where the nodes are: in backends of their own over sealed or named segments, or all in one.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "sealed")]
    place: Vec<Place>,
    #[command(flatten)]
    load: Load,
}

/// How the cases are driven.
#[derive(Debug, clap::Args)]
struct Load {
    /// Depth of each queue, in messages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536), default_value_t = 8)]
    depth: u32,
    /// Messages per second that each source sends. Without it, as many as are accepted.
    #[arg(long, value_name = "HZ", value_parser = rate)]
    rate: Option<f64>,
    /// How much of each message its producer writes and its consumer reads: `full`, `ends`, 64 bytes at each, or
    /// `full/ends`, written in full and read at its ends.
    #[arg(long, value_parser = touch, default_value = "full")]
    touch: Touch,
    /// Messages of each source.
    #[arg(long, value_name = "N", value_parser = messages, conflicts_with = "duration")]
    messages: Option<u64>,
    /// How long each source sends, such as `500ms`. Default: 1s.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    duration: Option<Duration>,
    /// How nodes wait.
    #[arg(long, value_enum, default_value_t)]
    wait: Wait,
    /// Bind each backend to a processor, one after the other.
    #[arg(long)]
    pin: bool,
    /// Have the memory for whole queues fetched before the first message.
    #[arg(long)]
    prefault: bool,
}

/// One case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Case {
    /// How the nodes are connected.
    pub topology: Topology,
    /// Pairs, sources, sinks, or nodes of a chain.
    pub clients: u32,
    /// Length of each message in bytes.
    pub size_bytes: u64,
    /// How consumers receive.
    pub delivery: Delivery,
    /// Where the nodes are.
    pub place: Place,
    /// Depth of each queue, in messages.
    pub depth: u32,
    /// Messages per second that each source sends; as many as are accepted where there is none.
    pub rate_hz: Option<f64>,
    /// How much of each message its producer writes and its consumer reads.
    pub touch: Touch,
    /// How nodes wait.
    pub wait: Wait,
    /// Whether each backend is bound to a processor.
    pub pinned: bool,
    /// Whether the memory for whole queues is fetched before the first message.
    #[serde(default)]
    pub prefault: bool,
    /// When a source has sent enough.
    pub amount: Amount,
}

/// How nodes are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Topology {
    /// A source and a sink; several side by side.
    Pair,
    /// One source, several sinks: each gets every message.
    FanOut,
    /// Several sources, one sink.
    FanIn,
    /// A source, relays, and a sink, one after the other.
    Chain,
    /// Several sources, one relay, as many sinks: each gets every message.
    Relay,
    /// There and back again, one message at a time; several side by side.
    PingPong,
}

/// Where nodes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Each in a backend of its own, over sealed segments.
    Sealed,
    /// Each in a backend of its own, over named segments.
    Named,
    /// All in one backend.
    Local,
}

/// When a source has sent enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// After so many messages.
    Messages(u64),
    /// After so many milliseconds.
    DurationMs(u64),
}

impl Which {
    /// All cases, in the order of the lists.
    ///
    /// # Errors
    /// Where a topology cannot have so many clients.
    pub fn cases(&self) -> Result<Vec<Case>, String> {
        let mut cases = Vec::new();
        for &topology in &self.topology {
            let clients = self.clients.unwrap_or_else(|| topology.default_clients());
            if topology == Topology::Chain && clients < 2 {
                return Err("`--clients 1` with `--topology chain`: a chain has 2 nodes or more".to_owned());
            }
            for &size_bytes in &self.size {
                for &delivery in &self.delivery {
                    cases.extend(self.place.iter().map(|&place| {
                        let Load { depth, rate, touch, wait, pin, prefault, .. } = self.load;
                        Case {
                            topology,
                            clients,
                            size_bytes,
                            delivery,
                            place,
                            depth,
                            rate_hz: rate,
                            touch,
                            wait,
                            pinned: pin,
                            prefault,
                            amount: self.load.amount(),
                        }
                    }));
                }
            }
        }
        Ok(without_repeats(cases))
    }
}

impl Load {
    fn amount(&self) -> Amount {
        let duration = self.duration.unwrap_or(DEFAULT_DURATION);
        self.messages.map_or(Amount::DurationMs(duration.as_millis() as u64), Amount::Messages)
    }
}

impl Case {
    /// What tells it from the others, in one line.
    pub fn name(&self) -> String {
        let topology = match (self.topology, self.clients) {
            (Topology::Pair | Topology::PingPong, 1) => value_name(self.topology),
            (topology, clients) => format!("{} {clients}", value_name(topology)),
        };
        let (delivery, place) = (table::delivery(self.delivery), value_name(self.place));
        format!("{topology} {} {delivery} {place}", units::bytes_exactly(self.size_bytes))
    }

    /// Whether `other` measures the same, for however long.
    pub fn is_like(&self, other: &Case) -> bool {
        *self == Case { amount: self.amount, ..other.clone() }
    }
}

impl Topology {
    fn default_clients(self) -> u32 {
        match self {
            Topology::Pair | Topology::PingPong => 1,
            Topology::FanOut | Topology::FanIn => 4,
            Topology::Chain => 3,
            Topology::Relay => 2,
        }
    }
}

/// What the command line calls it.
fn value_name(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn without_repeats(cases: Vec<Case>) -> Vec<Case> {
    let mut kept: Vec<Case> = Vec::with_capacity(cases.len());
    for case in cases {
        if !kept.contains(&case) {
            kept.push(case);
        }
    }
    kept
}

fn size(text: &str) -> Result<u64, String> {
    let bytes = parse_bytes(text).ok_or("expected bytes as a number, or with a unit, such as `4KiB`")?;
    if bytes < MIN_BYTES as u64 {
        return Err(format!("a message holds its time and its number: {MIN_BYTES} bytes or more"));
    }
    if bytes > MAX_BYTES {
        return Err(format!("a message has {} or less here", units::bytes_exactly(MAX_BYTES)));
    }
    Ok(bytes)
}

fn delivery(text: &str) -> Result<Delivery, String> {
    match text {
        "copy" => Ok(Delivery::Copy),
        "zero_copy" => Ok(Delivery::ZeroCopy),
        _ => Err("expected `copy` or `zero_copy`".to_owned()),
    }
}

fn touch(text: &str) -> Result<Touch, String> {
    let (written, read) = match text {
        "full" => (Reach::Full, Reach::Full),
        "ends" => (Reach::Ends, Reach::Ends),
        "full/ends" => (Reach::Full, Reach::Ends),
        _ => return Err("expected `full`, `ends` or `full/ends`".to_owned()),
    };
    Ok(Touch { written, read })
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| rate.is_finite() && (0.001..=1e9).contains(rate));
    rate.ok_or_else(|| "expected messages per second, 0.001 to 1000000000".to_owned())
}

fn messages(text: &str) -> Result<u64, String> {
    let messages = text.parse().ok().filter(|messages| MESSAGES.contains(messages));
    messages.ok_or_else(|| format!("expected a number from {} to {}", MESSAGES.start(), MESSAGES.end()))
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|e| format!("{e}; expected a time such as `500ms`"))?;
    let fits = (Duration::from_millis(1)..=Duration::from_secs(86_400)).contains(&duration);
    fits.then_some(duration).ok_or_else(|| "expected a time from 1ms to 1day".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_outside_what_can_be_measured_are_refused() {
        assert_eq!(size("4KiB"), Ok(4096));
        assert_eq!(size("1MiB"), Ok(1 << 20));
        for wrong in ["", "x", "4 KB B", "-1", "15", "2GiB", "NaN"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_rate_is_a_number_that_can_be_waited_for() {
        assert_eq!(rate("1e3"), Ok(1000.0));
        for wrong in ["0", "-5", "inf", "nan", "fast"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
