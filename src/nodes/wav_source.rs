//! `wav_source`: the channels of a WAV file as a signal.

use super::support::files;
use super::support::samples::{self, Block, Samples};
use crate::node::{Context, Flow, Labels, NodeType, Outputs, Quantity, Result, Source};
use anyhow::{anyhow, bail};
use hound::{SampleFormat, WavReader};
use schemars::JsonSchema;
use serde::Deserialize;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _};
use std::path::{Path, PathBuf};

pub fn node_type() -> NodeType {
    NodeType::source("wav_source", "Reads a WAV file as a signal; whole numbers are scaled to [-1, 1).")
        .output("out", samples::port())
        .cadence(samples::cadence(Quantity::default(), Quantity::default(), Labels::None))
        .example("{ path: data/speech.wav, block: 1024 }")
        .source_node(|settings: Settings| Ok(WavSource { settings, opened: None }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The file to read, relative to the graph file: 8 to 32 bit whole numbers, or 32 bit floating point. The sampling
    /// rate is the file's.
    #[schemars(length(min = 1))]
    path: PathBuf,
    /// Samples per message, at most 16,777,216; the last message may be shorter. Default: 256.
    #[serde(default)]
    block: Block,
    /// Whether samples come no faster than their rate. Default: false, as fast as the graph accepts them.
    #[serde(default)]
    realtime: bool,
}

struct WavSource {
    settings: Settings,
    opened: Option<Opened>,
}

struct Opened {
    path: PathBuf,
    reader: WavReader<BufReader<File>>,
    samples: Samples,
    read: u64,
    block: Vec<f64>,
}

impl Source for WavSource {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        let (file, path) = files::open(context, &self.settings.path)?;
        let metadata = file.metadata()?;
        let reader = WavReader::new(files::buffered(file)).map_err(|e| match e {
            hound::Error::Unsupported => {
                anyhow!("{} is of a kind of WAV that is not supported: convert it to 16 bit PCM", path.display())
            }
            hound::Error::IoError(e) if e.raw_os_error().is_none() => {
                anyhow!("{} is no complete WAV file: it ends within its header ({e})", path.display())
            }
            e => anyhow!("{} is no WAV file that can be read: {e}", path.display()),
        })?;
        let reader = match reader.duration() {
            0 if metadata.is_file() => finished(reader, metadata.len(), &path)?,
            _ => reader,
        };
        let spec = reader.spec();
        if spec.sample_rate == 0 {
            bail!("{} is no WAV file that can be read: its sampling rate is 0", path.display());
        }
        let samples = Samples::new(spec.sample_rate.into(), spec.channels.into(), self.settings.realtime);
        self.opened = Some(Opened { path, reader, samples, read: 0, block: Vec::new() });
        Ok(())
    }

    fn produce(&mut self, out: &mut Outputs) -> Result<Flow> {
        let Some(opened) = &mut self.opened else { bail!("the file is not open") };
        if opened.read == 0 {
            out.expect(u64::from(opened.reader.duration()).div_ceil(self.settings.block.get() as u64));
        }
        let outcome = opened.read_block(self.settings.block.get());
        // Samples before a fault are good: they are sent before it is told.
        opened.samples.send(&opened.block, out)?;
        opened.read += (opened.block.len() / opened.samples.channels()) as u64;
        outcome.map_err(|e| opened.cut_short(&e))?;
        Ok(if opened.block.is_empty() { Flow::Complete } else { Flow::Continue })
    }
}

/// The reader of a file that holds no samples, unless bytes that are no further chunk follow where they would be.
fn finished(reader: WavReader<BufReader<File>>, len: u64, path: &Path) -> Result<WavReader<BufReader<File>>> {
    let mut file = reader.into_inner();
    let left = len.saturating_sub(file.stream_position()?);
    let mut next = Vec::new();
    file.by_ref().take(8).read_to_end(&mut next)?;
    let is_chunk = next.len() == 8 && next[..4].iter().all(|b| (b' '..=b'~').contains(b));
    if left > 1 && !is_chunk {
        bail!(
            "{} was never finished: its header tells of no samples, but {left} bytes follow; have the program that \
             wrote it repair it, or write it anew",
            path.display()
        );
    }
    file.rewind()?;
    Ok(WavReader::new(file)?)
}

impl Opened {
    /// Reads up to `samples` whole samples into `block`; none at the end of the file.
    fn read_block(&mut self, samples: usize) -> hound::Result<()> {
        self.block.clear();
        let spec = self.reader.spec();
        let wanted = samples.saturating_mul(self.samples.channels());
        let outcome = match spec.sample_format {
            SampleFormat::Float => fill(&mut self.block, self.reader.samples::<f32>().take(wanted), f64::from),
            SampleFormat::Int => {
                let scale = 0.5f64.powi(i32::from(spec.bits_per_sample) - 1);
                fill(&mut self.block, self.reader.samples::<i32>().take(wanted), |x| f64::from(x) * scale)
            }
        };
        self.block.truncate(self.block.len() / self.samples.channels() * self.samples.channels());
        outcome
    }

    fn cut_short(&self, error: &hound::Error) -> anyhow::Error {
        let (path, read, whole) = (self.path.display(), self.read, self.reader.duration());
        match error {
            hound::Error::IoError(_) => {
                anyhow!("{path} is truncated: it ends after {read} of {whole} samples per channel")
            }
            other => anyhow!("cannot read {path} after {read} of {whole} samples per channel: {other}"),
        }
    }
}

fn fill<T>(
    block: &mut Vec<f64>,
    samples: impl Iterator<Item = hound::Result<T>>,
    scaled: impl Fn(T) -> f64,
) -> hound::Result<()> {
    for sample in samples {
        block.push(scaled(sample?));
    }
    Ok(())
}
