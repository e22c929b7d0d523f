//! `bench_pong`: answers each message of `bench_ping` with one of its own.

use super::Settings;
use super::figures::Meter;
use super::payload::{self, Writer};
use crate::message::{Metadata, Received};
use crate::node::{Context, Flow, InputId, Node, NodeType, Outputs, PortType, Result};
use std::sync::Arc;

pub fn node_type() -> NodeType {
    NodeType::transform("bench_pong", "Answers each message with one of its own.")
        .input("in", PortType::Bytes)
        .output("out", PortType::Bytes)
        .node(|settings: Settings| {
            Ok(BenchPong {
                meter: Meter::new(&settings),
                metadata: Arc::new(Metadata::bytes()),
                writer: Writer::new(settings.bytes, settings.touch.written),
                settings,
            })
        })
}

struct BenchPong {
    settings: Settings,
    metadata: Arc<Metadata>,
    writer: Writer,
    meter: Meter,
}

impl Node for BenchPong {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        self.meter.begin(context);
        Ok(())
    }

    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        self.meter.received();
        let stamp = payload::verify(self.settings.touch.read, self.settings.bytes, message.bytes())?;
        let mut loan = out.loan(&self.metadata, self.settings.bytes)?;
        self.writer.fill(stamp.number, &mut loan);
        loan.publish()?;
        self.meter.sent();
        Ok(Flow::Continue)
    }

    fn stop(&mut self, _: &mut Outputs) -> Result<()> {
        self.meter.end()
    }
}
