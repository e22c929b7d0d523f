//! `ezrun validate`: everything that can be found in graph files without running them.

use super::{memory, nodes};
use crate::graph::{self, Executing, LoadOptions, Loaded, Override, Packs, Saved, SourceFile, Tally, render};
use std::path::PathBuf;

/// No error.
const OK: u8 = 0;
/// At least one error, or a warning where they are denied.
const FAULTY: u8 = 1;
/// A file cannot be read.
const UNREADABLE: u8 = 2;

/// Check graph files without running anything.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Graph files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Give a param of the graphs another value.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<Override>,
    /// Ask packs for their node types by running them, rather than reading the descriptions saved beside them.
    #[arg(long)]
    allow_exec: bool,
    /// Fail on warnings too.
    #[arg(long)]
    deny_warnings: bool,
    /// Refuse graphs whose queues may need more memory than this, such as `512 MiB`. Without it, a graph is warned of that
    /// may need more than this machine has.
    #[arg(long, value_name = "SIZE", value_parser = memory::size)]
    memory_budget: Option<u64>,
}

/// Validates all files and returns the exit code.
#[must_use]
pub fn run(args: &Args) -> u8 {
    let registry = crate::nodes::registry();
    let options =
        LoadOptions { memory: Some(memory::limit(args.memory_budget)), ..LoadOptions::validate(&registry, &args.set) };
    let packs: &dyn Packs = if args.allow_exec { &Executing } else { &Saved };
    let mut code = OK;
    for path in &args.files {
        let file = match SourceFile::read(path) {
            Ok(file) => file,
            Err(error) => {
                nodes::complain(&error.to_string());
                code = UNREADABLE;
                continue;
            }
        };
        let Loaded { findings, sources, .. } = graph::load(&file, &options, packs);
        let found = render::text(&findings, &sources, render::Style::Coloured);
        let text = format!("{found}{}\n", render::summary(&findings, &sources));
        code = code.max(nodes::print(&text, verdict(Tally::of(&findings), args.deny_warnings)));
    }
    code
}

fn verdict(tally: Tally, deny_warnings: bool) -> u8 {
    let faulty = tally.errors > 0 || (deny_warnings && tally.warnings > 0);
    if faulty { FAULTY } else { OK }
}
