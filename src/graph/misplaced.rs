//! Keys on the wrong level: a section of the graph within another one, a key of a node beside it. Each is told, and counts
//! as standing where it belongs, so that nothing else follows from it.

use super::finding::{Draft, Findings};
use super::rules;
use super::source::SourceFile;
use super::written::{GRAPH_KEYS, NODE_KEYS};
use super::yaml::{Kind, Tree};

type Entry = (Tree, Tree);

/// Sections whose keys are names that a user gives.
const OUTER: [&str; 3] = ["nodes", "params", "backends"];
/// Sections that a name may be taken for.
const INNER: [&str; 6] = ["params", "packs", "ports", "nodes", "edges", "backends"];

/// Moves what `graph` has on the wrong level to where it belongs.
pub(super) fn put_right(graph: &mut Tree, file: &SourceFile, findings: &mut Findings) {
    let Kind::Map(sections) = &mut graph.kind else { return };
    let known: Vec<&str> = sections.iter().filter_map(|(key, _)| known_section(key, file)).collect();
    let mut found: Vec<Entry> = Vec::new();
    for (key, section) in sections.iter_mut() {
        let Some(outer) = OUTER.into_iter().find(|outer| *outer == key.text(file)) else { continue };
        let is_section = |entry: &Entry| {
            let name = known_section(&entry.0, file);
            name.is_some_and(|name| !known.contains(&name) && is_section(name, &entry.1, outer, file))
        };
        for entry in taken(section, is_section) {
            let name = entry.0.text(file);
            let message = format!("`{name}` stands below `{outer}`, and is a section of the graph");
            let help = format!("indent it as `{outer}` is");
            findings.add(Draft::new(rules::UNKNOWN_KEY, entry.0.span, message).help(help));
            found.push(entry);
        }
        if outer == "nodes" {
            keys_of_nodes(section, file, findings);
        }
    }
    if !found.is_empty() {
        *sections = std::mem::take(sections).into_iter().chain(found).collect();
    }
}

/// The section that a key names.
fn known_section(key: &Tree, file: &SourceFile) -> Option<&'static str> {
    GRAPH_KEYS.iter().copied().find(|name| *name == key.text(file))
}

/// Whether `value` is a section of that name, rather than a node, a param or a backend.
fn is_section(name: &str, value: &Tree, outer: &str, file: &SourceFile) -> bool {
    if !INNER.contains(&name) {
        return false;
    }
    let has_key = |tree: &Tree, keys: &[&str]| keys.iter().any(|key| tree.has_key(key, file));
    match &value.kind {
        Kind::Seq(edges) if name == "edges" => edges.iter().any(|edge| has_key(edge, &["from", "to"])),
        Kind::Map(nodes) if name == "nodes" => nodes.iter().any(|(_, node)| has_key(node, &["use"])),
        Kind::Map(_) => outer == "nodes" && name != "edges" && !has_key(value, &NODE_KEYS),
        _ => false,
    }
}

/// Takes those entries out of a mapping for which `is_meant` holds.
fn taken(tree: &mut Tree, is_meant: impl Fn(&Entry) -> bool) -> Vec<Entry> {
    let Kind::Map(entries) = &mut tree.kind else { return Vec::new() };
    if !entries.iter().any(&is_meant) {
        return Vec::new();
    }
    let (taken, left): (Vec<Entry>, Vec<Entry>) = std::mem::take(entries).into_iter().partition(is_meant);
    *entries = left.into();
    taken
}

/// A key of a node that stands among the nodes belongs to the one above it.
fn keys_of_nodes(nodes: &mut Tree, file: &SourceFile, findings: &mut Findings) {
    let Kind::Map(entries) = &mut nodes.kind else { return };
    let is_key = |(key, value): &Entry| NODE_KEYS.contains(&key.text(file)) && !value.has_key("use", file);
    if !entries.iter().any(is_key) {
        return;
    }
    let mut nodes: Vec<Entry> = Vec::with_capacity(entries.len());
    for entry in std::mem::take(entries) {
        let above = nodes.last_mut().filter(|_| is_key(&entry));
        let Some((node, keys)) = above.and_then(|(node, value)| Some((node, keys_without(value, &entry, file)?)))
        else {
            nodes.push(entry);
            continue;
        };
        let (name, node) = (entry.0.text(file), node.text(file));
        let message = format!("`{name}` stands among the nodes, and is a key of one");
        let help = format!("indent it further than `{node}`");
        findings.add(Draft::new(rules::UNKNOWN_KEY, entry.0.span, message).help(help));
        keys.kind = Kind::Map(entries_of(keys).into_iter().chain([entry]).collect());
    }
    *entries = nodes.into();
}

/// What a node says, if it is a mapping or nothing, and lacks the key of `entry`.
fn keys_without<'t>(node: &'t mut Tree, entry: &Entry, file: &SourceFile) -> Option<&'t mut Tree> {
    let lacks_key = matches!(node.kind, Kind::Null | Kind::Map(_)) && !node.has_key(entry.0.text(file), file);
    lacks_key.then_some(node)
}

fn entries_of(tree: &mut Tree) -> Box<[Entry]> {
    match &mut tree.kind {
        Kind::Map(entries) => std::mem::take(entries),
        _ => Box::default(),
    }
}
