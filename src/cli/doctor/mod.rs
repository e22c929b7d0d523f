//! `ezrun doctor`: whether this machine keeps what ezrun promises, and has what a run needs.

#[cfg_attr(not(target_os = "linux"), path = "elsewhere.rs")]
mod examine;
mod report;
mod tables;

#[cfg(target_os = "linux")]
mod graph_use;
#[cfg(target_os = "linux")]
mod seals;
#[cfg(target_os = "linux")]
mod system;

pub use report::Report;

use super::flags::{Format, Segments, json};
use super::{exit, loading, nodes};
use crate::plan::plan;
use std::path::PathBuf;

/// Try on this machine what ezrun promises, and tell what a run has to do with.
///
/// Exit code 0: everything that a run needs holds; 1: something fails.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A graph file, to see what a run of it would use and whether that fits; `-` for standard input.
    #[arg(value_name = "FILE")]
    graph: Option<PathBuf>,
    #[command(flatten)]
    how: loading::How,
    /// Tables for people, or JSON as `ezrun schema doctor` describes it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// What the shared memory of runs would be made of: the other kind is tried too, and may fail.
    #[arg(long, value_enum, default_value_t = Segments::Sealed)]
    segments: Segments,
}

/// Prints what was found and returns the exit code.
pub fn run(args: &Args) -> u8 {
    if let Err(cause) = examine::is_possible() {
        nodes::complain(cause);
        return exit::USAGE;
    }
    let segments = args.segments.into();
    let graph = match args.graph.as_deref().map(|path| loading::load_from(path, &args.how)).transpose() {
        Ok(loaded) => loaded.map(|(graph, _)| graph),
        Err(code) => return code,
    };
    let plan = graph.as_ref().map(|graph| plan(graph, segments));
    let report = examine::examine(segments, plan.as_ref());
    let text = match args.format {
        Format::Text => tables::text(&report),
        Format::Json => json(&report),
    };
    nodes::print(&text, if report.holds { exit::OK } else { exit::INVALID })
}
