//! A plan to be read, by people and by programs: what would run, how each edge crosses and why, and what it would cost.

use super::{EdgePlan, MAX_SEGMENTS, Plan, PortPlan, Transport, backend_args};
use crate::channel::{SegmentKind, StationLayout};
use crate::graph::{Backend, Delivery, EdgeId, OnExit, Overflow, Restart, RestartPolicy, Wait};
use schemars::JsonSchema;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// What would run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Outline {
    /// Version of the ezrun that made the plan.
    pub ezrun: String,
    /// Name of the graph.
    pub graph: String,
    /// What shared memory is made of.
    pub segments: SegmentKind,
    /// The processes, in the order in which they are started.
    pub backends: Vec<BackendOutline>,
    /// The edges, in the order of the file.
    pub edges: Vec<EdgeOutline>,
    /// The pieces of shared memory, each written by one process alone.
    pub memory: Vec<SegmentOutline>,
    /// Sums over all of it.
    pub totals: Totals,
}

/// A process.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BackendOutline {
    /// Name: that of the file, or of its only node.
    pub name: String,
    /// The executable: ezrun itself, or a pack.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Whether the executable is a pack.
    pub is_pack: bool,
    /// Its nodes.
    pub nodes: Vec<NodeOutline>,
    /// The processor that it is bound to; none where the system chooses.
    pub cpu: Option<u32>,
    /// Niceness, -20 (most urgent) to 19; none where it is the runner's own.
    pub priority: Option<i32>,
    /// Names of the variables that the file sets in its environment.
    pub env: Vec<String>,
    /// Whether it is started again after it has failed; none where its first failure is its last.
    pub restart: Option<RestartOutline>,
    /// How long it may take to be ready, in milliseconds; none where that has no limit.
    pub startup_timeout_ms: Option<u64>,
    /// How long a node of it may leave a message that waits for it, in milliseconds; none where that has no limit.
    pub stall_timeout_ms: Option<u64>,
    /// What the run comes to when it has failed and is not started again.
    pub on_exit: OnExit,
}

/// When a process is started again.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RestartOutline {
    /// After which ends.
    pub when: Restart,
    /// How often within the window.
    pub max_restarts: u32,
    /// How long a restart counts, in milliseconds.
    pub window_ms: u64,
    /// The first pause, in milliseconds; it doubles with each restart that counts.
    pub backoff_ms: u64,
}

/// A node.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NodeOutline {
    /// Name in the graph.
    pub name: String,
    /// What follows `use:`.
    #[serde(rename = "type")]
    pub node_type: String,
    /// How it waits.
    pub wait: Wait,
}

/// An edge.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EdgeOutline {
    /// The output, as `node.port`.
    pub from: String,
    /// The input, as `node.port`.
    pub to: String,
    /// What carries it.
    pub transport: Transport,
    /// What the edge promises its consumer.
    pub delivery: Delivery,
    /// How each message comes to the consumer.
    pub receives: Receives,
    /// Why so, in words.
    pub why: String,
    /// What happens when messages come faster than they are taken.
    pub policy: PolicyOutline,
    /// How many slots of its output's segment it can keep in use: its queue, and what its consumer holds beside it. None
    /// where messages travel in private memory.
    pub slots: Option<u32>,
}

/// How an edge deals with more messages than its consumer takes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PolicyOutline {
    /// What happens when the queue is full.
    pub overflow: Overflow,
    /// Depth of the queue, in messages.
    pub queue: u32,
    /// Largest payload, in bytes.
    pub max_message_bytes: u64,
    /// Whether it closes a cycle: its end is not waited for.
    pub feedback: bool,
    /// How long nothing may come through it, in milliseconds; none where that has no limit.
    pub input_timeout_ms: Option<u64>,
}

/// How each message of an edge comes to its consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Receives {
    /// As a read-only view of the producer's memory.
    View,
    /// As a private copy.
    Copy,
    /// As the message itself: its one reader is in the producer's process.
    Move,
    /// The last of several readers in the producer's process takes the message itself; the others copy.
    MoveOrCopy,
}

/// A piece of shared memory.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SegmentOutline {
    /// What it is for.
    pub holds: SegmentUse,
    /// The output, as `node.port`; the backend, where it holds what that one has taken.
    pub name: String,
    /// The backend that writes it.
    pub written_by: String,
    /// How many edges leave the output, or end in the backend.
    pub edges: u32,
    /// How many messages it has room for.
    pub slots: u32,
    /// How many of its kind there may be at a time: more than one where its process may be started again, while what was sent
    /// before that has not been read to its end. What follows is said of each.
    pub segments_at_most: usize,
    /// Address space that every process reserves that maps it, in bytes. It costs no memory by itself.
    pub reserved_bytes: u64,
    /// Memory that it has before the first message, in bytes.
    pub at_start_bytes: u64,
    /// Memory that it has once every slot has held the largest message, in bytes.
    pub at_most_bytes: u64,
}

/// What a segment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SegmentUse {
    /// The messages that leave an output. Those that travel in private memory take no room in it.
    Messages,
    /// What a backend says of the messages that it has taken.
    Receipts,
}

/// Sums over a plan.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Totals {
    /// Processes, the runner aside.
    pub processes: usize,
    /// Nodes.
    pub nodes: usize,
    /// Edges.
    pub edges: usize,
    /// Of them, those that copy or move.
    pub copying_edges: usize,
    /// Sum over the segments, one of each kind, in bytes.
    pub reserved_bytes: u64,
    /// Sum over the segments, one of each kind, in bytes.
    pub at_start_bytes: u64,
    /// Sum over the segments, one of each kind, in bytes.
    pub at_most_bytes: u64,
}

/// Outlines `plan`; `own_program` runs the backends that need no pack.
#[must_use]
pub fn outline(plan: &Plan<'_>, own_program: &Path) -> Outline {
    let graph = plan.graph;
    let edges: Vec<EdgeOutline> = (0..plan.edges.len()).map(|at| edge(plan, EdgeId(at))).collect();
    let ports = plan.ports.iter().map(|port| output_segment(plan, port));
    let stations = graph.backends().iter().zip(&plan.stations);
    let memory: Vec<SegmentOutline> =
        ports.chain(stations.map(|(backend, &layout)| receipts_segment(backend, layout))).collect();
    let sum = |bytes: fn(&SegmentOutline) -> u64| memory.iter().map(bytes).fold(0, u64::saturating_add);
    let totals = Totals {
        processes: graph.backends().len(),
        nodes: graph.nodes().len(),
        edges: edges.len(),
        copying_edges: edges.iter().filter(|edge| edge.delivery == Delivery::Copy).count(),
        reserved_bytes: sum(|segment| segment.reserved_bytes),
        at_start_bytes: sum(|segment| segment.at_start_bytes),
        at_most_bytes: sum(|segment| segment.at_most_bytes),
    };
    Outline {
        ezrun: env!("CARGO_PKG_VERSION").to_owned(),
        graph: graph.name.clone(),
        segments: plan.segments,
        backends: graph.backends().iter().map(|backend| process(plan, backend, own_program)).collect(),
        edges,
        memory,
        totals,
    }
}

fn process(plan: &Plan<'_>, backend: &Backend, own_program: &Path) -> BackendOutline {
    let nodes = backend.nodes.iter().map(|&id| &plan.graph[id]);
    let nodes =
        nodes.map(|node| NodeOutline { name: node.name.clone(), node_type: node.uses.clone(), wait: node.wait });
    BackendOutline {
        name: backend.name.clone(),
        program: backend.pack.as_deref().unwrap_or(own_program).display().to_string(),
        args: backend_args("<process of the runner>").to_vec(),
        is_pack: backend.pack.is_some(),
        nodes: nodes.collect(),
        cpu: backend.cpu,
        priority: backend.priority,
        env: backend.env.keys().cloned().collect(),
        restart: restart(&backend.supervision.restart),
        startup_timeout_ms: backend.supervision.startup_timeout.map(milliseconds),
        stall_timeout_ms: backend.supervision.stall_timeout.map(milliseconds),
        on_exit: backend.supervision.on_exit,
    }
}

fn restart(policy: &RestartPolicy) -> Option<RestartOutline> {
    let &RestartPolicy { restart: when, max_restarts, window, backoff } = policy;
    let (window_ms, backoff_ms) = (milliseconds(window), milliseconds(backoff));
    policy.restarts().then_some(RestartOutline { when, max_restarts, window_ms, backoff_ms })
}

fn milliseconds(time: Duration) -> u64 {
    time.as_millis() as u64
}

fn edge(plan: &Plan<'_>, id: EdgeId) -> EdgeOutline {
    let planned = plan.edge(id);
    let (from, to) = super::edge_ends(plan.graph, &plan.graph[id]);
    let port = &plan.ports[planned.port.0];
    EdgeOutline {
        from,
        to,
        transport: planned.transport,
        delivery: planned.delivery,
        receives: receives(planned, port),
        why: why(plan, id, port),
        policy: PolicyOutline {
            overflow: planned.terms.overflow,
            queue: planned.terms.queue,
            max_message_bytes: planned.terms.max_message,
            feedback: planned.feedback,
            input_timeout_ms: plan.graph[id].input_timeout.map(milliseconds),
        },
        slots: (!port.moves).then(|| planned.terms.queue.saturating_add(planned.terms.holds)),
    }
}

fn receives(edge: &EdgePlan, port: &PortPlan) -> Receives {
    match (edge.delivery, port.moves, port.edges.len()) {
        (Delivery::ZeroCopy, ..) => Receives::View,
        (Delivery::Copy, false, _) => Receives::Copy,
        (Delivery::Copy, true, 1) => Receives::Move,
        (Delivery::Copy, true, _) => Receives::MoveOrCopy,
    }
}

/// Why an edge delivers as it does, as in ``as `bandpass` writes in place``.
fn why(plan: &Plan<'_>, id: EdgeId, port: &PortPlan) -> String {
    let (edge, planned) = (&plan.graph[id], plan.edge(id));
    let node_type = &plan.graph[edge.to.node].node_type;
    let (input, name) = (&node_type.inputs[edge.to.port], &node_type.name);
    let receives = receives(planned, port);
    let reason = match planned.delivery {
        Delivery::ZeroCopy if input.needs_views => format!("as the file says; `{name}` asks for views"),
        Delivery::ZeroCopy => "as the file says".to_owned(),
        Delivery::Copy if input.writes_in_place => format!("as `{name}` writes in place"),
        // A move is no dearer than a view.
        Delivery::Copy if receives == Receives::Move => "as the file asks for no view".to_owned(),
        Delivery::Copy => format!("as the file asks for no view; `{name}` only reads, so `zero_copy: true` would do"),
    };
    match receives {
        Receives::View | Receives::Copy => reason,
        Receives::Move => format!("{reason}; moved, to the one reader in its process"),
        Receives::MoveOrCopy => {
            format!("{reason}; moved, to the last of {} readers in its process", port.edges.len())
        }
    }
}

fn output_segment(plan: &Plan<'_>, port: &PortPlan) -> SegmentOutline {
    let node = &plan.graph[port.port.node];
    let output = &node.node_type.outputs[port.port.port].name;
    let prefaulted = port.layout.prefaulted().map(|(_, bytes)| bytes);
    let may_restart = plan.graph[port.backend].supervision.restart.restarts();
    SegmentOutline {
        holds: SegmentUse::Messages,
        name: format!("{}.{output}", node.name),
        written_by: plan.graph[port.backend].name.clone(),
        edges: u32::try_from(port.edges.len()).unwrap_or(u32::MAX),
        slots: port.layout.slots(),
        segments_at_most: if may_restart { MAX_SEGMENTS } else { 1 },
        reserved_bytes: port.layout.bytes() as u64,
        at_start_bytes: prefaulted.fold(port.layout.slots_offset(), usize::saturating_add) as u64,
        at_most_bytes: port.layout.bytes() as u64,
    }
}

fn receipts_segment(backend: &Backend, layout: StationLayout) -> SegmentOutline {
    let bytes = layout.bytes() as u64;
    SegmentOutline {
        holds: SegmentUse::Receipts,
        name: backend.name.clone(),
        written_by: backend.name.clone(),
        edges: layout.edges,
        slots: 0,
        segments_at_most: 1,
        reserved_bytes: bytes,
        at_start_bytes: bytes,
        at_most_bytes: bytes,
    }
}
