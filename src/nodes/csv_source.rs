//! `csv_source`: the columns of a CSV file as a signal.

use super::support::files;
use super::support::samples::{self, Block, Samples};
use crate::node::settings::Positive;
use crate::node::{
    Context, Flow, Labels, NodeType, Outputs, Quantity, Result, SettingError, Source, counted, first_of,
};
use anyhow::{anyhow, bail};
use csv::{ByteRecord, Reader, ReaderBuilder};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use std::borrow::Cow;
use std::fs::File;
use std::io::{Chain, Read as _};
use std::path::PathBuf;

pub fn node_type() -> NodeType {
    NodeType::source("csv_source", "Reads columns of numbers from a CSV file, each column a channel.")
        .output("out", samples::port())
        .cadence(samples::cadence(
            Quantity::of("rate").or(1.0),
            Quantity::default().or_items_of("columns"),
            Labels::ListedIn("columns".to_owned()),
        ))
        .example("{ path: data/ecg.csv, rate: 360, block: 36 }")
        .source_node(|settings: Settings| {
            if settings.columns.as_ref().is_some_and(Vec::is_empty) {
                return Err(SettingError::at("columns", "the list is empty: leave it out to read all columns"));
            }
            let name = settings.columns.iter().flatten().find_map(|column| match column {
                Column::Name(name) => Some(name),
                Column::Place(_) => None,
            });
            if let Some(name) = name.filter(|_| settings.header == Some(false)) {
                let message = format!("there is no column {name:?} in a file without a row of names (`header: false`)");
                return Err(SettingError::at("columns", message));
            }
            Ok(CsvSource { settings, opened: None })
        })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The file to read, relative to the graph file.
    #[schemars(length(min = 1))]
    path: PathBuf,
    /// Sampling rate in Hz, one row being one sample. Default: 1, so that times count rows.
    rate: Option<Positive>,
    /// Samples per message, at most 16,777,216; the last message may be shorter. Default: 256.
    #[serde(default)]
    block: Block,
    /// The columns to read, in this order: names, or places counted from 0. Default: all of them.
    columns: Option<Vec<Column>>,
    /// Whether the first row holds names. Default: it does if any of its cells is no number.
    header: Option<bool>,
    /// Whether rows come no faster than their rate. Default: false, as fast as the graph accepts them.
    #[serde(default)]
    realtime: bool,
}

/// A column, by its name or by its place.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "serde_json::Value")]
enum Column {
    Name(String),
    Place(usize),
}

impl TryFrom<serde_json::Value> for Column {
    type Error = String;
    fn try_from(value: serde_json::Value) -> Result<Self, String> {
        match &value {
            serde_json::Value::String(name) => Ok(Column::Name(name.trim().to_owned())),
            _ => value
                .as_u64()
                .map(|place| Column::Place(usize::try_from(place).unwrap_or(usize::MAX)))
                .ok_or_else(|| format!("{value} is no column: give a name, or a place counted from 0")),
        }
    }
}

impl JsonSchema for Column {
    fn schema_name() -> Cow<'static, str> {
        "Column".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "minimum": 0 })
    }
}

struct CsvSource {
    settings: Settings,
    opened: Option<Opened>,
}

/// A file whose first row was read.
struct Opened {
    rows: Rows,
    samples: Samples,
    expected: Option<u64>,
    block: Vec<f64>,
}

/// Follows the last byte of a file: a row of its own, unless a quote is open there.
const END: &[u8] = b"\0end of the file\0";
const END_ROW: &[u8] = b"\n\0end of the file\0\n";

struct Rows {
    reader: Reader<Chain<File, &'static [u8]>>,
    path: PathBuf,
    row: ByteRecord,
    /// The row that `row` holds is data, and was not yet given out.
    pending: bool,
    /// Names of the columns; empty where the file has none.
    names: Vec<String>,
    /// How many cells each row has.
    width: usize,
    /// The places of the columns that are read.
    places: Vec<usize>,
}

impl Source for CsvSource {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        let settings = &self.settings;
        let (mut file, path) = files::open(context, &settings.path)?;
        let lines = files::count_lines(&mut file).map_err(|e| anyhow!("cannot read {}: {e}", path.display()))?;
        let rows = Rows::open(file, path, settings)?;
        let labels = rows.places.iter().filter_map(|&place| rows.names.get(place).cloned()).collect::<Vec<_>>();
        let rate_hz = settings.rate.map_or(1.0, Positive::get);
        let samples = Samples::new(rate_hz, rows.places.len(), settings.realtime);
        let header_lines = u64::from(!rows.names.is_empty());
        self.opened = Some(Opened {
            samples: if labels.is_empty() { samples } else { samples.labelled(labels) },
            expected: lines.map(|lines| lines.saturating_sub(header_lines).div_ceil(settings.block.get() as u64)),
            block: Vec::new(),
            rows,
        });
        Ok(())
    }

    fn produce(&mut self, out: &mut Outputs) -> Result<Flow> {
        let Some(opened) = &mut self.opened else { bail!("the file is not open") };
        if let Some(messages) = opened.expected.take() {
            out.expect(messages);
        }
        opened.block.clear();
        let full = self.settings.block.get().saturating_mul(opened.samples.channels());
        let mut outcome = Ok(true);
        while opened.block.len() < full && matches!(outcome, Ok(true)) {
            outcome = opened.rows.read_into(&mut opened.block);
        }
        // Samples before a fault are good: they are sent before it is told.
        opened.samples.send(&opened.block, out)?;
        Ok(if outcome? { Flow::Continue } else { Flow::Complete })
    }
}

impl Rows {
    /// Reads the first row, and from it what the columns are.
    fn open(file: File, path: PathBuf, settings: &Settings) -> Result<Self> {
        let reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file.chain(END_ROW));
        let row = ByteRecord::new();
        let mut rows = Rows { reader, path, row, pending: false, names: Vec::new(), width: 0, places: Vec::new() };
        if !rows.advance()? {
            bail!("{} is empty: it has no row at all", rows.path.display());
        }
        rows.width = rows.row.len();
        let is_header = settings.header.unwrap_or_else(|| rows.row.iter().any(|cell| number(cell).is_none()));
        if is_header {
            rows.names = rows.row.iter().map(|cell| String::from_utf8_lossy(cell.trim_ascii()).into_owned()).collect();
        }
        rows.places = match &settings.columns {
            None => (0..rows.width).collect(),
            Some(columns) => columns.iter().map(|column| rows.place_of(column)).collect::<Result<_>>()?,
        };
        if is_header && !rows.advance()? {
            bail!("{} has a row of names and nothing below it: there are no samples", rows.path.display());
        }
        rows.pending = true;
        Ok(rows)
    }

    fn place_of(&self, column: &Column) -> Result<usize> {
        let path = self.path.display();
        match column {
            Column::Place(place) if *place < self.width => Ok(*place),
            Column::Place(place) => {
                bail!("{path} has no column {place}: it has {}, counted from 0", counted(self.width, "column"))
            }
            Column::Name(name) => self.names.iter().position(|n| n == name).ok_or_else(|| {
                if self.names.is_empty() {
                    return anyhow!("{path} has no row of names: give columns by their place, counted from 0");
                }
                let similar = |n: &&String| strsim::damerau_levenshtein(&n.to_lowercase(), &name.to_lowercase());
                match self.names.iter().min_by_key(similar).filter(|n| similar(n) <= 1 + name.len() / 3) {
                    Some(close) => anyhow!("{path} has no column {name:?}; did you mean {}?", shown(close.as_bytes())),
                    None => {
                        let names: Vec<_> = self.names.iter().map(|n| shown(n.as_bytes())).collect();
                        anyhow!("{path} has no column {name:?}; there are {}", first_of(&names, SHOWN_NAMES))
                    }
                }
            }),
        }
    }

    /// Appends the numbers of the next row; all of them, or none and an error. False at the end of the file.
    fn read_into(&mut self, block: &mut Vec<f64>) -> Result<bool> {
        if !std::mem::take(&mut self.pending) && !self.advance()? {
            return Ok(false);
        }
        if self.row.len() != self.width {
            let (found, wanted) = (counted(self.row.len(), "cell"), self.width);
            bail!("{}: {found} where the first row has {wanted}", self.place());
        }
        let before = block.len();
        for &place in &self.places {
            let cell = &self.row[place];
            let wrong = match number(cell) {
                // "inf" is meant; 1e400 is not.
                Some(x) if x.is_infinite() && cell.iter().any(u8::is_ascii_digit) => "is too large for a number",
                Some(x) => {
                    block.push(x);
                    continue;
                }
                None => "is no number",
            };
            block.truncate(before);
            return Err(self.refused(place, wrong));
        }
        Ok(true)
    }

    /// Reads the next row, numbers or not. False at the end of the file.
    fn advance(&mut self) -> Result<bool> {
        let read = self.reader.read_byte_record(&mut self.row);
        let read = read.map_err(|e| anyhow!("cannot read {}: {e}", self.path.display()))?;
        match self.row.iter().next_back() {
            Some(END) if self.row.len() == 1 => Ok(false),
            Some(cell) if cell.trim_ascii_end().ends_with(END) => {
                bail!("{}: a quote is opened in this row and never closed", self.place())
            }
            _ => Ok(read),
        }
    }

    fn refused(&self, place: usize, wrong: &str) -> anyhow::Error {
        let name = self.names.get(place).map(|name| format!(" ({})", shown(name.as_bytes()))).unwrap_or_default();
        let cell = &self.row[place];
        let found = if cell.is_empty() { "an empty cell".to_owned() } else { shown(cell) };
        let hint = if self.places.len() == 1 { "" } else { "; `columns` chooses the columns that are read" };
        anyhow!("{}, column {}{name}: {found} {wrong}{hint}", self.place(), place + 1)
    }

    /// File and line of the current row.
    fn place(&self) -> String {
        let line = self.row.position().map_or(0, csv::Position::line);
        format!("{}, line {line}", self.path.display())
    }
}

fn number(cell: &[u8]) -> Option<f64> {
    std::str::from_utf8(cell).ok()?.trim().parse().ok()
}

/// How many names of columns a message lists.
const SHOWN_NAMES: usize = 20;

/// A cell to be shown in a message: quoted, without control characters, cut where it is long.
fn shown(cell: &[u8]) -> String {
    const SHOWN_CHARS: usize = 40;
    let text = String::from_utf8_lossy(cell.trim_ascii());
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{:?}", format!("{}…", &text[..end])),
        None => format!("{text:?}"),
    }
}
