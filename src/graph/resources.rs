//! Rules on what nodes share: processes, and the streams of the terminal.

use super::fields::Word;
use super::finding::{Draft, Findings};
use super::looks::Looks;
use super::model::{Model, ModelNode};
use super::paths::is_name_of_folder;
use super::rules;
use super::settings;
use super::source::{SourceFile, Span};
use super::sources::Sources;
use crate::node::{Role, Stream};
use crate::nodes::COMMAND;
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

/// Backends name nodes that exist, each once.
pub(super) fn placements(model: &Model<'_>, findings: &mut Findings) {
    let mut placed: HashMap<usize, (&Word, Span)> = HashMap::new();
    for backend in &model.backends {
        for word in &backend.nodes {
            let Some(node) = model.node(&word.text, word.span, findings) else { continue };
            if let Some((first, span)) = placed.get(&node) {
                let place =
                    if first.text == backend.name.text { "here".to_owned() } else { format!("in `{}`", first.text) };
                let message = format!("`{}` is placed {place} already", word.text);
                let draft = Draft::new(rules::PLACED_TWICE, word.span, message);
                findings.add(draft.help("keep one of the two").related(*span, "first placed here"));
                continue;
            }
            placed.insert(node, (&backend.name, word.span));
        }
    }
}

/// A pack's executable has the built-in types as well, but not another pack's.
pub(super) fn mixed_packs(model: &Model<'_>, findings: &mut Findings) {
    let mut real = RealPaths::default();
    for backend in &model.backends {
        let mut first: Option<(Rc<Path>, &Word)> = None;
        for word in &backend.nodes {
            let node = model.by_name.get(&word.text).map(|&at| &model.nodes[at]);
            let Some(pack) = node.and_then(|node| node.pack.as_deref()) else { continue };
            // However the files that declare it call it.
            let pack = real.of(Path::new(""), pack.as_os_str());
            match &first {
                Some((other, other_word)) if *other != pack => {
                    let message = format!("`{}` and `{}` come from different packs", other_word.text, word.text);
                    let draft = Draft::new(rules::MIXED_PACKS, word.span, message);
                    let help = "a backend runs one pack's executable: put them into two backends";
                    findings.add(draft.help(help).related(other_word.span, "the first pack's node"));
                }
                Some(_) => {}
                None => first = Some((pack, word)),
            }
        }
    }
}

/// A node without a backend of the file has its own, with its own name.
pub(super) fn backend_names(model: &Model<'_>, findings: &mut Findings) {
    let placed: HashSet<&str> =
        model.backends.iter().flat_map(|backend| &backend.nodes).map(|word| word.text.as_str()).collect();
    for backend in &model.backends {
        let name = &backend.name.text;
        let Some(&own) = model.by_name.get(name).filter(|_| !placed.contains(name.as_str())) else { continue };
        let node = &model.nodes[own];
        let message = format!("the backend `{name}` has the name of a node that is not in it");
        let draft = Draft::new(rules::BACKEND_NAME, backend.name.span, message);
        let help = "rename it: that node's own backend is called so";
        findings.add(draft.help(help).related(node.name.span, "the node"));
    }
}

pub(super) fn standard_input(model: &Model<'_>, findings: &mut Findings) {
    let reads = |node: &&ModelNode<'_>| {
        node.node_type.as_ref().is_some_and(|node_type| node_type.uses.contains(&Stream::Stdin))
    };
    let mut readers = model.nodes.iter().filter(reads);
    let Some(first) = readers.next() else { return };
    for node in readers {
        let span = node.uses.as_ref().map_or(node.name.span, |uses| uses.span);
        let message = format!("`{}` and `{}` both read standard input", first.name.text, node.name.text);
        let help = "let one node read it, and connect both readers to that node";
        let draft = Draft::new(rules::STDIN_TAKEN, span, message).help(help);
        findings.add(draft.related(first.name.span, "the first reader"));
    }
}

/// A file that a sink writes is neither written nor read by another node, and is none that the graph is made of or runs.
pub(super) fn paths(model: &Model<'_>, sources: &Sources, findings: &mut Findings) {
    let mut real = RealPaths::default();
    let graphs = sources.iter().filter_map(|file| Some((file.dir(), Path::new(&**file.name()).file_name()?)));
    let graphs = graphs.map(|(dir, name)| (real.of(dir, name), "the graph file itself"));
    let mut own: HashMap<Rc<Path>, &str> = graphs.collect();
    for node in &model.nodes {
        if let Some(pack) = &node.pack {
            own.insert(real.of(Path::new(""), pack.as_os_str()), "the program of a pack");
        }
        if let Some(program) = program_of(node) {
            own.insert(real.of(sources.file(node.file).dir(), OsStr::new(program)), "a program that the graph runs");
        }
    }
    let mut users: HashMap<Rc<Path>, User<'_, '_>> = HashMap::new();
    for node in &model.nodes {
        let file = sources.file(node.file);
        let Some(user @ User { path, role, span, .. }) = User::of(node, file) else { continue };
        let full = real.of(file.dir(), OsStr::new(path));
        // What is written there is gone: any number of sinks may share it.
        if *full == *Path::new("/dev/null") {
            continue;
        }
        let name = &node.name.text;
        if let Some(what) = own.get(&full).filter(|_| role == Role::Sink) {
            let message = format!("`{name}` would write over {what}");
            findings.add(Draft::new(rules::PATH_TAKEN, span, message).help("give it a file of its own"));
            continue;
        }
        let Some(first) = users.get(&full) else {
            users.insert(full, user);
            continue;
        };
        let other = &first.node.name.text;
        let (message, at_first) = match (first.role, role) {
            (Role::Sink, Role::Sink) => (format!("`{other}` and `{name}` both write `{path}`"), "first written here"),
            (Role::Sink, _) => (format!("`{name}` reads `{path}`, which `{other}` writes"), "written here"),
            (_, Role::Sink) => (format!("`{name}` writes `{path}`, which `{other}` reads"), "read here"),
            _ => continue,
        };
        let draft = Draft::new(rules::PATH_TAKEN, span, message).help("give each a file of its own");
        findings.add(draft.related(first.span, at_first));
    }
    files_as_folders(&users, &mut real.looks, findings);
}

/// A file that a sink writes is no folder that another file lies in. Where it is a folder already, that is another fault.
fn files_as_folders(users: &HashMap<Rc<Path>, User<'_, '_>>, looks: &mut Looks, findings: &mut Findings) {
    let mut named: Vec<(&Path, &User<'_, '_>)> = users.iter().map(|(path, user)| (&**path, user)).collect();
    named.sort_unstable_by_key(|(_, user)| user.span);
    named.retain(|(path, _)| looks.may(path));
    // What lies in a folder follows it.
    named.sort_unstable_by_key(|(path, _)| *path);
    let mut file: Option<(&Path, &User<'_, '_>)> = None;
    for (path, user) in named {
        let Some((_, first)) = file.filter(|(file, _)| path.starts_with(file)) else {
            let is_folder = is_name_of_folder(user.path) || path.is_dir();
            let may_be_file = user.role == Role::Sink && !is_folder;
            file = Some((path, user)).filter(|_| may_be_file);
            continue;
        };
        let (name, other) = (&user.node.name.text, &first.node.name.text);
        let message = format!("the file of `{name}` would lie in `{}`, which `{other}` writes as a file", first.path);
        let draft = Draft::new(rules::PATH_TAKEN, user.span, message).help("rename one of the two");
        findings.add(draft.related(first.span, "written here"));
    }
}

/// The program that a node runs, where it is given by its path.
fn program_of<'m>(node: &'m ModelNode<'_>) -> Option<&'m str> {
    let is_command = node.pack.is_none() && node.node_type.as_ref()?.name == COMMAND;
    let program = node.settings.as_ref()?.get("argv")?.get(0)?.as_str()?;
    Some(program).filter(|program| is_command && program.contains('/'))
}

/// Who reads or writes a file: its setting `path`, and where that is written.
struct User<'m, 't> {
    node: &'m ModelNode<'t>,
    path: &'m str,
    role: Role,
    span: Span,
}

impl<'m, 't> User<'m, 't> {
    fn of(node: &'m ModelNode<'t>, file: &SourceFile) -> Option<Self> {
        let written = settings::file_name(node, file)?;
        let path = node.settings.as_ref()?.get("path")?.as_str()?;
        Some(User { node, path, role: node.node_type.as_ref()?.role, span: written.span })
    }
}

/// Where paths lead, whatever links are on the way. Once enough has been looked at, what their text alone tells.
#[derive(Default)]
struct RealPaths<'p> {
    looks: Looks,
    /// By the folder that they are seen from, and by what they are called there.
    known: HashMap<(&'p OsStr, &'p OsStr), Rc<Path>>,
    folders: HashMap<OsString, PathBuf>,
}

impl<'p> RealPaths<'p> {
    /// The path of the file that is called `path` in `dir`, which need not be there, nor its folder.
    fn of(&mut self, dir: &'p Path, path: &'p OsStr) -> Rc<Path> {
        let key = (dir.as_os_str(), path);
        if let Some(real) = self.known.get(&key) {
            return Rc::clone(real);
        }
        let real: Rc<Path> = self.look_for(&dir.join(path)).into();
        self.known.insert(key, Rc::clone(&real));
        real
    }

    fn look_for(&mut self, path: &Path) -> PathBuf {
        if !self.looks.may(path) {
            return normal(path);
        }
        if path.is_symlink()
            && let Ok(real) = std::fs::canonicalize(path)
        {
            return real;
        }
        match (path.parent(), path.file_name()) {
            (Some(folder), Some(name)) => self.folder(folder).join(name),
            _ => normal(path),
        }
    }

    fn folder(&mut self, folder: &Path) -> PathBuf {
        if let Some(real) = self.folders.get(folder.as_os_str()) {
            return real.clone();
        }
        let real = self.look_for_folder(folder);
        self.folders.insert(folder.into(), real.clone());
        real
    }

    fn look_for_folder(&mut self, folder: &Path) -> PathBuf {
        let there = self.looks.nearest(Path::new(""), folder, Path::exists);
        let Some((there, below)) = there.and_then(|there| Some((there, folder.strip_prefix(there).ok()?))) else {
            return normal(folder);
        };
        let real = std::fs::canonicalize(there).unwrap_or_else(|_| normal(there));
        normal(&real.join(below))
    }
}

/// The path without `.` and `..`, as far as its text alone tells.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            // Above the root is the root.
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}
