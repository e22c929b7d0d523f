//! `ezrun GRAPH`: load, plan, run, account for it.

mod console;
mod ledger;
mod report;
mod scarcity;

use super::flags::{Segments, json};
use super::out_file::OutFile;
use super::{exit, inputs, memory};
use crate::control::LogLevel;
use crate::graph::{self, Executing, Level, LoadOptions, Loaded, MAX_FILE_BYTES, Override, SourceFile, render};
use crate::plan::{Plan, plan};
use crate::runner::{self, End, Interruption, Options, Summary};
use console::Console;
use report::Report;
use std::path::PathBuf;
use std::time::Duration;

/// Run a graph.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The graph file.
    graph: PathBuf,
    /// Set a param of the graph; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<Override>,
    /// End the run in order after this time, such as `10s` or `1h 30m`.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    stop_after: Option<Duration>,
    /// Fail with exit code 4 if more messages than this were dropped in all.
    #[arg(long, value_name = "N")]
    max_drops: Option<u64>,
    /// Write a report of the run; `json=PATH` is the one format there is.
    #[arg(long, value_name = "FORMAT=PATH", value_parser = report_path)]
    report: Option<PathBuf>,
    /// What shared memory is made of: `sealed` is enforced by the kernel, `named` lies under /dev/shm.
    #[arg(long, value_enum, default_value_t = Segments::Sealed)]
    segments: Segments,
    /// How long queues may drain once the run is ending.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "5s")]
    grace: Duration,
    /// Warn where a node takes nothing for this time from a full edge that blocks; `0s` never warns.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "10s")]
    stall_warning: Duration,
    /// The least level of log lines that nodes write.
    #[arg(long, value_enum, default_value_t = LogLevel::Info)]
    log_level: LogLevel,
    /// Run a graph, its parts and its packs although every user of the machine may write to one of them.
    #[arg(long)]
    allow_writable: bool,
    /// Say nothing but what went wrong.
    #[arg(long, short)]
    quiet: bool,
    /// Refuse graphs whose queues may need more memory than this, such as `512 MiB`. Without it, a graph is warned of that
    /// may need more than this machine has.
    #[arg(long, value_name = "SIZE", value_parser = memory::size)]
    memory_budget: Option<u64>,
    /// Read a graph file up to this size, such as `64 MiB`.
    #[arg(long, value_name = "SIZE", value_parser = memory::size, default_value_t = MAX_FILE_BYTES)]
    max_file_size: u64,
}

/// Runs the graph and returns the exit code.
pub fn run(args: &Args) -> u8 {
    let file = match read(args) {
        Ok(file) => file,
        Err(e) => return refuse(&e),
    };
    // Opened first: a report that cannot be written is better known before the run than after it.
    let report = match args.report.as_deref().map(OutFile::open).transpose() {
        Ok(report) => report,
        Err(message) => return refuse(&message),
    };
    let loaded = load(&file, args);
    if let Some(report) = &report
        && let Err(message) =
            report.must_not_be(loaded.sources.iter().map(SourceFile::path)).and_then(|()| report.clear())
    {
        return refuse(&message);
    }
    let Some(graph) = loaded.graph else {
        return write_report(report, &Report::of_nothing(exit::INVALID), exit::INVALID);
    };
    let plan = plan(&graph, args.segments.into());
    let (summary, mut console) = match start(&plan, args) {
        Ok(ended) => ended,
        Err(code) => return write_report(report, &Report::of_nothing(code), code),
    };
    console.finish();
    let code = judge(&summary, &plan, args.max_drops);
    say_way_out(&causes(&summary, &console));
    if !args.quiet {
        say_raw!("{}{}", ledger::table(&plan, &summary), ledger::restarts(&plan, &summary));
    }
    write_report(report, &Report::new(&plan, &summary, code), code)
}

fn read(args: &Args) -> Result<SourceFile, String> {
    let file = inputs::read_file(&args.graph, args.max_file_size)?;
    if args.allow_writable { Ok(file) } else { file.guarded(&args.graph).map_err(|error| error.to_string()) }
}

fn load(file: &SourceFile, args: &Args) -> Loaded {
    let registry = crate::nodes::registry();
    let options =
        LoadOptions { memory: Some(memory::limit(args.memory_budget)), ..LoadOptions::run(&registry, &args.set) };
    let loaded = graph::load(file, &options, &Executing { allow_writable: args.allow_writable });
    let worth_saying = if args.quiet { Level::Error } else { Level::Warning };
    let findings: Vec<_> = loaded.findings.iter().filter(|finding| finding.level <= worth_saying).cloned().collect();
    say_raw!("{}", render::text(&findings, &loaded.sources, render::Style::Coloured));
    if loaded.graph.is_none() {
        say!("{}; nothing was started", render::summary(&findings, &loaded.sources));
    }
    loaded
}

fn start(plan: &Plan<'_>, args: &Args) -> Result<(Summary, Console), u8> {
    let program = std::env::current_exe().map_err(|e| refuse(&format!("cannot find ezrun's own program: {e}")))?;
    let options = Options {
        program,
        stop_after: args.stop_after,
        grace: args.grace,
        stall_warning: Some(args.stall_warning).filter(|time| !time.is_zero()),
        log_level: args.log_level,
    };
    let mut console = Console::new(args.quiet);
    console.announce(plan);
    match runner::run(plan, &options, &mut console) {
        Ok(summary) => Ok((summary, console)),
        Err(e) => {
            console.finish();
            say!("error: {e}");
            say_way_out(&[&e.to_string()]);
            Err(exit::FAILED)
        }
    }
}

/// Says what went wrong, and picks the exit code: a failed node, then a broken contract, then the user's interruption.
fn judge(summary: &Summary, plan: &Plan<'_>, max_drops: Option<u64>) -> u8 {
    for failure in &summary.failures {
        let cause = console::harmless(&failure.cause);
        match failure.is_ignored {
            true => say!("warning: {}: {cause} (ignored, as its `on_exit` says)", failure.who),
            false => say!("error: {}: {cause}", failure.who),
        }
        if !failure.last_lines.is_empty() {
            say!("  the last lines that it wrote:");
        }
        for line in &failure.last_lines {
            say!("  | {}", console::harmless(line));
        }
    }
    let broken = broken_contracts(summary, plan, max_drops);
    for contract in &broken {
        say!("error: {contract}");
    }
    let is_well = summary.failures.iter().all(|failure| failure.is_ignored);
    match (is_well, broken.is_empty(), summary.end) {
        (false, _, _) => exit::FAILED,
        (true, false, _) => exit::CONTRACT,
        (true, true, End::Finished) => exit::OK,
        (true, true, End::Interrupted(Interruption::Int)) => exit::INTERRUPTED,
        (true, true, End::Interrupted(Interruption::Term)) => exit::TERMINATED,
    }
}

/// What a run has told of its errors.
fn causes<'a>(summary: &'a Summary, console: &'a Console) -> Vec<&'a str> {
    let of_failures = summary.failures.iter().flat_map(|failure| {
        let lines = failure.last_lines.iter().map(AsRef::as_ref);
        std::iter::once(failure.cause.as_str()).chain(lines)
    });
    console.noted_error().into_iter().chain(of_failures).collect()
}

fn say_way_out(causes: &[&str]) {
    if let Some(way) = scarcity::way_out(causes) {
        say!("note: {way}; `ezrun doctor GRAPH` tells what a run needs");
    }
}

fn broken_contracts(summary: &Summary, plan: &Plan<'_>, max_drops: Option<u64>) -> Vec<String> {
    let edges = || plan.edges.iter().map(|edge| edge.terms.name.as_str()).zip(&summary.edges);
    let quarantined = edges().filter(|(_, ledger)| ledger.quarantined);
    let mut broken: Vec<String> =
        quarantined.map(|(name, _)| format!("the edge {name} was put in quarantine: its consumer broke it")).collect();
    let dropped = summary.edges.iter().fold(0u64, |sum, ledger| sum.saturating_add(ledger.dropped));
    if let Some(allowed) = max_drops.filter(|&allowed| dropped > allowed) {
        let lossy = edges().filter(|(_, ledger)| ledger.dropped > 0);
        let lossy: Vec<String> = lossy.map(|(name, ledger)| format!("{} on {name}", ledger.dropped)).collect();
        broken.push(format!("{dropped} messages were dropped, {allowed} are allowed: {}", lossy.join(", ")));
    }
    broken
}

fn write_report(file: Option<OutFile>, report: &Report, code: u8) -> u8 {
    match file.map_or(Ok(()), |file| file.write(&json(&report))) {
        Ok(()) => code,
        Err(message) => {
            // What the run came to matters more than what could not be written of it.
            let refused = refuse(&message);
            if code == exit::OK { refused } else { code }
        }
    }
}

fn refuse(what: &dyn std::fmt::Display) -> u8 {
    say!("error: {what}");
    exit::USAGE
}

fn report_path(text: &str) -> Result<PathBuf, String> {
    match text.split_once('=') {
        Some(("json", path)) if !path.is_empty() => Ok(PathBuf::from(path)),
        _ => Err("expected json=PATH".to_owned()),
    }
}
