//! Keys on the wrong level: sections within others, nodes within nodes, keys of a node beside it, two edges in one item. Each
//! is told, and counts as standing where it belongs, so that nothing else follows from it.

use super::fields::MERGE_KEY;
use super::finding::{Draft, Findings};
use super::pieces::is_name;
use super::rules;
use super::source::{SourceFile, Span};
use super::written::{GRAPH_KEYS, NODE_KEYS};
use super::yaml::{Kind, Tree};
use std::collections::HashSet;

type Entry = (Tree, Tree);

/// Sections whose keys are names that a user gives.
const OUTER: [&str; 3] = ["nodes", "params", "backends"];
/// Sections that a name may be taken for.
const INNER: [&str; 6] = ["params", "packs", "ports", "nodes", "edges", "backends"];

/// Moves what `graph` has on the wrong level to where it belongs.
pub(super) fn put_right(graph: &mut Tree, file: &SourceFile, findings: &mut Findings) {
    let Kind::Map(sections) = &mut graph.kind else { return };
    let mut sections = std::mem::take(sections).into_vec();
    sections_in_sections(&mut sections, file, findings);
    let strays = nodes_outside(&mut sections, file, findings);
    for (key, section) in &mut sections {
        match key.text(file) {
            "nodes" => {
                keys_of_nodes(section, file, findings);
                nodes_in_nodes(section, &strays, file, findings);
            }
            "edges" => {
                halves_of_edges(section, file, findings);
                edges_in_edges(section, file, findings);
            }
            _ => {}
        }
    }
    graph.kind = Kind::Map(sections.into());
}

/// Sections that stand within another one become sections of the graph.
fn sections_in_sections(sections: &mut Vec<Entry>, file: &SourceFile, findings: &mut Findings) {
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
            tell(&entry.0, message, format!("indent it as `{outer}` is"), findings);
            found.push(entry);
        }
    }
    sections.extend(found);
}

/// Nodes that stand among or below other sections become nodes; of those below one, the first is told. Returns the places of
/// those that stood among the sections.
fn nodes_outside(sections: &mut Vec<Entry>, file: &SourceFile, findings: &mut Findings) -> HashSet<Span> {
    let nodes = sections.iter().find(|(key, _)| key.text(file) == "nodes").map(|(_, value)| &value.kind);
    let (has_nodes, is_empty) = (matches!(nodes, Some(Kind::Map(_))), matches!(nodes, Some(Kind::Null)));
    let is_node = |entry: &Entry| is_node(entry, file);
    let mut found: Vec<Entry> = Vec::new();
    for (key, section) in sections.iter_mut() {
        let outer = key.text(file);
        // A param may be any mapping.
        if !(outer == "backends" || (outer == "params" && !has_nodes)) {
            continue;
        }
        let nodes = taken(section, is_node);
        if let Some((first, _)) = nodes.first() {
            let message = format!("`{}` stands below `{outer}`, and is a node", first.text(file));
            let help = if outer == "params" { "write `nodes:` above it" } else { "write `backends:` below all nodes" };
            tell(first, message, help.to_owned(), findings);
            taken(section, |(key, value)| key.text(file) == "nodes" && value.kind == Kind::Null);
        }
        found.extend(nodes);
    }
    let mut strays = HashSet::new();
    if has_nodes || is_empty {
        let help = if is_empty { "indent the nodes further than `nodes`" } else { "indent it as the other nodes are" };
        for entry in sections.extract_if(.., |entry| known_section(&entry.0, file).is_none() && is_node(entry)) {
            let message = format!("`{}` stands among the sections of the graph, and is a node", entry.0.text(file));
            // What all nodes lack is told at the first.
            if has_nodes || strays.is_empty() {
                tell(&entry.0, message, help.to_owned(), findings);
            }
            strays.insert(entry.0.span);
            found.push(entry);
        }
    }
    let Some(first) = found.first() else { return strays };
    let span = first.0.span;
    match sections.iter_mut().find(|(key, _)| key.text(file) == "nodes") {
        Some((_, nodes)) => extend(nodes, found),
        None => {
            let key = Tree::new(span, Kind::String("nodes".into()));
            sections.push((key, Tree::new(span, Kind::Map(found.into()))));
        }
    }
    strays
}

/// Nodes that stand within another one become nodes of their own. Those in one of `outside` were taken for its keys only
/// since that stood further out.
fn nodes_in_nodes(nodes: &mut Tree, outside: &HashSet<Span>, file: &SourceFile, findings: &mut Findings) {
    let is_node = |entry: &Entry| !NODE_KEYS.contains(&entry.0.text(file)) && is_node(entry, file);
    let Kind::Map(entries) = &mut nodes.kind else { return };
    let mut found = Vec::new();
    for (node, keys) in entries.iter_mut().filter(|(node, _)| node.text(file) != MERGE_KEY) {
        for entry in taken(keys, is_node) {
            if !outside.contains(&node.span) {
                let (name, node) = (entry.0.text(file), node.text(file));
                let message = format!("`{name}` stands below the node `{node}`, and is a node itself");
                tell(&entry.0, message, format!("indent it as `{node}` is"), findings);
            }
            found.push(entry);
        }
    }
    extend(nodes, found);
}

/// An edge that is two items of the list, for a dash too many, becomes one.
fn halves_of_edges(edges: &mut Tree, file: &SourceFile, findings: &mut Findings) {
    let has_only = |edge: &Tree, key: &str, other: &str| {
        edge.has_key(key, file) && ![other, MERGE_KEY].iter().any(|key| edge.has_key(key, file))
    };
    let are_halves = |first: &Tree, next: &Tree| has_only(first, "from", "to") && has_only(next, "to", "from");
    let Kind::Seq(items) = &mut edges.kind else { return };
    if !items.windows(2).any(|pair| are_halves(&pair[0], &pair[1])) {
        return;
    }
    let mut whole: Vec<Tree> = Vec::with_capacity(items.len());
    for mut item in std::mem::take(items) {
        match whole.last_mut().filter(|last| are_halves(last, &item)) {
            Some(edge) => {
                let in_braces = file.slice(item.span).starts_with('{');
                let help =
                    if in_braces { "write both as `{ from: …, to: … }`" } else { "take the `- ` before it out" };
                let rest = entries_of(&mut item).into_vec();
                let message = "this is the end of the edge above, not another edge".to_owned();
                tell(&rest[0].0, message, help.to_owned(), findings);
                edge.span = edge.span.to(item.span);
                extend(edge, rest);
            }
            None => whole.push(item),
        }
    }
    *items = whole.into();
}

/// Several edges that are one item of the list, for lack of dashes, become several.
fn edges_in_edges(edges: &mut Tree, file: &SourceFile, findings: &mut Findings) {
    let Kind::Seq(items) = &mut edges.kind else { return };
    if !items.iter().any(|edge| !later_edges(edge, file).is_empty()) {
        return;
    }
    let mut all = Vec::with_capacity(items.len() + 1);
    for edge in std::mem::take(items) {
        let starts = later_edges(&edge, file);
        let (span, mut keys) = match edge {
            Tree { span, kind: Kind::Map(keys), .. } if !starts.is_empty() => (span, keys.into_vec()),
            whole => {
                all.push(whole);
                continue;
            }
        };
        let mut parts: Vec<Vec<Entry>> = starts.into_iter().rev().map(|at| keys.split_off(at)).collect();
        for (key, _) in parts.iter().rev().filter_map(|part| part.first()) {
            tell(key, "another edge begins here".to_owned(), "write `- ` before it".to_owned(), findings);
        }
        parts.push(keys);
        all.extend(parts.into_iter().rev().map(|part| edge_of(part, span)));
    }
    *items = all.into();
}

/// Which keys of what should be one edge begin another one: those that begin a line, and have both ends before and behind
/// them.
fn later_edges(edge: &Tree, file: &SourceFile) -> Vec<usize> {
    let Kind::Map(keys) = &edge.kind else { return Vec::new() };
    let Some((first, _)) = keys.first() else { return Vec::new() };
    let mut starts = Vec::new();
    let (mut has_from, mut has_to) = (false, false);
    for (at, (key, _)) in keys.iter().enumerate() {
        let name = key.text(file);
        if has_from && has_to && name == first.text(file) {
            let begins_a_line = file.line(key.span.start()) > file.line(keys[at - 1].1.span.end());
            if !begins_a_line {
                return Vec::new();
            }
            starts.push(at);
            (has_from, has_to) = (false, false);
        }
        has_from |= name == "from";
        has_to |= name == "to";
    }
    if !(has_from && has_to) {
        starts.pop();
    }
    starts
}

/// An edge with these keys, of several at `whole`.
fn edge_of(keys: Vec<Entry>, whole: Span) -> Tree {
    let span = match (keys.first(), keys.last()) {
        (Some((first, _)), Some((_, last))) => whole.part(first.span.start(), last.span.end()),
        _ => whole,
    };
    Tree::new(span, Kind::Map(keys.into()))
}

fn tell(key: &Tree, message: String, help: String, findings: &mut Findings) {
    findings.add(Draft::new(rules::UNKNOWN_KEY, key.span, message).help(help));
}

/// Adds entries to what is a mapping or nothing.
fn extend(tree: &mut Tree, entries: Vec<Entry>) {
    if !entries.is_empty() {
        tree.kind = Kind::Map(entries_of(tree).into_iter().chain(entries).collect());
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
        // A param may be any list.
        Kind::Seq(edges) if name == "edges" && outer != "params" => {
            edges.iter().any(|edge| has_key(edge, &["from", "to"]))
        }
        Kind::Map(nodes) if name == "nodes" => nodes.iter().any(|(_, node)| has_key(node, &["use"])),
        Kind::Map(_) => outer == "nodes" && name != "edges" && !has_key(value, &NODE_KEYS),
        _ => false,
    }
}

fn is_node((key, value): &Entry, file: &SourceFile) -> bool {
    is_name(key.text(file)) && value.has_key("use", file)
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
    // Which keys of a node the last one lacks.
    let mut lacking: Vec<&str> = Vec::new();
    for entry in std::mem::take(entries) {
        let name = entry.0.text(file);
        let place = lacking.iter().position(|key| *key == name).filter(|_| is_key(&entry));
        let Some((place, (node, keys))) = place.zip(nodes.last_mut()) else {
            lacking = lacking_keys(&entry.1, file);
            nodes.push(entry);
            continue;
        };
        lacking.remove(place);
        let message = format!("`{name}` stands among the nodes, and is a key of one");
        tell(&entry.0, message, format!("indent it further than `{}`", node.text(file)), findings);
        extend(keys, vec![entry]);
    }
    *entries = nodes.into();
}

/// The keys that a node which is a mapping or nothing could have besides its own.
fn lacking_keys(node: &Tree, file: &SourceFile) -> Vec<&'static str> {
    let has: HashSet<&str> = match &node.kind {
        Kind::Map(entries) => entries.iter().map(|(key, _)| key.text(file)).collect(),
        Kind::Null => HashSet::new(),
        _ => return Vec::new(),
    };
    NODE_KEYS.iter().copied().filter(|key| !has.contains(key)).collect()
}

fn entries_of(tree: &mut Tree) -> Box<[Entry]> {
    match &mut tree.kind {
        Kind::Map(entries) => std::mem::take(entries),
        _ => Box::default(),
    }
}
