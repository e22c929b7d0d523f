//! Everything that can happen to a run.

use crate::control::FromBackend;
use crate::graph::{BackendId, NodeId};
use std::os::fd::OwnedFd;
use std::process::ExitStatus;

/// Something has happened.
#[derive(Debug)]
pub enum Event {
    /// A backend has sent a frame.
    Frame(BackendId, FromBackend, Vec<OwnedFd>),
    /// A backend has written a line.
    Line(BackendId, String),
    /// A process has ended, and everything that it said has been heard.
    Exited(BackendId, Exit),
    /// A backend, in its life of this number, was to be ready by now.
    StartOverdue(BackendId, u32),
    /// The pause before a backend is started again is over.
    PauseOver(BackendId),
    /// The user wants the run to end.
    Interrupt(Interruption),
    /// `--stop-after` has come.
    TimeIsUp,
    /// What was waited for has not come in its time.
    Deadline,
    /// A node takes nothing that waits for it, or sends nothing that is waited for: why it counts as failed.
    Hung(NodeId, String),
    /// Look at the counters of the edges.
    Look,
    /// Show how far the run is.
    Tick,
}

/// How a process ended.
#[derive(Debug)]
pub struct Exit {
    /// Its status; none where that could not be had.
    pub status: Option<ExitStatus>,
    /// What was wrong with its control frames, where something was.
    pub complaint: Option<String>,
}

/// How the user asked for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// SIGINT.
    Int,
    /// SIGTERM.
    Term,
}

/// How a run ended, failures aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every source came to its end, or a node or `--stop-after` ended it.
    Finished,
    /// The user did.
    Interrupted(Interruption),
}
