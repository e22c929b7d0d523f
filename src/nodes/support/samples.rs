//! Sources of sampled signals: what rate, block and pace have in common.

use crate::message::{Axis, Capture, DType, Metadata, Payload, TensorSpec};
use crate::node::{Outputs, Result};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Samples per message where a source is not told otherwise.
#[must_use]
pub fn default_block() -> NonZeroU32 {
    NonZeroU32::new(256).expect("256 is not 0")
}

/// Holds a source back to a rate, by absolute deadlines, so that delays do not add up.
#[derive(Debug, Default)]
pub struct Pace {
    per_second: Option<f64>,
    began: Option<Instant>,
}

impl Pace {
    /// `per_second` units per second; none means as fast as the graph accepts.
    #[must_use]
    pub fn new(per_second: Option<f64>) -> Self {
        Pace { per_second, began: None }
    }

    /// Waits until `units` may have been sent in all. The clock starts with the first call.
    ///
    /// # Errors
    /// [`Stopped`](crate::node::Stopped) where the run is being stopped.
    pub fn wait(&mut self, units: u64, out: &Outputs) -> Result<()> {
        let Some(per_second) = self.per_second else { return Ok(()) };
        let began = *self.began.get_or_insert_with(Instant::now);
        let due = Duration::try_from_secs_f64(units as f64 / per_second).ok().and_then(|d| began.checked_add(d));
        match due {
            Some(due) if due > Instant::now() => out.wait_until(due),
            Some(_) => Ok(()),
            None => anyhow::bail!("the next message would be due in the far future: the rate is too low"),
        }
    }
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
