//! The node types of `ezrun bench`. Its graphs alone know them: no graph file can name one, and `ezrun nodes` lists none.

mod figures;
mod payload;
mod ping;
mod pong;
mod relay;
mod schedule;
mod sink;
mod source;
mod umpire;

pub use figures::{Figures, no_latencies, now_ns};
pub use payload::{MIN_BYTES, Reach, Touch};

use crate::node::Registry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The types that a backend of `ezrun bench` runs.
#[must_use]
pub fn registry() -> Registry {
    Registry::new()
        .with(ping::node_type())
        .with(pong::node_type())
        .with(relay::node_type())
        .with(sink::node_type())
        .with(source::node_type())
        .with(umpire::node_type())
}

/// The settings of every type here: what is sent, and where the figures go.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Length of each message in bytes.
    pub bytes: usize,
    /// How much of a message is written and read.
    pub touch: Touch,
    /// Whether messages are sent on by relays: then each holds when it was sent at first, which its header does not say.
    pub sent_on: bool,
    /// Messages to send; none where the time ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<u64>,
    /// How long to send, in nanoseconds; none where the count ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ns: Option<u64>,
    /// Messages per second; as fast as they are accepted where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_hz: Option<f64>,
    /// The file for the node's figures.
    pub figures: String,
}

#[cfg(test)]
impl Settings {
    fn for_tests() -> Self {
        let touch = Touch { written: Reach::Ends, read: Reach::Ends };
        let (sent_on, messages, duration_ns, rate_hz) = Default::default();
        Settings { bytes: 64, touch, sent_on, messages, duration_ns, rate_hz, figures: String::new() }
    }
}
