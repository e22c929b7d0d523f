//! `ezrun validate`: everything that can be found in graph files without running them.

use super::exit;
use super::fix::{self, Fixes};
use super::formats::{Checked, Format, Found, Output, OutputParser, Unread};
use super::inputs::{self, Input};
use super::once;
use super::out_file::OutFile;
use super::selection::{self, Selector};
use super::{memory, nodes};
use crate::graph::{self, Executing, LoadOptions, Loaded, MAX_FILE_BYTES, Override, Packs, Saved, SourceFile, render};
use std::path::{Path, PathBuf};

/// Check graph files without running anything.
///
/// Errors are always told, whatever is selected or ignored. A comment `# ezrun: allow CODE` in a file allows warnings and
/// hints on its own line, or, where it stands alone, on the next one with something on it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Graph files; directories, for all graphs below them but in hidden folders and `out`; `-` for standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How findings are written, and where to: text, concise, json, github, sarif or junit; may be repeated.
    #[arg(long = "format", value_name = "FORMAT[=PATH]", default_value = "text", value_parser = OutputParser, hide_possible_values = true)]
    outputs: Vec<Output>,
    /// Tell only these warnings and hints, by code or group, parted by commas.
    #[arg(long, value_name = "CODE", value_delimiter = ',', value_parser = selection::selector)]
    select: Vec<Selector>,
    /// Do not tell these warnings and hints, even if they are selected.
    #[arg(long, value_name = "CODE", value_delimiter = ',', value_parser = selection::ignorable)]
    ignore: Vec<Selector>,
    /// Give a param of the graphs another value.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<Override>,
    /// Ask packs for their node types by running them, rather than reading the descriptions saved beside them.
    #[arg(long)]
    allow_exec: bool,
    /// Run packs although every user of the machine may write to them.
    #[arg(long, requires = "allow_exec")]
    allow_writable: bool,
    /// First put right in the files what is wrong beyond doubt, such as misspelt names: errors and warnings, or `hints` as
    /// well. Comments and everything else stay as they are, and so does what is wrong only with the values that variables have
    /// here.
    #[arg(long, value_enum, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "faults")]
    fix: Option<Fixes>,
    /// Fail on warnings too.
    #[arg(long)]
    deny_warnings: bool,
    /// Refuse graphs whose queues may need more memory than this, such as `512 MiB`. Without it, a graph is warned of that
    /// may need more than this machine, or the container that this runs in, has.
    #[arg(long, value_name = "SIZE", value_parser = memory::size)]
    memory_budget: Option<u64>,
    /// Read graph files up to this size, such as `64 MiB`.
    #[arg(long, value_name = "SIZE", value_parser = memory::size, default_value_t = MAX_FILE_BYTES)]
    max_file_size: u64,
}

/// Validates all files and returns the exit code.
#[must_use]
pub fn run(args: &Args) -> u8 {
    let mut unread = Vec::new();
    let inputs = inputs::gather(&args.files, &mut unread);
    let reports = match open_reports(&args.outputs, &inputs, args.fix.is_some()) {
        Ok(reports) => reports,
        Err(message) => {
            nodes::complain(&message);
            return exit::USAGE;
        }
    };
    let found = check(args, &inputs, unread);
    for unread in &found.unread {
        nodes::complain(&unread.cause);
    }
    let written = reports.into_iter().map(|report| report.write(&found)).max().unwrap_or(exit::OK);
    written.max(verdict(&found))
}

fn check(args: &Args, inputs: &[Input], mut unread: Vec<Unread>) -> Found {
    let registry = crate::nodes::registry();
    let options =
        LoadOptions { memory: Some(memory::limit(args.memory_budget)), ..LoadOptions::validate(&registry, &args.set) };
    let executing = Executing { allow_writable: args.allow_writable };
    let packs: &dyn Packs = if args.allow_exec { &executing } else { &Saved };
    let load = |file: &SourceFile| {
        let mut loaded = graph::load(file, &options, packs);
        graph::keep_sure_fixes(&mut loaded, file, &options, packs);
        loaded.findings.retain(|finding| selection::is_told(finding, &args.select, &args.ignore));
        loaded
    };
    // All of them first: what is wrong in one may be what is wrong with another.
    let put_right = |fixes| fix::put_right(inputs, fixes, args.max_file_size, &load);
    let fix::Outcome { unwritten, loaded: mut known } = args.fix.map(put_right).unwrap_or_default();
    unread.extend(unwritten);
    let mut checked = Vec::new();
    for input in inputs {
        if let Some(Loaded { findings, sources, .. }) = known.remove(&input.name()) {
            checked.push(Checked { sources, findings, told_before: 0 });
            continue;
        }
        match input.read(args.max_file_size) {
            Ok(None) => {}
            Ok(Some(file)) => {
                let Loaded { findings, sources, .. } = load(&file);
                checked.push(Checked { sources, findings, told_before: 0 });
            }
            Err(cause) => unread.push(Unread { file: input.name(), cause }),
        }
    }
    if checked.is_empty() && unread.is_empty() {
        unread.push(inputs::no_graph(&args.files));
    }
    if let Some(fixes) = args.fix {
        fix::say_what_is_left(&checked, fixes);
    }
    once::tell_once(&mut checked);
    Found { checked, unread, deny_warnings: args.deny_warnings }
}

fn verdict(found: &Found) -> u8 {
    if !found.unread.is_empty() {
        exit::USAGE
    } else if found.findings().any(|finding| found.fails(finding.level)) {
        exit::INVALID
    } else {
        exit::OK
    }
}

/// A format on its way to where it goes.
struct Report {
    format: Format,
    /// Standard output where there is none.
    file: Option<OutFile>,
}

impl Report {
    /// Writes `found` and returns the exit code.
    fn write(self, found: &Found) -> u8 {
        let Some(file) = self.file else {
            return nodes::print(&self.format.write(found, render::Style::Coloured), exit::OK);
        };
        let parts = found.checked.iter().flat_map(|checked| checked.sources.iter().map(SourceFile::path));
        let written =
            file.must_not_be(parts).and_then(|()| file.write(&self.format.write(found, render::Style::Plain)));
        written.map_or_else(
            |message| {
                nodes::complain(&message);
                exit::USAGE
            },
            |()| exit::OK,
        )
    }
}

/// Opens every output: what cannot be written is better known before the check than after it.
fn open_reports(outputs: &[Output], inputs: &[Input], fixes: bool) -> Result<Vec<Report>, String> {
    if outputs.iter().filter(|output| output.path.is_none()).count() > 1 {
        return Err("one format goes to standard output; write the others to files, as in `--format json=PATH`".into());
    }
    if inputs.iter().filter(|input| input.path == Path::new("-")).count() > 1 {
        return Err("standard input can be read once".into());
    }
    if fixes && inputs.iter().any(|input| input.path == Path::new("-")) {
        return Err("standard input cannot be fixed; give a file".into());
    }
    let is_no_file = |input: &&Input| std::fs::metadata(&input.path).is_ok_and(|found| !found.is_file());
    if let Some(pipe) = inputs.iter().find(is_no_file).filter(|_| fixes) {
        return Err(format!("{} is no file and cannot be fixed", pipe.name()));
    }
    let mut reports = Vec::with_capacity(outputs.len());
    for Output { format, path } in outputs {
        let file = path.as_deref().map(OutFile::open).transpose()?;
        file.iter().try_for_each(|file| file.must_not_be(inputs.iter().map(|input| &input.path)))?;
        reports.push(Report { format: *format, file });
    }
    OutFile::must_differ(reports.iter().filter_map(|report| report.file.as_ref()))?;
    Ok(reports)
}
