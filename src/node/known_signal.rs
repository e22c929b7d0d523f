//! What is known of a signal before any of it flows.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What is known of the signal that comes in at a node's first input, before any of it flows. Of a spectrum it is what is
/// known of the signal that it is of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownSignal {
    /// Samples per second and channel.
    pub rate_hz: Option<f64>,
    /// Channels.
    pub channels: Option<u64>,
    /// Samples per message and channel; the last message may have fewer.
    pub samples: Option<u64>,
    /// What the channels are called; an empty list where they have no labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Arc<[String]>>,
}

impl KnownSignal {
    /// Whether anything is known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        *self != KnownSignal::default()
    }
}
