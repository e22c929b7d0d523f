//! `npy_source`: an array that NumPy saved, as a signal.

use super::support::files;
use super::support::samples::{self, Block, Samples};
use crate::node::settings::Positive;
use crate::node::{Context, Flow, Labels, NodeType, Outputs, Quantity, Result, Source};
use anyhow::{anyhow, bail, ensure};
use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};
use schemars::JsonSchema;
use serde::Deserialize;
use std::fs::File;
use std::io::Seek as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

pub fn node_type() -> NodeType {
    NodeType::source("npy_source", "Reads an array that NumPy saved as a signal: `[time]` or `[time, channel]`.")
        .output("out", samples::port())
        .cadence(samples::cadence(Quantity::of("rate").or(1.0), Quantity::default(), Labels::None))
        .example("{ path: data/recording.npy, rate: 250 }")
        .source_node(|settings: Settings| Ok(NpySource { settings, opened: None }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The file to read, relative to the graph file: one dimension (time) or two (time, channel) of whole numbers, or
    /// of floating-point numbers of 32 or 64 bits.
    #[schemars(length(min = 1))]
    path: PathBuf,
    /// Sampling rate in Hz. Default: 1, so that times count samples.
    rate: Option<Positive>,
    /// Samples per message, at most 16,777,216; the last message may be shorter. Default: 256.
    #[serde(default)]
    block: Block,
    /// Whether samples come no faster than their rate. Default: false, as fast as the graph accepts them.
    #[serde(default)]
    realtime: bool,
}

struct NpySource {
    settings: Settings,
    opened: Option<(Array, Samples)>,
}

/// An array in a file, of which `next` rows were read.
struct Array {
    file: File,
    path: PathBuf,
    data_start: u64,
    number: Number,
    order: Order,
    rows: u64,
    channels: u64,
    next: u64,
    bytes: Vec<u8>,
}

/// How a number lies in the file.
#[derive(Clone, Copy)]
struct Number {
    kind: Kind,
    bytes: usize,
    big_endian: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Int,
    Uint,
    Float,
}

impl Source for NpySource {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        let (file, path) = files::open(context, &self.settings.path)?;
        let array = Array::open(file, path)?;
        let rate_hz = self.settings.rate.map_or(1.0, Positive::get);
        let samples = Samples::new(rate_hz, array.channels as usize, self.settings.realtime);
        self.opened = Some((array, samples));
        Ok(())
    }

    fn produce(&mut self, out: &mut Outputs) -> Result<Flow> {
        let Some((array, samples)) = &mut self.opened else { bail!("the file is not open") };
        let block = self.settings.block.get() as u64;
        if array.next == 0 {
            out.expect(array.rows.div_ceil(block));
        }
        let rows = block.min(array.rows - array.next) as usize;
        if rows == 0 {
            return Ok(Flow::Complete);
        }
        let numbers = array.read(rows)?;
        samples.send(&numbers, out)?;
        Ok(Flow::Continue)
    }
}

impl Array {
    fn open(mut file: File, path: PathBuf) -> Result<Self> {
        let shown = path.display();
        let metadata = file.metadata()?;
        ensure!(metadata.is_file(), "{shown} is no plain file: an array is read from its header on, and at its length");
        let header = NpyHeader::from_reader(&mut file).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => anyhow!("{shown} is no complete NPY file: it ends within its header"),
            _ => anyhow!("{shown} is no NPY file: {e}"),
        })?;
        let (rows, channels) = match *header.shape() {
            [rows] => (rows, 1),
            [rows, channels] if channels > 0 => (rows, channels),
            ref shape => bail!("{shown} has the shape {shape:?}: one dimension (time) or two (time, channel) are read"),
        };
        let number = number_of(&header.dtype(), &path)?;
        let data_start = file.stream_position()?;
        let there = metadata.len().saturating_sub(data_start);
        let wanted = rows.checked_mul(channels).and_then(|n| n.checked_mul(number.bytes as u64));
        match wanted {
            Some(wanted) if wanted <= there => {}
            _ => bail!(
                "{shown} is truncated: its header tells of {rows} x {channels} numbers of {} bytes, but only \
                       {there} bytes follow",
                number.bytes
            ),
        }
        let order = header.order();
        Ok(Array { file, path, data_start, number, order, rows, channels, next: 0, bytes: Vec::new() })
    }

    /// The numbers of the next `rows` rows, row by row.
    fn read(&mut self, rows: usize) -> Result<Vec<f64>> {
        let channels = self.channels as usize;
        let mut numbers = vec![0.0; rows * channels];
        match self.order {
            Order::C => self.read_run(self.next * self.channels, &mut numbers, 1)?,
            Order::Fortran => {
                for channel in 0..channels {
                    self.read_run(channel as u64 * self.rows + self.next, &mut numbers[channel..], channels)?;
                }
            }
        }
        self.next += rows as u64;
        Ok(numbers)
    }

    /// Reads numbers that follow each other in the file, from number `first` on, into every `step`-th of `numbers`.
    fn read_run(&mut self, first: u64, numbers: &mut [f64], step: usize) -> Result<()> {
        let number = self.number;
        self.bytes.resize(numbers.len().div_ceil(step) * number.bytes, 0);
        let at = self.data_start + first * number.bytes as u64;
        self.file
            .read_exact_at(&mut self.bytes, at)
            .map_err(|e| anyhow!("cannot read {}: {e}", self.path.display()))?;
        for (x, bytes) in numbers.iter_mut().step_by(step).zip(self.bytes.chunks_exact(number.bytes)) {
            *x = number.read(bytes);
        }
        Ok(())
    }
}

/// How the numbers of this type lie in the file.
fn number_of(dtype: &DType, path: &Path) -> Result<Number> {
    let refused = || {
        let (path, found) = (path.display(), dtype.descr());
        anyhow!("{path} holds {found}: only whole numbers and floating-point numbers of 32 or 64 bits are read")
    };
    let DType::Plain(plain) = dtype else { return Err(refused()) };
    let kind = match (plain.type_char(), plain.size_field()) {
        (TypeChar::Int, 1 | 2 | 4 | 8) => Kind::Int,
        (TypeChar::Uint, 1 | 2 | 4 | 8) => Kind::Uint,
        (TypeChar::Float, 4 | 8) => Kind::Float,
        _ => return Err(refused()),
    };
    Ok(Number { kind, bytes: plain.size_field() as usize, big_endian: plain.endianness() == Endianness::Big })
}

impl Number {
    fn read(self, bytes: &[u8]) -> f64 {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        if self.big_endian {
            word[..bytes.len()].reverse();
        }
        let bits = u64::from_le_bytes(word);
        match self.kind {
            Kind::Float if self.bytes == 4 => f64::from(f32::from_bits(bits as u32)),
            Kind::Float => f64::from_bits(bits),
            Kind::Uint => bits as f64,
            Kind::Int => {
                let unused = 64 - 8 * self.bytes as u32;
                (((bits << unused) as i64) >> unused) as f64
            }
        }
    }
}
