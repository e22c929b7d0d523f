//! `merge`: any number of edges in, one stream out, in order of arrival.

use crate::message::Received;
use crate::node::{Cadence, Flow, InputId, NoSettings, Node, NodeType, Outputs, PortType, Result};

pub fn node_type() -> NodeType {
    NodeType::transform("merge", "Sends on the messages of any number of edges, in order of arrival.")
        .input("in", PortType::Any)
        .many()
        .output("out", PortType::same_as("in"))
        .cadence(Cadence::Same)
        .node(|_: NoSettings| Ok(Merge))
}

struct Merge;

impl Node for Merge {
    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        out.forward(message)?;
        Ok(Flow::Continue)
    }
}
