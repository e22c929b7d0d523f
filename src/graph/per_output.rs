//! A table with a row for each output of a graph.

use super::model::{Model, Port};
use std::ops::{Index, IndexMut};

/// A value for each output, by node and port. In one piece: in a large graph, outputs are looked up in any order.
pub(super) struct PerOutput<T> {
    /// Where the outputs of each node begin.
    first: Vec<usize>,
    values: Vec<T>,
}

impl<T: Clone> PerOutput<T> {
    /// The same `value` for all.
    pub fn all(model: &Model<'_>, value: T) -> Self {
        let (mut first, mut outputs) = (Vec::with_capacity(model.nodes.len()), 0);
        for node in &model.nodes {
            first.push(outputs);
            outputs += node.node_type.as_ref().map_or(0, |node_type| node_type.outputs.len());
        }
        PerOutput { first, values: vec![value; outputs] }
    }
}

impl<T> Index<Port> for PerOutput<T> {
    type Output = T;

    fn index(&self, (node, port): Port) -> &T {
        &self.values[self.first[node] + port]
    }
}

impl<T> IndexMut<Port> for PerOutput<T> {
    fn index_mut(&mut self, (node, port): Port) -> &mut T {
        &mut self.values[self.first[node] + port]
    }
}
