//! `window`: cuts a signal into blocks of one length, overlapping where wanted.

use super::signal::{BLOCK_RATE, Layout, SampleClock, Stream, rows};
use crate::message::{Metadata, Received};
use crate::node::settings::{Span, is_not};
use crate::node::{Cadence, Flow, InputId, Node, NodeType, Outputs, PortType, Quantity, Result, SettingError, figures};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, IntoDeserializer, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

pub fn node_type() -> NodeType {
    let dims = ["time", "channel"].map(str::to_owned).to_vec();
    NodeType::transform("window", "Cuts a signal into blocks of one length, whatever blocks it comes in.")
        .input("in", PortType::Tensor { dtypes: Vec::new(), dims })
        .output("out", PortType::same_as("in"))
        .cadence(Cadence::Windows { length: Quantity::of("length"), hop: Quantity::of("hop") })
        .example("{ length: 2 s, hop: 500 ms }")
        .node(|Settings { length, hop }| Ok(Window { hop: hop.unwrap_or(length), length, stream: Stream::default() }))
        .fits(|Settings { length, hop }, signal| {
            let Some(rate_hz) = signal.rate_hz else { return Ok(()) };
            length.samples("length", rate_hz)?;
            hop.map_or(Ok(()), |hop| hop.samples("hop", rate_hz).map(drop))
        })
}

/// Most samples from the beginning of a block to its end, or to the next one's beginning.
const MOST_SAMPLES: u32 = u32::MAX;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Length of a block: a number of samples, at most 4,294,967,295, or a time such as `500 ms` or `2 s`, rounded to
    /// whole samples. What is left at the end and fills no block is not sent.
    length: Length,
    /// From the beginning of a block to that of the next, given like `length`. Shorter than `length`, blocks overlap;
    /// longer, samples between them are left out. Default: `length`.
    #[serde(default)]
    hop: Option<Length>,
}

/// A stretch of a signal.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Length {
    Samples(u64),
    Seconds(f64),
}

impl Length {
    /// Samples of a signal at `rate_hz`; `setting` says so.
    fn samples(self, setting: &str, rate_hz: f64) -> Result<usize, SettingError> {
        let seconds = match self {
            Length::Samples(samples) => return Ok(samples as usize),
            Length::Seconds(seconds) => seconds,
        };
        let samples = (seconds * rate_hz).round() as usize;
        if samples > MOST_SAMPLES as usize {
            let rate = figures(rate_hz);
            let message =
                format!("`{setting}` is {samples} samples at {rate} Hz, and a window has at most {MOST_SAMPLES}");
            return Err(SettingError::at(setting, message));
        }
        if samples == 0 {
            let message = format!(
                "`{setting}` is {} s, less than one sample of a signal at {} Hz",
                figures(seconds),
                figures(rate_hz)
            );
            return Err(SettingError::at(setting, message));
        }
        Ok(samples)
    }
}

struct Window {
    length: Length,
    hop: Length,
    stream: Stream<State>,
}

struct State {
    length: usize,
    hop: usize,
    row_bytes: usize,
    metadata: Arc<Metadata>,
    clock: SampleClock,
    /// Index of the sample at which the next block begins.
    next: u64,
    /// Samples that may still be part of a block, the first of them at index `kept_from`.
    kept: Vec<u8>,
    kept_from: u64,
}

impl State {
    fn new(window: (Length, Length), layout: &Layout, like: &Metadata) -> Result<Self> {
        let rate = layout.rate()?;
        let (length, hop) = (window.0.samples("length", rate)?, window.1.samples("hop", rate)?);
        let metadata = layout.metadata(Some(rate), like).with(BLOCK_RATE, &(rate / hop as f64).to_string());
        Ok(State {
            length,
            hop,
            row_bytes: layout.row_bytes(),
            metadata: Arc::new(metadata),
            clock: SampleClock::new(rate),
            next: 0,
            kept: Vec::new(),
            kept_from: 0,
        })
    }

    /// The next block and the index of its first sample, once all of it has come.
    fn next_block(&mut self) -> Option<(u64, &[u8])> {
        let skipped = (self.next - self.kept_from) as usize * self.row_bytes;
        let block = self.kept.get(skipped..skipped + self.length * self.row_bytes)?;
        let index = self.next;
        self.next += self.hop as u64;
        Some((index, block))
    }

    /// Lets go of samples that no block will have.
    fn forget(&mut self) {
        let past = (self.next - self.kept_from) as usize;
        let past = past.min(self.kept.len() / self.row_bytes);
        self.kept.drain(..past * self.row_bytes);
        self.kept_from += past as u64;
    }
}

impl Node for Window {
    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        let make = |layout: &Layout| State::new((self.length, self.hop), layout, message.metadata());
        let state = self.stream.state(message.metadata(), Layout::of_any_type, make)?;
        state.clock.message(message.header().capture, rows(&message)?);
        state.kept.extend_from_slice(message.bytes());
        let metadata = Arc::clone(&state.metadata);
        while let Some((index, block)) = state.next_block() {
            let mut loan = out.loan(&metadata, block.len())?;
            loan.copy_from_slice(block);
            loan.captured(state.clock.time(index as f64)).publish()?;
        }
        state.forget();
        Ok(Flow::Continue)
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LengthVisitor)
    }
}

struct LengthVisitor;

impl Visitor<'_> for LengthVisitor {
    type Value = Length;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number of samples, 1 to {MOST_SAMPLES}, or a time such as `500 ms` or `2 s`")
    }

    fn visit_u64<E: Error>(self, samples: u64) -> Result<Length, E> {
        if !(1..=MOST_SAMPLES.into()).contains(&samples) {
            return Err(is_not(samples, &self));
        }
        Ok(Length::Samples(samples))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Length, E> {
        let span: Result<Span, E> = Span::deserialize(text.into_deserializer());
        span.map(|span| Length::Seconds(span.seconds())).map_err(|_| is_not(text, &self))
    }
}

impl JsonSchema for Length {
    fn schema_name() -> Cow<'static, str> {
        "Length".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"], "minimum": 1, "maximum": MOST_SAMPLES, "pattern": "^[0-9]" })
    }
}
