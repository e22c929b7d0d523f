//! Files that stand for nodes are written out: their nodes, edges and backends take the place of the one node, and are
//! called `node/inner`. From here on there is one flat graph.

use super::edges::{WrittenEdge, WrittenEdges};
use super::fields::{Reader, Word};
use super::finding::{Draft, Findings};
use super::interface::{Groups, Interface, Ports};
use super::model::ModelNode;
use super::pieces::{is_name, parted};
use super::ports::{HasPorts, Side, find_port};
use super::rules;
use super::source::{FileId, Span};
use super::sources::Sources;
use super::suggest::{self, Suggestion};
use super::types::{KnownTypes, Types};
use super::units::{self, Unit};
use super::written::{self, Written, WrittenBackend, WrittenNode, WrittenPort};
use super::yaml::Kind;
use smol_str::{SmolStr, format_smolstr};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// Most ends that ports and names of files stand for in all of a graph, those within others counted for each of them. A
/// first file that is larger than most may have one for each sixteen bytes.
const MAX_ENDS: usize = 50_000;
/// Longest name of a node that other nodes are called after, in bytes.
const MAX_PREFIX_BYTES: usize = 1024;
const BYTES_PER_END: usize = 16;

/// A graph file, with all that it uses written out.
#[derive(Default)]
pub(super) struct Flat<'t> {
    /// What the first file calls the graph.
    pub name: Option<Word>,
    pub nodes: Vec<ModelNode<'t>>,
    pub edges: Vec<WrittenEdge>,
    pub backends: Vec<WrittenBackend>,
    /// The beginnings of nodes' names in files of which not all nodes are known.
    pub unclear_nodes: HashSet<SmolStr>,
    /// The files that stand for nodes, by the names of these.
    pub parts: BTreeMap<SmolStr, FileId>,
    /// What the ports of every file stand for.
    pub declared: Vec<Declared>,
    /// Ends of which it is not clear whether edges were meant to be at them.
    pub unclear: Vec<(Side, SmolStr)>,
    /// The ports of files that no edge of the file which uses them is at, by what they stand for.
    pub loose: HashMap<(Side, SmolStr), Loose>,
}

/// A port of a file that stands for a node, without an edge.
#[derive(Clone)]
pub(super) struct Loose {
    /// The node, its key, and the port.
    pub node: SmolStr,
    pub at: Span,
    pub port: SmolStr,
}

/// A port of a node that a port of its file stands for.
pub(super) struct Declared {
    pub side: Side,
    pub end: Word,
    /// The file.
    pub file: FileId,
}

/// What writing out needs.
struct Surroundings<'t, 'f> {
    sources: &'t Sources,
    types: KnownTypes<'f>,
    findings: &'f mut Findings,
    /// How many more ends may be written out; nothing once there were more.
    room: Option<usize>,
}

/// A file that is being written out.
struct Unfolding<'t, 'u, 'f> {
    /// What its nodes' names begin with.
    prefix: &'u str,
    surroundings: &'u mut Surroundings<'t, 'f>,
    inner: HashMap<SmolStr, Interface>,
    groups: Groups,
    flat: Flat<'t>,
}

/// Writes out `unit`, and all that it uses.
pub(super) fn flatten<'t>(
    unit: &'t Unit,
    sources: &'t Sources,
    types: KnownTypes<'_>,
    findings: &mut Findings,
) -> Flat<'t> {
    let room = Some(MAX_ENDS.max(sources.first().text().len() / BYTES_PER_END));
    let mut surroundings = Surroundings { sources, types, findings, room };
    let written = read(unit, &mut surroundings);
    unfold(unit, written, "", &mut surroundings).0
}

fn read<'t>(unit: &'t Unit, surroundings: &mut Surroundings<'t, '_>) -> Written<'t> {
    let file = surroundings.sources.file(unit.file);
    written::read(&unit.tree, &mut Reader { file, findings: surroundings.findings })
}

fn unfold<'t>(
    unit: &'t Unit,
    written: Written<'t>,
    prefix: &str,
    surroundings: &mut Surroundings<'t, '_>,
) -> (Flat<'t>, Interface) {
    let Surroundings { sources, types, findings, .. } = surroundings;
    let types = types.of_file(&written, sources.file(unit.file), findings);
    let flat = Flat { name: written.name, nodes: Vec::with_capacity(written.nodes.len()), ..Flat::default() };
    let (inner, groups) = (HashMap::new(), HashMap::new());
    let mut unfolding = Unfolding { prefix, surroundings, inner, groups, flat };
    let mut names = Vec::new();
    let keys: Vec<Word> = written.nodes.iter().map(|node| node.name.clone()).collect();
    for node in written.nodes {
        names.extend(unfolding.node(unit, node, &types));
    }
    let WrittenEdges { edges, are_unclear } = written.edges;
    let lacks = |end: fn(&WrittenEdge) -> &Option<Word>| are_unclear || edges.iter().any(|edge| end(edge).is_none());
    let unclear = [(Side::Output, lacks(|edge| &edge.from)), (Side::Input, lacks(|edge| &edge.to))];
    if written.nodes_are_unclear {
        unfolding.flat.unclear_nodes.insert(prefix.into());
    }
    unfolding.edges(edges);
    let may_be_at_ports = |side| written.ports.unclear.contains(&side);
    for (side, _) in unclear.into_iter().filter(|(side, is_unclear)| *is_unclear || may_be_at_ports(*side)) {
        keys.iter().for_each(|node| unfolding.mark_unclear(&node.text, side));
    }
    for backend in written.backends {
        unfolding.backend(backend);
    }
    let inputs = unfolding.ports(&written.ports.inputs, Side::Input, unit.file);
    let outputs = unfolding.ports(&written.ports.outputs, Side::Output, unit.file);
    unfolding.loose_ports(&keys);
    let file = Arc::clone(unfolding.surroundings.sources.file(unit.file).name());
    let mut interface = Interface::of(file, names, (inputs, outputs), unfolding.groups);
    interface.may_have_more = written.ports.unclear;
    (unfolding.flat, interface)
}

impl Surroundings<'_, '_> {
    /// Whether so many ends more may be written out; the first that may not are told.
    fn takes(&mut self, ends: usize, at: Span) -> bool {
        let left = self.room.and_then(|room| room.checked_sub(ends));
        if left.is_none() && self.room.is_some() {
            let message = "the ports and names of this graph's files stand for too many ends and nodes in all";
            let help = format!("up to {MAX_ENDS} are written out; make several graphs of it");
            self.findings.add(Draft::new(rules::OUT_OF_RANGE, at, message).help(help));
        }
        self.room = left;
        left.is_some()
    }
}

impl<'t> Unfolding<'t, '_, '_> {
    /// Adds a node, or those of the file that it stands for; returns their names.
    fn node(&mut self, unit: &'t Unit, node: WrittenNode<'t>, types: &Types) -> Vec<SmolStr> {
        let name = self.prefixed(node.name.clone());
        let file = unit.file;
        let Some(uses) = node.uses.as_ref().filter(|uses| units::is_file(&uses.text)) else {
            if node.uses.is_none() {
                self.flat.unclear_nodes.insert(format_smolstr!("{}/", name.text));
            }
            let found = node.uses.as_ref().and_then(|uses| types.find(uses, self.surroundings.findings));
            let (pack, node_type) = found.map_or((None, None), |found| (found.pack, found.node_type));
            let names = vec![name.text.clone()];
            let WrittenNode { uses, with, strays, wait, supervision, .. } = node;
            let bare = ModelNode::bare(file, name);
            self.flat.nodes.push(ModelNode { uses, with, strays, wait, supervision, pack, node_type, ..bare });
            return names;
        };
        let inner = unit.inner.get(node.name.text.as_str());
        let Some(inner) = inner.filter(|_| self.may_prefix(&name)) else {
            // What is wrong with it is told already, and edges to it are not wrong.
            self.flat.unclear_nodes.insert(format_smolstr!("{}/", name.text));
            self.flat.nodes.push(ModelNode { uses: Some(uses.clone()), ..ModelNode::bare(file, name) });
            return Vec::new();
        };
        self.refuse_keys_of_nodes(&node);
        let written = read(inner, self.surroundings);
        let (flat, interface) = unfold(inner, written, &format!("{}/", name.text), self.surroundings);
        self.flat.nodes.extend(flat.nodes);
        self.flat.edges.extend(flat.edges);
        self.flat.backends.extend(flat.backends);
        self.flat.declared.extend(flat.declared);
        self.flat.parts.extend(flat.parts);
        self.flat.parts.insert(name.text, inner.file);
        self.flat.loose.extend(flat.loose);
        self.flat.unclear.extend(flat.unclear);
        self.flat.unclear_nodes.extend(flat.unclear_nodes);
        self.check_with(&node);
        let names = interface.nodes.clone();
        let within =
            interface.groups.iter().map(|(name, nodes)| (format_smolstr!("{}/{name}", node.name.text), nodes.clone()));
        self.groups.extend(within);
        self.groups.insert(node.name.text.clone(), names.clone());
        self.inner.insert(node.name.text, interface);
        names
    }

    /// Whether the nodes of a file may be called after this one, which stands for it.
    fn may_prefix(&mut self, name: &Word) -> bool {
        let may = name.text.len() <= MAX_PREFIX_BYTES;
        if !may {
            let message = format!("the names of the nodes in this file would begin with {} bytes", name.text.len());
            let help = format!("use shorter names, or write it flatter: {MAX_PREFIX_BYTES} bytes is the most");
            self.surroundings.findings.add(Draft::new(rules::OUT_OF_RANGE, name.span, message).help(help));
        }
        may
    }

    /// What stands for nodes of another file neither waits nor is a process.
    fn refuse_keys_of_nodes(&mut self, node: &WrittenNode<'_>) {
        if let Some(wait) = node.wait {
            let message =
                format!("`{}` stands for nodes of another file, and each node waits in its own way", node.name.text);
            let draft =
                Draft::new(rules::UNSUPPORTED, wait.span, message).help("write `wait` at the nodes in that file");
            self.surroundings.findings.add(draft);
        }
        if let Some(keys) = &node.supervision {
            let message = format!("`{}` stands for nodes of another file, and they are no process", node.name.text);
            let help = "write it at the nodes in that file, or at a backend that names them";
            self.surroundings.findings.add(Draft::new(rules::UNSUPPORTED, keys.first, message).help(help));
        }
    }

    /// Adds the edges of this file; several for one that ends at a port which stands for several.
    fn edges(&mut self, mut edges: Vec<WrittenEdge>) {
        let mut others = Vec::new();
        for (at, edge) in edges.iter_mut().enumerate() {
            let before = self.surroundings.findings.len();
            self.end(&mut edge.from, Side::Output);
            others.extend(self.end(&mut edge.to, Side::Input).into_iter().map(|end| (at, end)));
            edge.settings.faulty |= self.surroundings.findings.len() > before || self.surroundings.room.is_none();
        }
        let edges = with_others(edges, others);
        if self.flat.edges.is_empty() {
            self.flat.edges = edges;
        } else {
            self.flat.edges.extend(edges);
        }
    }

    /// Makes of an end of an edge the one that is meant by it, and returns the others that are.
    fn end(&mut self, end: &mut Option<Word>, side: Side) -> Vec<Word> {
        let Some(word) = end.take() else { return Vec::new() };
        let Some(mut ends) = self.stands_for(&word, side) else {
            *end = Some(self.prefixed(word));
            return Vec::new();
        };
        let others = ends.split_off(ends.len().min(1));
        *end = ends.pop();
        others
    }

    /// The ends of edges that are meant by `word`: what a file's port stands for; none where that is a fault, which is told.
    /// Nothing where it stands for itself.
    fn stands_for(&mut self, word: &Word, side: Side) -> Option<Vec<Word>> {
        let (name, port) = parted(&word.text);
        if let Some((outer, _)) = name.split_once('/') {
            self.report_inside(word, outer);
            self.mark_unclear(outer, side);
            return Some(Vec::new());
        }
        let interface = self.inner.get_mut(name)?;
        if interface.may_have_more.contains(&side) && port.is_none_or(|port| interface.port_at(side, port).is_none()) {
            self.mark_unclear(name, side);
            return Some(Vec::new());
        }
        if let Some(at) = find_port(&*interface, (name, port), side, word.span, self.surroundings.findings) {
            interface.reached.insert((side, at));
            let ends = &interface.ports(side)[at].1;
            if self.surroundings.takes(ends.len(), word.span) {
                return Some(ends.iter().map(|end| Word { text: end.clone(), span: word.span }).collect());
            }
        }
        let is_reversed = interface.is_reversed(side, port) && interface.port_count(side.other()) > 0;
        // Which ones were meant is not known, or they are too many.
        self.mark_unclear(name, side);
        if is_reversed {
            self.mark_unclear(name, side.other());
        }
        Some(Vec::new())
    }

    /// On this side of a node nothing is missing.
    fn mark_unclear(&mut self, node: &str, side: Side) {
        let Some(interface) = self.inner.get_mut(node) else {
            self.flat.unclear.push((side, format_smolstr!("{}{node}", self.prefix)));
            return;
        };
        if interface.unclear.insert(side) {
            let ends = interface.ports(side).iter().flat_map(|(_, ends)| ends);
            // Of a part without any ports, each node may have been meant.
            let has_none = interface.inputs.is_empty() && interface.outputs.is_empty();
            let nodes = interface.nodes.iter().filter(|_| has_none);
            self.flat.unclear.extend(ends.chain(nodes).map(|end| (side, end.clone())));
        }
    }

    /// Keeps the ports that nothing is at; `keys` are those of the nodes of this file.
    fn loose_ports(&mut self, keys: &[Word]) {
        for key in keys {
            let Some(interface) = self.inner.get(&key.text) else { continue };
            let inputs = interface.inputs.iter().enumerate().map(|(at, port)| ((Side::Input, at), port));
            let outputs = interface.outputs.iter().enumerate().map(|(at, port)| ((Side::Output, at), port));
            let ports = inputs.chain(outputs);
            for ((side, _), (port, ends)) in ports.filter(|(reached, _)| !interface.reached.contains(reached)) {
                let loose = Loose { node: key.text.clone(), at: key.span, port: port.clone() };
                self.flat.loose.extend(ends.iter().map(|end| ((side, end.clone()), loose.clone())));
            }
        }
    }

    /// Params are given by name, each once.
    fn check_with(&mut self, node: &WrittenNode<'_>) {
        let Some(with) = node.with.filter(|with| with.kind != Kind::Unknown) else { return };
        if let Kind::Map(entries) = &with.kind {
            let mut first: HashMap<&str, Span> = HashMap::new();
            let file = self.surroundings.sources.file(with.span.file);
            for (key, _) in entries {
                let name = key.text(file);
                if let Some(&span) = first.get(name) {
                    let message = format!("`{}` is given the param `{name}` twice", node.name.text);
                    let draft = Draft::new(rules::DUPLICATE_KEY, key.span, message).help("keep one of the two");
                    self.surroundings.findings.add(draft.related(span, "first given here"));
                } else {
                    first.insert(name, key.span);
                }
            }
            return;
        }
        let message = format!("the params of `{}` are a mapping, not {}", node.name.text, with.describe());
        let draft = Draft::new(rules::WRONG_TYPE, with.span, message).help("write `with: { param: value }`");
        self.surroundings.findings.add(draft);
    }

    /// What a file has inside is its own.
    fn report_inside(&mut self, word: &Word, outer: &str) {
        let (message, help) = match self.inner.get(outer) {
            Some(interface) => {
                let message = format!("`{}` lies inside of `{}`", word.text, interface.file);
                (message, format!("declare it under `ports:` there, and write `{outer}.PORT`"))
            }
            None => {
                let meant = word.text.replacen('/', ".", 1);
                let meant = Some(meant).filter(|meant| !meant.contains('/') && meant.matches('.').count() == 1);
                let as_in = meant.map(|meant| format!(", as in `{meant}`")).unwrap_or_default();
                (format!("there is no node `{}`", word.text), format!("a port of a node follows a dot{as_in}"))
            }
        };
        self.surroundings.findings.add(Draft::new(rules::UNKNOWN_NODE, word.span, message).help(help));
    }

    fn backend(&mut self, mut backend: WrittenBackend) {
        backend.name = self.prefixed(backend.name);
        let mut nodes = Vec::new();
        for word in backend.nodes {
            match self.groups.get(&word.text) {
                Some(group) if self.surroundings.takes(group.len(), word.span) => {
                    nodes.extend(group.iter().map(|node| Word { text: node.clone(), span: word.span }));
                }
                Some(_) => {}
                None => nodes.push(self.prefixed(word)),
            }
        }
        self.flat.backends.push(WrittenBackend { nodes, ..backend });
    }

    /// What the ports of this file stand for; kept, to be looked up with everything else.
    fn ports(&mut self, ports: &[WrittenPort], side: Side, file: FileId) -> Ports {
        let mut all = Vec::with_capacity(ports.len());
        for port in ports {
            let mut meant =
                |word: &Word| self.stands_for(word, side).unwrap_or_else(|| vec![self.prefixed(word.clone())]);
            let ends: Vec<Word> = port.ends.iter().flat_map(&mut meant).collect();
            all.push((port.name.clone(), ends.iter().map(|end| end.text.clone()).collect()));
            self.flat.declared.extend(ends.into_iter().map(|end| Declared { side, end, file }));
        }
        all
    }

    fn prefixed(&self, mut word: Word) -> Word {
        if !self.prefix.is_empty() {
            word.text = format_smolstr!("{}{}", self.prefix, word.text);
        }
        word
    }
}

/// `edges`, each followed by those that end elsewhere in its stead; `others` are these ends, with the place of the edge.
fn with_others(edges: Vec<WrittenEdge>, others: Vec<(usize, Word)>) -> Vec<WrittenEdge> {
    if others.is_empty() {
        return edges;
    }
    let mut all = Vec::with_capacity(edges.len() + others.len());
    let mut others = others.into_iter().peekable();
    for (at, edge) in edges.into_iter().enumerate() {
        let first = all.len();
        all.push(edge);
        while let Some((_, to)) = others.next_if(|(of, _)| *of == at) {
            all.push(WrittenEdge { to: Some(to), ..all[first].clone() });
        }
    }
    all
}

/// The part of a node's name that its own file gives it.
pub(super) fn own_name(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, own)| own)
}

/// Help for a name that is not there: of what stands in the same file, the nearest, but not `other`.
pub(super) fn help_in_file<'n>(
    name: &str,
    names: impl Iterator<Item = &'n str>,
    other: Option<&str>,
    what: &str,
) -> Option<Suggestion> {
    let prefix = &name[..name.len() - own_name(name).len()];
    let other = other.and_then(|other| other.strip_prefix(prefix));
    let names: Vec<&str> = names.filter_map(|known| known.strip_prefix(prefix)).filter(|name| is_name(name)).collect();
    let others = names.iter().copied().filter(|name| Some(*name) != other);
    let mut near = suggest::meant(own_name(name), others);
    // A name with an ending more may be another, whose node is missing.
    let has_ending = |(name, meant): &(String, String)| meant.starts_with(name.as_str());
    if let Some(near) = near.as_mut().filter(|near| near.instead.as_ref().is_some_and(has_ending)) {
        near.instead = None;
    }
    near.or_else(|| suggest::all(&names, what))
}
