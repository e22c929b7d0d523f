//! `peaks`: finds the peaks of one channel, such as the beats in an electrocardiogram, and sends a record for each.
//!
//! A peak is a sample above the threshold whose neighbours are lower (of equal samples at the top, the first). Of
//! peaks that are closer together than the refractory time the highest counts; so a peak is sent only once that time
//! has passed and nothing higher has come.

use super::channels::{ChannelName, all_there};
use super::signal::{Layout, SampleClock, Stream, rows, samples};
use crate::message::{Capture, Metadata, Received, Record, codec};
use crate::node::settings::Span;
use crate::node::{Cadence, Flow, InputId, Node, NodeType, Outputs, PortType, Result, SettingError};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub fn node_type() -> NodeType {
    NodeType::transform("peaks", "Finds the peaks of one channel and sends a record `Peak` for each.")
        .input("in", PortType::signal())
        .output("out", PortType::record(Peak::NAME))
        .cadence(Cadence::Sparse)
        .example("{ threshold: 1.25, relative: true, polarity: both, refractory: 250 ms }")
        .node(|settings: Settings| {
            let above_zero = settings.threshold > 0.0 && settings.threshold.is_finite();
            if !above_zero && (settings.relative || settings.polarity == Polarity::Both) {
                let message = format!(
                    "`threshold` is {}, and with `relative: true` or `polarity: both` it must be above 0",
                    settings.threshold
                );
                return Err(SettingError::at("threshold", message));
            }
            let metadata = Arc::new(Metadata::record(Peak::spec()));
            Ok(Peaks { settings, metadata, stream: Stream::default() })
        })
        .fits(|settings: Settings, signal| all_there("channel", &[settings.channel], signal))
}

const DEFAULT_REFRACTORY_S: f64 = 0.25;

ezrun::record! {
    /// A peak of one channel.
    pub struct Peak {
        /// When it was, in seconds on the clock of the signal's capture times.
        pub time_s: f64,
        /// Index of the channel.
        pub channel: u64,
        /// The sample at the peak, in the signal's unit and with its sign.
        pub value: f64,
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// How high a peak is at least: in the signal's unit, or as `relative` says. With `polarity: negative`, how deep.
    threshold: f64,
    /// Whether `threshold` is a multiple of the signal's root mean square over the last ten seconds or so, so that it
    /// follows the signal and needs no unit. Meant for signals around zero, as after `bandpass`; 1 to 1.75 suits beats
    /// after `bandpass {low: 5, high: 15}`. Default: false.
    #[serde(default)]
    relative: bool,
    /// Whether peaks point up (`positive`), down (`negative`), or either way (`both`), as those of beats with another
    /// origin may. Default: `positive`.
    #[serde(default)]
    polarity: Polarity,
    /// Peaks are at least this far apart: seconds, or text such as `250 ms`. Of those that are not, the highest counts.
    /// Default: 0.25 s.
    #[serde(default)]
    refractory: Option<Span>,
    /// The channel to look at, by label or by index from 0. Default: 0.
    #[serde(default = "first_channel")]
    channel: ChannelName,
}

fn first_channel() -> ChannelName {
    ChannelName::Index(0)
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Polarity {
    #[default]
    Positive,
    Negative,
    Both,
}

struct Peaks {
    settings: Settings,
    metadata: Arc<Metadata>,
    stream: Stream<State>,
}

impl Node for Peaks {
    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        let state = self.stream.state(message.metadata(), Layout::of, |layout| State::new(&self.settings, layout))?;
        let first = state.clock.message(message.header().capture, rows(&message)?);
        let samples = samples(&message.tensor()?)?;
        for (index, row) in (first..).zip(samples.chunks_exact(state.channels)) {
            if let Some(found) = state.detector.sample(index, row[state.channel], &state.clock) {
                send(out, &self.metadata, state.channel, found)?;
            }
        }
        Ok(Flow::Continue)
    }

    fn stop(&mut self, out: &mut Outputs) -> Result<()> {
        let Some(state) = self.stream.get() else { return Ok(()) };
        match state.detector.waiting.take() {
            Some(found) => send(out, &self.metadata, state.channel, found),
            None => Ok(()),
        }
    }
}

fn send(out: &mut Outputs, metadata: &Arc<Metadata>, channel: usize, found: Found) -> Result<()> {
    let peak = Peak { time_s: found.capture.seconds(), channel: channel as u64, value: found.value };
    let mut loan = out.loan(metadata, codec::encoded_len(&peak)?)?;
    codec::encode_to_slice(&peak, &mut loan)?;
    loan.captured(found.capture).publish()
}

struct State {
    channel: usize,
    channels: usize,
    clock: SampleClock,
    detector: Detector,
}

impl State {
    fn new(settings: &Settings, layout: &Layout) -> Result<Self> {
        let (channel, rate) = (layout.channel(&settings.channel)?, layout.rate()?);
        let refractory_s = settings.refractory.map_or(DEFAULT_REFRACTORY_S, Span::seconds);
        let detector = Detector {
            polarity: settings.polarity,
            threshold: settings.threshold,
            level: settings
                .relative
                .then(|| Level { per_sample: (1.0 / (LEVEL_S * rate)).min(1.0), ..Level::default() }),
            refractory: (refractory_s * rate - 1e-6).ceil().max(0.0) as u64,
            last: None,
            top: None,
            waiting: None,
        };
        Ok(State { channel, channels: layout.channels, clock: SampleClock::new(rate), detector })
    }
}

/// A sample that is a peak, or may turn out to be one.
#[derive(Clone, Copy)]
struct Found {
    index: u64,
    /// Positive in the direction that counts.
    height: f64,
    value: f64,
    capture: Capture,
}

struct Detector {
    polarity: Polarity,
    threshold: f64,
    level: Option<Level>,
    /// In samples.
    refractory: u64,
    /// Height of the sample before.
    last: Option<f64>,
    /// The first sample after a rise, until the next fall: a peak if it is followed by one.
    top: Option<Found>,
    /// A peak for which a higher one may still come.
    waiting: Option<Found>,
}

impl Detector {
    /// Takes the next sample; returns a peak that has waited long enough.
    fn sample(&mut self, index: u64, value: f64, clock: &SampleClock) -> Option<Found> {
        let height = match self.polarity {
            Polarity::Positive => value,
            Polarity::Negative => -value,
            Polarity::Both => value.abs(),
        };
        let last = self.last.replace(height);
        let mut sent = None;
        if last.is_some_and(|last| height < last) {
            sent = self.top.take().and_then(|peak| self.accept(peak));
        }
        let threshold = self.threshold * self.level.as_mut().map_or(1.0, |level| level.follow(value));
        if last.is_some_and(|last| height > last) {
            let found = Found { index, height, value, capture: clock.time(index as f64) };
            self.top = (height > threshold).then_some(found);
        }
        let undecided_from = self.top.map_or(index, |top| top.index);
        let due = self.waiting.is_some_and(|peak| undecided_from - peak.index >= self.refractory);
        sent.or_else(|| if due { self.waiting.take() } else { None })
    }

    /// Makes a new peak wait; returns the one that waited before, if it is far enough away.
    fn accept(&mut self, peak: Found) -> Option<Found> {
        match self.waiting {
            Some(before) if peak.index - before.index < self.refractory => {
                if peak.height > before.height {
                    self.waiting = Some(peak);
                }
                None
            }
            _ => self.waiting.replace(peak),
        }
    }
}

/// The root mean square of what came last, recent samples counting more.
#[derive(Default)]
struct Level {
    /// By how much a sample's weight shrinks with the next one.
    per_sample: f64,
    mean_square: f64,
    /// Sum of all weights: 1 in the long run, less at the beginning.
    weight: f64,
}

/// A sample counts 1/e of the newest after this time.
const LEVEL_S: f64 = 10.0;

impl Level {
    fn follow(&mut self, value: f64) -> f64 {
        if value.is_finite() {
            self.mean_square += self.per_sample * (value * value - self.mean_square);
            self.weight += self.per_sample * (1.0 - self.weight);
        }
        if self.weight > 0.0 { (self.mean_square / self.weight).sqrt() } else { 0.0 }
    }
}
