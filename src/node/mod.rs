//! What the author of a node type sees.
//!
//! A node is a [`Node`] (called with each message), a [`Source`] (asked to produce) or a [`Program`] (has a receive
//! loop of its own). A [`NodeType`] says what it is called, its ports and its settings, and makes one from settings.
//! The built-in types are written against this module and nothing else.

mod cadence;
mod context;
mod description;
mod figures;
mod inputs;
mod known_signal;
mod outputs;
mod pace;
mod pack;
mod registry;
mod setting_error;
pub mod settings;
pub mod testing;

pub use cadence::{Amount, Cadence, Labels, Quantity};
pub use context::{Context, NeverStops, Signals, Stopped, Wake};
pub use description::{
    InputPort, Joins, MAX_HOLDS, Narrowed, OutputPort, PortType, Records, Role, Stream, TypeDescription,
};
pub(crate) use figures::{SHOWN_LABELS, counted, figures, first_of, trimmed};
pub use inputs::{Inputs, Receive};
pub use known_signal::KnownSignal;
pub use outputs::{Loan, Output, Outputs, Transmit};
pub use pace::Pace;
pub use pack::{DescriptionError, PackDescription, SettingsToCheck, check, describe, description_path};
pub use registry::{Instance, NoSettings, NodeType, Registry};
pub use setting_error::{SettingError, Step};

use crate::message::Received;

/// What a node's functions return. Errors are [`anyhow`]'s: `?` takes any error, `anyhow::bail!` makes one.
pub type Result<T, E = anyhow::Error> = std::result::Result<T, E>;

/// What a node wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// More.
    Continue,
    /// Nothing: this node has done its part. What is still queued for it counts as dropped.
    Complete,
    /// The end of the whole run, as a success.
    NormalTermination,
}

/// An input port of a node, counted from 0 in the order in which its type declares them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InputId(pub usize);

/// A node that is called with each message: a transform or a sink.
pub trait Node: Send {
    /// Called before any message flows in the graph: the place to open files.
    ///
    /// # Errors
    /// Any error ends the run before anything flows.
    fn start(&mut self, _context: &mut Context) -> Result<()> {
        Ok(())
    }

    /// Called with each message, in order per edge.
    ///
    /// # Errors
    /// Any error ends the run, naming this node.
    fn process(&mut self, input: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow>;

    /// Called once when no more will come, also when the run is being stopped: the place to send what is left and
    /// to close files.
    ///
    /// # Errors
    /// Any error ends the run, naming this node.
    fn stop(&mut self, _out: &mut Outputs) -> Result<()> {
        Ok(())
    }
}

/// A node without inputs, asked again and again to produce.
pub trait Source: Send {
    /// As [`Node::start`].
    ///
    /// # Errors
    /// Any error ends the run before anything flows.
    fn start(&mut self, _context: &mut Context) -> Result<()> {
        Ok(())
    }

    /// Sends the next message or messages. Not called again after [`Flow::Complete`], nor once the run is being stopped
    /// or nobody reads any more.
    ///
    /// # Errors
    /// Any error ends the run, naming this node.
    fn produce(&mut self, out: &mut Outputs) -> Result<Flow>;

    /// As [`Node::stop`].
    ///
    /// # Errors
    /// Any error ends the run, naming this node.
    fn stop(&mut self, _out: &mut Outputs) -> Result<()> {
        Ok(())
    }
}

/// A node with a loop of its own, which calls `recv` and `recv_zero_copy` itself.
pub trait Program: Send {
    /// As [`Node::start`].
    ///
    /// # Errors
    /// Any error ends the run before anything flows.
    fn start(&mut self, _context: &mut Context) -> Result<()> {
        Ok(())
    }

    /// Runs until the inputs end, or, where there are none, until [`Outputs::stopping`].
    ///
    /// # Errors
    /// Any error ends the run, naming this node.
    fn run(&mut self, inputs: &mut Inputs, out: &mut Outputs) -> Result<Flow>;
}
