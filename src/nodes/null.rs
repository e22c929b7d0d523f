//! `null`: takes messages, and does nothing.

use crate::message::Received;
use crate::node::{Flow, InputId, Node, NodeType, Outputs, PortType, Result};
use schemars::JsonSchema;
use serde::Deserialize;

pub fn node_type() -> NodeType {
    NodeType::sink("null", "Takes messages of any kind and does nothing with them.")
        .input("in", PortType::Any)
        .node(|_: Settings| Ok(Null))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {}

struct Null;

impl Node for Null {
    fn process(&mut self, _: InputId, _: Received<'_>, _: &mut Outputs) -> Result<Flow> {
        Ok(Flow::Continue)
    }
}
