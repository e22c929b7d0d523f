//! Packs, page 2: a source, with settings.
//!
//! A source is asked to produce, again and again, until it has completed or nobody reads any more. This one makes a heart's
//! signal, of which everything is known: good for trying out what should find beats.

use ezrun::message::{Capture, DType, Metadata, TensorSpec};
use ezrun::node::{Flow, NodeType, Outputs, PortType, Registry, Result, SettingError, Source};
use schemars::JsonSchema;
use serde::Deserialize;
use std::f64::consts::TAU;
use std::num::{NonZeroU32, NonZeroU64};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    ezrun::pack_main(Registry::new().with(node_type()))
}

/// What a graph sees of it.
pub fn node_type() -> NodeType {
    NodeType::source("heartbeat", "Makes an electrocardiogram in millivolts, the same one every time.")
        .output("out", PortType::signal_of(DType::F64))
        .example("rate: 250\nbpm: 75\nblock: 50\ncount: 100\n")
        .source_node(Heartbeat::new)
}

/// What the types and ranges here say is checked with the graph, and told with line and column.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Sampling rate in Hz.
    #[schemars(range(min = 1, max = 100_000))]
    rate: f64,
    /// Beats per minute.
    #[schemars(range(min = 20, max = 300))]
    bpm: f64,
    /// Samples per message.
    block: NonZeroU32,
    /// Messages to send; endless where it is not given.
    count: Option<u64>,
    /// Height in mV of the slow wave that breathing adds, 15 breaths to the minute. Default: 0.
    #[serde(default)]
    wander: f64,
    /// Turns each beat with this number upside down: 10 means the tenth, the twentieth and so on. Default: none.
    ectopic: Option<NonZeroU64>,
    /// Whether samples come no faster than their rate. Default: false, as fast as the graph accepts them.
    #[serde(default)]
    realtime: bool,
}

struct Heartbeat {
    settings: Settings,
    metadata: Arc<Metadata>,
    sent: u64,
    began: Option<Instant>,
}

impl Heartbeat {
    /// Refuses what no schema can say. Files and devices are opened later, in `start`.
    fn new(settings: Settings) -> Result<Self, SettingError> {
        let samples = settings.rate * 60.0 / settings.bpm;
        if samples < 20.0 {
            let message = format!("a beat has {samples:.1} samples, and needs 20: raise `rate` or lower `bpm`");
            return Err(SettingError::at("rate", message));
        }
        // Says what the payload is: f64, `[time, channel]`, one channel. Made once: while the same `Arc` is used, it is
        // known to be the same without being looked at.
        let metadata = Arc::new(Metadata::tensor(TensorSpec::signal(DType::F64, settings.rate, 1)));
        Ok(Heartbeat { settings, metadata, sent: 0, began: None })
    }

    /// Sample `n`, in mV. It follows from `n` alone, so that no error adds up.
    fn sample(&self, n: u64) -> f64 {
        /// Five waves to a beat: where in it, how high, how wide.
        const WAVES: [[f64; 3]; 5] =
            [[0.24, 0.12, 0.022], [0.375, -0.12, 0.008], [0.4, 1.0, 0.009], [0.425, -0.25, 0.009], [0.64, 0.3, 0.04]];
        let time_s = n as f64 / self.settings.rate;
        let beats = time_s * self.settings.bpm / 60.0;
        let wave = |[at, height, width]: [f64; 3]| height * (-0.5 * ((beats.fract() - at) / width).powi(2)).exp();
        let beat: f64 = WAVES.into_iter().map(wave).sum();
        let inverted = self.settings.ectopic.is_some_and(|every| (beats as u64 + 1).is_multiple_of(every.get()));
        self.settings.wander * (TAU * 0.25 * time_s).sin() + if inverted { -beat } else { beat }
    }
}

impl Source for Heartbeat {
    fn produce(&mut self, out: &mut Outputs) -> Result<Flow> {
        let Settings { rate, block, count, realtime, .. } = self.settings;
        match count {
            Some(count) if self.sent >= count => return Ok(Flow::Complete),
            Some(count) if self.sent == 0 => out.expect(count), // for the progress bar
            _ => {}
        }
        let block = u64::from(block.get());
        let first = self.sent * block;
        if realtime {
            // A block is due when its last sample has been taken, counted from the beginning, so that delays do not add up.
            // The wait also ends when the run is stopped: that comes as an error, to be handed on.
            let began = *self.began.get_or_insert_with(Instant::now);
            out.wait_until(began + Duration::from_secs_f64((first + block) as f64 / rate))?;
        }
        // The capture time is that of the first sample. Files and made signals count from the beginning of the recording; a
        // source that listens to a device says `Capture::now()`.
        let capture = Capture::stream_seconds(first as f64 / rate);
        let mut loan = out.loan(&self.metadata, block as usize * size_of::<f64>())?.captured(capture);
        for (n, x) in (first..).zip(loan.elements()) {
            *x = self.sample(n);
        }
        // Waits while an edge that blocks is full: what holds a source back that has no `realtime`.
        loan.publish()?;
        self.sent += 1;
        Ok(Flow::Continue)
    }
}
