//! `counter`: messages that can be verified to the last byte by `check`.

use super::support::pattern;
use crate::message::{Capture, Metadata};
use crate::node::Pace;
use crate::node::settings::{OneOrMany, Span};
use crate::node::{Cadence, Flow, NodeType, Outputs, PortType, Quantity, Result, SettingError, Source};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub fn node_type() -> NodeType {
    NodeType::source("counter", "Sends messages that carry their number and a pattern made from it, for `check`.")
        .output("out", PortType::Bytes)
        .cadence(Cadence::Timed {
            interval: Quantity::of("interval"),
            bytes: Quantity::of("bytes").or(64.0),
            count: Quantity::of("count"),
        })
        .example("{ count: 10000, bytes: 4096 }")
        .source_node(Counter::new)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Messages to send; endless where it is not given.
    count: Option<u64>,
    /// Length of each message in bytes, or a list of lengths that is gone through again and again. Default: 64. The
    /// first 8 bytes are the message's number, from 0, little endian; a shorter message has none.
    bytes: Option<OneOrMany<u64>>,
    /// Time from one message to the next, such as `10 ms`. Where it is not given, messages come as fast as the graph
    /// accepts them.
    interval: Option<Span>,
}

struct Counter {
    count: Option<u64>,
    bytes: Vec<usize>,
    interval_s: Option<f64>,
    pace: Pace,
    metadata: Arc<Metadata>,
    next: u64,
}

impl Counter {
    fn new(settings: Settings) -> Result<Self, SettingError> {
        let bytes = settings.bytes.unwrap_or(OneOrMany::One(64));
        if bytes.as_slice().is_empty() {
            return Err(SettingError::at("bytes", "the list of lengths is empty: give one length at least"));
        }
        let interval_s = settings.interval.map(Span::seconds);
        Ok(Counter {
            count: settings.count,
            bytes: bytes.as_slice().iter().map(|&b| usize::try_from(b).unwrap_or(usize::MAX)).collect(),
            interval_s,
            pace: Pace::new(interval_s.map(f64::recip)),
            metadata: Arc::new(Metadata::bytes()),
            next: 0,
        })
    }
}

impl Source for Counter {
    fn produce(&mut self, out: &mut Outputs) -> Result<Flow> {
        let number = self.next;
        if let (0, Some(count)) = (number, self.count) {
            out.expect(count);
        }
        if self.count.is_some_and(|count| number >= count) {
            return Ok(Flow::Complete);
        }
        self.pace.wait(number, out)?;
        let capture = self.interval_s.map_or_else(Capture::now, |s| Capture::stream_seconds(number as f64 * s));
        let bytes = self.bytes[(number % self.bytes.len() as u64) as usize];
        let mut loan = out.loan(&self.metadata, bytes)?.captured(capture);
        pattern::fill(number, &mut loan);
        loan.publish()?;
        self.next += 1;
        Ok(Flow::Continue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::Harness;
    use serde_json::json;

    #[test]
    fn messages_carry_their_number_and_end_with_the_count() {
        let mut node = Harness::new(&node_type(), json!({ "count": 3, "bytes": [16, 4] })).unwrap();
        assert_eq!(node.produce(10).unwrap(), Flow::Complete);
        let sent = node.sent(0);
        assert_eq!(sent.iter().map(|m| m.payload.len()).collect::<Vec<_>>(), [16, 4, 16]);
        assert_eq!(sent[2].payload[..8], 2u64.to_le_bytes());
    }

    #[test]
    fn an_interval_is_also_the_distance_of_capture_times() {
        let mut node = Harness::new(&node_type(), json!({ "count": 3, "interval": "1 ms" })).unwrap();
        let began = std::time::Instant::now();
        node.produce(10).unwrap();
        assert!(began.elapsed().as_micros() >= 2000, "three messages take two intervals");
        assert_eq!(node.sent(0)[2].header.capture, Capture::stream_seconds(0.002));
    }

    #[test]
    fn an_empty_list_of_lengths_is_refused() {
        let error = Harness::new(&node_type(), json!({ "bytes": [] })).err().unwrap();
        assert_eq!(error.setting.as_deref(), Some("bytes"));
    }
}
