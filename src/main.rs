//! The ezrun command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ezrun::cli::main()
}
