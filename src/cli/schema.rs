//! `ezrun schema`: JSON Schemas, for editors and for readers of what ezrun writes.

use super::{bench, doctor, exit, formats, nodes};
use crate::graph;
use crate::plan::Outline;
use serde_json::Value;

/// Print a JSON Schema.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Of what.
    #[arg(value_enum)]
    of: Of,
}

/// What has a schema.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Of {
    /// Graph files.
    Graph,
    /// What `ezrun validate --format json` writes.
    Findings,
    /// What `ezrun plan --format json` prints.
    Plan,
    /// What `ezrun bench --format json` writes.
    Bench,
    /// What `ezrun doctor --format json` prints.
    Doctor,
}

/// Prints the schema and returns the exit code.
pub fn run(args: &Args) -> u8 {
    let schema: Value = match args.of {
        Of::Plan => schemars::schema_for!(Outline).into(),
        Of::Bench => schemars::schema_for!(bench::Report).into(),
        Of::Doctor => schemars::schema_for!(doctor::Report).into(),
        Of::Graph => graph::file_schema(&crate::nodes::registry()),
        Of::Findings => formats::json::schema(),
    };
    // A schema is a tree of texts and numbers, which can always be written.
    let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    nodes::print(&(text + "\n"), exit::OK)
}
