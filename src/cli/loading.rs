//! A valid graph for the verbs that show what is in it.

use super::{exit, inputs, memory, nodes};
use crate::graph::{
    self, Executing, Graph, Level, LoadOptions, MAX_FILE_BYTES, Override, Packs, Saved, Sources, render,
};
use std::path::{Path, PathBuf};

/// Which graph, and how.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// The graph file; `-` for standard input.
    #[arg(value_name = "FILE")]
    graph: PathBuf,
    #[command(flatten)]
    how: How,
}

/// How a graph is loaded.
#[derive(Debug, clap::Args)]
pub struct How {
    /// Set a param of the graph; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<Override>,
    /// Ask packs for their node types by running them, rather than reading the descriptions saved beside them.
    #[arg(long)]
    allow_exec: bool,
    /// Run packs although every user of the machine may write to them.
    #[arg(long, requires = "allow_exec")]
    allow_writable: bool,
    /// Read a graph file up to this size, such as `64 MiB`.
    #[arg(long, value_name = "SIZE", value_parser = memory::size, default_value_t = MAX_FILE_BYTES)]
    max_file_size: u64,
}

/// Loads the graph as a run would, and tells its files; else says what is wrong with it, on standard error, and returns
/// the exit code.
pub fn load(which: &Which) -> Result<(Graph, Sources), u8> {
    load_from(&which.graph, &which.how)
}

/// As [`load`].
pub fn load_from(path: &Path, how: &How) -> Result<(Graph, Sources), u8> {
    let file = inputs::read(path, how.max_file_size).map_err(|cause| {
        nodes::complain(&cause);
        exit::USAGE
    })?;
    let registry = crate::nodes::registry();
    let executing = Executing { allow_writable: how.allow_writable };
    let packs: &dyn Packs = if how.allow_exec { &executing } else { &Saved };
    // What a graph is can be seen where it cannot run.
    let options = LoadOptions { machine: None, ..LoadOptions::run(&registry, &how.set) };
    let loaded = graph::load(&file, &options, packs);
    // What a valid graph could do better is for `validate` to say.
    let is_shown = |level: Level| loaded.graph.is_none() || level < Level::Hint;
    let shown: Vec<_> = loaded.findings.iter().filter(|finding| is_shown(finding.level)).cloned().collect();
    say_raw!("{}", render::text(&shown, &loaded.sources, render::Style::Coloured));
    let is_unknown = loaded.graph.is_none() && !loaded.has_errors();
    if loaded.graph.is_none() {
        say!("{}", render::summary(&shown, &loaded.sources));
    }
    if is_unknown {
        nodes::complain("the graph has nodes of unknown types; `--allow-exec` asks their packs");
    }
    Ok((loaded.graph.ok_or(exit::INVALID)?, loaded.sources))
}
