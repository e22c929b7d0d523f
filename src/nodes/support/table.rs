//! Tensors and records as rows of text: what `csv_sink`, `stdout` and `command` write.
//!
//! The last dimension of a tensor runs across the columns; every other one runs down the rows and has a column of its
//! own, which holds the label, the value or the index of the position. A sampled time dimension is no such column: it
//! goes into `time_s`, and never across.

use crate::message::{Axis, DType, Dim, DynRecord, FieldValue, Metadata, Payload, Received, RecordSpec, TensorSpec};
use crate::node::Result;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

/// The tables of a stream of messages: made anew only when the metadata changes.
#[derive(Debug)]
pub struct Tables {
    time: Option<bool>,
    current: Option<(Arc<Metadata>, Table)>,
}

/// How the messages with one description become rows.
#[derive(Debug)]
pub struct Table {
    columns: Vec<String>,
    layout: Layout,
    time: bool,
}

#[derive(Debug)]
enum Layout {
    Record(RecordSpec),
    Tensor {
        spec: TensorSpec,
        /// How many dimensions run down the rows.
        down: usize,
    },
}

/// A cell of a row.
#[derive(Clone, Debug)]
pub enum Cell<'a> {
    /// Seconds, kept as nanoseconds.
    Time(i64),
    /// A floating-point number.
    F64(f64),
    /// A floating-point number of single precision.
    F32(f32),
    /// A whole number.
    I64(i64),
    /// A whole number.
    U64(u64),
    /// True or false.
    Bool(bool),
    /// Text.
    Text(&'a str),
    /// Several numbers in one cell.
    Numbers(&'a [f64]),
}

impl Tables {
    /// `time`: whether there is a `time_s` column; where unsaid, tensors have one and records do not.
    #[must_use]
    pub fn new(time: Option<bool>) -> Self {
        Tables { time, current: None }
    }

    /// The table of `message`, and whether its columns are others than those of the message before.
    ///
    /// # Errors
    /// Where the message is plain bytes.
    pub fn of(&mut self, message: &Received<'_>) -> Result<(&Table, bool)> {
        let metadata = message.metadata();
        let known = self.current.as_ref().is_some_and(|(m, _)| Arc::ptr_eq(m, metadata));
        let before = if known { None } else { self.current.take() };
        let changed = match (&before, known) {
            (_, true) => false,
            (None, false) => true,
            (Some((_, before)), false) => before.columns != Table::of(metadata, self.time)?.columns,
        };
        if !known {
            self.current = Some((Arc::clone(metadata), Table::of(metadata, self.time)?));
        }
        let (_, table) = self.current.as_ref().expect("it was set above");
        Ok((table, changed))
    }
}

impl Table {
    fn of(metadata: &Metadata, time: Option<bool>) -> Result<Self> {
        match &metadata.payload {
            Payload::Bytes => anyhow::bail!(
                "plain bytes are no table, only tensors and records have rows: write bytes with `file_sink`"
            ),
            Payload::Record(spec) => Ok(Table::of_record(spec, time.unwrap_or(false))),
            Payload::Tensor(spec) => Ok(Table::of_tensor(spec, time.unwrap_or(true))),
        }
    }

    fn of_record(spec: &RecordSpec, time: bool) -> Self {
        let time = time && spec.fields.iter().all(|field| field.name != "time_s");
        let names = spec.fields.iter().map(|field| field.name.clone());
        Table { columns: time_column(time).chain(names).collect(), layout: Layout::Record(spec.clone()), time }
    }

    fn of_tensor(spec: &TensorSpec, time: bool) -> Self {
        let across = spec.dims.last().filter(|dim| time_step(dim).is_none() && dim.len.is_some());
        let down = spec.dims.len() - usize::from(across.is_some());
        let leading = spec.dims[..down].iter().filter(|dim| time_step(dim).is_none()).map(column_name);
        let values = across.map_or_else(|| vec!["value".to_owned()], position_names);
        let columns = time_column(time).chain(leading).chain(values).collect();
        Table { columns, layout: Layout::Tensor { spec: spec.clone(), down }, time }
    }

    /// The names of the columns.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Calls `row` with the cells of each row of `message`.
    ///
    /// # Errors
    /// Where the payload does not fit its description.
    pub fn rows(&self, message: &Received<'_>, mut row: impl FnMut(&[Cell<'_>])) -> Result<()> {
        let capture_ns = message.header().capture.ns;
        match &self.layout {
            Layout::Record(spec) => {
                let record = DynRecord::decode(spec, message.bytes())?;
                let time = self.time.then_some(Cell::Time(capture_ns));
                let cells: Vec<_> = time.into_iter().chain(record.fields.iter().map(|(_, v)| field_cell(v))).collect();
                row(&cells);
            }
            Layout::Tensor { spec, down } => {
                let shape = message.tensor()?.shape;
                let across: usize = shape[*down..].iter().product();
                let mut cells = Vec::with_capacity(self.columns.len());
                for (index, values) in row_bytes(message.bytes(), across, spec.dtype).enumerate() {
                    cells.clear();
                    let place = unravel(index, &shape[..*down]);
                    if self.time {
                        cells.push(Cell::Time(capture_ns + offset_ns(&spec.dims, &place)));
                    }
                    let leading = spec.dims.iter().zip(&place).filter(|(dim, _)| time_step(dim).is_none());
                    cells.extend(leading.map(|(dim, &at)| position_cell(dim, at)));
                    cells.extend(values.chunks_exact(spec.dtype.bytes()).map(|bytes| element(spec.dtype, bytes)));
                    row(&cells);
                }
            }
        }
        Ok(())
    }

    /// Appends the row of column names as CSV.
    pub fn csv_header(&self, text: &mut Vec<u8>) {
        let cells: Vec<_> = self.columns.iter().map(|name| Cell::Text(name)).collect();
        csv_row(&cells, text);
    }

    /// Appends the rows of `message` as CSV.
    ///
    /// # Errors
    /// As [`Table::rows`].
    pub fn csv_rows(&self, message: &Received<'_>, text: &mut Vec<u8>) -> Result<()> {
        self.rows(message, |cells| csv_row(cells, text))
    }

    /// Appends the rows of `message` as JSON, one object to a line.
    ///
    /// # Errors
    /// As [`Table::rows`].
    pub fn json_rows(&self, message: &Received<'_>, text: &mut Vec<u8>) -> Result<()> {
        self.rows(message, |cells| {
            let fields = self.columns.iter().cloned().zip(cells.iter().map(Cell::to_json));
            let object: serde_json::Map<_, _> = fields.collect();
            text.extend_from_slice(serde_json::Value::Object(object).to_string().as_bytes());
            text.push(b'\n');
        })
    }
}

impl Cell<'_> {
    fn write(&self, text: &mut Vec<u8>) {
        let written = match self {
            Cell::Time(ns) => write_seconds(*ns, text),
            Cell::F64(x) if is_plain(*x) => write!(text, "{x}"),
            Cell::F64(x) => write!(text, "{x:e}"),
            Cell::F32(x) if is_plain(f64::from(*x)) => write!(text, "{x}"),
            Cell::F32(x) => write!(text, "{x:e}"),
            Cell::I64(x) => write!(text, "{x}"),
            Cell::U64(x) => write!(text, "{x}"),
            Cell::Bool(x) => write!(text, "{x}"),
            Cell::Text(x) => write_quoted(x, text),
            Cell::Numbers(list) => {
                for (i, x) in list.iter().enumerate() {
                    if i > 0 {
                        text.push(b' ');
                    }
                    Cell::F64(*x).write(text);
                }
                Ok(())
            }
        };
        written.expect("a Vec takes everything");
    }

    fn to_json(&self) -> serde_json::Value {
        match self {
            Cell::Time(ns) => (*ns as f64 / 1e9).into(),
            Cell::F64(x) => (*x).into(),
            Cell::F32(x) => (*x).into(),
            Cell::I64(x) => (*x).into(),
            Cell::U64(x) => (*x).into(),
            Cell::Bool(x) => (*x).into(),
            Cell::Text(x) => (*x).into(),
            Cell::Numbers(list) => list.to_vec().into(),
        }
    }
}

/// Whether a number is read best without an exponent.
fn is_plain(x: f64) -> bool {
    x == 0.0 || !x.is_finite() || (1e-5..1e16).contains(&x.abs())
}

fn csv_row(cells: &[Cell<'_>], text: &mut Vec<u8>) {
    for (i, cell) in cells.iter().enumerate() {
        if i > 0 {
            text.push(b',');
        }
        cell.write(text);
    }
    text.push(b'\n');
}

/// Seconds with as many decimals as they need, nine at most.
fn write_seconds(ns: i64, text: &mut Vec<u8>) -> std::io::Result<()> {
    let (whole, rest) = (ns.unsigned_abs() / 1_000_000_000, ns.unsigned_abs() % 1_000_000_000);
    write!(text, "{}{whole}", if ns < 0 { "-" } else { "" })?;
    if rest > 0 {
        let decimals = format!("{rest:09}");
        write!(text, ".{}", decimals.trim_end_matches('0'))?;
    }
    Ok(())
}

fn write_quoted(cell: &str, text: &mut Vec<u8>) -> std::io::Result<()> {
    if cell.contains([',', '"', '\n', '\r']) {
        return write!(text, "\"{}\"", cell.replace('"', "\"\""));
    }
    text.write_all(cell.as_bytes())
}

fn time_column(time: bool) -> impl Iterator<Item = String> {
    time.then(|| "time_s".to_owned()).into_iter()
}

/// Seconds between neighbours, where `dim` is a sampled time.
fn time_step(dim: &Dim) -> Option<f64> {
    match &dim.axis {
        Axis::Linear { step, .. } if dim.name == "time" => Some(*step),
        _ => None,
    }
}

fn column_name(dim: &Dim) -> String {
    match &dim.axis {
        Axis::Linear { unit, .. } if !unit.is_empty() => format!("{}_{}", dim.name, unit.to_lowercase()),
        _ => dim.name.clone(),
    }
}

fn position_names(dim: &Dim) -> Vec<String> {
    let len = dim.len.unwrap_or(0) as usize;
    let name = |at: usize| match &dim.axis {
        Axis::Labels(labels) if at < labels.len() => labels[at].clone(),
        Axis::Linear { start, step, unit } => {
            let mut name = String::new();
            write!(name, "{} {unit}", start + at as f64 * step).expect("a String takes everything");
            name.trim_end().to_owned()
        }
        _ => format!("{}_{at}", dim.name),
    };
    (0..len).map(name).collect()
}

fn position_cell(dim: &Dim, at: usize) -> Cell<'_> {
    match &dim.axis {
        Axis::Labels(labels) if at < labels.len() => Cell::Text(&labels[at]),
        Axis::Linear { start, step, .. } => Cell::F64(start + at as f64 * step),
        _ => Cell::U64(at as u64),
    }
}

/// How much later than the message's capture time `place` is.
fn offset_ns(dims: &[Dim], place: &[usize]) -> i64 {
    dims.iter().zip(place).filter_map(|(dim, &at)| Some((time_step(dim)? * at as f64 * 1e9).round() as i64)).sum()
}

/// The indices along `shape` of row `index`.
fn unravel(mut index: usize, shape: &[usize]) -> Vec<usize> {
    let mut place = vec![0; shape.len()];
    for (at, &len) in place.iter_mut().zip(shape).rev() {
        (*at, index) = (index % len, index / len);
    }
    place
}

fn row_bytes(payload: &[u8], across: usize, dtype: DType) -> impl Iterator<Item = &[u8]> {
    payload.chunks_exact((across * dtype.bytes()).max(1))
}

fn element(dtype: DType, bytes: &[u8]) -> Cell<'static> {
    fn read<const N: usize>(bytes: &[u8]) -> [u8; N] {
        *bytes.first_chunk().expect("the chunk is as long as an element")
    }
    match dtype {
        DType::U8 => Cell::U64(u8::from_le_bytes(read(bytes)).into()),
        DType::I8 => Cell::I64(i8::from_le_bytes(read(bytes)).into()),
        DType::U16 => Cell::U64(u16::from_le_bytes(read(bytes)).into()),
        DType::I16 => Cell::I64(i16::from_le_bytes(read(bytes)).into()),
        DType::U32 => Cell::U64(u32::from_le_bytes(read(bytes)).into()),
        DType::I32 => Cell::I64(i32::from_le_bytes(read(bytes)).into()),
        DType::U64 => Cell::U64(u64::from_le_bytes(read(bytes))),
        DType::I64 => Cell::I64(i64::from_le_bytes(read(bytes))),
        DType::F32 => Cell::F32(f32::from_le_bytes(read(bytes))),
        DType::F64 => Cell::F64(f64::from_le_bytes(read(bytes))),
    }
}

fn field_cell(value: &FieldValue) -> Cell<'_> {
    match value {
        FieldValue::Bool(x) => Cell::Bool(*x),
        FieldValue::I64(x) => Cell::I64(*x),
        FieldValue::U64(x) => Cell::U64(*x),
        FieldValue::F64(x) => Cell::F64(*x),
        FieldValue::Text(x) => Cell::Text(x),
        FieldValue::Numbers(x) => Cell::Numbers(x),
    }
}
