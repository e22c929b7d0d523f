//! Sources of sampled signals: what rate, block and pace have in common.

use crate::message::{Axis, Capture, DType, Metadata, Payload, TensorSpec};
use crate::node::{Outputs, Pace, Result};
use std::num::NonZeroU32;
use std::sync::Arc;

/// Samples per message where a source is not told otherwise.
#[must_use]
pub fn default_block() -> NonZeroU32 {
    NonZeroU32::new(256).expect("256 is not 0")
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
        let first = self.next;
        self.next += samples as u64;
        self.pace.wait(self.next, out)?;
        let capture = Capture::stream_seconds(first as f64 / self.rate_hz);
        let mut loan = out.loan(&self.metadata, samples * self.channels * size_of::<f64>())?.captured(capture);
        make(first, loan.elements());
        loan.publish()
    }
}
