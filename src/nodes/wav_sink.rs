//! `wav_sink`: a signal to a WAV file.

use super::support::files::OutFile;
use crate::message::{DType, Received, TensorSpec};
use crate::node::{Context, Flow, InputId, Node, NodeType, Outputs, PortType, Result, SettingError, figures};
use anyhow::{Context as _, bail, ensure};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// What a WAV file can hold, in bytes: its lengths have 32 bits.
const LONGEST_BYTES: u64 = u32::MAX as u64;

pub fn node_type() -> NodeType {
    NodeType::sink("wav_sink", "Writes a signal to a WAV file.")
        .input("in", PortType::signal())
        .records()
        .example("{ path: out/recording.wav, format: i16 }")
        .node(|settings: Settings| Ok(WavSink { settings, file: OutFile::default(), layout: None }))
        .fits(|settings: Settings, signal| {
            signal.rate_hz.map_or(Ok(()), |rate_hz| whole_rate(rate_hz).map(drop))?;
            signal.channels.map_or(Ok(()), |channels| settings.format.channels(channels).map(drop))
        })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The file to write, relative to the graph file. Its folder is made where it is missing; a file that is there is
    /// replaced.
    #[schemars(length(min = 1))]
    path: PathBuf,
    /// How samples are stored. Default: f32.
    #[serde(default)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// 32 bit floating point: every value is kept, rounded to 7 digits.
    #[default]
    F32,
    /// 16 bit whole numbers: -1 to 1 is the full range, what lies outside is clipped.
    I16,
}

struct WavSink {
    settings: Settings,
    file: OutFile,
    layout: Option<Layout>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Layout {
    format: Format,
    rate_hz: u32,
    channels: u16,
}

impl Node for WavSink {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        self.file = OutFile::create(context, &self.settings.path)?;
        Ok(())
    }

    fn process(&mut self, _: InputId, message: Received<'_>, _: &mut Outputs) -> Result<Flow> {
        let tensor = message.tensor()?;
        let layout = Layout::of(tensor.spec, self.settings.format)?;
        match self.layout {
            None => self.begin(layout),
            Some(begun) => ensure!(
                begun == layout,
                "the signal has changed from {} channels at {} Hz to {} at {} Hz: a WAV file holds one kind only",
                begun.channels,
                begun.rate_hz,
                layout.channels,
                layout.rate_hz
            ),
        }
        let samples = tensor.to_f64();
        let grown = self.file.len_bytes() + (samples.len() * layout.format.bytes()) as u64;
        ensure!(grown <= LONGEST_BYTES, "a WAV file ends at 4 GiB: use npy_sink for a recording this long");
        let pending = self.file.pending();
        for x in samples {
            match layout.format {
                Format::F32 => pending.extend_from_slice(&(x as f32).to_le_bytes()),
                Format::I16 => pending.extend_from_slice(&((x * 32768.0).round() as i16).to_le_bytes()),
            }
        }
        self.file.wrote()?;
        Ok(Flow::Continue)
    }

    fn stop(&mut self, _: &mut Outputs) -> Result<()> {
        if self.layout.is_none() {
            // Nothing came, so nothing is known of it; still the file is one that opens.
            self.begin(Layout { format: self.settings.format, rate_hz: 1, channels: 1 });
        }
        self.file.flush()
    }
}

impl WavSink {
    fn begin(&mut self, layout: Layout) {
        self.layout = Some(layout);
        self.file.begin_with(move |file_bytes| layout.header(file_bytes));
    }
}

impl Layout {
    fn of(spec: &TensorSpec, format: Format) -> Result<Self> {
        let [time, channel] = &spec.dims[..] else { bail!("{spec} is no signal: f64[time, channel] is") };
        if !matches!(spec.dtype, DType::F32 | DType::F64) {
            bail!("a signal of {} is not written: only f32 and f64 are", spec.dtype);
        }
        let rate_hz = spec.rate_hz().with_context(|| format!("the dimension {} has no sampling rate", time.name))?;
        let channels = format.channels(channel.len.unwrap_or(0))?;
        Ok(Layout { format, rate_hz: whole_rate(rate_hz)?, channels })
    }

    /// The header of a file that is `file_bytes` long with it.
    fn header(self, file_bytes: u64) -> Vec<u8> {
        let bytes = self.format.bytes() as u16;
        let frame_bytes = self.channels * bytes;
        let (tag, extra): (u16, &[u8]) = match self.format {
            Format::I16 => (1, &[]),
            // No extension; then the chunk that floating point asks for, the number of samples in each channel.
            Format::F32 => (3, b"\0\0fact\x04\0\0\0????"),
        };
        let format_bytes: u32 = if extra.is_empty() { 16 } else { 18 };
        let header_bytes = 12 + 8 + 16 + extra.len() as u64 + 8;
        let data_bytes = file_bytes.saturating_sub(header_bytes) as u32;
        let riff_bytes = data_bytes + header_bytes as u32 - 8;
        let mut header = Vec::with_capacity(header_bytes as usize);
        header.extend_from_slice(b"RIFF");
        header.extend_from_slice(&riff_bytes.to_le_bytes());
        header.extend_from_slice(b"WAVEfmt ");
        header.extend_from_slice(&format_bytes.to_le_bytes());
        header.extend_from_slice(&tag.to_le_bytes());
        header.extend_from_slice(&self.channels.to_le_bytes());
        header.extend_from_slice(&self.rate_hz.to_le_bytes());
        header.extend_from_slice(&self.rate_hz.saturating_mul(frame_bytes.into()).to_le_bytes());
        header.extend_from_slice(&frame_bytes.to_le_bytes());
        header.extend_from_slice(&(bytes * 8).to_le_bytes());
        if let Some((before, _)) = extra.split_last_chunk::<4>() {
            header.extend_from_slice(before);
            header.extend_from_slice(&(data_bytes / u32::from(frame_bytes)).to_le_bytes());
        }
        header.extend_from_slice(b"data");
        header.extend_from_slice(&data_bytes.to_le_bytes());
        header
    }
}

/// The rate as the header has it.
fn whole_rate(rate_hz: f64) -> Result<u32, SettingError> {
    let whole = rate_hz.round();
    if (rate_hz - whole).abs() > 1e-6 * rate_hz || !(1.0..=f64::from(u32::MAX)).contains(&whole) {
        let shown = figures(rate_hz);
        let message =
            format!("a WAV file has a whole number for its rate, not {shown} Hz: `resample` it, or use `npy_sink`");
        return Err(SettingError::of_all(message));
    }
    Ok(whole as u32)
}

impl Format {
    /// So many channels as the header has them.
    fn channels(self, channels: u64) -> Result<u16, SettingError> {
        let most = u16::MAX / self.bytes() as u16;
        u16::try_from(channels).ok().filter(|channels| (1..=most).contains(channels)).ok_or_else(|| {
            let message = format!("a WAV file holds 1 to {most} channels of these samples, not {channels}");
            SettingError::of_all(message)
        })
    }

    fn bytes(self) -> usize {
        match self {
            Format::F32 => 4,
            Format::I16 => 2,
        }
    }
}
