//! From a valid graph to what will run: processes, segments, and how each edge crosses. Pure data.

mod outline;

pub use outline::{
    BackendOutline, EdgeOutline, NodeOutline, Outline, PolicyOutline, Receives, RestartOutline, SegmentOutline,
    SegmentUse, Totals, outline,
};

use crate::channel::{self, EdgeLayout, EdgeTerms, PortLayout, SegmentKind, StationLayout};
use crate::graph::{BackendId, Delivery, Edge, EdgeDemand, EdgeId, Graph, NodeId, Overflow, PortRef};
use crate::node::MAX_HOLDS;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

const _: () = assert!(MAX_HOLDS as usize == channel::MAX_HOLDS, "what a type may declare, the channel can hold");

/// Segments that an output may have at a time, where its process may be started again: the present one, and those of former
/// lives that have not been read to their ends.
pub const MAX_SEGMENTS: usize = 4;

/// What will run.
#[derive(Debug)]
pub struct Plan<'g> {
    /// The graph that it was made from.
    pub graph: &'g Graph,
    /// What segments are made of.
    pub segments: SegmentKind,
    /// One for each backend of the graph.
    pub stations: Vec<StationLayout>,
    /// One for each output port that an edge leaves.
    pub ports: Vec<PortPlan>,
    /// One for each edge of the graph.
    pub edges: Vec<EdgePlan>,
    port_of: BTreeMap<PortRef, usize>,
}

/// An output port and its segment.
#[derive(Debug)]
pub struct PortPlan {
    /// The port.
    pub port: PortRef,
    /// Where it is written.
    pub backend: BackendId,
    /// What its segment follows from.
    pub layout: PortLayout,
    /// Its edges, in the order of the layout.
    pub edges: Vec<EdgeId>,
    /// Whether messages travel as private memory: all edges copy and stay in the backend.
    pub moves: bool,
}

/// How an edge crosses.
#[derive(Debug)]
pub struct EdgePlan {
    /// Name, policy, sizes.
    pub terms: EdgeTerms,
    /// How the consumer receives.
    pub delivery: Delivery,
    /// What carries it.
    pub transport: Transport,
    /// Its consumer does not wait for its end.
    pub feedback: bool,
    /// Index of its port in the plan, and its place among that port's edges.
    pub port: (usize, usize),
    /// Where it ends, and its place among the edges that end there.
    pub station: (BackendId, usize),
}

/// What carries an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Both ends are in one backend.
    Local,
    /// A sealed segment.
    Sealed,
    /// A named segment.
    Named,
}

/// Plans `graph`.
#[must_use]
pub fn plan(graph: &Graph, segments: SegmentKind) -> Plan<'_> {
    let mut ports: Vec<PortPlan> = Vec::new();
    let mut port_of: BTreeMap<PortRef, usize> = BTreeMap::new();
    let mut stations = vec![StationLayout { edges: 0 }; graph.backends().len()];
    let mut edges = Vec::with_capacity(graph.edges().len());
    for (i, edge) in graph.edges().iter().enumerate() {
        let producer = graph[edge.from.node].backend;
        let consumer = graph[edge.to.node].backend;
        let port = *port_of.entry(edge.from).or_insert_with(|| {
            ports.push(PortPlan {
                port: edge.from,
                backend: producer,
                layout: PortLayout::default(),
                edges: Vec::new(),
                moves: true,
            });
            ports.len() - 1
        });
        let demand = demand(graph, edge);
        let terms = terms(graph, edge, &demand);
        let port_plan = &mut ports[port];
        add_edge(&mut port_plan.layout, &demand);
        port_plan.layout.prefault |= edge.prefault;
        port_plan.edges.push(EdgeId(i));
        port_plan.moves &= moves(&demand);
        let station = &mut stations[consumer.0];
        edges.push(EdgePlan {
            terms,
            delivery: edge.delivery,
            transport: transport(producer == consumer, segments),
            feedback: edge.feedback,
            port: (port, port_plan.edges.len() - 1),
            station: (consumer, station.edges as usize),
        });
        station.edges += 1;
    }
    for port in ports.iter_mut().filter(|port| port.moves) {
        port.layout.slot_payload_bytes = 0;
    }
    Plan { graph, segments, stations, ports, edges, port_of }
}

impl Plan<'_> {
    /// The plan of an edge.
    #[must_use]
    pub fn edge(&self, id: EdgeId) -> &EdgePlan {
        &self.edges[id.0]
    }

    /// The edges that end in a backend.
    pub fn edges_into(&self, backend: BackendId) -> impl Iterator<Item = EdgeId> {
        let all = self.edges.iter().enumerate();
        all.filter(move |(_, edge)| edge.station.0 == backend).map(|(at, _)| EdgeId(at))
    }

    /// The edges that have one end in `backend`, each with the backend at the other end.
    #[must_use]
    pub fn neighbours(&self, backend: BackendId) -> Vec<(EdgeId, BackendId)> {
        let ends = self.edges.iter().enumerate().filter_map(|(at, edge)| {
            let (from, to) = (self.ports[edge.port.0].backend, edge.station.0);
            match (from == backend, to == backend) {
                (true, false) => Some((EdgeId(at), to)),
                (false, true) => Some((EdgeId(at), from)),
                _ => None,
            }
        });
        ends.collect()
    }

    /// The edges of a node, each with the backend at the other end.
    #[must_use]
    pub fn edges_of(&self, node: NodeId) -> Vec<(EdgeId, BackendId)> {
        let (into, from) = (self.graph.edges_into(node), self.graph.edges_from(node));
        let backend = |node: NodeId| self.graph[node].backend;
        let into = into.into_iter().map(|edge| (edge, backend(self.graph[edge].from.node)));
        let from = from.into_iter().map(|edge| (edge, backend(self.graph[edge].to.node)));
        into.chain(from).collect()
    }

    /// The index in [`Plan::ports`] of a node's output, where an edge leaves it.
    #[must_use]
    pub fn port_index(&self, port: PortRef) -> Option<usize> {
        self.port_of.get(&port).copied()
    }
}

/// How many bytes an output with these edges may need at most: its segment where messages lie in slots, what its queues
/// hold where they travel as private memory. Copies that a consumer has in hand are its own.
#[must_use]
pub fn port_bytes(edges: &[EdgeDemand]) -> u64 {
    bytes_of(edges, PortLayout::bytes)
}

/// As [`port_bytes`], without the room for metadata, of which most messages have little.
#[must_use]
pub fn port_payload_bytes(edges: &[EdgeDemand]) -> u64 {
    bytes_of(edges, PortLayout::payload_bytes)
}

fn bytes_of(edges: &[EdgeDemand], of: fn(&PortLayout) -> usize) -> u64 {
    let mut layout = PortLayout::default();
    edges.iter().for_each(|demand| add_edge(&mut layout, demand));
    if !edges.iter().all(moves) {
        return of(&layout) as u64;
    }
    let largest = std::mem::take(&mut layout.slot_payload_bytes);
    let queued = edges.iter().map(|demand| u64::from(demand.queue).saturating_mul(largest));
    queued.fold(of(&layout) as u64, u64::saturating_add)
}

/// What an edge adds to its output's segment. A message goes to all edges of an output, so the least limit is that of all.
fn add_edge(layout: &mut PortLayout, demand: &EdgeDemand) {
    let limit = demand.max_message.max(1);
    let least = if layout.edges.is_empty() { limit } else { layout.slot_payload_bytes.min(limit) };
    layout.slot_payload_bytes = least;
    layout.edges.push(EdgeLayout { queue: demand.queue, holds: holds(demand) });
}

/// Whether messages may travel as private memory on this edge; they do where that is so for all edges of the output.
fn moves(demand: &EdgeDemand) -> bool {
    demand.same_backend && demand.delivery == Delivery::Copy
}

/// How many messages a consumer may pin beside the queue.
fn holds(demand: &EdgeDemand) -> u32 {
    match demand.delivery {
        Delivery::ZeroCopy => demand.holds.max(1),
        // While it copies, a consumer must hold back a producer that overwrites; one that waits is held by the queue.
        Delivery::Copy => u32::from(demand.overflow == Overflow::DropOldest),
    }
}

fn demand(graph: &Graph, edge: &Edge) -> EdgeDemand {
    EdgeDemand {
        delivery: edge.delivery,
        overflow: edge.overflow,
        queue: edge.queue,
        holds: graph[edge.to.node].node_type.inputs[edge.to.port].holds,
        max_message: edge.max_message,
        same_backend: graph[edge.from.node].backend == graph[edge.to.node].backend,
    }
}

fn terms(graph: &Graph, edge: &Edge, demand: &EdgeDemand) -> EdgeTerms {
    let (from, to) = edge_ends(graph, edge);
    EdgeTerms {
        name: format!("{from} -> {to}"),
        overflow: edge.overflow,
        queue: edge.queue,
        max_message: edge.max_message,
        holds: holds(demand),
    }
}

/// The names of an edge's ends, as in `ecg.out` and `band.in`.
#[must_use]
pub fn edge_ends(graph: &Graph, edge: &Edge) -> (String, String) {
    let (from, to) = (&graph[edge.from.node], &graph[edge.to.node]);
    let output = &from.node_type.outputs[edge.from.port].name;
    let input = &to.node_type.inputs[edge.to.port].name;
    (format!("{}.{output}", from.name), format!("{}.{input}", to.name))
}

/// What a backend's executable is started with, by the process `parent`.
#[must_use]
pub fn backend_args(parent: &str) -> [String; 3] {
    ["backend", "--parent", parent].map(str::to_owned)
}

fn transport(same_backend: bool, segments: SegmentKind) -> Transport {
    match (same_backend, segments) {
        (true, _) => Transport::Local,
        (false, SegmentKind::Sealed) => Transport::Sealed,
        (false, SegmentKind::Named) => Transport::Named,
    }
}
