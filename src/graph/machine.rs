//! Rules on the machine: what a graph needs of it is there. Files are looked at, and neither opened nor executed.

use super::finding::{Draft, Findings, Level, Rule};
use super::load::LoadOptions;
use super::model::{Model, ModelNode};
use super::rules;
use super::settings;
use super::source::{SourceFile, Span, is_writable_by_all};
use super::sources::Sources;
use super::written::WrittenBackend;
use super::yaml::{Kind, Tree};
use crate::node::Role;
use crate::nodes::{COMMAND, find_program};
use rustix::fs::{Access, access};
use std::collections::HashMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;

/// Most nodes whose programs are looked for: each may be in any folder of PATH.
const MAX_PROGRAMS: usize = 1000;

/// What is looked at.
struct Machine<'a> {
    model: &'a Model<'a>,
    sources: &'a Sources,
    options: &'a LoadOptions<'a>,
    /// The backends of the file by the nodes that they have.
    backends: HashMap<&'a str, &'a WrittenBackend>,
    /// How bad it is where something is missing.
    level: Level,
}

/// Tells what the machine lacks, where the options ask for that.
pub(super) fn lacks(model: &Model<'_>, sources: &Sources, options: &LoadOptions<'_>, findings: &mut Findings) {
    let Some(level) = options.machine.filter(|_| !options.only_written) else { return };
    let placed = model.backends.iter().flat_map(|backend| backend.nodes.iter().map(move |word| (&*word.text, backend)));
    let machine = Machine { model, sources, options, backends: placed.collect(), level };
    machine.files(findings);
    machine.programs(findings);
    machine.processors(findings);
    if level != Level::Error {
        // To run, such a file is not even read.
        writable_files(sources, findings);
    }
}

impl Machine<'_> {
    /// The files that sources read.
    fn files(&self, findings: &mut Findings) {
        for node in self.model.nodes.iter().filter(|node| node.pack.is_none()) {
            let file = self.sources.file(node.file);
            let is_source = node.node_type.as_ref().is_some_and(|node_type| node_type.role == Role::Source);
            let Some(path) = settings::file_name(node, file).filter(|_| is_source) else { continue };
            let Some(text) = path_in(path) else { continue };
            if let Some(why) = cannot_read(&file.dir().join(text)) {
                let message = format!("`{}` reads `{text}`, and {why}", node.name.text);
                let help = "correct the path, which is relative to the graph file, or make that file before the run";
                findings.add(self.draft(rules::MISSING_FILE, path.span, message).help(help));
            }
        }
    }

    /// The programs that nodes run.
    fn programs(&self, findings: &mut Findings) {
        let is_command = |node: &&ModelNode<'_>| {
            node.pack.is_none() && node.node_type.as_ref().is_some_and(|node_type| node_type.name == COMMAND)
        };
        for node in self.model.nodes.iter().filter(is_command).take(MAX_PROGRAMS) {
            let file = self.sources.file(node.file);
            let Some(Tree { kind: Kind::Seq(argv), .. }) = settings::written(node, "argv", file) else { continue };
            let Some((program, name)) = argv.first().and_then(|first| Some((first, path_in(first)?))) else { continue };
            if let Err(fault) = find_program(name, file.dir(), &self.folders(node)) {
                let message = format!("`{}` cannot run `{name}`: {fault}", node.name.text);
                let help = "correct its name, or install it where the graph runs";
                findings.add(self.draft(rules::MISSING_PROGRAM, program.span, message).help(help));
            }
        }
    }

    /// The processors that backends are bound to.
    fn processors(&self, findings: &mut Findings) {
        for backend in &self.model.backends {
            let Some(cpu) = backend.cpu.filter(|cpu| !can_bind_to(cpu.value)) else { continue };
            let message = format!("the backend `{}` cannot have cpu {}: it is not there", backend.name.text, cpu.value);
            let help = "`nproc` tells how many there are; they count from 0";
            findings.add(self.draft(rules::MISSING_PROCESSOR, cpu.span, message).help(help));
        }
    }

    /// The PATH of the process that `node` is in.
    fn folders(&self, node: &ModelNode<'_>) -> OsString {
        let own = self.backends.get(&*node.name.text).and_then(|backend| backend.env.get("PATH").cloned());
        own.or_else(|| (self.options.env)("PATH")).unwrap_or_default().into()
    }

    fn draft(&self, rule: Rule, span: Span, message: String) -> Draft {
        Draft::new(rule, span, message).level(self.level)
    }
}

/// The text of a path that could be one.
fn path_in(tree: &Tree) -> Option<&str> {
    match &tree.kind {
        Kind::String(text) if !text.is_empty() && !text.contains('\0') => Some(text),
        _ => None,
    }
}

fn cannot_read(path: &Path) -> Option<String> {
    match std::fs::metadata(path) {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Some("there is no such file".to_owned())
        }
        Err(e) => Some(format!("that cannot be looked at: {e}")),
        Ok(found) if found.is_dir() => Some("that is a folder".to_owned()),
        Ok(_) => access(path, Access::READ_OK).is_err().then(|| "that may not be read here".to_owned()),
    }
}

/// Whether a process may be bound to this processor: a thread of ours tries it. Any other than the system's plain no is
/// none.
#[cfg(target_os = "linux")]
fn can_bind_to(cpu: u32) -> bool {
    let attempt = move || {
        let mut set = rustix::thread::CpuSet::new();
        set.set(cpu as usize);
        rustix::thread::sched_setaffinity(None, &set) != Err(rustix::io::Errno::INVAL)
    };
    let thread = std::thread::Builder::new().spawn(attempt);
    thread.ok().and_then(|thread| thread.join().ok()).unwrap_or(true)
}

/// Nothing runs here.
#[cfg(not(target_os = "linux"))]
fn can_bind_to(_: u32) -> bool {
    true
}

/// Graph files that every user may write to are not run.
fn writable_files(sources: &Sources, findings: &mut Findings) {
    for file in sources.iter().filter(|file| is_writable_by_all(&file.path())) {
        let message = format!("{} is not run: every user may write to it", file.name());
        let help = "`chmod o-w` takes that right away; `ezrun --allow-writable` runs it all the same";
        findings.add(Draft::new(rules::WRITABLE_FILE, first_key(file), message).help(help));
    }
}

/// Where a graph file begins to say something.
fn first_key(file: &SourceFile) -> Span {
    let lines = file.text().split_inclusive('\n');
    let before = lines.take_while(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    let at: usize = before.map(str::len).sum();
    file.beginning().part(at, at)
}
