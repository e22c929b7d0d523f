//! The file with its names looked up: which node an edge means, which port, which type. What the rules work on.

use super::fields::Word;
use super::finding::{Draft, Findings};
use super::rules;
use super::source::Span;
use super::suggest;
use super::types::Types;
use super::variables::is_name;
use super::written::{Written, WrittenBackend, WrittenEdge, WrittenNode};
use crate::node::TypeDescription;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

/// Nodes, edges and backends, with what is known of each.
pub(super) struct Model<'t> {
    pub nodes: Vec<ModelNode<'t>>,
    pub edges: Vec<ModelEdge>,
    pub backends: Vec<WrittenBackend>,
    /// Nodes by their names.
    pub by_name: HashMap<String, usize>,
    /// Nodes of which an edge means an output, or an input, that could not be found: what is missing there is known
    /// already.
    pub faulty_outputs: BTreeSet<usize>,
    pub faulty_inputs: BTreeSet<usize>,
}

pub(super) struct ModelNode<'t> {
    pub name: Word,
    pub uses: Option<Word>,
    pub with: Option<&'t super::yaml::Tree>,
    pub pack: Option<PathBuf>,
    pub node_type: Option<Arc<TypeDescription>>,
    /// Settings that are right; set by the rules on settings.
    pub settings: Option<Value>,
}

pub(super) struct ModelEdge {
    pub written: WrittenEdge,
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
    pub edge: &'m WrittenEdge,
    pub from: (usize, usize),
    pub to: (usize, usize),
    pub to_span: Span,
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Output,
    Input,
}

impl<'t> Model<'t> {
    pub fn resolve(written: Written<'t>, types: &Types, findings: &mut Findings) -> Self {
        let nodes: Vec<ModelNode<'t>> =
            written.nodes.into_iter().map(|node| resolve_node(node, types, findings)).collect();
        let by_name = nodes.iter().enumerate().map(|(i, node)| (node.name.text.clone(), i)).collect();
        let mut model = Model {
            nodes,
            edges: Vec::new(),
            backends: written.backends,
            by_name,
            faulty_outputs: BTreeSet::new(),
            faulty_inputs: BTreeSet::new(),
        };
        for edge in written.edges {
            let from = edge.from.as_ref().and_then(|word| model.end(word, Side::Output, findings));
            let to = edge.to.as_ref().and_then(|word| model.end(word, Side::Input, findings));
            model.edges.push(ModelEdge { written: edge, from, to });
        }
        model
    }

    /// The node called `name`; else a finding.
    pub fn node(&self, name: &str, span: Span, findings: &mut Findings) -> Option<usize> {
        if let Some(&node) = self.by_name.get(name) {
            return Some(node);
        }
        let names = self.nodes.iter().map(|node| node.name.text.as_str()).filter(|name| is_name(name));
        let help = findings.are_few().then(|| suggest::help(name, &names.collect::<Vec<&str>>(), "node")).flatten();
        findings.add(Draft::new(rules::UNKNOWN_NODE, span, format!("there is no node `{name}`")).maybe_help(help));
        None
    }

    /// Edges of which everything is known.
    pub fn wires(&self) -> impl Iterator<Item = Wire<'_>> {
        self.edges.iter().filter_map(|edge| {
            let (from, to) = (edge.from?, edge.to?);
            Some(Wire { edge: &edge.written, from: (from.node, from.port?), to: (to.node, to.port?), to_span: to.span })
        })
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

    fn end(&mut self, word: &Word, side: Side, findings: &mut Findings) -> Option<End> {
        // A node's name with a dot in it is a fault of that name.
        if word.text.contains('.') && self.by_name.contains_key(&word.text) {
            return None;
        }
        let (name, port) = match word.text.split_once('.') {
            Some((name, port)) => (name, Some(port)),
            None => (word.text.as_str(), None),
        };
        let few = findings.are_few();
        let Some(node) = self.node(name, word.span, findings) else {
            let names = self.nodes.iter().map(|node| node.name.text.as_str());
            let meant = few.then(|| suggest::nearest(name, names)).flatten();
            if let Some(&meant) = meant.and_then(|meant| self.by_name.get(meant)) {
                self.faulty(side).insert(meant);
            }
            return None;
        };
        let Some(node_type) = self.nodes[node].node_type.clone() else {
            return Some(End { node, port: None, span: word.span });
        };
        match find_port(&node_type, name, port, side) {
            Ok(port) => Some(End { node, port: Some(port), span: word.span }),
            Err(draft) => {
                findings.add(draft(word.span));
                self.faulty(side).insert(node);
                let none =
                    if side == Side::Output { node_type.outputs.is_empty() } else { node_type.inputs.is_empty() };
                (!none).then_some(End { node, port: None, span: word.span })
            }
        }
    }

    fn faulty(&mut self, side: Side) -> &mut BTreeSet<usize> {
        match side {
            Side::Output => &mut self.faulty_outputs,
            Side::Input => &mut self.faulty_inputs,
        }
    }
}

fn resolve_node<'t>(node: WrittenNode<'t>, types: &Types, findings: &mut Findings) -> ModelNode<'t> {
    let found = node.uses.as_ref().and_then(|uses| types.find(uses, findings));
    let (pack, node_type) = found.map_or((None, None), |found| (found.pack, found.node_type));
    ModelNode { name: node.name, uses: node.uses, with: node.with, pack, node_type, settings: None }
}

type LatePlace = Box<dyn FnOnce(Span) -> Draft>;

/// The port of `node` that is meant, or what is wrong, to be placed.
fn find_port(node_type: &TypeDescription, node: &str, port: Option<&str>, side: Side) -> Result<usize, LatePlace> {
    let outputs: Vec<&str> = node_type.outputs.iter().map(|port| port.name.as_str()).collect();
    let inputs: Vec<&str> = node_type.inputs.iter().map(|port| port.name.as_str()).collect();
    let (ports, others, what, other) = match side {
        Side::Output => (outputs, inputs, "output", "input"),
        Side::Input => (inputs, outputs, "input", "output"),
    };
    let late = |rule, message: String, help: Option<String>| {
        Err(Box::new(move |span| Draft::new(rule, span, message).maybe_help(help)) as LatePlace)
    };
    let type_name = &node_type.name;
    if ports.is_empty() {
        let rule = if side == Side::Output { rules::NO_OUTPUT } else { rules::NO_INPUT };
        let message = format!("`{node}` is a `{type_name}`, which has no {what}s");
        let help = match side {
            Side::Output => "messages end there; begin the edge at another node",
            Side::Input => "messages begin there; end the edge at another node",
        };
        return late(rule, message, Some(help.to_owned()));
    }
    match (port, ports.as_slice()) {
        (None, [_]) => Ok(0),
        (None, _) => {
            let choices: Vec<String> = ports.iter().map(|port| format!("{node}.{port}")).collect();
            let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
            let message = format!("`{node}` has {} {what}s", ports.len());
            late(rules::AMBIGUOUS_PORT, message, Some(format!("say which one: {}", suggest::list(&choices))))
        }
        (Some(name), _) => match ports.iter().position(|port| *port == name) {
            Some(at) => Ok(at),
            None => {
                let message = format!("`{node}` has no {what} `{name}`");
                let mut help = suggest::help(name, &ports, what);
                if others.contains(&name) {
                    help = Some(format!("`{name}` is an {other}; {what}s: {}", suggest::list(&ports)));
                }
                late(rules::UNKNOWN_PORT, message, help)
            }
        },
    }
}
