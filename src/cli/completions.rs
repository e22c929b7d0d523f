//! `ezrun completions`: what a shell needs to complete ezrun's command line.

use super::{exit, nodes};
use clap_complete::Shell;

/// Print a completion script, as in `ezrun completions bash > ~/.local/share/bash-completion/completions/ezrun`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// For which shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script that completes `command` and returns the exit code.
pub fn run(args: &Args, mut command: clap::Command) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "ezrun", &mut script);
    nodes::print(&String::from_utf8_lossy(&script), exit::OK)
}
