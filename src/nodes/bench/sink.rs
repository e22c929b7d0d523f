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
        self.meter.received(now_ns);
        self.meter.latency(now_ns.saturating_sub(stamp.sent_ns));
        Ok(Flow::Continue)
    }

    fn stop(&mut self, _: &mut Outputs) -> Result<()> {
        self.meter.end()
    }
}
