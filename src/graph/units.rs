//! A graph file and the files that it uses in the place of nodes, each with its variables filled in.
//!
//! A file that is used several times is read once, and filled in for each use with the values that are given there.

use super::fields::UNKNOWN;
use super::finding::{Draft, Findings};
use super::given::Given;
use super::keys::{self, Found};
use super::load::LoadOptions;
use super::misplaced;
use super::parallel;
use super::rules;
use super::source::{FileId, MAX_FILE_BYTES, ReadError, SourceFile, Span, WAY_OUT_OF_WRITABLE, why_not_run};
use super::sources::Sources;
use super::suggest;
use super::variables;
use super::written::{GRAPH_KEYS, NODE_KEYS};
use super::yaml::{self, Kind, Tree};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most uses of files in one graph, those within others included.
const MAX_USES: usize = 1000;
/// Deepest nesting of files in files.
const MAX_DEPTH: usize = 16;
/// Most values in all files of a graph, those of a file counted for each of its uses.
const MAX_VALUES: usize = 400_000;

/// Most nodes without a `use` among whose keys one is looked for that was meant to be it.
const MAX_MISSPELT: usize = 10_000;
/// Most files of a folder among which one with a similar name is looked for.
const MAX_BESIDE: usize = 1000;

/// More nodes or edges than this are many.
pub(super) const LARGE: usize = 10_000;

/// One use of a file.
pub(super) struct Unit {
    /// The file.
    pub file: FileId,
    /// What it says, variables filled in.
    pub tree: Tree,
    /// Nodes that stand for other files, by name.
    pub inner: BTreeMap<String, Unit>,
}

impl Drop for Unit {
    /// A large tree is taken apart beside everything else: nobody waits for that, least of all a process that ends.
    fn drop(&mut self) {
        let is_large = |(_, section): &(Tree, Tree)| match &section.kind {
            Kind::Seq(items) => items.len() > LARGE,
            Kind::Map(entries) => entries.len() > LARGE,
            _ => false,
        };
        if matches!(&self.tree.kind, Kind::Map(sections) if sections.iter().any(is_large)) {
            let tree = std::mem::replace(&mut self.tree, Tree::new(Span::BEGINNING, Kind::Null));
            // Where no thread can be had, it is taken apart here.
            let _ = std::thread::Builder::new().spawn(move || drop(tree));
        }
    }
}

/// Whether what follows `use:` names a file rather than a node type.
pub(super) fn is_file(uses: &str) -> bool {
    let begins_like_one = ["./", "../", "/"].iter().any(|start| uses.starts_with(start));
    begins_like_one || uses.ends_with(".yaml") || uses.ends_with(".yml") || is_url(uses)
}

/// Whether it is an address, of which there may be files in a network: none of them is read.
fn is_url(uses: &str) -> bool {
    uses.contains("://")
}

/// Reads the first file of `sources`, and adds those that it uses. Nothing where the first one is no YAML.
pub(super) fn gather(sources: &mut Sources, options: &LoadOptions<'_>, findings: &mut Findings) -> Option<Unit> {
    let first = sources.first().id();
    let trees = BTreeMap::new();
    let mut gatherer = Gatherer { sources, options, findings, trees, uses: 0, bytes: 0, values: 0, full: false };
    gatherer.unit(first, None, &mut Vec::new())
}

struct Gatherer<'a> {
    sources: &'a mut Sources,
    options: &'a LoadOptions<'a>,
    findings: &'a mut Findings,
    /// What each file that is used says as it stands, by its name; nothing where it is no YAML.
    trees: BTreeMap<Arc<str>, Option<Tree>>,
    uses: usize,
    /// Of all files, each once.
    bytes: u64,
    values: usize,
    /// Whether a limit was reached, which is told once.
    full: bool,
}

/// A node that stands for a file.
struct Use {
    path: String,
    at: Span,
    given: Given,
}

fn entries(tree: Option<&Tree>) -> &[(Tree, Tree)] {
    match tree {
        Some(Tree { kind: Kind::Map(entries), .. }) => entries,
        _ => &[],
    }
}

/// What stands under `key` of a mapping that may have the keys `known`, also where that is misspelt.
fn value<'t>(tree: &'t Tree, key: &str, known: &[&str], file: &SourceFile) -> Option<&'t Tree> {
    let entries = entries(Some(tree));
    match keys::find(entries, key, known, file) {
        Found::Nowhere => None,
        Found::At(at) => Some(&entries[at].1),
        Found::Unsure => Some(&UNKNOWN),
    }
}

/// What a file says, each key where it belongs; nothing where it is no YAML.
fn parsed(file: &SourceFile, findings: &mut Findings) -> Option<Tree> {
    let mut tree = parallel::parse(file, findings)?;
    misplaced::put_right(&mut tree, file, findings);
    Some(tree)
}

/// What the nodes and backends of a file are called.
fn names(tree: &Tree, file: &SourceFile) -> HashSet<String> {
    let keys = ["nodes", "backends"].into_iter().flat_map(|key| entries(value(tree, key, GRAPH_KEYS, file)));
    keys.map(|(key, _)| key.text(file).to_owned()).collect()
}

/// A graph file that is there, and is called as `path` in `dir` but for one name, of a folder or its own.
fn similar_file(dir: &Path, path: &Path) -> Option<PathBuf> {
    let folder = path.ancestors().skip(1).find(|folder| dir.join(folder).is_dir())?;
    let mut below = path.strip_prefix(folder).ok()?.components();
    let wanted = below.next()?.as_os_str();
    let rest = below.as_path();
    let whole = |name: &str| if rest == Path::new("") { folder.join(name) } else { folder.join(name).join(rest) };
    let beside = std::fs::read_dir(dir.join(folder)).ok()?.take(MAX_BESIDE).filter_map(Result::ok);
    let mut names: Vec<String> = beside.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| whole(name).to_str().is_some_and(is_file) && dir.join(whole(name)).is_file());
    names.sort_unstable();
    let without_ending = names.iter().find(|name| Path::new(name).file_stem() == Some(wanted));
    let meant = without_ending.map(String::as_str);
    meant.or_else(|| suggest::nearest(wanted.to_str()?, names.iter().map(String::as_str))).map(whole)
}

impl Gatherer<'_> {
    /// `chain` are the uses that led here.
    fn unit(&mut self, file: FileId, given: Option<&Given>, chain: &mut Vec<(FileId, Span)>) -> Option<Unit> {
        let used_at = chain.last().map(|(_, at)| *at);
        let mut tree = self.tree(file, used_at)?;
        let origins = variables::substitute(&mut tree, self.sources.file(file), self.options, given, self.findings);
        self.sources.set_origins(file, origins);
        let uses = self.uses(&tree, file);
        if used_at.is_some() || !uses.is_empty() {
            self.values += variables::count(&tree);
        }
        if let Some(at) = used_at {
            if self.values > MAX_VALUES {
                self.refuse_more(at, format!("the files of this graph have more than {MAX_VALUES} values in all"));
                return None;
            }
            self.sources.set_names(file, names(&tree, self.sources.file(file)));
        }
        let mut inner = BTreeMap::new();
        for used in uses {
            let node = used.given.node.clone();
            if let Some(unit) = self.follow(file, used, chain) {
                inner.insert(node, unit);
            }
        }
        Some(Unit { file, tree, inner })
    }

    fn tree(&mut self, file: FileId, used_at: Option<Span>) -> Option<Tree> {
        let source = self.sources.file(file);
        let Some(at) = used_at else {
            // Nothing can use the first file, so it is not kept.
            self.bytes += source.text().len() as u64;
            return parsed(source, self.findings);
        };
        let name = Arc::clone(source.name());
        if !self.trees.contains_key(&name) && self.bytes + source.text().len() as u64 > MAX_FILE_BYTES {
            self.refuse_more(at, format!("the files of this graph have more than {MAX_FILE_BYTES} bytes in all"));
            return None;
        }
        let known = self.trees.entry(name).or_insert_with(|| {
            self.bytes += source.text().len() as u64;
            parsed(source, self.findings)
        });
        let mut tree = known.clone()?;
        yaml::place_in(&mut tree, file);
        Some(tree)
    }

    /// The nodes of `tree` that stand for files. What is wrong with them otherwise is told when the file is read.
    fn uses(&self, tree: &Tree, file: FileId) -> Vec<Use> {
        let file = self.sources.file(file);
        let mut misspelt = 0..MAX_MISSPELT;
        let mut as_use = |(name, node): &(Tree, Tree)| {
            let says_use = entries(Some(node)).iter().any(|(key, _)| key.text(file) == "use");
            if !says_use {
                misspelt.next()?;
            }
            let uses = value(node, "use", &NODE_KEYS, file)?;
            let Kind::String(path) = &uses.kind else { return None };
            let given = || Given::new(name.text(file), name.span, value(node, "with", &NODE_KEYS, file), file);
            is_file(path).then(|| Use { path: path.to_string(), at: uses.span, given: given() })
        };
        entries(value(tree, "nodes", GRAPH_KEYS, file)).iter().filter_map(&mut as_use).collect()
    }

    fn follow(&mut self, from: FileId, used: Use, chain: &mut Vec<(FileId, Span)>) -> Option<Unit> {
        if self.full {
            return None;
        }
        if is_url(&used.path) {
            let message = format!("`{}` is an address, and a graph is made of files alone", used.path);
            let help = "save it beside this file, and write its path";
            self.findings.add(Draft::new(rules::UNREADABLE_FILE, used.at, message).help(help));
            return None;
        }
        self.uses += 1;
        if self.uses > MAX_USES {
            let message = format!("files are used more than {MAX_USES} times, those within others included");
            self.refuse_more(used.at, message);
            return None;
        }
        let file = match self.sources.open(&used.path, &used.given.node, used.at) {
            Ok(file) => file,
            Err(error) => {
                let (message, help) = match error {
                    ReadError::Writable { path } => (why_not_run(path.display()), WAY_OUT_OF_WRITABLE.to_owned()),
                    other => (other.to_string(), self.meant(from, &used.path)),
                };
                self.findings.add(Draft::new(rules::UNREADABLE_FILE, used.at, message).help(help));
                return None;
            }
        };
        chain.push((from, used.at));
        let is_this = |id: FileId| self.sources.file(id).is_same_file(self.sources.file(file));
        let unit = if let Some(first) = chain.iter().position(|(on_the_way, _)| is_this(*on_the_way)) {
            self.report_circle(file, &chain[first..]);
            None
        } else if chain.len() > MAX_DEPTH {
            let message = format!("files are nested deeper than {MAX_DEPTH}");
            self.findings.add(Draft::new(rules::OUT_OF_RANGE, used.at, message).help("write it flatter"));
            None
        } else {
            self.unit(file, Some(&used.given), chain)
        };
        chain.pop();
        unit
    }

    /// The way out where the file `from` uses one that cannot be read: one that is called similarly, if there is one.
    fn meant(&self, from: FileId, path: &str) -> String {
        let dir = self.sources.file(from).dir();
        match self.findings.suggestion(|| similar_file(dir, Path::new(path))) {
            Some(similar) => format!("did you mean `{}`?", similar.display()),
            None => "correct the path; it is relative to this file".to_owned(),
        }
    }

    /// No file more is used.
    fn refuse_more(&mut self, at: Span, message: String) {
        self.full = true;
        self.findings.add(Draft::new(rules::OUT_OF_RANGE, at, message).help("make several graphs of it"));
    }

    /// `circle` are the uses that lead from `file` back to it.
    fn report_circle(&mut self, file: FileId, circle: &[(FileId, Span)]) {
        let name = |id: FileId| format!("`{}`", self.sources.file(id).name());
        let files = circle.iter().map(|(id, _)| name(*id)).chain([name(file)]);
        let message = format!("a file cannot be a part of itself: {}", files.collect::<Vec<_>>().join(" → "));
        if let Some((_, closing)) = circle.last() {
            self.findings.add(Draft::new(rules::CIRCULAR_USE, *closing, message).help("take one of these uses out"));
        }
    }
}
