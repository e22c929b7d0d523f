//! `downsample`: keeps every n-th sample, after a low-pass filter.

use super::filter::{Cascade, Design, Section};
use super::signal::{Layout, SampleClock, Stream, rows, samples, send};
use crate::message::{Metadata, Received};
use crate::node::{Cadence, Flow, InputId, Node, NodeType, Outputs, PortType, Quantity, Result, SettingError};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub fn node_type() -> NodeType {
    NodeType::transform("downsample", "Keeps every n-th sample, after a low-pass filter that prevents aliases.")
        .input("in", PortType::signal())
        .output("out", PortType::same_as("in"))
        .cadence(Cadence::Thinned { factor: Quantity::of("factor") })
        .example("{ factor: 4 }")
        .node(|Settings { factor, filter }: Settings| {
            if factor == 0 {
                return Err(SettingError::at("factor", "`factor` is 0, and it must be 1 or more"));
            }
            Ok(Downsample { factor, filter, stream: Stream::default() })
        })
        .fits(|Settings { factor, filter }, signal| match signal.rate_hz {
            Some(rate_hz) => sections(factor, filter, rate_hz).map(drop),
            None => Ok(()),
        })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Every how many samples one is kept, the first of all included.
    #[schemars(range(min = 1))]
    factor: u64,
    /// Whether to filter before: a Butterworth low-pass of order 8 at 0.8 of the new Nyquist frequency. It looks back
    /// only, so what is sent lags by about two new samples. Default: true.
    #[serde(default = "yes")]
    filter: bool,
}

fn yes() -> bool {
    true
}

const ORDER: u32 = 8;
const CORNER: f64 = 0.8;

struct Downsample {
    factor: u64,
    filter: bool,
    stream: Stream<State>,
}

struct State {
    cascade: Cascade,
    channels: usize,
    clock: SampleClock,
    metadata: Arc<Metadata>,
}

/// The filter before every `factor`-th sample of a signal at `rate_hz` is kept.
fn sections(factor: u64, filter: bool, rate_hz: f64) -> Result<Vec<Section>, SettingError> {
    if !filter || factor == 1 {
        return Ok(Vec::new());
    }
    let lowpass = Design::Lowpass { cutoff: CORNER * rate_hz / factor as f64 / 2.0, order: ORDER };
    lowpass.sections(rate_hz).map_err(|_| {
        let message = format!(
            "`factor` is {factor}, too large for one filter: put several nodes one after another, or set `filter: false`"
        );
        SettingError::at("factor", message)
    })
}

impl State {
    fn new(factor: u64, filter: bool, layout: &Layout, like: &Metadata) -> Result<Self> {
        let rate = layout.rate()?;
        let new_rate = rate / factor as f64;
        Ok(State {
            cascade: Cascade::new(sections(factor, filter, rate)?, layout.channels),
            channels: layout.channels,
            clock: SampleClock::new(rate),
            metadata: Arc::new(layout.metadata(Some(new_rate), like)),
        })
    }
}

impl Node for Downsample {
    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        let make = |layout: &Layout| State::new(self.factor, self.filter, layout, message.metadata());
        let state = self.stream.state(message.metadata(), Layout::of, make)?;
        let first = state.clock.message(message.header().capture, rows(&message)?);
        let mut block = samples(&message.tensor()?)?.into_owned();
        let mut kept = Vec::with_capacity(block.len() / self.factor as usize + state.channels);
        for (index, row) in (first..).zip(block.chunks_exact_mut(state.channels)) {
            state.cascade.filter(row);
            if index % self.factor == 0 {
                kept.extend_from_slice(row);
            }
        }
        if !kept.is_empty() {
            let capture = state.clock.time(first.next_multiple_of(self.factor) as f64);
            send(out, &state.metadata, &kept, capture)?;
        }
        Ok(Flow::Continue)
    }
}
