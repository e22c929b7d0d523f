//! Packs, page 4: a program with a receive loop of its own.
//!
//! Most nodes are called with each message. A `Program` asks instead: it says which input it wants to hear, and how.
//! `recv` returns a private copy, `recv_zero_copy` a view of the memory of the node that sent it, and several views may be
//! held at a time. What the program asks for and what the graph says must be the same, or the run ends with an error that
//! names the edge.
//!
//! `novelty` holds the last sweeps of a signal, each one message such as a heart beat or a response to a stimulus, and takes
//! their median away from the newest one. What all of them have in common goes, what is new stays. Both inputs hear the same
//! output: as views to look back at, and as a copy to write into.
//!
//! ```yaml
//! edges:
//!   - { from: beats, to: novel.history, zero_copy: true }
//!   - { from: beats, to: novel.newest }
//! ```

use anyhow::ensure;
use ezrun::message::{DType, View};
use ezrun::node::{Flow, InputId, Inputs, Joins, NodeType, Outputs, PortType, Program, Registry, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::VecDeque;
use std::process::ExitCode;

const HISTORY: InputId = InputId(0);
const NEWEST: InputId = InputId(1);

/// Sweeps that can be looked back at. Room for them is made before the graph runs, whatever the setting says.
const MOST_SWEEPS: u32 = 15;

fn main() -> ExitCode {
    ezrun::pack_main(Registry::new().with(node_type()))
}

/// What a graph sees of it.
pub fn node_type() -> NodeType {
    NodeType::transform("novelty", "Takes the median of the last sweeps away from the newest: what is new stays.")
        .input("history", PortType::signal_of(DType::F64))
        .needs_views()
        .holds(MOST_SWEEPS)
        .input("newest", PortType::signal_of(DType::F64))
        .writes_in_place()
        .joins(Joins::InTurn)
        .output("out", PortType::same_as("newest"))
        .example("sweeps: 7\n")
        .program(|settings: Settings| Ok(Novelty { sweeps: settings.sweeps as usize }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// How many sweeps the median is made of, the newest one among them; fewer at the beginning.
    #[schemars(range(min = 1, max = MOST_SWEEPS))]
    sweeps: u32,
}

struct Novelty {
    sweeps: usize,
}

impl Program for Novelty {
    fn run(&mut self, inputs: &mut Inputs, out: &mut Outputs) -> Result<Flow> {
        // The views borrow from the inputs, so the compiler sees to it that none outlives them.
        let inputs = &*inputs;
        let mut held: VecDeque<View<'_>> = VecDeque::with_capacity(self.sweeps);
        // Both end together: nothing, where no more will come.
        while let Some(sweep) = inputs.recv_zero_copy(HISTORY)? {
            held.push_back(sweep);
            let Some(mut newest) = inputs.recv(NEWEST)? else { break };
            let same = held.back().is_some_and(|sweep| sweep.header().sequence == newest.header.sequence);
            ensure!(
                same,
                "`history` and `newest` are not the same stream: both edges come from one output, and none drops"
            );

            subtract_median(newest.tensor_mut()?.as_mut_slice()?, &held)?;
            out.forward(newest.into())?;

            if held.len() == self.sweeps {
                // Dropping a view gives its memory back to its producer, and not before.
                held.pop_front();
            }
        }
        Ok(Flow::Complete)
    }
}

/// Sample by sample; a sweep that is shorter than others counts where it has samples.
fn subtract_median(newest: &mut [f64], held: &VecDeque<View<'_>>) -> Result<()> {
    let sweeps: Vec<&[f64]> = held.iter().map(|view| Ok(view.tensor()?.as_slice()?)).collect::<Result<_>>()?;
    let mut column = Vec::with_capacity(sweeps.len());
    for (i, x) in newest.iter_mut().enumerate() {
        column.clear();
        column.extend(sweeps.iter().filter_map(|sweep| sweep.get(i)));
        column.sort_by(f64::total_cmp);
        let (low, high) = (column[(column.len() - 1) / 2], column[column.len() / 2]);
        *x -= f64::midpoint(low, high);
    }
    Ok(())
}
