//! Packs, page 1: a transform. Begin here.
//!
//! A pack is a program that offers node types to graphs. Its `main` hands them to [`ezrun::pack_main`] and does nothing
//! else: ezrun starts the program, asks it what it has, and runs its nodes in it. In a graph this one is used as
//!
//! ```yaml
//! packs: { shapes: ../target/release/examples/pack1_transform }
//! nodes:
//!   size: { use: shapes/rectify, with: { half: true } }
//! ```
//!
//! Started by hand with `describe`, a pack prints what it has; `describe --save` writes that beside the program, so that
//! `ezrun validate` can check a graph without running anybody's code.

use ezrun::message::{DType, Received};
use ezrun::node::{Flow, InputId, Node, NodeType, Outputs, PortType, Registry, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use std::process::ExitCode;

fn main() -> ExitCode {
    ezrun::pack_main(Registry::new().with(node_type()))
}

/// The node type: its name after `use:`, its ports, and how to make a node. Graphs are checked against this before
/// anything runs, so say what is true: this one understands `f64` and no other numbers, in any dimensions (an empty
/// list means any), and sends on the kind that came in.
pub fn node_type() -> NodeType {
    let numbers = PortType::Tensor { dtypes: vec![DType::F64], dims: Vec::new() };
    NodeType::transform("rectify", "Turns each number into its absolute value, as for the envelope of a signal.")
        .input("in", numbers)
        .output("out", PortType::same_as("in"))
        .example("half: true\n")
        .node(|settings: Settings| Ok(Rectify { half: settings.half }))
}

/// What stands under `with:`. The comment on each field is what the user of the node gets to read about it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Whether numbers below 0 become 0 rather than change their sign. Default: false.
    #[serde(default)]
    half: bool,
}

struct Rectify {
    half: bool,
}

impl Node for Rectify {
    /// Called with each message, one after the other. An error ends the run and names this node, so `?` will do.
    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        // Reading is the same whether the message is a copy or a view of the memory of the node that sent it: this node
        // only reads, so a graph should say `zero_copy: true` on the edge to it.
        let tensor = message.tensor()?;
        let numbers: &[f64] = tensor.as_slice()?;

        // The result is written to where the next node will read it: a loan is room in this node's own output. It takes
        // the capture time of the message that is being processed. The metadata describes the payload; here it is that
        // of the input, which costs nothing to use again.
        let mut loan = out.loan(message.metadata(), message.bytes().len())?;
        for (y, x) in loan.elements::<f64>().iter_mut().zip(numbers) {
            *y = if self.half { x.max(0.0) } else { x.abs() };
        }
        loan.publish()?;
        Ok(Flow::Continue)
    }
}
