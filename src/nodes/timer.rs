//! `timer`: a tick at a steady interval.

use crate::message::{Capture, Metadata, Record};
use crate::node::Pace;
use crate::node::settings::Span;
use crate::node::{Cadence, Flow, NodeType, Outputs, PortType, Quantity, Result, Source};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

crate::record! {
    /// What `timer` sends.
    pub struct Tick {
        /// Number of the tick, from 0.
        pub index: u64,
        /// When it is due, in seconds since the first one.
        pub time_s: f64,
    }
}

pub fn node_type() -> NodeType {
    NodeType::source("timer", "Sends a tick at a steady interval; the first one at once.")
        .output("out", PortType::record(Tick::NAME))
        .cadence(Cadence::Timed {
            interval: Quantity::of("interval").or(1.0),
            bytes: Quantity::default(),
            count: Quantity::of("count"),
        })
        .example("{ interval: 500 ms, count: 10 }")
        .source_node(|settings: Settings| {
            let interval_s = settings.interval.map_or(1.0, Span::seconds);
            Ok(Timer {
                interval_s,
                count: settings.count,
                pace: Pace::new(Some(interval_s.recip())),
                metadata: Arc::new(Metadata::record(Tick::spec())),
                next: 0,
            })
        })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Time from one tick to the next, such as `10 ms` or `2 s`. Default: `1 s`. Delays do not add up.
    interval: Option<Span>,
    /// Ticks to send; endless where it is not given.
    count: Option<u64>,
}

struct Timer {
    interval_s: f64,
    count: Option<u64>,
    pace: Pace,
    metadata: Arc<Metadata>,
    next: u64,
}

impl Source for Timer {
    fn produce(&mut self, out: &mut Outputs) -> Result<Flow> {
        let index = self.next;
        if let (0, Some(count)) = (index, self.count) {
            out.expect(count);
        }
        if self.count.is_some_and(|count| index >= count) {
            return Ok(Flow::Complete);
        }
        self.pace.wait(index, out)?;
        let tick = Tick { index, time_s: index as f64 * self.interval_s };
        let mut loan = out.loan(&self.metadata, crate::message::codec::encoded_len(&tick)?)?;
        crate::message::codec::encode_to_slice(&tick, &mut loan)?;
        loan.captured(Capture::stream_seconds(tick.time_s)).publish()?;
        self.next += 1;
        Ok(Flow::Continue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Received;
    use crate::node::testing::Harness;
    use serde_json::json;

    #[test]
    fn ticks_are_numbered_and_never_early() {
        let mut node = Harness::new(&node_type(), json!({ "interval": "2 ms", "count": 3 })).unwrap();
        let began = std::time::Instant::now();
        assert_eq!(node.produce(10).unwrap(), Flow::Complete);
        assert!(began.elapsed().as_millis() >= 4);
        let last = Received::from(node.sent(0).pop().unwrap());
        assert_eq!(last.record::<Tick>().unwrap(), Tick { index: 2, time_s: 0.004 });
        assert_eq!(last.header().capture, Capture::stream_seconds(0.004));
    }
}
