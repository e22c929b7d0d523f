//! `spectrum`: power density of each block, by Welch's method or over the block as a whole.

use super::signal::{Layout, Stream, rows, samples, send};
use crate::message::{Axis, DType, Dim, Metadata, Received, TensorSpec};
use crate::node::{Cadence, Flow, InputId, Node, NodeType, Outputs, PortType, Quantity, Result, SettingError};
use realfft::num_complex::Complex64;
use realfft::{RealFftPlanner, RealToComplex};
use schemars::JsonSchema;
use serde::Deserialize;
use std::f64::consts::PI;
use std::sync::Arc;

pub fn node_type() -> NodeType {
    let dims = ["frequency", "channel"].map(str::to_owned).to_vec();
    NodeType::transform("spectrum", "One-sided power density of each block, in the signal's unit squared per Hz.")
        .input("in", PortType::signal())
        .output("out", PortType::Tensor { dtypes: vec![DType::F64], dims })
        .cadence(Cadence::Spectra { segment: Quantity::of("segment") })
        .example("{ segment: 256, overlap: 0.5 }")
        .node(|settings: Settings| Ok(Spectrum { method: settings.check()?, stream: Stream::default() }))
        .fits(|settings: Settings, signal| match (settings.segment, signal.samples) {
            (Some(segment), Some(samples)) => long_enough(samples as usize, segment),
            _ => Ok(()),
        })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// `welch`: the mean over segments that overlap. `single`: the block as one segment. Default: `welch`.
    #[serde(default)]
    method: Method,
    /// Samples in a segment (`welch` only). Default: the whole block. What is left of a block and fills no segment is
    /// not used.
    #[serde(default)]
    #[schemars(range(min = 2))]
    segment: Option<usize>,
    /// How much of a segment the next one shares, from 0 to below 1 (`welch` only). Default: 0.5.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    overlap: Option<f64>,
    /// What each segment is multiplied by: `hann` or `boxcar` (nothing). Default: `hann`.
    #[serde(default)]
    taper: Taper,
    /// What is subtracted from each segment before: its mean (`constant`) or `none`. Default: `constant`.
    #[serde(default)]
    detrend: Detrend,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Method {
    #[default]
    Welch,
    Single,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Taper {
    #[default]
    Hann,
    Boxcar,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Detrend {
    #[default]
    Constant,
    None,
}

/// Settings that go together.
#[derive(Clone, Copy)]
struct Checked {
    /// Samples in a segment; the whole block where there are none.
    segment: Option<usize>,
    overlap: f64,
    taper: Taper,
    detrend: Detrend,
}

impl Settings {
    fn check(self) -> Result<Checked, SettingError> {
        let only_welch =
            |setting| SettingError::at(setting, format!("`{setting}` has no meaning with `method: single`"));
        match (self.method, self.segment, self.overlap) {
            (Method::Single, Some(_), _) => return Err(only_welch("segment")),
            (Method::Single, _, Some(_)) => return Err(only_welch("overlap")),
            (_, Some(segment), _) if segment < 2 => {
                return Err(SettingError::at("segment", format!("`segment` is {segment}, and it must be 2 or more")));
            }
            (_, _, Some(overlap)) if !(0.0..1.0).contains(&overlap) => {
                return Err(SettingError::at(
                    "overlap",
                    format!("`overlap` is {overlap}, and it must be 0 to below 1"),
                ));
            }
            _ => {}
        }
        let overlap = self.overlap.unwrap_or(0.5);
        Ok(Checked { segment: self.segment, overlap, taper: self.taper, detrend: self.detrend })
    }
}

/// Whether a block of `rows` samples has a segment of `segment`.
fn long_enough(rows: usize, segment: usize) -> Result<(), SettingError> {
    if rows >= segment {
        return Ok(());
    }
    let message =
        format!("a block of {rows} samples is shorter than `segment`, {segment}: put a `window` node before this one");
    Err(SettingError::at("segment", message))
}

struct Spectrum {
    method: Checked,
    stream: Stream<State>,
}

/// What is kept of one stream: its layout, and the plan for the block length that came last.
struct State {
    layout: Layout,
    rate_hz: f64,
    planner: RealFftPlanner<f64>,
    plan: Option<Plan>,
}

impl Node for Spectrum {
    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        let state = self.stream.state(message.metadata(), Layout::of, |layout| {
            let (layout, rate_hz) = (layout.clone(), layout.rate()?);
            Ok(State { layout, rate_hz, planner: RealFftPlanner::new(), plan: None })
        })?;
        let rows = rows(&message)?;
        if rows == 0 {
            return Ok(Flow::Continue);
        }
        let length = self.method.segment.unwrap_or(rows);
        long_enough(rows, length)?;
        let plan = state.plan(length, self.method, message.metadata());
        let density = plan.density(&samples(&message.tensor()?)?)?;
        send(out, &plan.metadata, &density, message.header().capture)?;
        Ok(Flow::Continue)
    }
}

impl State {
    fn plan(&mut self, length: usize, method: Checked, like: &Metadata) -> &mut Plan {
        if self.plan.as_ref().is_none_or(|plan| plan.taper.len() != length) {
            self.plan = Some(Plan::new(self, length, method, like));
        }
        self.plan.as_mut().expect("it was there, or has just been made")
    }
}

/// How segments of one length are transformed, and the memory for it.
struct Plan {
    fft: Arc<dyn RealToComplex<f64>>,
    taper: Vec<f64>,
    hop: usize,
    detrend: Detrend,
    /// From squared magnitude to density, for the bins that have a twin at negative frequency, halved for the others.
    scale: f64,
    channels: usize,
    metadata: Arc<Metadata>,
    segment: Vec<f64>,
    bins: Vec<Complex64>,
}

impl Plan {
    fn new(state: &mut State, length: usize, method: Checked, like: &Metadata) -> Self {
        let fft = state.planner.plan_fft_forward(length);
        let taper = match method.taper {
            Taper::Hann if length > 1 => (0..length).map(|i| hann(i, length)).collect(),
            _ => vec![1.0; length],
        };
        let power: f64 = taper.iter().map(|w| w * w).sum();
        let overlap = (length as f64 * method.overlap) as usize;
        Plan {
            hop: (length - overlap).max(1),
            detrend: method.detrend,
            scale: 2.0 / (state.rate_hz * power),
            channels: state.layout.channels,
            metadata: Arc::new(describe(&state.layout, state.rate_hz, length, like)),
            segment: fft.make_input_vec(),
            bins: fft.make_output_vec(),
            fft,
            taper,
        }
    }

    /// The density of a block, `[frequency, channel]`.
    fn density(&mut self, block: &[f64]) -> Result<Vec<f64>> {
        let (length, channels) = (self.taper.len(), self.channels);
        let mut density = vec![0.0; self.bins.len() * channels];
        let segments = (block.len() / channels - length) / self.hop + 1;
        for channel in 0..channels {
            for segment in 0..segments {
                let from = &block[segment * self.hop * channels..];
                let column = from.iter().skip(channel).step_by(channels);
                self.segment.iter_mut().zip(column).for_each(|(to, &x)| *to = x);
                self.transform()?;
                let sums = density.iter_mut().skip(channel).step_by(channels);
                sums.zip(&self.bins).for_each(|(sum, bin)| *sum += bin.norm_sqr());
            }
        }
        let last = self.bins.len() - 1;
        for (bin, row) in density.chunks_exact_mut(channels).enumerate() {
            let has_twin = bin > 0 && (bin < last || length % 2 == 1);
            let scale = if has_twin { self.scale } else { self.scale / 2.0 } / segments as f64;
            row.iter_mut().for_each(|x| *x *= scale);
        }
        Ok(density)
    }

    /// From `segment` to `bins`.
    fn transform(&mut self) -> Result<()> {
        if self.detrend == Detrend::Constant {
            let mean = self.segment.iter().sum::<f64>() / self.segment.len() as f64;
            self.segment.iter_mut().for_each(|x| *x -= mean);
        }
        self.segment.iter_mut().zip(&self.taper).for_each(|(x, w)| *x *= w);
        self.fft.process(&mut self.segment, &mut self.bins)?;
        Ok(())
    }
}

fn hann(i: usize, length: usize) -> f64 {
    0.5 - 0.5 * (2.0 * PI * i as f64 / length as f64).cos()
}

fn describe(layout: &Layout, rate_hz: f64, length: usize, like: &Metadata) -> Metadata {
    let frequency = Axis::Linear { start: 0.0, step: rate_hz / length as f64, unit: "Hz".to_owned() };
    let spec = TensorSpec::new(DType::F64)
        .dim(Dim::new("frequency", length / 2 + 1).axis(frequency))
        .dim(Dim::new("channel", layout.channels).axis(layout.channel_axis.clone()));
    let mut metadata = Metadata::tensor(spec);
    metadata.attributes = like.attributes.clone();
    match like.attributes.get("unit") {
        Some(unit) => metadata.with("unit", &format!("{unit}²/Hz")),
        None => metadata,
    }
}
