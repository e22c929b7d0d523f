//! `sine`: a synthetic signal, sines with noise.

use super::support::pattern::splitmix;
use super::support::samples::{self, Block, Samples};
use crate::node::settings::{OneOrMany, Positive};
use crate::node::{Flow, Labels, NodeType, Outputs, Quantity, Result, SettingError, Source, Step, figures};
use schemars::JsonSchema;
use serde::Deserialize;
use std::f64::consts::TAU;
use std::num::NonZeroU32;

/// What `channels` may be at most.
const MOST_CHANNELS: usize = 65_536;

pub fn node_type() -> NodeType {
    NodeType::source("sine", "Makes a signal of sines with noise, the same one for the same seed.")
        .output("out", samples::port())
        .cadence(samples::cadence(
            Quantity::of("rate").or(1000.0),
            Quantity::of("channels").or_items_of("frequency").or(1.0),
            Labels::None,
        ))
        .example("{ rate: 250, channels: 32, frequency: 10, noise: 0.5, block: 25, count: 400 }")
        .source_node(Sine::new)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Sampling rate in Hz. Default: 1000.
    rate: Option<Positive>,
    /// How many channels there are, at most 65,536. Default: as many as `frequency` lists, or 1.
    #[schemars(range(min = 1, max = 65_536))]
    channels: Option<NonZeroU32>,
    /// Frequency in Hz, up to half of the rate: one for all channels, or a list with one for each. Default: 10.
    frequency: Option<OneOrMany<f64>>,
    /// Amplitude of the sine, from its middle to its peak. Default: 1.
    amplitude: Option<f64>,
    /// Standard deviation of the white Gaussian noise that is added, drawn for each channel. Default: 0.
    #[serde(default)]
    #[schemars(range(min = 0))]
    noise: f64,
    /// Seed of the noise: the same seed makes the same noise. Default: 0.
    #[serde(default)]
    seed: u64,
    /// Samples per message, at most 16,777,216. Default: 256.
    #[serde(default)]
    block: Block,
    /// Messages to send; endless where it is not given.
    count: Option<u64>,
    /// Whether samples come no faster than their rate. Default: false, as fast as the graph accepts them.
    #[serde(default)]
    realtime: bool,
}

struct Sine {
    wave: Wave,
    samples: Samples,
    block: usize,
    count: Option<u64>,
    sent: u64,
}

struct Wave {
    cycles_per_sample: OneOrMany<f64>,
    channels: usize,
    amplitude: f64,
    noise: f64,
    seed: u64,
}

impl Sine {
    fn new(settings: Settings) -> Result<Self, SettingError> {
        let rate_hz = settings.rate.map_or(1000.0, Positive::get);
        let channels = channels(&settings)?;
        let frequencies = frequencies(&settings, rate_hz)?;
        if !(settings.noise.is_finite() && settings.noise >= 0.0) {
            return Err(SettingError::at(
                "noise",
                format!("a standard deviation is 0 or more, not {}", settings.noise),
            ));
        }
        Ok(Sine {
            samples: Samples::new(rate_hz, channels, settings.realtime),
            wave: Wave {
                cycles_per_sample: match frequencies {
                    OneOrMany::One(frequency) => OneOrMany::One(frequency / rate_hz),
                    OneOrMany::Many(list) => OneOrMany::Many(list.into_iter().map(|f| f / rate_hz).collect()),
                },
                channels,
                amplitude: settings.amplitude.unwrap_or(1.0),
                noise: settings.noise,
                seed: splitmix(settings.seed),
            },
            block: settings.block.get(),
            count: settings.count,
            sent: 0,
        })
    }
}

/// How many channels there are.
fn channels(settings: &Settings) -> Result<usize, SettingError> {
    let listed = match &settings.frequency {
        Some(OneOrMany::Many(list)) => Some(list.len()),
        _ => None,
    };
    let channels = settings.channels.map(|c| c.get() as usize);
    let setting = if channels.is_some() { "channels" } else { "frequency" };
    match (channels, listed) {
        (_, Some(0)) => Err(SettingError::at("frequency", "the list is empty: give one frequency at least")),
        _ if channels.or(listed).is_some_and(|c| c > MOST_CHANNELS) => {
            Err(SettingError::at(setting, format!("a signal has at most {MOST_CHANNELS} channels here")))
        }
        (Some(channels), Some(listed)) if channels != listed => {
            let message = format!("{listed} frequencies for {channels} channels: give one for all, or one for each");
            Err(SettingError::at("frequency", message))
        }
        _ => Ok(channels.or(listed).unwrap_or(1)),
    }
}

/// One frequency for all channels, or one for each.
fn frequencies(settings: &Settings, rate_hz: f64) -> Result<OneOrMany<f64>, SettingError> {
    let frequencies = settings.frequency.clone().unwrap_or(OneOrMany::One(10.0));
    match frequencies.as_slice().iter().position(|f| !(0.0..=rate_hz / 2.0).contains(f)) {
        Some(at) => {
            let (wrong, half) = (figures(frequencies.as_slice()[at]), figures(rate_hz / 2.0));
            let message = format!("{wrong} Hz is not between 0 and half of the rate, {half} Hz");
            Err(SettingError::at("frequency", message).within(Step::Item(at)))
        }
        None => Ok(frequencies),
    }
}

impl Wave {
    /// Fills `block`, whose first sample has index `first`. The phase follows from the index, so it never drifts.
    fn fill(&self, first: u64, block: &mut [f64]) {
        let (channels, each) = (self.channels, self.cycles_per_sample.as_slice());
        for (n, row) in (first..).zip(block.chunks_exact_mut(channels)) {
            for (channel, (x, cycles)) in row.iter_mut().zip(each.iter().cycle()).enumerate() {
                *x = self.amplitude * (TAU * (n as f64 * cycles).fract()).sin();
                if self.noise > 0.0 {
                    *x += self.noise * gaussian(self.seed, n * channels as u64 + channel as u64);
                }
            }
        }
    }
}

/// A number of the standard normal distribution, by Box and Muller, that follows from the seed and the place alone.
fn gaussian(seed: u64, place: u64) -> f64 {
    let uniform = |bits: u64| ((bits >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    let radius = uniform(splitmix(seed.wrapping_add(2 * place)));
    let angle = uniform(splitmix(seed.wrapping_add(2 * place + 1)));
    (-2.0 * radius.ln()).sqrt() * (TAU * angle).cos()
}

impl Source for Sine {
    fn produce(&mut self, out: &mut Outputs) -> Result<Flow> {
        if let (0, Some(count)) = (self.sent, self.count) {
            out.expect(count);
        }
        if self.count.is_some_and(|count| self.sent >= count) {
            return Ok(Flow::Complete);
        }
        self.samples.send_made(self.block, out, |first, block| self.wave.fill(first, block))?;
        self.sent += 1;
        Ok(Flow::Continue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Capture, Owned};
    use crate::node::testing::Harness;
    use serde_json::{Value, json};

    fn produced(settings: Value) -> Vec<Owned> {
        let mut node = Harness::new(&node_type(), settings).unwrap();
        assert_eq!(node.produce(1000).unwrap(), Flow::Complete);
        node.sent(0)
    }

    fn values(messages: &[Owned]) -> Vec<f64> {
        messages.iter().flat_map(|m| m.tensor().unwrap().to_f64()).collect()
    }

    fn refusal(settings: Value) -> SettingError {
        Harness::new(&node_type(), settings).err().unwrap()
    }

    #[test]
    fn samples_are_those_of_the_formula_across_messages() {
        let settings = json!({ "rate": 100, "frequency": [5, 7], "amplitude": 2, "block": 3, "count": 4 });
        let sent = produced(settings);
        assert_eq!(sent[1].header.capture, Capture::stream_seconds(0.03));
        assert_eq!(sent[1].tensor().unwrap().shape, [3, 2]);
        for (i, x) in values(&sent).into_iter().enumerate() {
            let (n, frequency) = ((i / 2) as f64, [5.0, 7.0][i % 2]);
            assert!((x - 2.0 * (TAU * frequency * n / 100.0).sin()).abs() < 1e-12, "sample {i}");
        }
    }

    #[test]
    fn noise_follows_from_the_seed_alone() {
        let noise = |seed, block| {
            let count = 4000 / block;
            values(&produced(json!({ "amplitude": 0, "noise": 3, "seed": seed, "block": block, "count": count })))
        };
        let drawn = noise(1, 40);
        assert_eq!(drawn, noise(1, 50), "however the samples are cut into messages");
        assert_ne!(drawn, noise(2, 40));
        let mean = drawn.iter().sum::<f64>() / 4000.0;
        let deviation = (drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 4000.0).sqrt();
        assert!(mean.abs() < 0.15 && (deviation - 3.0).abs() < 0.15, "mean {mean}, deviation {deviation}");
    }

    #[test]
    fn realtime_holds_the_source_back() {
        let began = std::time::Instant::now();
        produced(json!({ "rate": 1000, "block": 10, "count": 2, "realtime": true }));
        assert!(began.elapsed().as_millis() >= 20);
    }

    #[test]
    fn a_size_beyond_all_sense_is_refused_and_not_allocated() {
        for channels in [65_537, 300_000_000, 4_000_000_000u64] {
            let error = refusal(json!({ "channels": channels }));
            assert_eq!(error.setting.as_deref(), Some("channels"));
            assert!(error.message.contains("at most 65536 channels"), "{error}");
        }
        let error = refusal(json!({ "block": 4_000_000_000u64 })).to_string();
        assert!(error.contains("a message holds 1 to 16777216 samples, not 4000000000"), "{error}");
        assert!(Harness::new(&node_type(), json!({ "channels": 65_536, "block": 16_777_216 })).is_ok());
    }

    #[test]
    fn frequencies_that_do_not_fit_are_refused() {
        let error = refusal(json!({ "channels": 3, "frequency": [1, 2] }));
        assert_eq!(error.setting.as_deref(), Some("frequency"));
        assert!(error.message.starts_with("2 frequencies for 3 channels"), "{error}");
        assert!(refusal(json!({ "frequency": [] })).message.contains("the list is empty"));
        assert!(refusal(json!({ "rate": 100, "frequency": 51 })).message.contains("half of the rate, 50 Hz"));
        assert!(refusal(json!({ "rate": 0 })).message.contains("0 is not above 0"));
        assert_eq!(refusal(json!({ "noise": -1 })).setting.as_deref(), Some("noise"));
    }
}
