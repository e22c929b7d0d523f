//! Packs, page 3: a node with two inputs.
//!
//! `subtract` takes one signal away from another, block by block. It writes the difference into the block that it received
//! at `signal`, so that input says `writes_in_place` and its edge must copy. At `estimate` it only reads, so that edge may
//! be `zero_copy: true`. Each input has its own edge, and each edge its own flag:
//!
//! ```yaml
//! edges:
//!   - { from: raw,    to: rest.signal }
//!   - { from: filter, to: rest.estimate, zero_copy: true }
//! ```

use anyhow::ensure;
use ezrun::message::{DType, Owned, Received};
use ezrun::node::{Flow, InputId, Joins, Node, NodeType, Outputs, PortType, Registry, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::VecDeque;
use std::process::ExitCode;

/// Inputs are numbered in the order in which the node type declares them.
const SIGNAL: InputId = InputId(0);
const ESTIMATE: InputId = InputId(1);

/// Blocks of one input that wait for their partner, at most.
const MOST_WAITING: usize = 1024;

fn main() -> ExitCode {
    ezrun::pack_main(Registry::new().with(node_type()))
}

/// What a graph sees of it.
pub fn node_type() -> NodeType {
    NodeType::transform("subtract", "Takes `estimate` away from `signal`, between blocks of the same capture time.")
        .input("signal", PortType::signal_of(DType::F64))
        .writes_in_place()
        .input("estimate", PortType::signal_of(DType::F64))
        .joins(Joins::Pairs)
        .output("out", PortType::same_as("signal"))
        .node(|_: Settings| Ok(Subtract::default()))
}

/// No settings: a mapping without fields, in which any key is refused.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {}

#[derive(Default)]
struct Subtract {
    /// By input: what came before its partner.
    waiting: [VecDeque<Owned>; 2],
}

impl Node for Subtract {
    /// Called with the messages of all inputs: in order for each input, in any order between them. Which of two partners
    /// comes first may differ from run to run, so a node that wants the same result each time pairs them by capture time.
    fn process(&mut self, input: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        let capture = message.header().capture;
        let others = &mut self.waiting[1 - input.0];
        // This input has come past them: their partners were dropped on the way, or never sent.
        while others.front().is_some_and(|other| other.header.capture.ns < capture.ns) {
            others.pop_front();
        }
        let is_there = others.front().is_some_and(|other| other.header.capture == capture);
        let Some(partner) = (if is_there { others.pop_front() } else { None }) else {
            let waiting = &mut self.waiting[input.0];
            ensure!(
                waiting.len() < MOST_WAITING,
                "{MOST_WAITING} blocks of one input have no partner at the other one"
            );
            // A view ends with this call. What a node keeps must be its own: this copies a view, and costs nothing where
            // the message is owned already.
            waiting.push_back(message.into_owned());
            return Ok(Flow::Continue);
        };
        let (mut signal, estimate) = match input {
            SIGNAL => (message.into_owned(), partner.into()),
            ESTIMATE => (partner, message),
            InputId(other) => unreachable!("input {other} of 2 declared inputs"),
        };
        take_away(&mut signal, &estimate)?;
        // An owned message is sent on as it is, header and all, and within a process it is moved and not copied.
        out.forward(signal.into())?;
        Ok(Flow::Continue)
    }
}

fn take_away(signal: &mut Owned, estimate: &Received<'_>) -> Result<()> {
    let estimate = estimate.tensor()?;
    let mut signal = signal.tensor_mut()?;
    ensure!(signal.shape == estimate.shape, "a block of {:?} and one of {:?} differ", signal.shape, estimate.shape);
    for (x, y) in signal.as_mut_slice::<f64>()?.iter_mut().zip(estimate.as_slice::<f64>()?) {
        *x -= y;
    }
    Ok(())
}
