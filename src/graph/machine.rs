//! Rules on the machine: what a graph needs of it is there. Files are looked at, and neither opened nor executed.

use super::finding::{Draft, Findings, Level, Rule};
use super::load::LoadOptions;
use super::looks::Looks;
use super::model::{Model, ModelNode};
use super::paths::{Inputs, MAX_SHOWN, Obstacle, Outputs};
use super::rules;
use super::settings;
use super::source::{SourceFile, Span, WAY_OUT_OF_WRITABLE, is_writable_by_all, why_not_run};
use super::sources::Sources;
use super::written::WrittenBackend;
use super::yaml::{Kind, Tree, shorten};
use crate::node::Role;
use crate::nodes::{COMMAND, ProgramFault, find_program};
use serde_json::Number;
use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsStr;
use std::path::Path;

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
    let (mut inputs, mut outputs) = (Inputs::default(), Outputs::default());
    machine.files((Role::Source, "reads", rules::MISSING_FILE), |dir, path| inputs.obstacle(dir, path), findings);
    machine.files((Role::Sink, "writes", rules::UNWRITABLE_FILE), |dir, path| outputs.obstacle(dir, path), findings);
    machine.programs(findings);
    machine.processors(findings);
    if level != Level::Error {
        // To run, such a file is not even read.
        writable_files(sources, findings);
    }
}

impl Machine<'_> {
    /// The files that nodes of one role name, each of which has to be free of an `obstacle`.
    fn files<'m>(
        &'m self,
        (role, does, rule): (Role, &str, Rule),
        mut obstacle: impl FnMut(&'m Path, &'m str) -> Option<Obstacle>,
        findings: &mut Findings,
    ) {
        for Named { node, dir, path, span } in self.named_by(role) {
            if let Some(Obstacle { what, help }) = obstacle(dir, path) {
                let message = format!("`{}` {does} `{}`, and {what}", node.name.text, shorten(path, MAX_SHOWN));
                findings.add(self.draft(rule, span, message).help(help));
            }
        }
    }

    /// The files that built-in types of this role name.
    fn named_by(&self, role: Role) -> impl Iterator<Item = Named<'_>> {
        self.model.nodes.iter().filter(|node| node.pack.is_none()).filter_map(move |node| {
            let file = self.sources.file(node.file);
            let has_role = node.node_type.as_ref().is_some_and(|node_type| node_type.role == role);
            let path = settings::file_name(node, file).filter(|_| has_role)?;
            Some(Named { node, dir: file.dir(), path: path_in(path)?, span: path.span })
        })
    }

    /// The programs that nodes run.
    fn programs(&self, findings: &mut Findings) {
        let is_command = |node: &&ModelNode<'_>| {
            node.pack.is_none() && node.node_type.as_ref().is_some_and(|node_type| node_type.name == COMMAND)
        };
        let own_folders = (self.options.env)("PATH").unwrap_or_default();
        let mut looks = Looks::default();
        let mut known: HashMap<Place<'_>, Option<ProgramFault>> = HashMap::new();
        for node in self.model.nodes.iter().filter(is_command) {
            let file = self.sources.file(node.file);
            let Some(Tree { kind: Kind::Seq(argv), .. }) = settings::written(node, "argv", file) else { continue };
            let Some((program, name)) = argv.first().and_then(|first| Some((first, word_in(first)?))) else { continue };
            let backend = self.backends.get(&*node.name.text);
            let given = backend.and_then(|backend| Some((&*backend.name.text, &**backend.env.get("PATH")?)));
            let place = Place { backend: given.map(|(backend, _)| backend), dir: file.dir().as_os_str(), name };
            let folders = given.map_or(&*own_folders, |(_, folders)| folders);
            let (name, fault) = match known.entry(place) {
                Entry::Occupied(entry) => (entry.key().name.clone(), &*entry.into_mut()),
                Entry::Vacant(entry) => {
                    let name = entry.key().name.clone();
                    let fault = fault_of(&name, file.dir(), folders, &mut looks);
                    (name, &*entry.insert(fault))
                }
            };
            if let Some(fault) = fault {
                let message = format!("`{}` cannot run `{}`: {fault}", node.name.text, shorten(&name, MAX_SHOWN));
                findings.add(self.draft(rules::MISSING_PROGRAM, program.span, message).help(way_out(fault)));
            }
        }
    }

    /// The processors that backends are bound to.
    fn processors(&self, findings: &mut Findings) {
        let mut known: HashMap<u32, bool> = HashMap::new();
        for backend in &self.model.backends {
            let Some(cpu) = backend.cpu else { continue };
            if *known.entry(cpu.value).or_insert_with(|| can_bind_to(cpu.value)) {
                continue;
            }
            let message = format!("the backend `{}` cannot have cpu {}: it is not there", backend.name.text, cpu.value);
            let help = "`nproc` tells how many there are; they count from 0";
            findings.add(self.draft(rules::MISSING_PROCESSOR, cpu.span, message).help(help));
        }
    }

    fn draft(&self, rule: Rule, span: Span, message: String) -> Draft {
        Draft::new(rule, span, message).level(self.level)
    }
}

/// A file that the settings of a node name.
struct Named<'a> {
    node: &'a ModelNode<'a>,
    /// What its path is relative to.
    dir: &'a Path,
    path: &'a str,
    /// Where that is written.
    span: Span,
}

/// Where a program is looked for.
#[derive(PartialEq, Eq, Hash)]
struct Place<'a> {
    /// The backend that has a PATH of its own.
    backend: Option<&'a str>,
    dir: &'a OsStr,
    name: Cow<'a, str>,
}

/// Why a program cannot be run; nothing where that is not known, since enough has been looked at.
fn fault_of(name: &str, dir: &Path, folders: &str, looks: &mut Looks) -> Option<ProgramFault> {
    if !looks.may(&dir.join(name)) {
        return None;
    }
    let folders = std::env::split_paths(folders).take_while(|folder| looks.may(&folder.join(name)));
    let fault = find_program(name, dir, folders).err();
    fault.filter(|_| !looks.are_over())
}

fn way_out(fault: &ProgramFault) -> &'static str {
    match fault {
        ProgramFault::NotExecutable => "make it executable with `chmod +x`, or name another",
        ProgramFault::Folder => "name a program in it, or another one",
        ProgramFault::NotInPath { beside: Some(_) } => "write `./` before its name, or install it where the graph runs",
        _ => "correct its name, or install it where the graph runs",
    }
}

/// A word of a command line, as its program gets it.
fn word_in(tree: &Tree) -> Option<Cow<'_, str>> {
    match &tree.kind {
        Kind::Int(number) => Some(number.get().to_string().into()),
        Kind::Float(number) => Some(Number::from_f64(*number)?.to_string().into()),
        _ => path_in(tree).map(Cow::Borrowed),
    }
}

/// The text of a path that could be one.
fn path_in(tree: &Tree) -> Option<&str> {
    let text = match (&tree.kind, &tree.substituted) {
        (Kind::String(text), _) => text,
        (Kind::Bool(_) | Kind::Int(_) | Kind::Float(_), Some(text)) => &**text,
        _ => return None,
    };
    Some(text.as_str()).filter(|text| !text.is_empty() && !text.contains('\0'))
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
        let draft = Draft::new(rules::WRITABLE_FILE, first_key(file), why_not_run(file.name()));
        findings.add(draft.help(WAY_OUT_OF_WRITABLE));
    }
}

/// Where a graph file begins to say something.
fn first_key(file: &SourceFile) -> Span {
    let lines = file.text().split_inclusive('\n');
    let before = lines.take_while(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    let at: usize = before.map(str::len).sum();
    file.beginning().part(at, at)
}
