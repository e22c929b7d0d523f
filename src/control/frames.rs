//! The frames themselves.

use crate::channel::{EdgeTerms, Handle, PortLayout, PortStart, SegmentKind, StationLayout};
use crate::graph::{Delivery, Wait};
use bincode::{Decode, Encode};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// From the runner to a backend.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum ToBackend {
    /// The first frame.
    Setup(Setup),
    /// One node of the backend.
    Node(NodeSetup),
    /// A segment of another backend; its descriptor travels with the frame, or its name in it.
    Segment {
        /// Whose it is.
        owner: SegmentOwner,
        /// Its name, where it is a named one.
        name: Option<String>,
        /// Whether it takes the place of a dead process's: a station that does is answered with [`FromBackend::Mapped`].
        anew: bool,
    },
    /// Every backend is attached: begin.
    Go,
    /// Another backend is dead, and with it one end of this edge.
    PeerDead {
        /// The edge.
        edge: u32,
    },
    /// A node that reads from this backend has ended: see whether anybody still reads.
    Look,
    /// Sources stop, everything else drains.
    Stop,
    /// Everything stops now.
    Cut,
    /// Reserved for settings that change at run time. No backend takes it yet.
    SetParam {
        /// The node.
        node: u32,
        /// JSON.
        value: String,
    },
}

/// From a backend to the runner.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum FromBackend {
    /// A segment of its own; the descriptor travels with the frame, or its name in it.
    Segment {
        /// Whose it is.
        owner: SegmentOwner,
        /// Its name, where it is a named one.
        name: Option<String>,
    },
    /// The segment of a backend that was started again has been mapped.
    Mapped {
        /// That backend.
        station: u32,
    },
    /// Attached, and every node has started.
    Ready,
    /// A line of a node's log.
    Log {
        /// The node; none where it cannot be told.
        node: Option<u32>,
        /// How bad it is.
        level: LogLevel,
        /// The line.
        text: String,
    },
    /// A node has ended.
    Ended {
        /// The node.
        node: u32,
        /// How.
        verdict: Verdict,
    },
    /// A node has stored into a view; the process is about to die of it.
    ViewFault {
        /// The node.
        node: u32,
        /// Edge that the view came from.
        edge: u32,
        /// Number of the message on its port.
        sequence: u64,
        /// Offset in the payload.
        offset: i64,
    },
    /// The backend cannot even begin.
    Refused {
        /// Why.
        cause: String,
    },
}

/// How a node ended.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Verdict {
    /// Its part is done.
    Done,
    /// Its part is done by its own word, and more could have come: it has left none of its edges, which are for the process
    /// that takes the place of this one.
    Returned,
    /// It wants the whole run to end, as a success.
    NormalTermination,
    /// It failed.
    Failed {
        /// Why.
        cause: String,
    },
}

/// Whose segment it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
pub enum SegmentOwner {
    /// An output port, by its index in the plan.
    Port(u32),
    /// A backend as a consumer, by its index in the plan.
    Station(u32),
}

/// What a frame about a segment says of its handle: the name in the frame, and the descriptors that travel with it.
#[must_use]
pub fn handle_parts(handle: &Handle) -> (Option<String>, Vec<BorrowedFd<'_>>) {
    match handle {
        Handle::Sealed(fd) => (None, vec![fd.as_fd()]),
        Handle::Named(name) => (Some(name.clone()), Vec::new()),
    }
}

/// The handle that a frame about a segment brought, by its name and its descriptors; nothing where it has neither.
#[must_use]
pub fn handle_of(name: Option<String>, fds: Vec<OwnedFd>) -> Option<Handle> {
    name.map(Handle::Named).or_else(|| fds.into_iter().next().map(Handle::Sealed))
}

/// How bad a line of a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, clap::ValueEnum)]
#[allow(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// What a backend is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Setup {
    /// Its index in the plan.
    pub backend: u32,
    /// Its name.
    pub name: String,
    /// What its segments are made of.
    pub segments: SegmentKind,
    /// What its station follows from.
    pub station: StationLayout,
    /// For each edge of the station, the word that says what a process before this one has taken; none where it is the
    /// first.
    pub begun: Vec<u64>,
    /// Whether it may be started again: a node that fails leaves none of its edges then, and the process ends.
    pub may_restart: bool,
    /// Whether the same goes for a node that ends by itself though more could come to it.
    pub restarts_always: bool,
    /// How many nodes follow.
    pub nodes: u32,
    /// The least level that is logged.
    pub log_level: LogLevel,
    /// The processor that it binds itself to.
    pub cpu: Option<u32>,
    /// Its niceness.
    pub priority: Option<i32>,
}

/// A node of a backend. The streams that its type uses travel with the frame, standard input first.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct NodeSetup {
    /// Its index in the graph.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// The directory of the file that it is written in.
    pub dir: String,
    /// Name of its type, without the pack.
    pub node_type: String,
    /// Settings, as JSON.
    pub settings: String,
    /// How it waits.
    pub wait: Wait,
    /// Whether standard input travels with the frame, and standard output.
    pub streams: (bool, bool),
    /// Edges that end here.
    pub inputs: Vec<InputSetup>,
    /// One for each output that the type declares.
    pub outputs: Vec<OutputSetup>,
}

/// An edge, as its consumer needs it.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct InputSetup {
    /// Index of the input in the type's declaration.
    pub input: u32,
    /// Index of the edge in the graph.
    pub edge: u32,
    /// How to receive.
    pub delivery: Delivery,
    /// Name, policy, sizes.
    pub terms: EdgeTerms,
    /// Do not wait for its end.
    pub feedback: bool,
    /// Index of the producer's port in the plan.
    pub port: u32,
    /// Layout of that port's segment.
    pub layout: PortLayout,
    /// Which of the port's edges it is.
    pub port_edge: u32,
    /// Which of the station's edges it is.
    pub station_edge: u32,
}

/// An output port of a node; nothing where no edge leaves it.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct OutputSetup(pub Option<PortSetup>);

/// An output port that edges leave.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct PortSetup {
    /// Its index in the plan.
    pub port: u32,
    /// Layout of its segment.
    pub layout: PortLayout,
    /// Where it goes on.
    pub start: PortStart,
    /// Whether messages travel as private memory.
    pub moves: bool,
    /// Its edges, in the order of the layout.
    pub edges: Vec<OutEdgeSetup>,
}

/// An edge, as its producer needs it.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct OutEdgeSetup {
    /// Index of the edge in the graph.
    pub edge: u32,
    /// Name, policy, sizes.
    pub terms: EdgeTerms,
    /// Where it ends: index of the backend in the plan.
    pub station: u32,
    /// Layout of that backend's segment.
    pub station_layout: StationLayout,
    /// Which of the station's edges it is.
    pub station_edge: u32,
}
