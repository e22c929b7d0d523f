//! `stdout`: messages to ezrun's own standard output. The only node type that writes there.

use super::support::files::{OutFile, WriteFailed};
use super::support::framing::Framing;
use super::support::table::Tables;
use crate::message::{Payload, Received};
use crate::node::{Context, Flow, InputId, Node, NodeType, Outputs, PortType, Result, Stream};
use schemars::JsonSchema;
use serde::Deserialize;

pub fn node_type() -> NodeType {
    NodeType::sink("stdout", "Writes messages to ezrun's standard output: bytes as they are, everything else as text.")
        .input("in", PortType::Any)
        .accepts_where("format", &["csv", "json"], PortType::Table)
        .uses(Stream::Stdout)
        .example("{ format: json }")
        .node(|settings: Settings| {
            Ok(Stdout { format: settings.format, stream: OutFile::default(), tables: Tables::new(None) })
        })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// How messages are written. Default: auto.
    #[serde(default)]
    format: Format,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// Tensors and records as `csv`; bytes as `lines` where they were read as lines, else `raw`.
    #[default]
    Auto,
    /// The payload's bytes and nothing else.
    Raw,
    /// Bytes with a line end after each message; tensors and records as rows of CSV without names and time.
    Lines,
    /// Rows of CSV below a row of names.
    Csv,
    /// An object of JSON for each row, one to a line.
    Json,
}

struct Stdout {
    format: Format,
    stream: OutFile,
    tables: Tables,
}

impl Stdout {
    fn append(&mut self, message: &Received<'_>) -> Result<()> {
        let text = self.stream.pending();
        let is_bytes = message.metadata().payload == Payload::Bytes;
        match self.format {
            Format::Auto if is_bytes => Framing::natural(message.metadata()).append(message, &mut self.tables, text),
            Format::Raw => Framing::Raw.append(message, &mut self.tables, text),
            Format::Lines => Framing::Lines.append(message, &mut self.tables, text),
            Format::Auto | Format::Csv => {
                let (table, changed) = self.tables.of(message)?;
                if changed {
                    table.csv_header(text);
                }
                table.csv_rows(message, text)
            }
            Format::Json => self.tables.of(message)?.0.json_rows(message, text),
        }
    }
}

impl Node for Stdout {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        self.stream = OutFile::stream(context.take_stdout()?, "standard output");
        if self.format == Format::Lines {
            self.tables = Tables::new(Some(false));
        }
        Ok(())
    }

    fn process(&mut self, _: InputId, message: Received<'_>, _: &mut Outputs) -> Result<Flow> {
        self.append(&message)?;
        // Whoever reads along, perhaps a person, sees each message as it comes.
        match self.stream.flush() {
            Ok(()) => Ok(Flow::Continue),
            Err(error) if reader_is_gone(&error) => Ok(Flow::Complete),
            Err(error) => Err(error),
        }
    }
}

/// Whether the program that read our standard output, such as `head`, has had enough: no failure.
fn reader_is_gone(error: &anyhow::Error) -> bool {
    error.downcast_ref::<WriteFailed>().is_some_and(|e| e.kind == std::io::ErrorKind::BrokenPipe)
}
