//! `ezrun bench`: what edges cost on this machine.

mod case;
mod compare;
mod figures;
mod graph;
#[cfg_attr(not(target_os = "linux"), path = "measure_elsewhere.rs")]
mod measure;
mod report;
mod tables;
mod tally;
mod units;

pub use report::Report;
#[cfg(target_os = "linux")]
pub use units::bytes_exactly;

use super::flags::{Format, json};
use super::out_file::{self, OutFile};
use super::{exit, nodes};
use case::{Case, Which};
use figures::Figures;
use measure::{Bench, Fault};
use std::path::PathBuf;
use std::str::FromStr;

/// Measure what edges cost on this machine.
///
/// Graphs of sources and sinks are run as any graph is; a lost message is an error.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// How often each case runs, in turn with the others.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), default_value_t = 3)]
    runs: u32,
    /// `text`, or `json` as `ezrun schema bench` describes it; with `=PATH` into a file. May be repeated.
    #[arg(long, value_name = "FORMAT[=PATH]", default_value = "text")]
    format: Vec<Output>,
    /// Do not say what is being measured.
    #[arg(long, short)]
    quiet: bool,
    /// Measure nothing, and compare two reports that `--format json=PATH` has written.
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], exclusive = true)]
    compare: Vec<PathBuf>,
}

/// One `--format`: which, and where it goes.
#[derive(Clone, Debug)]
struct Output {
    format: Format,
    /// Standard output where there is none.
    path: Option<PathBuf>,
}

/// Measures, or compares, and returns the exit code.
pub fn run(args: &Args) -> u8 {
    if let [old, new] = args.compare.as_slice() {
        return compare::run(old, new);
    }
    let cases = match args.which.cases() {
        Ok(cases) => cases,
        Err(e) => return refuse(&e),
    };
    // Opened first: a report that cannot be written is better known before the runs than after them.
    let outputs = match open(&args.format) {
        Ok(outputs) => outputs,
        Err(e) => return refuse(&e),
    };
    match measure(args, cases) {
        Ok(report) => write(outputs, &report),
        Err((case, fault)) => {
            say!("error: {case}: {fault}");
            fault.code()
        }
    }
}

/// Every case in turn, as often as was asked for: what changes on the machine meanwhile meets all of them.
fn measure(args: &Args, cases: Vec<Case>) -> Result<Report, (String, Fault)> {
    let bench = Bench::new().map_err(|fault| ("ezrun bench".to_owned(), fault))?;
    let mut measured: Vec<(Case, Vec<Figures<f64>>)> = cases.into_iter().map(|case| (case, Vec::new())).collect();
    for run in 1..=args.runs {
        for (case, figures) in &mut measured {
            if !args.quiet {
                say!("run {run} of {}: {}", args.runs, case.name());
            }
            figures.push(bench.measure(case).map_err(|fault| (case.name(), fault))?);
        }
    }
    Ok(Report::new(bench.cpus(), measured))
}

fn open(outputs: &[Output]) -> Result<Vec<(Format, Option<OutFile>)>, String> {
    let opened = |output: &Output| Ok((output.format, output.path.as_deref().map(OutFile::open).transpose()?));
    outputs.iter().map(opened).collect()
}

fn write(outputs: Vec<(Format, Option<OutFile>)>, report: &Report) -> u8 {
    let mut code = exit::OK;
    for (format, file) in outputs {
        let text = match format {
            Format::Text => tables::text(report),
            Format::Json => json(report),
        };
        let written = match file {
            None => nodes::print(&text, exit::OK),
            Some(file) => file.write(&text).map_or_else(|e| refuse(&e), |()| exit::OK),
        };
        code = code.max(written);
    }
    code
}

fn refuse(what: &str) -> u8 {
    say!("error: {what}");
    exit::USAGE
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, path) = out_file::format_and_path(text)?;
        match name {
            "text" => Ok(Output { format: Format::Text, path }),
            "json" => Ok(Output { format: Format::Json, path }),
            _ => Err(format!("there is no format `{name}`; formats are text and json, each also with `=PATH`")),
        }
    }
}
