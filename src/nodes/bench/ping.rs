//! `bench_ping`: sends a message, waits for the answer, and measures half of the way there and back.

use super::Settings;
use super::figures::{Meter, now_ns};
use super::payload::{self, Writer};
use super::schedule::Schedule;
use crate::message::Metadata;
use crate::node::{Context, Flow, Inputs, NodeType, Outputs, PortType, Program, Result};
use anyhow::ensure;
use std::sync::Arc;

pub fn node_type() -> NodeType {
    NodeType::transform("bench_ping", "Sends a message and waits for the answer.")
        .input("in", PortType::Bytes)
        .input("umpire", PortType::Bytes)
        .output("out", PortType::Bytes)
        .program(|settings: Settings| {
            Ok(BenchPing {
                meter: Meter::new(&settings),
                schedule: Schedule::new(&settings),
                metadata: Arc::new(Metadata::bytes()),
                writer: Writer::new(settings.bytes, settings.touch.written),
                settings,
            })
        })
}

struct BenchPing {
    settings: Settings,
    schedule: Schedule,
    metadata: Arc<Metadata>,
    writer: Writer,
    meter: Meter,
}

impl Program for BenchPing {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        self.meter.begin(context);
        Ok(())
    }

    fn run(&mut self, inputs: &mut Inputs, out: &mut Outputs) -> Result<Flow> {
        while let Some(number) = self.schedule.next(out)? {
            let Settings { bytes, touch, .. } = self.settings;
            let mut loan = out.loan(&self.metadata, bytes)?;
            self.writer.fill(number, &mut loan);
            let sent_ns = now_ns();
            loan.publish()?;
            self.meter.sent();
            // None, where the umpire was told to stop.
            let Some((_, answer)) = inputs.next()? else { break };
            let answered_ns = now_ns();
            let stamp = payload::verify(touch.read, bytes, answer.bytes())?;
            ensure!(stamp.number == number, "the answer to message {number} has the number {}", stamp.number);
            self.meter.timed(answered_ns, answered_ns.saturating_sub(sent_ns) / 2);
        }
        inputs.done();
        self.meter.end()?;
        Ok(Flow::Complete)
    }
}
