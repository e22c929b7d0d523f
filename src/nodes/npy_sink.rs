//! `npy_sink`: tensors to a file that NumPy loads.

use super::support::files::OutFile;
use crate::message::{DType, Received, TensorSpec};
use crate::node::{Context, Flow, InputId, Node, NodeType, Outputs, PortType, Result};
use anyhow::ensure;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

pub fn node_type() -> NodeType {
    NodeType::sink("npy_sink", "Writes tensors to one array in a file that NumPy loads.")
        .input("in", PortType::tensor())
        .uniform()
        .records()
        .example("{ path: out/recording.npy }")
        .node(|settings: Settings| Ok(NpySink { path: settings.path, file: OutFile::default(), layout: None }))
}

/// Blocks of samples, whose first dimension has no fixed length, are joined along it. Tensors of a fixed shape, such as
/// `[band, channel]`, are stacked: the array gets one more dimension in front, which counts messages.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The file to write, relative to the graph file. Its folder is made where it is missing; a file that is there is
    /// replaced.
    #[schemars(length(min = 1))]
    path: PathBuf,
}

struct NpySink {
    path: PathBuf,
    file: OutFile,
    layout: Option<Layout>,
}

/// The element type, and the shape of what is appended along the first dimension.
#[derive(Clone, Debug, PartialEq)]
struct Layout {
    dtype: DType,
    row: Vec<u64>,
}

impl Node for NpySink {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        self.file = OutFile::create(context, &self.path)?;
        Ok(())
    }

    fn process(&mut self, _: InputId, message: Received<'_>, _: &mut Outputs) -> Result<Flow> {
        let layout = Layout::of(message.tensor()?.spec);
        match &self.layout {
            None => self.begin(layout),
            Some(begun) => ensure!(
                *begun == layout,
                "the messages have changed from {begun} to {layout}: one array holds one kind only"
            ),
        }
        self.file.pending().extend_from_slice(message.bytes());
        self.file.wrote()?;
        Ok(Flow::Continue)
    }

    fn stop(&mut self, _: &mut Outputs) -> Result<()> {
        if self.layout.is_none() {
            self.begin(Layout { dtype: DType::F64, row: Vec::new() });
        }
        self.file.flush()
    }
}

impl NpySink {
    fn begin(&mut self, layout: Layout) {
        self.layout = Some(layout.clone());
        let header_bytes = layout.header(u64::MAX, 0).len();
        let row_bytes = layout.row.iter().product::<u64>() * layout.dtype.bytes() as u64;
        self.file.begin_with(move |file_bytes| {
            let data_bytes = file_bytes.saturating_sub(header_bytes as u64);
            layout.header(data_bytes.checked_div(row_bytes).unwrap_or(0), header_bytes)
        });
    }
}

impl Layout {
    fn of(spec: &TensorSpec) -> Self {
        let joined = spec.dims.first().is_some_and(|dim| dim.len.is_none());
        let row = spec.dims.iter().skip(usize::from(joined)).map(|dim| dim.len.unwrap_or(0)).collect();
        Layout { dtype: spec.dtype, row }
    }

    /// The header of version 1.0 for `rows` rows, as long as `header_bytes` or, for alignment, a little longer.
    fn header(&self, rows: u64, header_bytes: usize) -> Vec<u8> {
        let row: String = self.row.iter().map(|len| format!(" {len},")).collect();
        let description = self.description();
        let mut text =
            format!("{{'descr': '{description}', 'fortran_order': False, 'shape': ({rows},{row}), }}").into_bytes();
        // Magic, version and length take 10 bytes; the text ends with a line end; the data is aligned to 64.
        let whole = header_bytes.max((10 + text.len() + 1).next_multiple_of(64));
        text.resize(whole - 11, b' ');
        text.push(b'\n');
        let length = (text.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00".as_slice(), &length, &text].concat()
    }

    /// The element type as NumPy writes it.
    fn description(&self) -> String {
        let kind = match self.dtype {
            DType::U8 | DType::U16 | DType::U32 | DType::U64 => 'u',
            DType::I8 | DType::I16 | DType::I32 | DType::I64 => 'i',
            DType::F32 | DType::F64 => 'f',
        };
        let bytes = self.dtype.bytes();
        format!("{}{kind}{bytes}", if bytes == 1 { '|' } else { '<' })
    }
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in rows of {:?}", self.dtype, self.row)
    }
}
