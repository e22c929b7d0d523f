//! What describes a payload. A stream's metadata rarely changes, so it is shared and versioned, not sent anew.

use super::record::RecordSpec;
use bincode::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Describes the payload of the messages that carry it.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Metadata {
    /// What the bytes are.
    pub payload: Payload,
    /// Anything else that is worth saying, such as `unit: mV`.
    pub attributes: BTreeMap<String, String>,
}

/// What the bytes of a payload are.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub enum Payload {
    /// Bytes that only their maker understands.
    #[default]
    Bytes,
    /// A row-major array of numbers.
    Tensor(TensorSpec),
    /// Fields with names, encoded with bincode one after the other.
    Record(RecordSpec),
}

/// A row-major array: its element type and its dimensions, outermost first.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct TensorSpec {
    /// Element type.
    pub dtype: DType,
    /// Dimensions, outermost first. Only the first may have no fixed length: it fills the payload.
    pub dims: Vec<Dim>,
}

/// One dimension of a tensor.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Dim {
    /// Name, such as `time`, `channel` or `frequency`.
    pub name: String,
    /// Length; `None` where it follows from the payload's length (first dimension only).
    pub len: Option<u64>,
    /// What the positions along it mean.
    pub axis: Axis,
}

/// What the positions along a dimension mean.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub enum Axis {
    /// Just an index.
    #[default]
    Index,
    /// `start + i * step`, in `unit`. A time axis starts at 0, at the message's capture time; its step is 1 / rate.
    Linear {
        /// Value at index 0.
        start: f64,
        /// Distance between neighbours.
        step: f64,
        /// Unit, such as `s` or `Hz`.
        unit: String,
    },
    /// A name for each position, such as channel labels.
    Labels(Vec<String>),
}

/// Element type of a tensor, named as NumPy names it, little endian.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum DType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

impl Metadata {
    /// Metadata of a payload of plain bytes.
    #[must_use]
    pub fn bytes() -> Self {
        Metadata::default()
    }

    /// Metadata of a tensor.
    #[must_use]
    pub fn tensor(spec: TensorSpec) -> Self {
        Metadata { payload: Payload::Tensor(spec), attributes: BTreeMap::new() }
    }

    /// Metadata of a record.
    #[must_use]
    pub fn record(spec: RecordSpec) -> Self {
        Metadata { payload: Payload::Record(spec), attributes: BTreeMap::new() }
    }

    /// The tensor's description, where the payload is one.
    #[must_use]
    pub fn tensor_spec(&self) -> Option<&TensorSpec> {
        match &self.payload {
            Payload::Tensor(spec) => Some(spec),
            _ => None,
        }
    }

    /// The same with one attribute set.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.attributes.insert(key.to_owned(), value.to_owned());
        self
    }
}

impl TensorSpec {
    /// A tensor without dimensions yet; add them with [`TensorSpec::dim`], outermost first.
    #[must_use]
    pub fn new(dtype: DType) -> Self {
        TensorSpec { dtype, dims: Vec::new() }
    }

    /// A block of samples, `[time, channel]`: any number of samples at `rate_hz`, `channels` wide.
    #[must_use]
    pub fn signal(dtype: DType, rate_hz: f64, channels: usize) -> Self {
        TensorSpec { dtype, dims: vec![Dim::time(rate_hz), Dim::new("channel", channels)] }
    }

    /// The same with one more dimension, innermost so far.
    #[must_use]
    pub fn dim(mut self, dim: Dim) -> Self {
        self.dims.push(dim);
        self
    }

    /// Sampling rate in Hz, from the step of the time axis.
    #[must_use]
    pub fn rate_hz(&self) -> Option<f64> {
        self.dims.iter().find_map(|dim| match &dim.axis {
            Axis::Linear { step, .. } if dim.name == "time" && *step > 0.0 => Some(1.0 / step),
            _ => None,
        })
    }

    /// Elements in all dimensions but the first; the highest number where there are more.
    #[must_use]
    pub fn row_elements(&self) -> usize {
        let lengths = self.dims.iter().skip(1).map(|d| d.len.unwrap_or(0) as usize);
        lengths.fold(1, usize::saturating_mul)
    }

    /// The shape of a payload of `payload_bytes`, or nothing if it does not fit.
    #[must_use]
    pub fn shape(&self, payload_bytes: usize) -> Option<Vec<usize>> {
        let row_bytes = self.row_elements().checked_mul(self.dtype.bytes())?;
        let Some(first) = self.dims.first() else {
            return (payload_bytes == self.dtype.bytes()).then(Vec::new);
        };
        let rows = match first.len {
            Some(len) => len as usize,
            None if row_bytes == 0 => 0,
            None => payload_bytes / row_bytes,
        };
        let inner = self.dims.iter().skip(1).map(|d| d.len.unwrap_or(0) as usize);
        (rows.checked_mul(row_bytes)? == payload_bytes).then(|| std::iter::once(rows).chain(inner).collect())
    }
}

impl Dim {
    /// A dimension of `len` positions without meaning beyond their index.
    #[must_use]
    pub fn new(name: &str, len: usize) -> Self {
        Dim { name: name.to_owned(), len: Some(len as u64), axis: Axis::Index }
    }

    /// The time dimension of a block of any length, sampled at `rate_hz`.
    #[must_use]
    pub fn time(rate_hz: f64) -> Self {
        let axis = Axis::Linear { start: 0.0, step: 1.0 / rate_hz, unit: "s".to_owned() };
        Dim { name: "time".to_owned(), len: None, axis }
    }

    /// The same with `axis`.
    #[must_use]
    pub fn axis(mut self, axis: Axis) -> Self {
        self.axis = axis;
        self
    }
}

impl DType {
    /// Size of one element in bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            DType::U8 | DType::I8 => 1,
            DType::U16 | DType::I16 => 2,
            DType::U32 | DType::I32 | DType::F32 => 4,
            DType::U64 | DType::I64 | DType::F64 => 8,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = format!("{self:?}").to_lowercase();
        f.pad(&name)
    }
}

impl fmt::Display for TensorSpec {
    /// As in `f64[time, channel=2]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[", self.dtype)?;
        for (i, dim) in self.dims.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            match dim.len {
                Some(len) => write!(f, "{comma}{}={len}", dim.name)?,
                None => write!(f, "{comma}{}", dim.name)?,
            }
        }
        f.write_str("]")
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Payload::Bytes => f.write_str("bytes"),
            Payload::Tensor(spec) => write!(f, "a tensor {spec}"),
            Payload::Record(spec) => write!(f, "a record {}", spec.name),
        }
    }
}
