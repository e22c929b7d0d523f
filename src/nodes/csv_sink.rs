//! `csv_sink`: tensors and records as rows of a CSV file.

use super::support::files::OutFile;
use super::support::table::Tables;
use crate::message::Received;
use crate::node::{Context, Flow, InputId, Node, NodeType, Outputs, PortType, Result};
use anyhow::{Context as _, bail};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

pub fn node_type() -> NodeType {
    NodeType::sink(
        "csv_sink",
        "Writes tensors and records to a CSV file: a row for each sample or record, below a row of names.",
    )
    .input("in", PortType::Table)
    .uniform()
    .records()
    .example("{ path: out/recording.csv }")
    .node(|settings: Settings| {
        Ok(CsvSink { path: settings.path, file: OutFile::default(), tables: Tables::new(settings.time), columns: None })
    })
}

/// Samples become one row each, with a column for each channel. Of other tensors the last dimension runs across the
/// columns; all others run down the rows, each with a column that names the position. Records become one row each.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The file to write, relative to the graph file. Its folder is made where it is missing; a file that is there is
    /// replaced.
    #[schemars(length(min = 1))]
    path: PathBuf,
    /// Whether the first column is `time_s`: the capture time in seconds, to the nanosecond, since the recording began
    /// (of live sources: since 1970). Default: true for tensors, false for records.
    time: Option<bool>,
}

struct CsvSink {
    path: PathBuf,
    file: OutFile,
    tables: Tables,
    columns: Option<Vec<String>>,
}

impl Node for CsvSink {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        self.file = OutFile::create(context, &self.path)?;
        Ok(())
    }

    fn process(&mut self, _: InputId, message: Received<'_>, _: &mut Outputs) -> Result<Flow> {
        let (table, changed) = self.tables.of(&message).context("csv_sink cannot write this message")?;
        if changed {
            match &self.columns {
                None => table.csv_header(self.file.pending()),
                Some(columns) if columns == table.columns() => {}
                Some(columns) => bail!(
                    "the messages have other columns than before ({} after {}): write them to a file of their own",
                    table.columns().join(","),
                    columns.join(",")
                ),
            }
            self.columns = Some(table.columns().to_vec());
        }
        table.csv_rows(&message, self.file.pending())?;
        self.file.wrote()?;
        Ok(Flow::Continue)
    }

    fn stop(&mut self, _: &mut Outputs) -> Result<()> {
        self.file.flush()
    }
}
