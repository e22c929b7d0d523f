//! `resample`: another sampling rate, by a polyphase filter that is symmetric, so that nothing is shifted in time.
//!
//! The filter is the one of SciPy's `resample_poly`: a sinc under a Kaiser window, ten of the slower rate's samples to
//! each side. Input that is not there, before the first and after the last sample, counts as zero.

use super::signal::{Layout, SampleClock, Stream, rows, samples, send};
use crate::message::{Metadata, Received};
use crate::node::settings::Positive;
use crate::node::{Cadence, Flow, InputId, Node, NodeType, Outputs, PortType, Quantity, Result, SettingError, figures};
use schemars::JsonSchema;
use serde::Deserialize;
use std::f64::consts::PI;
use std::sync::Arc;

pub fn node_type() -> NodeType {
    NodeType::transform("resample", "Gives a signal another sampling rate, without shifting it in time.")
        .input("in", PortType::signal())
        .output("out", PortType::same_as("in"))
        .cadence(Cadence::Resampled { rate: Quantity::of("rate") })
        .example("{ rate: 250 }")
        .node(|settings: Settings| Ok(Resample { rate: settings.rate.get(), stream: Stream::default() }))
        .fits(|settings: Settings, signal| match signal.rate_hz {
            Some(rate_hz) => ratio(rate_hz, settings.rate.get()).map(drop),
            None => Ok(()),
        })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Sampling rate to come out in Hz; any that is to the rate that comes in as whole numbers up to 10000 are. Each
    /// sample is sent when ten samples of the slower rate beyond it have come in; the last ones when the stream ends.
    rate: Positive,
}

/// Samples of the slower rate on each side of the filter.
const REACH: usize = 10;
const KAISER_BETA: f64 = 5.0;
const MAX_RATIO_TERM: u64 = 10_000;
/// Rates whose ratio is this close to a fraction, relatively, are taken to have that ratio.
const RATIO_TOLERANCE: f64 = 1e-9;

struct Resample {
    rate: f64,
    stream: Stream<Polyphase>,
}

impl Node for Resample {
    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        let make = |layout: &Layout| Polyphase::new(layout, self.rate, message.metadata());
        let polyphase = self.stream.state(message.metadata(), Layout::of, make)?;
        polyphase.clock.message(message.header().capture, rows(&message)?);
        polyphase.kept.extend_from_slice(&samples(&message.tensor()?)?);
        polyphase.send_until(polyphase.ready(), out)?;
        Ok(Flow::Continue)
    }

    fn stop(&mut self, out: &mut Outputs) -> Result<()> {
        match self.stream.get() {
            Some(polyphase) => polyphase.send_until(polyphase.total(), out),
            None => Ok(()),
        }
    }
}

/// How many samples there are at `new_rate` for how many at `rate`.
fn ratio(rate: f64, new_rate: f64) -> Result<(usize, usize), SettingError> {
    fraction(new_rate / rate).ok_or_else(|| {
        let message = format!(
            "cannot go from {} Hz to `rate`, {} Hz: their ratio is no fraction of whole numbers up to \
             {MAX_RATIO_TERM}",
            figures(rate),
            figures(new_rate)
        );
        SettingError::at("rate", message)
    })
}

/// Output k is the sum over inputs i of `taps[reach + k * down - i * up] * input[i]`.
struct Polyphase {
    up: usize,
    down: usize,
    taps: Vec<f64>,
    channels: usize,
    clock: SampleClock,
    metadata: Arc<Metadata>,
    /// Input that is still needed, the first row of it at index `kept_from`.
    kept: Vec<f64>,
    kept_from: usize,
    /// Index of the output that is next.
    next: usize,
}

impl Polyphase {
    fn new(layout: &Layout, new_rate: f64, like: &Metadata) -> Result<Self> {
        let rate = layout.rate()?;
        let (up, down) = ratio(rate, new_rate)?;
        Ok(Polyphase {
            up,
            down,
            taps: taps(up, down),
            channels: layout.channels,
            clock: SampleClock::new(rate),
            metadata: Arc::new(layout.metadata(Some(new_rate), like)),
            kept: Vec::new(),
            kept_from: 0,
            next: 0,
        })
    }

    /// Half the filter, in steps of the common multiple of both rates.
    fn reach(&self) -> usize {
        self.taps.len() / 2
    }

    fn inputs(&self) -> usize {
        self.kept_from + self.kept.len() / self.channels
    }

    /// How many outputs need no input that has not come yet.
    fn ready(&self) -> usize {
        (self.inputs() * self.up).saturating_sub(self.reach()).div_ceil(self.down)
    }

    /// How many outputs belong to the inputs so far.
    fn total(&self) -> usize {
        (self.inputs() * self.up).div_ceil(self.down)
    }

    fn send_until(&mut self, end: usize, out: &mut Outputs) -> Result<()> {
        if end <= self.next {
            return Ok(());
        }
        let mut block = vec![0.0; (end - self.next) * self.channels];
        for (k, row) in (self.next..end).zip(block.chunks_exact_mut(self.channels)) {
            self.compute(k, row);
        }
        let capture = self.clock.time((self.next * self.down) as f64 / self.up as f64);
        send(out, &self.metadata, &block, capture)?;
        self.next = end;
        self.forget();
        Ok(())
    }

    fn compute(&self, k: usize, row: &mut [f64]) {
        let centre = k * self.down;
        let first = self.first_input(k);
        let last = ((centre + self.reach()) / self.up).min(self.inputs() - 1);
        let kept = &self.kept[(first - self.kept_from) * self.channels..];
        for (i, input) in (first..=last).zip(kept.chunks_exact(self.channels)) {
            let tap = self.taps[self.reach() + centre - i * self.up];
            row.iter_mut().zip(input).for_each(|(y, x)| *y += tap * x);
        }
    }

    /// The first input that output `k` needs.
    fn first_input(&self, k: usize) -> usize {
        (k * self.down).saturating_sub(self.reach()).div_ceil(self.up)
    }

    /// Lets go of input that no output needs any more.
    fn forget(&mut self) {
        let past = (self.first_input(self.next).saturating_sub(self.kept_from)).min(self.kept.len() / self.channels);
        self.kept.drain(..past * self.channels);
        self.kept_from += past;
    }
}

/// The symmetric low-pass, with a gain of `up` at 0 Hz.
fn taps(up: usize, down: usize) -> Vec<f64> {
    let slower = up.max(down) as f64;
    let reach = REACH * up.max(down);
    let window = |x: f64| bessel_i0(KAISER_BETA * (1.0 - x * x).max(0.0).sqrt());
    let tap = |i: usize| {
        let n = i as f64 - reach as f64;
        sinc(n / slower) * window(n / reach as f64)
    };
    let mut taps: Vec<f64> = (0..=2 * reach).map(tap).collect();
    let gain = up as f64 / taps.iter().sum::<f64>();
    taps.iter_mut().for_each(|tap| *tap *= gain);
    taps
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// The modified Bessel function of order 0, by its power series, for arguments up to [`KAISER_BETA`].
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..40 {
        term *= quarter / f64::from(k * k);
        sum += term;
    }
    sum
}

/// `ratio` as a fraction of whole numbers up to [`MAX_RATIO_TERM`], by continued fractions.
fn fraction(ratio: f64) -> Option<(usize, usize)> {
    let (mut before, mut now) = ((0, 1), (1, 0));
    let mut rest = ratio;
    loop {
        let whole = rest.floor();
        if !(0.0..=MAX_RATIO_TERM as f64).contains(&whole) {
            return None;
        }
        let next: (u64, u64) = (before.0 + whole as u64 * now.0, before.1 + whole as u64 * now.1);
        (before, now) = (now, next);
        if now.0.max(now.1) > MAX_RATIO_TERM {
            return None;
        }
        if now.0 > 0 && (now.0 as f64 / now.1 as f64 / ratio - 1.0).abs() < RATIO_TOLERANCE {
            return Some((now.0 as usize, now.1 as usize));
        }
        rest = 1.0 / (rest - whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_of_rates_becomes_the_smallest_fraction() {
        assert_eq!(fraction(250.0 * (1.0 / 360.0)), Some((25, 36)));
        assert_eq!(fraction(48000.0 / 44100.0), Some((160, 147)));
        assert_eq!(fraction(1.0), Some((1, 1)));
        assert_eq!(fraction(0.5), Some((1, 2)));
        assert_eq!(fraction(29.97 / 1000.0), None, "2997 / 100000 is too fine");
        assert_eq!(fraction(PI), None);
        assert_eq!(fraction(1e-7), None);
    }
}
