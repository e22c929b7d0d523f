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
    into: ByNode,
    out_of: ByNode,
}

/// Edges of which an end is known, by the node there.
struct ByNode {
    /// In the order of the nodes, those of one node in the order of the file.
    edges: Vec<usize>,
    /// Where those of each node begin.
    begin: Vec<usize>,
}

impl Shape {
    pub fn of(nodes: usize, edges: &[ModelEdge]) -> Self {
        let topology = topology(nodes, edges);
        let components = kosaraju_scc(&topology);
        let component = component_of_each(nodes, &components);
        let sources_first = components.into_iter().rev().flatten().map(NodeIndex::index).collect();
        let into = ByNode::of(nodes, || edges.iter().map(|edge| edge.to));
        let out_of = ByNode::of(nodes, || edges.iter().map(|edge| edge.from));
        Shape { topology, component, sources_first, into, out_of }
    }

    /// The edges that end at `node`, in the order of the file.
    pub fn edges_into(&self, node: usize) -> &[usize] {
        self.into.at(node)
    }

    /// The edges that begin at `node`, in the order of the file.
    pub fn edges_out_of(&self, node: usize) -> &[usize] {
        self.out_of.at(node)
    }
}

impl ByNode {
    /// `ends` are those of all edges in turn.
    fn of<I: Iterator<Item = Option<End>>>(nodes: usize, ends: impl Fn() -> I) -> Self {
        let ends = || ends().enumerate().filter_map(|(at, end)| Some((at, end?.node)));
        let mut begin = vec![0; nodes + 1];
        for (_, node) in ends() {
            begin[node + 1] += 1;
        }
        for node in 0..nodes {
            begin[node + 1] += begin[node];
        }
        let mut next = begin.clone();
        let mut edges = vec![0; begin[nodes]];
        for (at, node) in ends() {
            edges[next[node]] = at;
            next[node] += 1;
        }
        ByNode { edges, begin }
    }

    fn at(&self, node: usize) -> &[usize] {
        &self.edges[self.begin[node]..self.begin[node + 1]]
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
