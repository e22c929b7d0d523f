//! The process that the user started: starts the backends, introduces them to each other, and sees the run to its end.
//!
//! One loop, one kind of event, one owner of all state. Data never passes through here: the runner only reads the
//! counters that lie in the segments.

mod child;
mod event;
mod exchange;
mod ledger;
mod lives;
mod restart;
mod run;
mod setup;
mod state;
mod system;
mod watch;
mod watchdog;

pub use event::{End, Interruption};
pub use ledger::EdgeLedger;
pub use run::{Options, StartError, run};
pub use state::{Failure, NodeStatus, RestartMade};

use crate::control::LogLevel;
use std::time::Duration;

/// What a run came to.
#[derive(Debug)]
pub struct Summary {
    /// How it ended, failures aside.
    pub end: End,
    /// What went wrong, in the order of time; the first is the cause of the others.
    pub failures: Vec<Failure>,
    /// One for each node of the graph.
    pub nodes: Vec<NodeSummary>,
    /// Processes that were started again, in the order of time.
    pub restarts: Vec<RestartMade>,
    /// One for each edge of the graph.
    pub edges: Vec<EdgeLedger>,
    /// From the first process to the end of the last.
    pub elapsed: Duration,
}

/// What became of a node.
#[derive(Clone, Copy, Debug)]
pub struct NodeSummary {
    /// Number of its process; none where that was never started.
    pub pid: Option<u32>,
    /// How it ended.
    pub status: NodeStatus,
    /// How often its process was started again.
    pub restarts: u32,
}

/// Where a run shows what is going on.
pub trait Observer {
    /// A line of a log. `from` is the node's name, or the backend's where the node cannot be told.
    fn log(&mut self, from: &str, level: LogLevel, line: &str);

    /// A line that the process of `from` has written to its standard output or standard error.
    fn output(&mut self, from: &str, line: &str);

    /// Something that the runner itself has to say.
    fn note(&mut self, level: LogLevel, line: &str);

    /// How often [`Observer::progress`] wants to be called.
    fn progress_every(&self) -> Duration;

    /// How far the run is.
    fn progress(&mut self, progress: Progress);
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Since the first process was started.
    pub elapsed: Duration,
    /// Messages that the sources have sent, each counted once.
    pub sent: u64,
    /// How many they will send in all, where every source knows.
    pub expected: Option<u64>,
}
