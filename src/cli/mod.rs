//! The command line: one file per verb.

pub mod nodes;
pub mod validate;

use clap::Parser;

#[derive(Parser)]
#[command(name = "ezrun", version, about)]
enum Verb {
    Validate(validate::Args),
    Nodes(nodes::Args),
}

/// Runs the command and returns its exit code.
#[must_use]
pub fn run() -> u8 {
    match Verb::parse() {
        Verb::Validate(args) => validate::run(&args),
        Verb::Nodes(args) => nodes::run(&args),
    }
}
