//! How the nodes and edges of a model hang together: found out once, for all rules.

use super::model::ModelEdge;
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
    /// The edges of which the end is known, in the order of the nodes there.
    ending: Vec<usize>,
    /// Where those of each node begin.
    ending_at: Vec<usize>,
}

impl Shape {
    pub fn of(nodes: usize, edges: &[ModelEdge]) -> Self {
        let topology = topology(nodes, edges);
        let components = kosaraju_scc(&topology);
        let component = component_of_each(nodes, &components);
        let sources_first = components.into_iter().rev().flatten().map(NodeIndex::index).collect();
        let (ending, ending_at) = by_end(nodes, edges);
        Shape { topology, component, sources_first, ending, ending_at }
    }

    /// The edges that end at `node`, in the order of the file.
    pub fn edges_into(&self, node: usize) -> &[usize] {
        &self.ending[self.ending_at[node]..self.ending_at[node + 1]]
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

/// The edges sorted by the node where they end, and where those of each node begin.
fn by_end(nodes: usize, edges: &[ModelEdge]) -> (Vec<usize>, Vec<usize>) {
    let ends = || edges.iter().enumerate().filter_map(|(at, edge)| Some((at, edge.to?.node)));
    let mut ending_at = vec![0; nodes + 1];
    for (_, node) in ends() {
        ending_at[node + 1] += 1;
    }
    for node in 0..nodes {
        ending_at[node + 1] += ending_at[node];
    }
    let mut next = ending_at.clone();
    let mut ending = vec![0; ending_at[nodes]];
    for (at, node) in ends() {
        ending[next[node]] = at;
        next[node] += 1;
    }
    (ending, ending_at)
}
