//! What a node may ask of the process that it runs in.

use super::Result;
use anyhow::Context as _;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Given to a node's `start`.
#[derive(Debug)]
pub struct Context {
    /// Name of the node in the graph.
    pub node: String,
    graph_dir: PathBuf,
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
}

impl Context {
    /// A context for `node` of a graph that lies in `graph_dir`.
    #[must_use]
    pub fn new(node: &str, graph_dir: &Path) -> Self {
        Context { node: node.to_owned(), graph_dir: graph_dir.to_owned(), stdin: None, stdout: None }
    }

    /// The same with the streams that the node's type asked for.
    #[must_use]
    pub fn with_streams(mut self, stdin: Option<OwnedFd>, stdout: Option<OwnedFd>) -> Self {
        self.stdin = stdin;
        self.stdout = stdout;
        self
    }

    /// Where `path`, as written in the settings, really is: every path is relative to the graph file.
    #[must_use]
    pub fn path(&self, path: &Path) -> PathBuf {
        self.graph_dir.join(path)
    }

    /// The directory of the graph file.
    #[must_use]
    pub fn graph_dir(&self) -> &Path {
        &self.graph_dir
    }

    /// As [`Context::path`], and makes the folders above it: what every sink does.
    ///
    /// # Errors
    /// Where a folder cannot be made.
    pub fn output_path(&self, path: &Path) -> Result<PathBuf> {
        let full = self.path(path);
        if let Some(folder) = full.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create the folder {}", folder.display()))?;
        }
        Ok(full)
    }

    /// ezrun's own standard input. A type that asks for it says so with [`NodeType::uses`](super::NodeType::uses).
    ///
    /// # Errors
    /// Where the type did not say so.
    pub fn take_stdin(&mut self) -> Result<OwnedFd> {
        self.stdin.take().context("this node type has not asked for standard input")
    }

    /// ezrun's own standard output. A type that asks for it says so with [`NodeType::uses`](super::NodeType::uses).
    ///
    /// # Errors
    /// Where the type did not say so.
    pub fn take_stdout(&mut self) -> Result<OwnedFd> {
        self.stdout.take().context("this node type has not asked for standard output")
    }
}

/// The error of a wait that ended because the run is being stopped. Hand it on with `?`: it is no failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the run is being stopped")]
pub struct Stopped;

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The time has come.
    Time,
    /// The descriptor can be read, or has ended.
    Readable,
    /// The run is being stopped.
    Stopped,
    /// A node elsewhere has ended: see whether anybody still reads.
    Look,
}

/// How a node learns that the run is being stopped.
pub trait Signals: Send + Sync {
    /// Whether this node should come to an end now.
    fn stopping(&self) -> bool;

    /// Waits for a time, for a descriptor, or for the stop, whichever comes first.
    ///
    /// # Errors
    /// Where the descriptor cannot be waited on.
    fn wait(&self, until: Option<Instant>, readable: Option<BorrowedFd<'_>>) -> Result<Wake>;

    /// Ends the inputs of this node, also for a thread that waits at them: a [`Program`](super::Program) with several
    /// threads calls it once it has done its part. Where nothing is ever waited for, as in a test, nothing happens.
    fn end_inputs(&self) {}
}

/// Signals of a run that is never stopped: for tests of nodes.
#[derive(Debug)]
pub struct NeverStops;

impl Signals for NeverStops {
    fn stopping(&self) -> bool {
        false
    }

    fn wait(&self, until: Option<Instant>, readable: Option<BorrowedFd<'_>>) -> Result<Wake> {
        use rustix::event::{PollFd, PollFlags, poll};
        let timeout = until.map(|t| t.saturating_duration_since(Instant::now()).try_into()).transpose()?;
        let mut watched: Vec<PollFd<'_>> = readable.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        let ready = poll(&mut watched, timeout.as_ref())?;
        Ok(if ready == 0 { Wake::Time } else { Wake::Readable })
    }
}
