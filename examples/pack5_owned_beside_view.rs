//! Packs, page 5: what is one's own, beside what is only seen.
//!
//! A message arrives as `Received`, and there are two kinds. `Received::Owned` comes along an edge that copies: a node may
//! write into it, keep it, send it on. `Received::View` comes along a `zero_copy: true` edge: it can be read, and it ends
//! with the call. Both read the same way, so a node that only reads need not know which one it has.
//!
//! `level` hears the same signal at two inputs. What comes in at `signal` it levels in place, each channel around zero. What
//! comes in at `watch` it only looks at, and tells in a record how far the signal has moved from where it began. Writing into
//! the one cannot be seen at the other, whatever the edges say.

use ezrun::message::{DType, Metadata, Owned, Received, Record as _};
use ezrun::node::{Flow, InputId, Node, NodeType, Outputs, PortType, Registry, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use std::process::ExitCode;
use std::sync::Arc;

const SIGNAL: InputId = InputId(0);
/// Outputs, too, are numbered in the order of their declaration.
const LEVELLED: usize = 0;
const CHANGES: usize = 1;

// A record is a struct that can be sent. Its fields travel by name, so `csv_sink` writes it as a row and has never heard of
// it. Whoever knows the struct reads it with `message.record::<Change>()`.
ezrun::record! {
    /// How far a block is from the first one.
    pub struct Change {
        /// Capture time of the block, in seconds.
        pub time_s: f64,
        /// Mean of the block, minus that of the first one.
        pub moved: f64,
        /// Root mean square of the difference to the first block, sample by sample.
        pub distance: f64,
        /// Whether the block was a view.
        pub viewed: bool,
    }
}

fn main() -> ExitCode {
    ezrun::pack_main(Registry::new().with(node_type()))
}

/// What a graph sees of it.
pub fn node_type() -> NodeType {
    NodeType::transform("level", "Levels each channel around zero, and tells how the signal moves.")
        .input("signal", PortType::signal_of(DType::F64))
        .writes_in_place()
        .input("watch", PortType::signal_of(DType::F64))
        .output("levelled", PortType::same_as("signal"))
        .output("changes", PortType::record(Change::NAME))
        .node(|_: Settings| Ok(Level { changes: Arc::new(Metadata::record(Change::spec())), first: None }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {}

struct Level {
    /// Describes the records.
    changes: Arc<Metadata>,
    first: Option<Owned>,
}

impl Node for Level {
    fn process(&mut self, input: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        if input == SIGNAL {
            // The input says `writes_in_place`, so no graph can make this a view: nothing is copied here.
            let mut message = message.into_owned();
            level(&mut message)?;
            out.port(LEVELLED).forward(message.into())?;
            return Ok(Flow::Continue);
        }
        let change = compare(&message, self.first.as_ref())?;
        out.port(CHANGES).record(&self.changes, &change)?;
        if self.first.is_none() {
            // A view cannot be stored in `self`: the compiler refuses it. `into_owned` copies it, once, and lets it go.
            self.first = Some(message.into_owned());
        }
        Ok(Flow::Continue)
    }
}

/// Takes the mean of each channel away from it.
fn level(message: &mut Owned) -> Result<()> {
    let mut block = message.tensor_mut()?;
    // Row by row: the samples of all channels at one time lie together.
    let (rows, channels) = (block.shape[0], block.shape[1]);
    let samples = block.as_mut_slice::<f64>()?;
    for channel in 0..channels {
        let mean = samples.iter().skip(channel).step_by(channels).sum::<f64>() / rows as f64;
        samples.iter_mut().skip(channel).step_by(channels).for_each(|x| *x -= mean);
    }
    Ok(())
}

/// Reads both the same way, the view and the block that was kept.
fn compare(message: &Received<'_>, first: Option<&Owned>) -> Result<Change> {
    let now = message.tensor()?.as_slice::<f64>()?;
    let before = first.map_or_else(|| message.tensor(), Owned::tensor)?.as_slice::<f64>()?;
    // Over what both have: the last block of a recording may be shorter.
    let differences = || now.iter().zip(before).map(|(x, y)| x - y);
    let samples = now.len().min(before.len()).max(1) as f64;
    Ok(Change {
        time_s: message.header().capture.seconds(),
        moved: differences().sum::<f64>() / samples,
        distance: (differences().map(|d| d * d).sum::<f64>() / samples).sqrt(),
        viewed: message.is_view(),
    })
}
