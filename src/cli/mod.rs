//! The command line: one file per verb. The only place that prints results and picks exit codes.

/// As `eprintln`, which panics where standard error cannot be written: a full disk under a log must not change what a run
/// comes to.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(anstream::stderr(), $($words)*);
    }};
}

/// As [`say`], without a line's end.
macro_rules! say_raw {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = write!(anstream::stderr(), $($words)*);
    }};
}

mod bench;
mod completions;
mod doctor;
mod explain;
mod fix;
mod flags;
mod fmt;
mod formats;
mod graph;
mod inputs;
mod loading;
mod man;
mod memory;
mod new;
mod nodes;
mod once;
mod out_file;
mod plan;
mod rules;
#[cfg_attr(not(target_os = "linux"), path = "run_elsewhere.rs")]
mod run;
mod schema;
mod selection;
mod table;
mod validate;
mod words;

use crate::node::Registry;
use crate::pack::answer_ezrun;
use clap::{CommandFactory, Parser};
use std::ffi::OsString;
use std::process::ExitCode;

/// Exit codes, as README tells them.
mod exit {
    /// The run finished, or there was nothing to find fault with.
    pub const OK: u8 = 0;
    /// The graph is invalid, and nothing was started; or `doctor` found something that a run needs and has not.
    pub const INVALID: u8 = 1;
    /// The command line is wrong, or a file cannot be read or written.
    pub const USAGE: u8 = 2;
    /// A node failed.
    pub const FAILED: u8 = 3;
    /// The run kept a contract badly, such as `--max-drops 0`.
    pub const CONTRACT: u8 = 4;
    /// SIGINT ended the run.
    pub const INTERRUPTED: u8 = 130;
    /// SIGTERM ended the run.
    pub const TERMINATED: u8 = 143;
}

/// Run a YAML graph of processes, with a private copy or an enforced read-only view on every edge.
#[derive(Debug, Parser)]
#[command(name = "ezrun", version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    run: Option<run::Args>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Run(run::Args),
    Validate(validate::Args),
    Fmt(fmt::Args),
    Graph(graph::Args),
    New(new::Args),
    Nodes(nodes::Args),
    Rules(rules::Args),
    Explain(explain::Args),
    Plan(plan::Args),
    Bench(bench::Args),
    Doctor(doctor::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// The whole command: from the arguments to the exit code.
#[must_use]
pub fn main() -> ExitCode {
    // What ezrun and packs start themselves with is no business of the user's, nor of the argument parser's.
    if let Some(code) = answer_ezrun(own_types) {
        return code;
    }
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let cli = match parse(&words) {
        Ok(cli) => cli,
        Err(fault) => {
            nodes::complain(&fault);
            return ExitCode::from(exit::USAGE);
        }
    };
    ExitCode::from(match (cli.verb, cli.run) {
        (Some(Verb::Run(args)), _) | (None, Some(args)) => run::run(&args),
        (Some(Verb::Validate(args)), _) => validate::run(&args),
        (Some(Verb::Fmt(args)), _) => fmt::run(&args),
        (Some(Verb::Graph(args)), _) => graph::run(&args),
        (Some(Verb::New(args)), _) => new::run(&args),
        (Some(Verb::Nodes(args)), _) => nodes::run(&args),
        (Some(Verb::Rules(args)), _) => rules::run(&args),
        (Some(Verb::Explain(args)), _) => explain::run(&args),
        (Some(Verb::Plan(args)), _) => plan::run(&args),
        (Some(Verb::Bench(args)), _) => bench::run(&args),
        (Some(Verb::Doctor(args)), _) => doctor::run(&args),
        (Some(Verb::Schema(args)), _) => schema::run(&args),
        (Some(Verb::Completions(args)), _) => completions::run(&args, Cli::command()),
        (Some(Verb::Man(args)), _) => man::run(&args, Cli::command()),
        (None, None) => {
            // Without any argument: what there is to do, and the exit code of a wrong command line.
            let _ = Cli::command().print_help();
            exit::USAGE
        }
    })
}

/// Reads the command line; says what is wrong with it where the parser's own words are of little help.
fn parse(words: &[OsString]) -> Result<Cli, String> {
    let command = Cli::command();
    if let Some(fault) = words::unknown_verb(words, &command) {
        return Err(fault);
    }
    Cli::try_parse().map_err(|error| words::misplaced(&error, words, &command).unwrap_or_else(|| error.exit()))
}

/// What ezrun's own executable runs as a backend, beside the built-in types.
fn own_types() -> Registry {
    crate::nodes::bench::registry()
}
