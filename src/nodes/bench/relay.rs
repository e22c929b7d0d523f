//! `bench_relay`: sends on what it receives.

use super::Settings;
use super::figures::Meter;
use crate::message::Received;
use crate::node::{Context, Flow, InputId, Node, NodeType, Outputs, PortType, Result};

pub fn node_type() -> NodeType {
    NodeType::transform("bench_relay", "Sends on what it receives.")
        .input("in", PortType::Bytes)
        .many()
        .output("out", PortType::Bytes)
        .node(|settings: Settings| Ok(BenchRelay { meter: Meter::new(&settings) }))
}

struct BenchRelay {
    meter: Meter,
}

impl Node for BenchRelay {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        self.meter.begin(context);
        Ok(())
    }

    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        self.meter.received();
        out.forward(message)?;
        self.meter.sent();
        Ok(Flow::Continue)
    }

    fn stop(&mut self, _: &mut Outputs) -> Result<()> {
        self.meter.end()
    }
}
