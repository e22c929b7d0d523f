//! The file with its names looked up: which node an edge means, which port, which type. What the rules work on.

use super::Wait;
use super::edges::EdgeSettings;
use super::edit::Part;
use super::fields::{At, Word};
use super::finding::{Draft, Findings};
use super::flatten::{Declared, Flat, Loose, help_in_file, own_name};
use super::pieces::{is_name, parted};
use super::ports::{HasPorts, Side, find_port};
use super::rules;
use super::shape::Shape;
use super::source::{FileId, SourceFile, Span};
use super::suggest;
use super::supervision::WrittenSupervision;
use super::walker::Misspelt;
use super::wiring;
use super::written::WrittenBackend;
use super::yaml::Tree;
use crate::node::TypeDescription;
use serde_json::Value;
use smol_str::SmolStr;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

/// A node's index and a port's.
pub(super) type Port = (usize, usize);

/// Nodes, edges and backends, with what is known of each.
pub(super) struct Model<'t> {
    pub nodes: Vec<ModelNode<'t>>,
    pub edges: Vec<ModelEdge>,
    pub backends: Vec<WrittenBackend>,
    /// How they hang together.
    pub shape: Shape,
    /// Nodes by their names.
    pub by_name: HashMap<SmolStr, usize>,
    /// Nodes that files stand for, and that are not among the nodes.
    pub parts: BTreeMap<SmolStr, FileId>,
    /// Nodes of which an edge means an output, or an input, that could not be found: what is missing there is known
    /// already.
    pub faulty_outputs: BTreeSet<usize>,
    pub faulty_inputs: BTreeSet<usize>,
    /// The beginnings of nodes' names in files of which not all nodes are known.
    pub unclear_nodes: HashSet<SmolStr>,
    /// Ports, by node and index, that ports of the first file stand for: whoever uses the file connects them.
    pub open_inputs: BTreeSet<Port>,
    pub open_outputs: BTreeSet<Port>,
    /// The inputs of these where the first file is run as it is, though it is a part.
    pub needed_of_users: BTreeSet<Port>,
    /// Ports, by node and index, that a port of their file stands for which nothing is at.
    pub loose_inputs: BTreeMap<Port, Loose>,
    pub loose_outputs: BTreeMap<Port, Loose>,
}

pub(super) struct ModelNode<'t> {
    /// Where it is written.
    pub file: FileId,
    pub name: Word,
    pub uses: Option<Word>,
    pub with: Option<&'t Tree>,
    /// Keys that nobody knows: settings may have been meant.
    pub strays: Vec<&'t str>,
    pub wait: Option<At<Wait>>,
    pub supervision: WrittenSupervision,
    pub pack: Option<PathBuf>,
    pub node_type: Option<Arc<TypeDescription>>,
    /// Settings that are right, or only misspelt; set by the rules on settings.
    pub settings: Option<Value>,
    pub misspelt: Vec<Misspelt>,
}

pub(super) struct ModelEdge {
    pub written: Box<EdgeSettings>,
    pub from: Option<End>,
    pub to: Option<End>,
}

/// One end of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub node: usize,
    /// Not known where the node's type is not.
    pub port: Option<usize>,
    pub span: Span,
}

/// An edge whose both ends are known, ports included.
#[derive(Clone, Copy)]
pub(super) struct Wire<'m> {
    pub edge: &'m EdgeSettings,
    pub from: Port,
    pub to: Port,
    pub to_span: Span,
}

/// Edges of which not all is known, by what they say: one that is there twice is one too many whatever its ends are.
#[derive(Default)]
struct Unresolved(HashMap<(SmolStr, SmolStr), Span>);

impl Unresolved {
    fn add(&mut self, from: Word, to: Word, findings: &mut Findings) {
        match self.0.entry((from.text, to.text)) {
            Entry::Occupied(first) => {
                let (from, into) = first.key();
                findings.add(wiring::duplicate(from, into, to.span, *first.get()));
            }
            Entry::Vacant(place) => _ = place.insert(to.span),
        }
    }
}

impl<'t> Model<'t> {
    pub fn resolve(flat: Flat<'t>, first: FileId, findings: &mut Findings) -> Self {
        let by_name = flat.nodes.iter().enumerate().map(|(i, node)| (node.name.text.clone(), i)).collect();
        let mut model = Model {
            nodes: flat.nodes,
            edges: Vec::new(),
            backends: flat.backends,
            shape: Shape::of(0, &[]),
            by_name,
            parts: flat.parts,
            unclear_nodes: flat.unclear_nodes,
            faulty_outputs: BTreeSet::new(),
            faulty_inputs: BTreeSet::new(),
            open_inputs: BTreeSet::new(),
            open_outputs: BTreeSet::new(),
            needed_of_users: BTreeSet::new(),
            loose_inputs: BTreeMap::new(),
            loose_outputs: BTreeMap::new(),
        };
        let mut nowhere: HashMap<SmolStr, FileId> = HashMap::new();
        for declared in flat.declared {
            // What the port of an inner file stands for is told there.
            let is_told = nowhere.get(&declared.end.text).is_some_and(|file| *file != declared.file);
            if !is_told && !model.declare(&declared, first, &flat.loose, findings) {
                nowhere.insert(declared.end.text, declared.file);
            }
        }
        for (side, end) in flat.unclear {
            if let Some(&node) = model.by_name.get(parted(&end).0) {
                model.faulty(side).insert(node);
            }
        }
        let mut unresolved = Unresolved::default();
        let resolved = flat.edges.into_iter().map(|edge| {
            // What the port of another file stands for is told there, where that is nothing.
            let somewhere = |word: &&Word| nowhere.get(&word.text).is_none_or(|file| *file == word.span.file);
            let mut end = |word: &Option<Word>, other: &Option<Word>, side| {
                model.end(word.as_ref().filter(somewhere)?, other.as_ref(), side, findings)
            };
            let (from, to) = (end(&edge.from, &edge.to, Side::Output), end(&edge.to, &edge.from, Side::Input));
            let resolved = ModelEdge { written: edge.settings, from, to };
            if resolved.is_unresolved()
                && let (Some(from), Some(to)) = (edge.from, edge.to)
                && !model.is_ambiguous(&from, resolved.from)
                && !model.is_ambiguous(&to, resolved.to)
            {
                unresolved.add(from, to, findings);
            }
            resolved
        });
        model.edges = resolved.collect();
        model.shape = Shape::of(model.nodes.len(), &model.edges);
        model
    }

    /// Keeps what a port of a file stands for; whether that is there. `loose` are the ports that no edge is at.
    fn declare(
        &mut self,
        declared: &Declared,
        first: FileId,
        loose: &HashMap<(Side, SmolStr), Loose>,
        findings: &mut Findings,
    ) -> bool {
        let end = self.end(&declared.end, None, declared.side, findings);
        let Some(port) = end.and_then(|end| Some((end.node, end.port?))) else { return false };
        let loose = loose.get(&(declared.side, declared.end.text.clone())).cloned().map(|loose| (port, loose));
        let open = (declared.file == first).then_some(port);
        let (all_open, all_loose) = match declared.side {
            Side::Input => (&mut self.open_inputs, &mut self.loose_inputs),
            Side::Output => (&mut self.open_outputs, &mut self.loose_outputs),
        };
        all_open.extend(open);
        all_loose.extend(loose);
        true
    }

    /// The node called `name`; else a finding.
    pub fn node(&self, name: &str, span: Span, findings: &mut Findings) -> Option<usize> {
        let node = self.by_name.get(name).copied();
        if node.is_none() {
            self.tell_missing(name, None, span, findings);
        }
        node
    }

    /// Tells that no node is called `name`, where that is known; `other` is not suggested.
    fn tell_missing(&self, name: &str, other: Option<&str>, span: Span, findings: &mut Findings) {
        // What is not there: the first that is no part on the way, or the node itself.
        let mut wanted = name;
        let mut inside = "";
        for (at, _) in name.match_indices('/') {
            inside = &name[..=at];
            if !self.parts.contains_key(&name[..at]) || self.unclear_nodes.contains(inside) {
                wanted = &name[..at];
                break;
            }
        }
        if self.unclear_nodes.contains("") || self.unclear_nodes.contains(inside) {
            return;
        }
        if let Some(&node) = self.by_name.get(wanted) {
            // A node whose type is not known may be a part.
            if self.nodes[node].node_type.is_some() {
                let message = format!("`{wanted}` is one node, and has none inside");
                findings.add(Draft::new(rules::UNKNOWN_NODE, span, message).help(format!("write `{wanted}`")));
            }
            return;
        }
        let outer = wanted.strip_suffix(own_name(wanted)).and_then(|prefix| prefix.strip_suffix('/'));
        let outer = outer.filter(|outer| self.parts.get(*outer) != Some(&span.file));
        let within = outer.map(|outer| format!(" in `{outer}`")).unwrap_or_default();
        let help = findings.suggestion(|| help_in_file(wanted, self.names(), other, "node"));
        let message = format!("there is no node `{}`{within}", own_name(wanted));
        findings.add(Draft::new(rules::UNKNOWN_NODE, span, message).suggest(help, Part::Front));
    }

    /// What edges and backends may name.
    fn names(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(|node| node.name.text.as_str()).chain(self.parts.keys().map(SmolStr::as_str))
    }

    /// Edges between two nodes of which everything is known.
    pub fn wires(&self) -> impl Iterator<Item = Wire<'_>> {
        self.edges.iter().filter_map(ModelEdge::wire)
    }

    /// Those that end at `node`, in the order of the file.
    pub fn wires_into(&self, node: usize) -> impl Iterator<Item = Wire<'_>> + Clone {
        self.shape.edges_into(node).iter().filter_map(|&edge| self.edges[edge].wire())
    }

    /// Those that begin at `node`, in the order of the file.
    pub fn wires_out_of(&self, node: usize) -> impl DoubleEndedIterator<Item = Wire<'_>> {
        self.shape.edges_out_of(node).iter().filter_map(|&edge| self.edges[edge].wire())
    }

    /// The backend of each node that the file places; the node itself, where it has a backend of its own.
    pub fn places(&self) -> Vec<(Option<usize>, usize)> {
        let mut places: Vec<(Option<usize>, usize)> = (0..self.nodes.len()).map(|node| (None, node)).collect();
        for (at, backend) in self.backends.iter().enumerate() {
            for node in backend.nodes.iter().filter_map(|word| self.by_name.get(&word.text)) {
                places[*node] = (Some(at), 0);
            }
        }
        places
    }

    /// As in `node.port`.
    pub fn port_name(&self, (node, port): Port, side: Side) -> String {
        let ModelNode { name, node_type, .. } = &self.nodes[node];
        let port = node_type.as_ref().map_or("", |node_type| node_type.port_name(side, port));
        format!("{}.{port}", name.text)
    }

    /// Whether an input takes several edges.
    pub fn takes_many(&self, (node, input): Port) -> bool {
        self.nodes[node].node_type.as_ref().is_some_and(|node_type| node_type.inputs[input].many)
    }

    /// Whether `word` names a node that has several ports on its side, and none of these: which one is meant is open.
    fn is_ambiguous(&self, word: &Word, end: Option<End>) -> bool {
        let is_known = |end: End| end.port.is_none() && self.nodes[end.node].node_type.is_some();
        parted(&word.text).1.is_none() && end.is_some_and(is_known)
    }

    /// An end of an edge; `other` is the one across.
    fn end(&mut self, word: &Word, other: Option<&Word>, side: Side, findings: &mut Findings) -> Option<End> {
        // A node's name with a dot in it is a fault of that name.
        if word.text.contains('.') && self.by_name.contains_key(&word.text) {
            return None;
        }
        let (name, port) = parted(&word.text);
        let other = other.map(|other| parted(&other.text).0);
        let few = findings.are_few();
        let Some(&node) = self.by_name.get(name) else {
            self.tell_missing(name, other, word.span, findings);
            if few {
                self.mark_meant(name, other, side);
            }
            return None;
        };
        let Some(node_type) = &self.nodes[node].node_type else {
            return Some(End { node, port: None, span: word.span });
        };
        let has_ports = node_type.port_count(side) > 0;
        let found = find_port(&**node_type, (name, port), side, word.span, findings);
        if found.is_none() {
            let is_reversed = few && node_type.is_reversed(side, port);
            self.faulty(side).insert(node);
            if is_reversed {
                self.mark_reversed(node, other, side);
            }
        }
        has_ports.then_some(End { node, port: found, span: word.span })
    }

    /// Nodes that may have been meant by `name` lack nothing that is not known.
    fn mark_meant(&mut self, name: &str, other: Option<&str>, side: Side) {
        let names = self.names().filter(|name| Some(*name) != other);
        let nearest = suggest::all_nearest(name, names);
        let meant: Vec<usize> = nearest.into_iter().flat_map(|name| self.nodes_of(name, side)).collect();
        self.faulty(side).extend(meant);
    }

    /// The node called `name`; where that is a file, those behind its ports that nothing is at.
    fn nodes_of(&self, name: &str, side: Side) -> Vec<usize> {
        if let Some(&node) = self.by_name.get(name) {
            return vec![node];
        }
        let loose = if side == Side::Input { &self.loose_inputs } else { &self.loose_outputs };
        let is_inside = |node: &usize| {
            let within = self.nodes[*node].name.text.strip_prefix(name);
            within.is_some_and(|rest| rest.starts_with('/'))
        };
        loose.keys().map(|(node, _)| *node).filter(is_inside).collect()
    }

    /// An edge at the wrong side of `node` may be meant the other way round: then neither of its nodes lacks what it would be
    /// to them.
    fn mark_reversed(&mut self, node: usize, other: Option<&str>, side: Side) {
        self.faulty(side.other()).insert(node);
        let across = other.map(|other| self.nodes_of(other, side)).unwrap_or_default();
        self.faulty(side).extend(across);
    }

    fn faulty(&mut self, side: Side) -> &mut BTreeSet<usize> {
        match side {
            Side::Output => &mut self.faulty_outputs,
            Side::Input => &mut self.faulty_inputs,
        }
    }
}

impl ModelEdge {
    /// Whether not all is known of what it connects.
    fn is_unresolved(&self) -> bool {
        [self.from, self.to].iter().any(|end| end.is_none_or(|end| end.port.is_none()))
    }

    /// None where it leads from a node to itself, which has a rule of its own.
    fn wire(&self) -> Option<Wire<'_>> {
        let (from, to) = self.from.zip(self.to).filter(|(from, to)| from.node != to.node)?;
        Some(Wire { edge: &self.written, from: (from.node, from.port?), to: (to.node, to.port?), to_span: to.span })
    }
}

impl ModelNode<'_> {
    /// A node of which nothing but its name is known.
    pub fn bare(file: FileId, name: Word) -> Self {
        ModelNode {
            file,
            name,
            uses: None,
            with: None,
            strays: Vec::new(),
            wait: None,
            supervision: None,
            pack: None,
            node_type: None,
            settings: None,
            misspelt: Vec::new(),
        }
    }

    /// The setting that a key stands for.
    pub fn setting<'k>(&'k self, key: &'k Tree, file: &'k SourceFile) -> &'k str {
        let written = key.text(file);
        let misspelt = self.misspelt.iter().find(|misspelt| misspelt.at == key.span && misspelt.written == written);
        misspelt.map_or(written, |misspelt| &misspelt.setting)
    }

    /// Whether its own file gives it a name that it may have.
    pub fn is_well_named(&self) -> bool {
        is_name(own_name(&self.name.text))
    }
}
