//! `null`: takes messages, and does nothing.

use crate::message::Received;
use crate::node::{Flow, InputId, NoSettings, Node, NodeType, Outputs, PortType, Result};

pub fn node_type() -> NodeType {
    NodeType::sink("null", "Takes messages of any kind and does nothing with them.")
        .input("in", PortType::Any)
        .node(|_: NoSettings| Ok(Null))
}

struct Null;

impl Node for Null {
    fn process(&mut self, _: InputId, _: Received<'_>, _: &mut Outputs) -> Result<Flow> {
        Ok(Flow::Continue)
    }
}
