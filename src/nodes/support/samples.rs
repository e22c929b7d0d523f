//! Sources of sampled signals: what rate, block and pace have in common.

use crate::message::{Axis, Capture, DType, Metadata, Payload, TensorSpec};
use crate::node::{Cadence, Labels, Outputs, Pace, PortType, Quantity, Result};
use anyhow::Context as _;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use std::borrow::Cow;
use std::sync::Arc;

/// Samples per message, 1 to 16,777,216; 256 where a source is not told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "u64")]
pub struct Block(u32);

impl Block {
    const LONGEST: u32 = 1 << 24;

    /// The number.
    #[must_use]
    pub fn get(self) -> usize {
        self.0 as usize
    }
}

impl Default for Block {
    fn default() -> Self {
        Block(256)
    }
}

impl TryFrom<u64> for Block {
    type Error = String;
    fn try_from(value: u64) -> Result<Self, String> {
        let block = u32::try_from(value).ok().filter(|block| (1..=Block::LONGEST).contains(block));
        block.map(Block).ok_or_else(|| format!("a message holds 1 to {} samples, not {value}", Block::LONGEST))
    }
}

impl JsonSchema for Block {
    fn schema_name() -> Cow<'static, str> {
        "Block".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": Block::LONGEST })
    }
}

/// What every source of sampled signals sends.
#[must_use]
pub fn port() -> PortType {
    PortType::signal_of(DType::F64)
}

/// How it comes, with the settings `block` and `realtime` that all of them have, and `count`, which some have.
#[must_use]
pub fn cadence(rate: Quantity, channels: Quantity, labels: Labels) -> Cadence {
    let block = Quantity::of("block").or(Block::default().get() as f64);
    let (realtime, count) = (Some("realtime".to_owned()), Quantity::of("count"));
    Cadence::Signal { rate, block, channels, labels, realtime, count }
}

/// A stream of `f64[time, channel]`, sample by sample from 0.
#[derive(Debug)]
pub struct Samples {
    metadata: Arc<Metadata>,
    rate_hz: f64,
    channels: usize,
    next: u64,
    pace: Pace,
}

impl Samples {
    /// `channels` channels at `rate_hz`; with `realtime`, a block is sent when its last sample would have been taken.
    #[must_use]
    pub fn new(rate_hz: f64, channels: usize, realtime: bool) -> Self {
        let metadata = Arc::new(Metadata::tensor(TensorSpec::signal(DType::F64, rate_hz, channels)));
        Samples { metadata, rate_hz, channels, next: 0, pace: Pace::new(realtime.then_some(rate_hz)) }
    }

    /// The same with names for the channels.
    #[must_use]
    pub fn labelled(mut self, labels: Vec<String>) -> Self {
        if let Payload::Tensor(spec) = &mut Arc::make_mut(&mut self.metadata).payload {
            spec.dims[1].axis = Axis::Labels(labels);
        }
        self
    }

    /// How many channels there are.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Sends the next samples, row by row. None is no message.
    ///
    /// # Errors
    /// As [`Loan::publish`](crate::node::Loan::publish).
    pub fn send(&mut self, rows: &[f64], out: &mut Outputs) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        self.send_made(rows.len() / self.channels, out, |_, block| block.copy_from_slice(rows))
    }

    /// Sends the next `samples` samples, written by `make`, which is told the index of the first one.
    ///
    /// # Errors
    /// As [`Loan::publish`](crate::node::Loan::publish).
    pub fn send_made(&mut self, samples: usize, out: &mut Outputs, make: impl FnOnce(u64, &mut [f64])) -> Result<()> {
        let bytes = samples.checked_mul(self.channels).and_then(|numbers| numbers.checked_mul(size_of::<f64>()));
        let bytes = bytes.context("a message this large cannot be: make `block` smaller")?;
        let first = self.next;
        self.next += samples as u64;
        self.pace.wait(self.next, out)?;
        let capture = Capture::stream_seconds(first as f64 / self.rate_hz);
        let mut loan = out.loan(&self.metadata, bytes)?.captured(capture);
        make(first, loan.elements());
        loan.publish()
    }
}
