//! Rules on flow: cycles and feedback, and nodes to which nothing flows.

use super::Overflow;
use super::edit::Change;
use super::finding::{Draft, Findings};
use super::model::{Model, ModelEdge, ModelNode};
use super::shape::{Topology, component_of_each};
use super::{rules, suggest};
use crate::node::Role;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{EdgeIndex, NodeIndex};
use petgraph::visit::EdgeRef;
use std::collections::{HashMap, VecDeque};

/// Most cycles that are reported at once.
const MAX_CYCLES: usize = 16;
/// Most nodes beside the first that a finding names.
const MAX_LISTED: usize = 8;

/// Every cycle without a feedback edge, each with its whole path.
pub(super) fn cycles(model: &Model<'_>, findings: &mut Findings) {
    let closes = |(at, (from, to)): (usize, (usize, usize))| {
        from != to && model.shape.component[from] == model.shape.component[to] && !is_feedback(model, at)
    };
    if !ends(model).any(closes) {
        return;
    }
    let mut topology = without(&model.shape.topology, |_, edge| is_feedback(model, edge));
    for _ in 0..MAX_CYCLES {
        let Some(closing) = last_edge_in_a_cycle(&topology) else { return };
        let path = cycle_through(&topology, closing);
        report_cycle(model, &path, findings);
        // Parallel edges close the same cycle.
        if let Some((from, to)) = topology.edge_endpoints(closing) {
            topology = without(&topology, |ends, _| ends == (from, to));
        }
    }
}

/// The graph without the edges that `leaves_out` tells, by their ends and what they are. Made anew: to take edges out of one
/// costs as much as there are others between the same nodes.
fn without(topology: &Topology, leaves_out: impl Fn((NodeIndex, NodeIndex), usize) -> bool) -> Topology {
    let keep = |at, &edge: &usize| {
        let ends = topology.edge_endpoints(at)?;
        (!leaves_out(ends, edge)).then_some(edge)
    };
    topology.filter_map(|_, &node| Some(node), keep)
}

pub(super) fn feedback(model: &Model<'_>, findings: &mut Findings) {
    let component = &model.shape.component;
    // Where an edge is broken, it may be the one that closes the cycle.
    let is_sure = !findings.has_errors();
    for (at, (from, to)) in ends(model).filter(|(at, (from, to))| from != to && is_feedback(model, *at)) {
        let written = &model.edges[at].written;
        let Some(flag) = written.feedback else { continue };
        if component[from] != component[to] {
            if is_sure {
                let message = "this edge closes no cycle, so it is no feedback";
                let draft = Draft::new(rules::NO_FEEDBACK, flag.span, message).help("take `feedback: true` out");
                findings.add(draft.fix(Change::Replace(flag.span, "false")));
            }
            continue;
        }
        let drops = written.overflow.map(|overflow| overflow.value);
        // What cannot be read may say so.
        let may_drop = written.faulty && written.overflow.is_none();
        if !may_drop && !matches!(drops, Some(Overflow::DropOldest | Overflow::DropNewest)) {
            let span = written.overflow.map_or(flag.span, |overflow| overflow.span);
            let message = "a feedback edge that waits can deadlock its cycle";
            let help = "write `overflow: drop_oldest` or `overflow: drop_newest` on this edge";
            findings.add(Draft::new(rules::FEEDBACK_BLOCKS, span, message).help(help));
        }
    }
}

/// Nodes that a source leads to, but by feedback alone, for which no node waits.
pub(super) fn only_feedback(model: &Model<'_>, findings: &mut Findings) {
    let feeds_back = |&edge: &usize| is_feedback(model, edge);
    let ends_at_once = |&node: &usize| {
        let edges = model.shape.edges_into(node);
        // Where a node's type is not known, a port of the file may stand for one of its inputs.
        let is_known = model.nodes[node].node_type.is_some() && !model.faulty_inputs.contains(&node);
        let is_open = model.open_inputs.range((node, 0)..=(node, usize::MAX)).next().is_some();
        is_known && !is_open && !edges.is_empty() && edges.iter().all(feeds_back)
    };
    let mut ending = (0..model.nodes.len()).filter(ends_at_once).peekable();
    if ending.peek().is_none() {
        return;
    }
    let reached = reached(model);
    // An edge that closes no cycle has a rule of its own, as a node has that nothing comes to.
    let closes = |node: usize, &edge: &usize| {
        let from = model.edges[edge].from.map(|from| from.node);
        from.is_some_and(|from| from != node && model.shape.component[from] == model.shape.component[node])
    };
    for node in
        ending.filter(|&node| reached[node] && model.shape.edges_into(node).iter().all(|edge| closes(node, edge)))
    {
        let name = &model.nodes[node].name;
        let message =
            format!("`{}` ends as soon as it starts: no node waits for feedback, and it has nothing else", name.text);
        let help = "lead an edge without `feedback: true` to it, or let another edge of the cycle be the feedback";
        let mut draft = Draft::new(rules::ONLY_FEEDBACK, name.span, message).help(help);
        for flag in model.shape.edges_into(node).iter().filter_map(|&edge| model.edges[edge].written.feedback) {
            draft = draft.related(flag.span, "feedback");
        }
        findings.add(draft);
    }
}

/// Groups of connected nodes to which no source leads: nothing will ever come there.
pub(super) fn unreached(model: &Model<'_>, findings: &mut Findings) {
    let topology = &model.shape.topology;
    let mut reached = reached(model);
    for first in 0..model.nodes.len() {
        if !reached[first] {
            let group = connected_to(first, topology, &mut reached);
            report_unreached(model, &group, findings);
        }
    }
}

/// For each node, whether messages may come there.
fn reached(model: &Model<'_>) -> Vec<bool> {
    let mut reached = beginnings(model);
    let mut queue: VecDeque<usize> = (0..reached.len()).filter(|&node| reached[node]).collect();
    while let Some(node) = queue.pop_front() {
        for next in model.shape.topology.neighbors(NodeIndex::new(node)).map(NodeIndex::index) {
            if !std::mem::replace(&mut reached[next], true) {
                queue.push_back(next);
            }
        }
    }
    reached
}

/// For each node, whether messages may begin there, or it is known already why nothing comes.
pub(super) fn beginnings(model: &Model<'_>) -> Vec<bool> {
    let may_begin = |(at, node): (usize, &ModelNode<'_>)| {
        let Some(node_type) = &node.node_type else { return true };
        let mut connected = vec![false; node_type.inputs.len()];
        model.wires_into(at).for_each(|wire| connected[wire.to.1] = true);
        let mut inputs = connected.into_iter().zip(&node_type.inputs);
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
    // Whoever uses the file leads something there.
    model.open_inputs.iter().for_each(|&(node, _)| begins[node] = true);
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

/// The edges of which both ends are known, with the nodes there.
fn ends<'m>(model: &'m Model<'_>) -> impl Iterator<Item = (usize, (usize, usize))> + use<'m> {
    let ends = |(at, edge): (usize, &ModelEdge)| Some((at, (edge.from?.node, edge.to?.node)));
    model.edges.iter().enumerate().filter_map(ends)
}

fn is_feedback(model: &Model<'_>, edge: usize) -> bool {
    model.edges[edge].written.may_be_feedback()
}

/// Of all edges in cycles, the one written last.
fn last_edge_in_a_cycle(topology: &Topology) -> Option<EdgeIndex> {
    let component = component_of_each(topology.node_count(), &kosaraju_scc(topology));
    let is_inside = |from: NodeIndex, to: NodeIndex| component[from.index()] == component[to.index()];
    let inside = topology.edge_references().filter(|edge| is_inside(edge.source(), edge.target()));
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
