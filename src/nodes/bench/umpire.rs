//! `bench_umpire`: sends nothing, and ends when the players have ended. A node of which all inputs are feedback would end at
//! once; this one keeps another input of each `bench_ping` open.

use super::Settings;
use super::figures::Meter;
use crate::node::{Context, Flow, NodeType, Outputs, PortType, Result, Source};
use std::time::{Duration, Instant};

/// How long it waits at a time: it is woken where there is a reason.
const NAP: Duration = Duration::from_secs(3600);

pub fn node_type() -> NodeType {
    NodeType::source("bench_umpire", "Sends nothing, and ends when nobody reads it any more.")
        .output("out", PortType::Bytes)
        .source_node(|settings: Settings| Ok(BenchUmpire { meter: Meter::new(&settings) }))
}

struct BenchUmpire {
    meter: Meter,
}

impl Source for BenchUmpire {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        self.meter.begin(context);
        Ok(())
    }

    fn produce(&mut self, out: &mut Outputs) -> Result<Flow> {
        out.wait_until(Instant::now() + NAP)?;
        Ok(Flow::Continue)
    }

    fn stop(&mut self, _: &mut Outputs) -> Result<()> {
        self.meter.end()
    }
}
