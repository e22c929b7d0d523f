//! `ezrun GRAPH` where it cannot run: says so.

use super::exit;
use std::ffi::OsString;

/// Run a graph: needs Linux.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The graph file, and what it would be run with.
    #[arg(required = true, num_args = 1.., allow_hyphen_values = true, value_name = "GRAPH")]
    words: Vec<OsString>,
}

/// Refuses.
pub fn run(args: &Args) -> u8 {
    let graph = args.words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    say!("error: cannot run {graph}: ezrun runs graphs on Linux 5.16 and later; here it can only check them");
    exit::USAGE
}
