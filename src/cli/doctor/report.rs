//! What `ezrun doctor` has found.

use crate::channel::SegmentKind;
use schemars::JsonSchema;
use serde::Serialize;

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    /// Version of the ezrun that looked.
    pub ezrun: String,
    /// What the shared memory of runs would be made of.
    pub segments: SegmentKind,
    /// What a run of the graph would use; none where no graph was named.
    pub graph: Option<GraphUse>,
    /// One for each thing that was tried or looked at.
    pub checks: Vec<Check>,
    /// Whether nothing fails that a run needs.
    pub holds: bool,
}

/// What a run of a graph would use.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GraphUse {
    /// Name of the graph.
    pub name: String,
    /// Processes: the runner, the backends, and for each `command` its program and the guard of it.
    pub processes: u64,
    /// Threads in all of them, as the system counts them against a user's limit.
    pub threads: u64,
    /// Most descriptors that one of the processes has open at a time.
    pub descriptors: u64,
    /// Shared memory: address space, in bytes. It costs no memory by itself.
    pub reserved_bytes: u64,
    /// Shared memory that is there before the first message, in bytes.
    pub at_start_bytes: u64,
    /// Shared memory once every slot has held the largest message, in bytes.
    pub at_most_bytes: u64,
}

/// One thing that was tried or looked at.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Check {
    /// What it is about.
    pub about: Area,
    /// What was tried, or looked at.
    pub what: String,
    /// What the system said, or has.
    pub found: String,
    /// What a run needs of it; none where nothing in particular.
    pub needs: Option<String>,
    /// How it stands.
    pub verdict: Verdict,
}

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// What no peer of a sealed segment may do.
    Sealed,
    /// The same of a named segment, which promises less.
    Named,
    /// The system.
    System,
    /// What a run of the graph would use.
    Graph,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As promised, or as needed.
    Holds,
    /// Not as promised, or less than is needed.
    Fails,
    /// It could be done, and nobody promises otherwise.
    NotPromised,
    /// It fails, and a run with the chosen kind of segments has no need of it.
    NotNeeded,
    /// Told for its own sake.
    Told,
}

impl Report {
    pub fn new(segments: SegmentKind, graph: Option<GraphUse>, checks: Vec<Check>) -> Self {
        let holds = checks.iter().all(|check| check.verdict != Verdict::Fails);
        Report { ezrun: env!("CARGO_PKG_VERSION").to_owned(), segments, graph, checks, holds }
    }
}

impl Check {
    pub fn new(about: Area, what: impl Into<String>, found: impl Into<String>, verdict: Verdict) -> Self {
        Check { about, what: what.into(), found: found.into(), needs: None, verdict }
    }

    pub fn needing(self, needs: impl Into<String>) -> Self {
        Check { needs: Some(needs.into()), ..self }
    }
}

impl Verdict {
    pub fn holds_if(holds: bool) -> Self {
        if holds { Verdict::Holds } else { Verdict::Fails }
    }

    /// The same, of something that only one kind of segment needs.
    pub fn if_needed(self, needed: bool) -> Self {
        if self == Verdict::Fails && !needed { Verdict::NotNeeded } else { self }
    }
}
