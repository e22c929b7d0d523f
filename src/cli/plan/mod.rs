//! `ezrun plan`: what a run would start, how each edge would cross and why, and the memory for it.

mod tables;

use super::flags::{Format, Segments, json};
use super::{exit, loading, nodes};
use crate::plan::{outline, plan};

/// Show what would run: processes, edges, memory.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: loading::Which,
    /// Tables for people, or JSON as `ezrun schema plan` describes it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// What shared memory is made of: `sealed` is enforced by the kernel, `named` lies under /dev/shm.
    #[arg(long, value_enum, default_value_t = Segments::Sealed)]
    segments: Segments,
}

/// Prints the plan and returns the exit code.
pub fn run(args: &Args) -> u8 {
    let graph = match loading::load(&args.which) {
        Ok((graph, _)) => graph,
        Err(code) => return code,
    };
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(e) => {
            nodes::complain(&format!("cannot find ezrun's own program: {e}"));
            return exit::USAGE;
        }
    };
    let outline = outline(&plan(&graph, args.segments.into()), &program);
    let text = match args.format {
        Format::Text => tables::text(&outline),
        Format::Json => json(&outline),
    };
    nodes::print(&text, exit::OK)
}
