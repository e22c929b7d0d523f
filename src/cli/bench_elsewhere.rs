//! `ezrun bench` where nothing runs: says so.

use super::exit;
use schemars::JsonSchema;
use std::ffi::OsString;

/// Measure what edges cost: needs Linux.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What would be measured.
    #[arg(num_args = 0.., allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// Refuses.
pub fn run(_: &Args) -> u8 {
    say!("error: cannot measure: ezrun runs graphs on Linux 5.16 and later; here it can only check them");
    exit::USAGE
}

/// What is written elsewhere: nothing.
#[derive(JsonSchema)]
pub struct Report {}
