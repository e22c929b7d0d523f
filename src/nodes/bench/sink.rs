//! `bench_sink`: receives what `bench_source` sent, verifies it, and measures how long it took.

use super::figures::{Meter, now_ns};
use super::{Settings, payload};
use crate::message::Received;
use crate::node::{Context, Flow, InputId, Node, NodeType, Outputs, PortType, Result};

pub fn node_type() -> NodeType {
    NodeType::sink("bench_sink", "Measures how long messages took.")
        .input("in", PortType::Bytes)
        .many()
        .node(|settings: Settings| Ok(BenchSink { meter: Meter::new(&settings), settings }))
}

struct BenchSink {
    settings: Settings,
    meter: Meter,
}

impl Node for BenchSink {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        self.meter.begin(context);
        Ok(())
    }

    fn process(&mut self, _: InputId, message: Received<'_>, _: &mut Outputs) -> Result<Flow> {
        let now_ns = now_ns();
        let stamp = payload::verify(self.settings.touch.read, self.settings.bytes, message.bytes())?;
        let sent_ns = if self.settings.sent_on { stamp.sent_ns } else { message.header().publish_ns };
        self.meter.timed(now_ns, now_ns.saturating_sub(sent_ns));
        Ok(Flow::Continue)
    }

    fn stop(&mut self, _: &mut Outputs) -> Result<()> {
        self.meter.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Buffer, Capture, Metadata, Owned};
    use crate::nodes::bench::payload::{Writer, stamp_time};
    use std::sync::Arc;

    #[test]
    fn a_message_counts_from_when_it_was_sent_at_first() {
        let second_ns = 1_000_000_000;
        for (sent_on, seconds) in [(false, 1), (true, 3)] {
            let settings = Settings { sent_on, ..Settings::for_tests() };
            let mut payload = Buffer::zeroed(settings.bytes);
            Writer::new(settings.bytes, settings.touch.written).fill(0, &mut payload);
            // Sent three seconds ago, and by the last node on its way one second ago.
            stamp_time(now_ns() - 3 * second_ns, &mut payload);
            let mut message = Owned::new(Arc::new(Metadata::bytes()), payload, Capture::now());
            message.header.publish_ns = now_ns() - second_ns;
            let mut sink = BenchSink { meter: Meter::new(&settings), settings };
            sink.process(InputId(0), message.into(), &mut Outputs::none()).unwrap();
            assert_eq!(sink.meter.longest_ns() / second_ns, seconds, "sent on: {sent_on}");
        }
    }
}
