//! How a program with a loop of its own receives.

use super::{InputId, Result};
use crate::message::{Owned, Received, View};
use std::fmt;

/// All inputs of a [`Program`](super::Program).
pub struct Inputs {
    source: Box<dyn Receive>,
}

/// The other side of a program's inputs: what a backend, or a test, provides.
///
/// Asking for the next message of an input says that the node is done with those before it.
pub trait Receive: Send {
    /// As [`Inputs::next`].
    ///
    /// # Errors
    /// As there.
    fn next(&mut self) -> Result<Option<(InputId, Received<'_>)>>;

    /// As [`Inputs::recv`].
    ///
    /// # Errors
    /// As there.
    fn recv(&self, input: InputId) -> Result<Option<Owned>>;

    /// As [`Inputs::recv_zero_copy`].
    ///
    /// # Errors
    /// As there.
    fn recv_zero_copy(&self, input: InputId) -> Result<Option<View<'_>>>;

    /// As [`Inputs::done`].
    fn done(&mut self) {}

    /// Whether nothing more can come.
    fn have_ended(&self) -> bool {
        true
    }
}

impl Inputs {
    /// Inputs that receive from `source`.
    #[must_use]
    pub fn new(source: Box<dyn Receive>) -> Self {
        Inputs { source }
    }

    /// Whether nothing more can come.
    pub(crate) fn have_ended(&self) -> bool {
        self.source.have_ended()
    }

    /// Waits for the next message at any input, received as its edge says. Nothing when all inputs have ended.
    ///
    /// # Errors
    /// [`Stopped`](super::Stopped) where the run is cut short.
    #[allow(clippy::should_implement_trait, reason = "what it returns borrows from the inputs")]
    pub fn next(&mut self) -> Result<Option<(InputId, Received<'_>)>> {
        self.source.next()
    }

    /// Waits for the next message of an input whose edges copy, and returns it as one's own. Nothing at the end. Views of
    /// other inputs may be held meanwhile.
    ///
    /// # Errors
    /// Where an edge into this input is a zero-copy edge; [`Stopped`](super::Stopped) where the run is cut short.
    pub fn recv(&self, input: InputId) -> Result<Option<Owned>> {
        self.source.recv(input)
    }

    /// Waits for the next message of an input whose edges are zero-copy, and returns a view. Several may be held at a
    /// time, as many as the input declares with [`holds`](super::InputPort::holds). Nothing at the end.
    ///
    /// # Errors
    /// Where an edge into this input copies; where more views than declared are held;
    /// [`Stopped`](super::Stopped) where the run is cut short.
    pub fn recv_zero_copy(&self, input: InputId) -> Result<Option<View<'_>>> {
        self.source.recv_zero_copy(input)
    }

    /// Says that the node is done with every message that it has taken. Asking for the next message of an input, or
    /// returning from `run` without an error, says so too.
    pub fn done(&mut self) {
        self.source.done();
    }
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inputs")
    }
}
