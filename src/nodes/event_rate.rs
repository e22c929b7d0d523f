//! `event_rate`: how often events come, per minute. Of heart beats, this is the heart rate.

use crate::message::{DynRecord, FieldValue, Metadata, Payload, Received, Record};
use crate::node::settings::Span;
use crate::node::{Cadence, Flow, InputId, Node, NodeType, Outputs, PortType, Result};
use anyhow::bail;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::VecDeque;
use std::sync::Arc;

pub fn node_type() -> NodeType {
    NodeType::transform(
        "event_rate",
        "Events per minute over the last seconds, after each event: 60 divided by the mean interval between them.",
    )
    .input("in", PortType::Record { name: None })
    .output("out", PortType::record(Rate::NAME))
    .cadence(Cadence::Sparse)
    .example("{ window: 30 s }")
    .node(|Settings { window }| {
        let window_s = window.map_or(DEFAULT_WINDOW_S, Span::seconds);
        Ok(EventRate { window_s, times_s: VecDeque::new(), metadata: Arc::new(Metadata::record(Rate::spec())) })
    })
}

const DEFAULT_WINDOW_S: f64 = 10.0;

ezrun::record! {
    /// How often events came.
    pub struct Rate {
        /// Time of the latest event in seconds.
        pub time_s: f64,
        /// Events per minute.
        pub per_minute: f64,
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// How far back to look from each event: seconds, or text such as `30 s`. Where this holds one event only, nothing
    /// is sent. Default: 10 s.
    #[serde(default)]
    window: Option<Span>,
}

struct EventRate {
    window_s: f64,
    /// Times of the events in the window, sorted.
    times_s: VecDeque<f64>,
    metadata: Arc<Metadata>,
}

impl Node for EventRate {
    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        self.note(event_time(&message)?);
        let (Some(&first), Some(&time_s)) = (self.times_s.front(), self.times_s.back()) else {
            return Ok(Flow::Continue);
        };
        if time_s > first {
            let intervals = (self.times_s.len() - 1) as f64;
            out.record(&self.metadata, &Rate { time_s, per_minute: 60.0 * intervals / (time_s - first) })?;
        }
        Ok(Flow::Continue)
    }
}

impl EventRate {
    /// Adds an event and drops those that have left the window. Several channels may be a little out of order.
    fn note(&mut self, time_s: f64) {
        let at = self.times_s.partition_point(|&t| t <= time_s);
        self.times_s.insert(at, time_s);
        let latest = self.times_s.back().copied().unwrap_or(time_s);
        while self.times_s.front().is_some_and(|&t| t < latest - self.window_s) {
            self.times_s.pop_front();
        }
    }
}

fn event_time(message: &Received<'_>) -> Result<f64> {
    let Payload::Record(spec) = &message.metadata().payload else {
        bail!("the message is {}, and this node takes records with a field `time_s`", message.metadata().payload);
    };
    let fields = DynRecord::decode(spec, message.bytes())?.fields;
    match fields.iter().find(|(name, _)| name == "time_s") {
        Some((_, FieldValue::F64(time_s))) if time_s.is_finite() => Ok(*time_s),
        Some((_, other)) => bail!("`time_s` of the record {} is {other}, and it must be seconds", spec.name),
        None => {
            let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
            bail!("the record {} has no field `time_s`; it has {}", spec.name, names.join(", "))
        }
    }
}
