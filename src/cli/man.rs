//! `ezrun man`: manual pages.

use super::{exit, nodes};
use std::path::PathBuf;

/// Write manual pages, one for each verb, as in `ezrun man ~/.local/share/man/man1`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder that they are written to; it is made where it is not there.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Writes the pages of `command` and returns the exit code.
pub fn run(args: &Args, command: clap::Command) -> u8 {
    let made = std::fs::create_dir_all(&args.dir);
    match made.and_then(|()| clap_mangen::generate_to(command, &args.dir)) {
        Ok(()) => exit::OK,
        Err(error) => {
            nodes::complain(&format!("cannot write manual pages to {}: {error}", args.dir.display()));
            exit::USAGE
        }
    }
}
