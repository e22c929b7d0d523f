//! Rules on flow: cycles and feedback, and nodes to which nothing flows.

use super::Overflow;
use super::edit::Change;
use super::finding::{Draft, Findings};
use super::model::{Model, ModelNode};
use super::{rules, suggest};
use crate::node::Role;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, EdgeIndex, NodeIndex};
use petgraph::visit::EdgeRef;
use std::collections::{HashMap, HashSet, VecDeque};

/// Most cycles that are reported at once.
const MAX_CYCLES: usize = 16;
/// Most nodes beside the first that a finding names.
const MAX_LISTED: usize = 8;

/// Nodes and edges by their index in the model.
type Topology = DiGraph<usize, usize>;

/// Every cycle without a feedback edge, each with its whole path.
pub(super) fn cycles(model: &Model<'_>, findings: &mut Findings) {
    let mut topology = topology(model, |edge| !is_feedback(model, edge));
    for _ in 0..MAX_CYCLES {
        let Some(closing) = last_edge_in_a_cycle(&topology) else { return };
        let path = cycle_through(&topology, closing);
        report_cycle(model, &path, findings);
        // Parallel edges close the same cycle.
        if let Some((from, to)) = topology.edge_endpoints(closing) {
            topology.retain_edges(|topology, edge| topology.edge_endpoints(edge) != Some((from, to)));
        }
    }
}

pub(super) fn feedback(model: &Model<'_>, findings: &mut Findings) {
    let topology = topology(model, |_| true);
    let component = components(&topology);
    for edge in topology.edge_references().filter(|edge| is_feedback(model, *edge.weight())) {
        let written = &model.edges[*edge.weight()].written;
        let Some(flag) = written.feedback else { continue };
        if component[&edge.source()] != component[&edge.target()] {
            let message = "this edge closes no cycle, so it is no feedback";
            let draft = Draft::new(rules::NO_FEEDBACK, flag.span, message).help("take `feedback: true` out");
            findings.add(draft.fix(Change::Replace(flag.span, "false")));
            continue;
        }
        let drops = written.overflow.map(|overflow| overflow.value);
        if !matches!(drops, Some(Overflow::DropOldest | Overflow::DropNewest)) {
            let span = written.overflow.map_or(flag.span, |overflow| overflow.span);
            let message = "a feedback edge that waits can deadlock its cycle";
            let help = "write `overflow: drop_oldest` or `overflow: drop_newest` on this edge";
            findings.add(Draft::new(rules::FEEDBACK_BLOCKS, span, message).help(help));
        }
    }
}

/// Groups of connected nodes to which no source leads: nothing will ever come there.
pub(super) fn unreached(model: &Model<'_>, findings: &mut Findings) {
    let topology = topology(model, |_| true);
    let mut reached = beginnings(model);
    let mut queue: VecDeque<usize> = (0..reached.len()).filter(|&node| reached[node]).collect();
    while let Some(node) = queue.pop_front() {
        for next in topology.neighbors(NodeIndex::new(node)).map(NodeIndex::index) {
            if !std::mem::replace(&mut reached[next], true) {
                queue.push_back(next);
            }
        }
    }
    for first in 0..model.nodes.len() {
        if !reached[first] {
            let group = connected_to(first, &topology, &mut reached);
            report_unreached(model, &group, findings);
        }
    }
}

/// For each node, whether messages may begin there, or it is known already why nothing comes.
pub(super) fn beginnings(model: &Model<'_>) -> Vec<bool> {
    let connected: HashSet<(usize, usize)> = model.wires().map(|wire| wire.to).collect();
    let may_begin = |(at, node): (usize, &ModelNode<'_>)| {
        let Some(node_type) = &node.node_type else { return true };
        let mut inputs =
            node_type.inputs.iter().enumerate().map(|(port, input)| (connected.contains(&(at, port)), input));
        let lacks_one = inputs.clone().any(|(connected, input)| input.required && !connected);
        // With nothing connected to its optional inputs, a node may begin a stream.
        let alone = node_type.role != Role::Sink && !inputs.any(|(connected, _)| connected);
        node_type.inputs.is_empty() || model.faulty_inputs.contains(&at) || lacks_one || alone
    };
    let mut begins: Vec<bool> = model.nodes.iter().enumerate().map(may_begin).collect();
    // Where the other end of an edge is not known, a source may be there; a self-edge has a rule of its own.
    for edge in &model.edges {
        if let Some(to) = edge.to.filter(|to| to.port.is_none() || edge.from.is_none_or(|from| from.node == to.node)) {
            begins[to.node] = true;
        }
    }
    begins
}

/// All nodes that hang together with `first` and were not reached before, in the order of the file.
fn connected_to(first: usize, topology: &Topology, reached: &mut [bool]) -> Vec<usize> {
    let mut group = vec![first];
    reached[first] = true;
    let mut at = 0;
    while let Some(&node) = group.get(at) {
        at += 1;
        for next in topology.neighbors_undirected(NodeIndex::new(node)).map(NodeIndex::index) {
            if !std::mem::replace(&mut reached[next], true) {
                group.push(next);
            }
        }
    }
    group.sort_unstable();
    group
}

fn report_unreached(model: &Model<'_>, group: &[usize], findings: &mut Findings) {
    let Some((first, others)) = group.split_first() else { return };
    let name = |node: &usize| model.nodes[*node].name.text.as_str();
    let listed = &others[..others.len().min(MAX_LISTED)];
    let message = match others.len() {
        0 => format!("no source leads to `{}`: nothing will ever come there", name(first)),
        more if more > listed.len() => {
            format!("no source leads to `{}` and {more} nodes more: nothing will ever come there", name(first))
        }
        _ => {
            let names: Vec<&str> = group.iter().map(name).collect();
            format!("no source leads to {}: nothing will ever come there", suggest::list(&names))
        }
    };
    let help = "add a source, and an edge from it to one of them";
    let mut draft = Draft::new(rules::UNREACHED, model.nodes[*first].name.span, message).help(help);
    for other in listed {
        draft = draft.related(model.nodes[*other].name.span, "this one neither");
    }
    findings.add(draft);
}

/// Nodes in an order in which each comes after those that it hears from; within a cycle, in any order.
pub(super) fn sources_first(model: &Model<'_>) -> Vec<usize> {
    let topology = topology(model, |_| true);
    kosaraju_scc(&topology).into_iter().rev().flatten().map(|node| topology[node]).collect()
}

/// Without self-edges, which have a rule of their own.
fn topology(model: &Model<'_>, keep: impl Fn(usize) -> bool) -> Topology {
    let mut topology = Topology::with_capacity(model.nodes.len(), model.edges.len());
    let nodes: Vec<NodeIndex> = (0..model.nodes.len()).map(|at| topology.add_node(at)).collect();
    for (at, edge) in model.edges.iter().enumerate().filter(|(at, _)| keep(*at)) {
        if let (Some(from), Some(to)) = (edge.from, edge.to)
            && from.node != to.node
        {
            topology.add_edge(nodes[from.node], nodes[to.node], at);
        }
    }
    topology
}

fn is_feedback(model: &Model<'_>, edge: usize) -> bool {
    model.edges[edge].written.feedback.is_some_and(|flag| flag.value)
}

fn components(topology: &Topology) -> HashMap<NodeIndex, usize> {
    let components = kosaraju_scc(topology).into_iter().enumerate();
    components.flat_map(|(at, nodes)| nodes.into_iter().map(move |node| (node, at))).collect()
}

/// Of all edges in cycles, the one written last.
fn last_edge_in_a_cycle(topology: &Topology) -> Option<EdgeIndex> {
    let component = components(topology);
    let inside = topology.edge_references().filter(|edge| component[&edge.source()] == component[&edge.target()]);
    inside.max_by_key(|edge| *edge.weight()).map(|edge| edge.id())
}

/// The edges of a shortest cycle that ends with `closing`, in their order.
fn cycle_through(topology: &Topology, closing: EdgeIndex) -> Vec<usize> {
    let Some((end, start)) = topology.edge_endpoints(closing) else { return Vec::new() };
    let mut reached_by: HashMap<NodeIndex, EdgeIndex> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for edge in topology.edges(node) {
            if edge.target() != start && !reached_by.contains_key(&edge.target()) {
                reached_by.insert(edge.target(), edge.id());
                queue.push_back(edge.target());
            }
        }
    }
    let mut path = vec![topology[closing]];
    let mut node = end;
    while let Some(&edge) = reached_by.get(&node) {
        path.push(topology[edge]);
        node = topology.edge_endpoints(edge).map_or(start, |(from, _)| from);
    }
    path.reverse();
    path
}

fn report_cycle(model: &Model<'_>, path: &[usize], findings: &mut Findings) {
    let ends = path.iter().filter_map(|&edge| Some((model.edges[edge].from?, model.edges[edge].to?)));
    let ends: Vec<_> = ends.collect();
    let Some(((first, _), (_, closing))) = ends.first().zip(ends.last()) else { return };
    let name = |node: usize| format!("`{}`", model.nodes[node].name.text);
    let mut names = vec![name(first.node)];
    names.extend(ends.iter().map(|(_, to)| name(to.node)));
    let message = format!("these nodes form a cycle: {}", names.join(" → "));
    let help = "take one of its edges out, or let one be `feedback: true` with `overflow: drop_oldest`";
    let mut draft = Draft::new(rules::CYCLE, closing.span, message).help(help);
    for (from, to) in &ends[..ends.len() - 1] {
        draft = draft.related(to.span, format!("{} → {}", name(from.node), name(to.node)));
    }
    findings.add(draft);
}
