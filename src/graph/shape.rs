//! How the nodes and edges of a model hang together: found out once, for all rules.

use super::model::{End, ModelEdge};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

/// Nodes and edges by their index in the model.
pub(super) type Topology = DiGraph<usize, usize>;

pub(super) struct Shape {
    /// All edges of which both ends are known; without self-edges, which have a rule of their own.
    pub topology: Topology,
    /// For each node, a number that it shares with the nodes that it is in a cycle with.
    pub component: Vec<usize>,
    /// Nodes in an order in which each comes after those that it hears from; within a cycle, in any order.
    pub sources_first: Vec<usize>,
    /// The edges by the node where they begin, and by the one where they end.
    from: ByNode,
    to: ByNode,
}

impl Shape {
    pub fn of(nodes: usize, edges: &[ModelEdge]) -> Self {
        let topology = topology(nodes, edges);
        let components = kosaraju_scc(&topology);
        let component = component_of_each(nodes, &components);
        let sources_first = components.into_iter().rev().flatten().map(NodeIndex::index).collect();
        let (from, to) = (ByNode::new(nodes, edges, |edge| edge.from), ByNode::new(nodes, edges, |edge| edge.to));
        Shape { topology, component, sources_first, from, to }
    }

    /// The edges that begin at `node`, in the order of the file.
    pub fn edges_from(&self, node: usize) -> &[usize] {
        self.from.at(node)
    }

    /// The edges that end at `node`, in the order of the file.
    pub fn edges_into(&self, node: usize) -> &[usize] {
        self.to.at(node)
    }
}

fn topology(nodes: usize, edges: &[ModelEdge]) -> Topology {
    let mut topology = Topology::with_capacity(nodes, edges.len());
    for node in 0..nodes {
        topology.add_node(node);
    }
    for (at, edge) in edges.iter().enumerate() {
        if let (Some(from), Some(to)) = (edge.from, edge.to)
            && from.node != to.node
        {
            topology.add_edge(NodeIndex::new(from.node), NodeIndex::new(to.node), at);
        }
    }
    topology
}

/// For each node, which of `components` it is in.
pub(super) fn component_of_each(nodes: usize, components: &[Vec<NodeIndex>]) -> Vec<usize> {
    let mut component = vec![0; nodes];
    for (at, members) in components.iter().enumerate() {
        for member in members {
            component[member.index()] = at;
        }
    }
    component
}

/// Edges in the order of the nodes at one of their ends.
struct ByNode {
    edges: Vec<usize>,
    /// Where those of each node begin.
    begins: Vec<usize>,
}

impl ByNode {
    /// The edges of which `end` is known.
    fn new(nodes: usize, edges: &[ModelEdge], end: impl Fn(&ModelEdge) -> Option<End>) -> Self {
        let known = || edges.iter().enumerate().filter_map(|(at, edge)| Some((at, end(edge)?.node)));
        let mut begins = vec![0; nodes + 1];
        for (_, node) in known() {
            begins[node + 1] += 1;
        }
        for node in 0..nodes {
            begins[node + 1] += begins[node];
        }
        let mut next = begins.clone();
        let mut sorted = vec![0; begins[nodes]];
        for (at, node) in known() {
            sorted[next[node]] = at;
            next[node] += 1;
        }
        ByNode { edges: sorted, begins }
    }

    fn at(&self, node: usize) -> &[usize] {
        &self.edges[self.begins[node]..self.begins[node + 1]]
    }
}
