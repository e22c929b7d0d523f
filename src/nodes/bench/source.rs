//! `bench_source`: sends messages that can be verified, and timed.

use super::Settings;
use super::figures::{Meter, now_ns};
use super::payload::{self, Writer};
use super::schedule::Schedule;
use crate::message::Metadata;
use crate::node::{Context, Flow, NodeType, Outputs, PortType, Result, Source};
use std::sync::Arc;

pub fn node_type() -> NodeType {
    NodeType::source("bench_source", "Sends messages that can be verified, and timed.")
        .output("out", PortType::Bytes)
        .source_node(|settings: Settings| {
            Ok(BenchSource {
                meter: Meter::new(&settings),
                schedule: Schedule::new(&settings),
                metadata: Arc::new(Metadata::bytes()),
                writer: Writer::new(settings.bytes, settings.touch.written),
                settings,
            })
        })
}

struct BenchSource {
    settings: Settings,
    schedule: Schedule,
    metadata: Arc<Metadata>,
    writer: Writer,
    meter: Meter,
}

impl Source for BenchSource {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        self.meter.begin(context);
        Ok(())
    }

    fn produce(&mut self, out: &mut Outputs) -> Result<Flow> {
        let Some(number) = self.schedule.next(out)? else { return Ok(Flow::Complete) };
        let mut loan = out.loan(&self.metadata, self.settings.bytes)?;
        self.writer.fill(number, &mut loan);
        if self.settings.sent_on {
            payload::stamp_time(now_ns(), &mut loan);
        }
        loan.publish()?;
        self.meter.sent();
        Ok(Flow::Continue)
    }

    fn stop(&mut self, _: &mut Outputs) -> Result<()> {
        self.meter.end()
    }
}
