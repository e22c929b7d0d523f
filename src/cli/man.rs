//! `ezrun man`: manual pages.

use super::{exit, nodes};
use std::io::IsTerminal;
use std::path::PathBuf;

/// Write manual pages, one for each verb, as in `ezrun man ~/.local/share/man/man1`.
///
/// Without a folder, the page of ezrun itself is written to standard output, as in `ezrun man | man -l -`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder that they are written to; it is made where it is not there.
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Writes the pages of `command` and returns the exit code.
pub fn run(args: &Args, command: clap::Command) -> u8 {
    let Some(dir) = &args.dir else { return print(command) };
    let made = std::fs::create_dir_all(dir);
    match made.and_then(|()| clap_mangen::generate_to(command, dir)) {
        Ok(()) => exit::OK,
        Err(error) => {
            nodes::complain(&format!("cannot write manual pages to {}: {error}", dir.display()));
            exit::USAGE
        }
    }
}

/// The page of ezrun itself, for a program that reads such pages.
fn print(command: clap::Command) -> u8 {
    if std::io::stdout().is_terminal() {
        nodes::complain(
            "a manual page is no text to read as it stands: give a folder, or write `ezrun man | man -l -`",
        );
        return exit::USAGE;
    }
    let mut page = Vec::new();
    // Writing to memory cannot fail.
    let _ = clap_mangen::Man::new(command.disable_help_subcommand(true)).render(&mut page);
    nodes::print(&String::from_utf8_lossy(&page), exit::OK)
}
