//! Rules on the machine: what a graph needs of it is there. Files are looked at, and neither opened nor executed.

use super::finding::{Draft, Findings, Level, Rule};
use super::load::LoadOptions;
use super::looks::Looks;
use super::model::{Model, ModelNode};
use super::rules;
use super::settings;
use super::source::{SourceFile, Span, WAY_OUT_OF_WRITABLE, is_writable_by_all, why_not_run};
use super::sources::Sources;
use super::written::WrittenBackend;
use super::yaml::{Kind, Tree, shorten};
use crate::node::Role;
use crate::nodes::{COMMAND, ProgramFault, find_program};
use rustix::fs::{Access, access};
use serde_json::Number;
use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsStr;
use std::io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
use std::path::Path;

/// Most characters that are shown of a path.
const MAX_SHOWN: usize = 200;

const WAY_OUT_OF_RIGHTS: &str = "give the user who runs the graph that right, or write elsewhere";

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
    machine.outputs(findings);
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
        let mut looks = Looks::default();
        let mut known: HashMap<(&OsStr, &str), Option<String>> = HashMap::new();
        for Named { node, dir, path, span } in self.named_by(Role::Source) {
            let why = known.entry((dir.as_os_str(), path)).or_insert_with(|| {
                let path = dir.join(path);
                looks.may(&path).then(|| cannot_read(&path)).flatten()
            });
            if let Some(why) = why {
                let message = format!("`{}` reads `{}`, and {why}", node.name.text, shorten(path, MAX_SHOWN));
                let usual = "correct the path, which is relative to the graph file, or make that file before the run";
                let help = shell_word(path).map_or_else(|| usual.to_owned(), |word| in_our_words(word, path));
                findings.add(self.draft(rules::MISSING_FILE, span, message).help(help));
            }
        }
    }

    /// The files that sinks write.
    fn outputs(&self, findings: &mut Findings) {
        let mut outputs = Outputs::default();
        for Named { node, dir, path, span } in self.named_by(Role::Sink) {
            let of_shell = shell_word(path).map(|word| Obstacle::of_shell(word, path));
            if let Some(Obstacle { what, help }) = of_shell.or_else(|| outputs.obstacle(dir, path)) {
                let message = format!("`{}` writes `{}`, and {what}", node.name.text, shorten(path, MAX_SHOWN));
                findings.add(self.draft(rules::UNWRITABLE_FILE, span, message).help(help));
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
    match &tree.kind {
        Kind::String(text) if !text.is_empty() && !text.contains('\0') => Some(text),
        _ => None,
    }
}

fn cannot_read(path: &Path) -> Option<String> {
    match std::fs::metadata(path) {
        Err(e) if matches!(e.kind(), NotFound | NotADirectory) => Some("there is no such file".to_owned()),
        Err(e) => Some(format!("that cannot be looked at: {e}")),
        Ok(found) if found.is_dir() => Some("that is a folder".to_owned()),
        Ok(_) => access(path, Access::READ_OK).is_err().then(|| "that may not be read here".to_owned()),
    }
}

/// Why a file cannot be written, and the way out.
#[derive(Clone)]
struct Obstacle {
    what: String,
    help: Cow<'static, str>,
}

impl Obstacle {
    fn of_shell(word: &str, path: &str) -> Self {
        Obstacle { what: format!("`{word}` stands for no folder here"), help: in_our_words(word, path).into() }
    }
}

/// What is known of files to write.
#[derive(Default)]
struct Outputs<'a> {
    looks: Looks,
    /// By what a folder is seen from, and by what it is called there.
    folders: HashMap<(&'a OsStr, &'a OsStr), Option<Obstacle>>,
}

impl<'a> Outputs<'a> {
    /// What is in the way of the file that is called `path` in `dir`. The folders above it are made where they are missing.
    fn obstacle(&mut self, dir: &'a Path, path: &'a str) -> Option<Obstacle> {
        let full = dir.join(path);
        if !self.looks.may(&full) {
            return None;
        }
        match std::fs::metadata(&full) {
            Ok(found) if found.is_dir() => obstacle("that is a folder", "name a file in it"),
            // A pipe or a device may be another one to the process that runs the node, as `/dev/stdout` is.
            Ok(found) if !found.is_file() || access(&full, Access::WRITE_OK).is_ok() => None,
            Ok(_) => obstacle("that may not be written here", WAY_OUT_OF_RIGHTS),
            Err(e) if !matches!(e.kind(), NotFound | NotADirectory | PermissionDenied) => {
                obstacle(format!("that cannot be made: {e}"), "correct the path, which is relative to the graph file")
            }
            Err(_) if is_name_of_folder(path) => obstacle("that is the name of a folder", "name a file in it"),
            Err(_) => {
                let folder = Path::new(path).parent()?;
                let known = self.folders.entry((dir.as_os_str(), folder.as_os_str()));
                known.or_insert_with(|| folder_obstacle(dir, folder, &mut self.looks)).clone()
            }
        }
    }
}

/// Why nothing can be made in a folder, or the folder itself cannot.
fn folder_obstacle(dir: &Path, folder: &Path, looks: &mut Looks) -> Option<Obstacle> {
    // Below what is not there nothing is.
    let folders: Vec<&Path> = folder.ancestors().collect();
    let is_away = |folder: &&Path| {
        let full = dir.join(folder);
        !looks.may(&full) || full.symlink_metadata().is_err()
    };
    let there = folders.get(folders.partition_point(is_away)).filter(|_| !looks.are_over())?;
    let full = dir.join(there);
    let name = match there.to_str() {
        Some("") => "the folder of the graph file".to_owned(),
        _ => format!("`{}`", shorten(&there.to_string_lossy(), MAX_SHOWN)),
    };
    match std::fs::metadata(&full) {
        Err(_) => obstacle(format!("{name} is a link that leads nowhere"), "make what it leads to, or write elsewhere"),
        Ok(found) if !found.is_dir() => {
            obstacle(format!("{name} is no folder"), "write elsewhere, or rename that file")
        }
        Ok(_) if access(&full, Access::WRITE_OK | Access::EXEC_OK).is_ok() => None,
        Ok(_) => obstacle(format!("nothing may be made in {name} here"), WAY_OUT_OF_RIGHTS),
    }
}

fn obstacle(what: impl Into<String>, help: &'static str) -> Option<Obstacle> {
    Some(Obstacle { what: what.into(), help: help.into() })
}

/// What only a shell would put something else for, at the beginning of a path: `~` or `$NAME`.
fn shell_word(path: &str) -> Option<&str> {
    let word = path.split('/').next()?;
    let is_name = |name: &str| {
        let is_part = |part: char| part.is_ascii_alphanumeric() || part == '_';
        !name.is_empty() && name.len() <= MAX_SHOWN && name.chars().all(is_part)
    };
    (word == "~" || word.strip_prefix('$').is_some_and(is_name)).then_some(word)
}

/// How a path that begins with such a word is written here.
fn in_our_words(word: &str, path: &str) -> String {
    let (name, rest) = (word.strip_prefix('$').unwrap_or("HOME"), shorten(&path[word.len()..], MAX_SHOWN));
    format!("write `\"${{env:{name}}}{rest}\"`, or `./{word}{rest}` for what is called so")
}

/// Whether a path can only be that of a folder, even if nothing is there.
fn is_name_of_folder(path: &str) -> bool {
    matches!(path.rsplit('/').next(), Some("" | "." | ".."))
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
