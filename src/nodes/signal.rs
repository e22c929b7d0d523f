//! What the transforms share: a message read as a signal, `[time, channel]`, and a state that belongs to one stream.

use super::channels::{ChannelName, no_channel};
use crate::message::{
    Axis, Capture, DType, Element, Metadata, Owned, Payload, Received, Tensor, TensorMut, TensorSpec,
};
use crate::node::{Outputs, Result, SHOWN_LABELS, counted, figures, first_of};
use anyhow::{Context as _, bail};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// How the samples of a signal lie, and how often they come.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Element type.
    pub dtype: DType,
    /// Number of channels.
    pub channels: usize,
    /// Channel labels, or their indices where they have none.
    pub channel_axis: Axis,
    /// Samples per second and channel, where the message says so.
    pub rate_hz: Option<f64>,
}

impl Layout {
    /// The layout of a signal of floating-point numbers.
    ///
    /// # Errors
    /// Where the message is anything else.
    pub fn of(metadata: &Metadata) -> Result<Self> {
        let layout = Self::of_any_type(metadata)?;
        if !matches!(layout.dtype, DType::F64 | DType::F32) {
            bail!("the signal holds {} numbers, and this node takes f64 or f32", layout.dtype);
        }
        Ok(layout)
    }

    /// The layout of a signal of any numbers.
    ///
    /// # Errors
    /// Where the message is no tensor `[time, channel]`.
    pub fn of_any_type(metadata: &Metadata) -> Result<Self> {
        let Payload::Tensor(spec) = &metadata.payload else {
            bail!("the message is {}, and this node takes a signal, a tensor [time, channel]", metadata.payload);
        };
        let [time, channel] = spec.dims.as_slice() else { bail!(not_a_signal(spec)) };
        if time.name != "time" || channel.name != "channel" {
            bail!(not_a_signal(spec));
        }
        let channels = channel.len.unwrap_or(0) as usize;
        if channels == 0 {
            bail!("the signal has no channels");
        }
        if let Axis::Labels(labels) = &channel.axis
            && labels.len() != channels
        {
            bail!("the signal has {channels} channels and {} labels for them", labels.len());
        }
        Ok(Layout {
            dtype: spec.dtype,
            channels,
            channel_axis: channel.axis.clone(),
            rate_hz: spec.rate_hz().map(tidy),
        })
    }

    /// Samples per second and channel.
    ///
    /// # Errors
    /// Where the message does not say so.
    pub fn rate(&self) -> Result<f64> {
        self.rate_hz.context("the signal has no sampling rate: set `rate` at the source that it comes from")
    }

    /// Metadata of a signal like this one, at `rate_hz`, with the attributes of `like`.
    pub fn metadata(&self, rate_hz: Option<f64>, like: &Metadata) -> Metadata {
        let mut spec = TensorSpec::signal(self.dtype, rate_hz.unwrap_or(1.0), self.channels);
        if rate_hz.is_none() {
            spec.dims[0].axis = Axis::Index;
        }
        spec.dims[1].axis = self.channel_axis.clone();
        Metadata { payload: Payload::Tensor(spec), attributes: like.attributes.clone() }
    }

    /// In words, with what the channels are called.
    fn with_labels(&self) -> String {
        match &self.channel_axis {
            Axis::Labels(labels) => format!("{self}, called {}", first_of(labels, SHOWN_LABELS)),
            _ => format!("{self}, without labels"),
        }
    }

    /// Bytes of one sample of all channels.
    pub fn row_bytes(&self) -> usize {
        self.channels * self.dtype.bytes()
    }

    /// The index of the channel that `name` means: its label, or else its index from 0.
    ///
    /// # Errors
    /// Where there is no such channel; names those that there are.
    pub fn channel(&self, name: &ChannelName) -> Result<usize> {
        let labels = match &self.channel_axis {
            Axis::Labels(labels) => labels.as_slice(),
            _ => &[],
        };
        let found = match name {
            ChannelName::Index(index) => Some(*index as usize).filter(|&i| i < self.channels),
            ChannelName::Label(label) => labels.iter().position(|l| l == label),
        };
        found.with_context(|| no_channel(name, Some(self.channels as u64), labels))
    }
}

fn not_a_signal(spec: &TensorSpec) -> String {
    format!("the message is a tensor {spec}, and this node takes a signal, a tensor [time, channel]")
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", counted(self.channels, "channel"), self.dtype)?;
        match self.rate_hz {
            Some(rate) => write!(f, " at {} Hz", figures(rate)),
            None => f.write_str(" without a rate"),
        }
    }
}

/// Takes away what 1 / (1 / rate) leaves in the last digits of a rate.
fn tidy(rate_hz: f64) -> f64 {
    let tidied = (rate_hz * 1e6).round() / 1e6;
    if (rate_hz - tidied).abs() <= 1e-12 * rate_hz { tidied } else { rate_hz }
}

/// The attribute in which a node that makes blocks of its own says how many there are per second.
pub const BLOCK_RATE: &str = "blocks_per_second";

/// What a node keeps of one stream, made when the first message tells the stream's layout.
pub struct Stream<S> {
    seen: Option<(Arc<Metadata>, Layout, S)>,
}

impl<S> Default for Stream<S> {
    fn default() -> Self {
        Stream { seen: None }
    }
}

impl<S> Stream<S> {
    /// The state that belongs to the stream of `metadata`; `make` makes it from the first message's layout.
    ///
    /// # Errors
    /// Where the layout is another one than before, since a state across the two would mean nothing.
    pub fn state(
        &mut self,
        metadata: &Arc<Metadata>,
        layout: fn(&Metadata) -> Result<Layout>,
        make: impl FnOnce(&Layout) -> Result<S>,
    ) -> Result<&mut S> {
        let known = self.seen.as_ref().is_some_and(|(last, ..)| Arc::ptr_eq(last, metadata));
        if !known {
            let layout = layout(metadata)?;
            match &mut self.seen {
                Some((last, before, _)) => {
                    if *before != layout {
                        let (from, to) = if before.channel_axis == layout.channel_axis {
                            (before.to_string(), layout.to_string())
                        } else {
                            (before.with_labels(), layout.with_labels())
                        };
                        bail!("the signal changed under way, from {from} to {to}: this node needs one that stays");
                    }
                    *last = Arc::clone(metadata);
                }
                None => {
                    let state = make(&layout)?;
                    self.seen = Some((Arc::clone(metadata), layout, state));
                }
            }
        }
        Ok(&mut self.seen.as_mut().expect("it was there, or has just been made").2)
    }

    /// The state, where there was a message.
    pub fn get(&mut self) -> Option<&mut S> {
        self.seen.as_mut().map(|(_, _, state)| state)
    }
}

/// The samples of a signal as `f64`, row-major, copied only where they are of another type.
pub fn samples<'a>(tensor: &Tensor<'a>) -> Result<Cow<'a, [f64]>> {
    Ok(match tensor.spec.dtype {
        DType::F64 => Cow::Borrowed(tensor.as_slice::<f64>()?),
        _ => Cow::Owned(tensor.to_f64()),
    })
}

/// Hands each row (one sample of all channels) of an owned signal to `change`, to be changed where it lies.
pub fn change_rows(message: &mut Owned, mut change: impl FnMut(&mut [f64])) -> Result<()> {
    let channels = Layout::of(&message.metadata)?.channels;
    let mut tensor = message.tensor_mut()?;
    match tensor.spec.dtype {
        DType::F32 => change_f32_rows(&mut tensor, channels, change),
        _ => {
            tensor.as_mut_slice::<f64>()?.chunks_exact_mut(channels).for_each(&mut change);
            Ok(())
        }
    }
}

fn change_f32_rows(tensor: &mut TensorMut<'_>, channels: usize, mut change: impl FnMut(&mut [f64])) -> Result<()> {
    let mut wide = vec![0.0; channels];
    for row in tensor.as_mut_slice::<f32>()?.chunks_exact_mut(channels) {
        wide.iter_mut().zip(row.iter()).for_each(|(w, &x)| *w = f64::from(x));
        change(&mut wide);
        row.iter_mut().zip(&wide).for_each(|(x, &w)| *x = w as f32);
    }
    Ok(())
}

/// Sends `samples` as the tensor that `metadata` describes, `f32` or `f64`, captured at `capture`.
pub fn send(out: &mut Outputs, metadata: &Arc<Metadata>, samples: &[f64], capture: Capture) -> Result<()> {
    let dtype = metadata.tensor_spec().map_or(DType::F64, |spec| spec.dtype);
    let mut loan = out.loan(metadata, samples.len() * dtype.bytes())?;
    match dtype {
        DType::F32 => fill(loan.elements::<f32>(), samples, |x| x as f32),
        _ => fill(loan.elements::<f64>(), samples, |x| x),
    }
    loan.captured(capture).publish()
}

fn fill<T: Element>(to: &mut [T], from: &[f64], cast: impl Fn(f64) -> T) {
    to.iter_mut().zip(from).for_each(|(to, &from)| *to = cast(from));
}

/// Tells when a sample was captured, for a node whose outputs do not begin where its inputs do.
///
/// Samples are counted from 0 over the whole stream. Where the messages' capture times agree with the rate to
/// [`SAME_TIME_NS`], times are counted from the stream's beginning, so that no rounding adds up; where they do not
/// (a live clock), from the beginning of the last message.
pub struct SampleClock {
    rate_hz: f64,
    anchor: Option<(u64, Capture)>,
    next: u64,
}

const SAME_TIME_NS: u64 = 2;

impl SampleClock {
    /// A clock for a stream at `rate_hz`.
    pub fn new(rate_hz: f64) -> Self {
        SampleClock { rate_hz, anchor: None, next: 0 }
    }

    /// Takes note of a message of `rows` samples; returns the index of its first.
    pub fn message(&mut self, capture: Capture, rows: usize) -> u64 {
        let first = self.next;
        self.next += rows as u64;
        let agrees = self.anchor.is_some_and(|_| {
            let expected = self.time(first as f64);
            expected.clock == capture.clock && expected.ns.abs_diff(capture.ns) <= SAME_TIME_NS
        });
        if !agrees {
            self.anchor = Some((first, capture));
        }
        first
    }

    /// When sample `index` was captured. Fractions lie between two samples.
    pub fn time(&self, index: f64) -> Capture {
        let (first, capture) = self.anchor.unwrap_or((0, Capture::stream_seconds(0.0)));
        capture.plus_seconds((index - first as f64) / self.rate_hz)
    }
}

/// Number of samples per channel in `message`, which has `layout`'s channels.
pub fn rows(message: &Received<'_>) -> Result<usize> {
    Ok(message.tensor()?.shape.first().copied().unwrap_or(0))
}
