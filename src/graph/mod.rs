//! From a YAML file to a graph that cannot be wrong, or to all findings at once.
//!
//! [`Graph`] is valid and immutable. petgraph stays inside this module.
//!
//! The way there: `parse` makes a [tree](yaml) in which everything knows its place; `variables` fills it in; `units` does
//! that for the files that it uses as well; `written` reads each into what it says, and `flatten` makes one of them;
//! `model` looks names up; the rules ([`rules`] names them) check that; `load` leads through all of it.

mod allow;
mod comments;
mod delivery;
mod differences;
mod edges;
mod edit;
mod fields;
mod file_schema;
mod finding;
mod fitting;
mod flatten;
mod flow;
mod format;
mod given;
mod indentation;
mod instead;
mod interface;
mod joins;
mod keys;
mod load;
mod looks;
mod machine;
mod memory;
mod mismatch;
mod misplaced;
mod model;
#[cfg(test)]
mod oracle;
mod packs;
mod parallel;
mod parse;
mod paths;
mod per_output;
mod pieces;
mod plain;
mod ports;
pub mod render;
mod resources;
pub mod rules;
mod schema;
mod settings;
mod shape;
mod shorthand;
mod source;
mod sources;
mod streams;
mod suggest;
mod supervision;
mod syntax;
mod types;
mod units;
mod variables;
mod walker;
mod wiring;
mod written;
pub mod yaml;

pub use comments::{is_graph, looks_like_graph, says_it_is_a_graph};
pub use edges::parse_bytes;
pub use edit::{Edit, apply as apply_edits};
pub use file_schema::file_schema;
pub use finding::{Finding, Level, Related, Rule, Tally};
pub use format::{FormatError, differ_only_in, format};
pub use load::{DEFAULT_MAX_MESSAGE, DEFAULT_QUEUE, LoadOptions, Loaded, keep_sure_fixes, load, syntax_fault};
pub use memory::{EdgeDemand, LimitOf, MemoryLimit};
pub use packs::{Executing, PackFault, Packs, Saved};
pub use source::{FileId, MAX_FILE_BYTES, Place, ReadError, SourceFile, Span, TextFault, text_of};
pub use sources::Sources;
pub use suggest::nearest as nearest_name;
pub use supervision::{MAX_BACKOFF, OnExit, Restart, RestartPolicy, Supervision};
pub use variables::Override;

use edges::{MAX_MESSAGE_BYTES, MAX_QUEUE};
use supervision::MAX_RESTARTS;
use written::MAX_CPU;

use crate::node::TypeDescription;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A valid graph.
#[derive(Debug)]
pub struct Graph {
    /// Name of the graph; the file's stem where it says none.
    pub name: String,
    /// The directory of its file, absolute.
    pub dir: PathBuf,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    backends: Vec<Backend>,
    topology: petgraph::graph::DiGraph<NodeId, EdgeId>,
}

/// A node, counted from 0 in the order of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub usize);

/// An edge, counted from 0 in the order of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EdgeId(pub usize);

/// A backend, counted from 0: those of the file first, then one for each node that has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BackendId(pub usize);

/// A node of a graph.
#[derive(Clone, Debug)]
pub struct Node {
    /// Name in the graph; `node/inner` where a file stands for the node.
    pub name: String,
    /// The directory of the file that it is written in, absolute: paths in its settings are relative to this one.
    pub dir: PathBuf,
    /// What follows `use:`, such as `bandpass` or `my/detector`.
    pub uses: String,
    /// What its type says of itself.
    pub node_type: Arc<TypeDescription>,
    /// Settings, variables substituted.
    pub settings: Value,
    /// Where it runs.
    pub backend: BackendId,
    /// How it waits.
    pub wait: Wait,
}

/// One end of an edge: a node's port, by its place in the type's description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortRef {
    /// The node.
    pub node: NodeId,
    /// Index in `node_type.outputs` (of `from`) or `node_type.inputs` (of `to`).
    pub port: usize,
}

/// An edge: from an output port to an input port.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The output.
    pub from: PortRef,
    /// The input.
    pub to: PortRef,
    /// How the consumer receives.
    pub delivery: Delivery,
    /// What happens when the queue is full.
    pub overflow: Overflow,
    /// Depth of the queue, in messages, 1 or more.
    pub queue: u32,
    /// Largest payload, in bytes.
    pub max_message: u64,
    /// Whether the memory for the whole queue is fetched before the first message.
    pub prefault: bool,
    /// Whether it closes a cycle on purpose: its consumer does not wait for its end.
    pub feedback: bool,
    /// How long nothing may come through it.
    pub input_timeout: Option<Duration>,
}

/// How the consumer of an edge receives.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, bincode::Encode, bincode::Decode,
)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// `recv`: a private copy.
    Copy,
    /// `recv_zero_copy`: an enforced read-only view.
    ZeroCopy,
}

/// What happens when the queue of an edge is full.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    bincode::Encode,
    bincode::Decode,
)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    /// The producer waits; nothing is lost.
    #[default]
    Block,
    /// The oldest message in the queue is dropped.
    DropOldest,
    /// The message that does not fit is dropped.
    DropNewest,
    /// The run fails.
    Fail,
}

/// How a node waits for messages, and for room for its own.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    bincode::Encode,
    bincode::Decode,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// It sleeps at once.
    Block,
    /// It looks again for some microseconds, as long as that has paid of late, and then sleeps.
    #[default]
    Adaptive,
    /// It never sleeps: a processor of its own is busy all the time.
    Busy,
}

/// One operating-system process of a graph.
#[derive(Clone, Debug)]
pub struct Backend {
    /// Name: that of the file, or of the only node.
    pub name: String,
    /// Its nodes.
    pub nodes: Vec<NodeId>,
    /// The pack's executable; `None` where ezrun itself has all node types.
    pub pack: Option<PathBuf>,
    /// The processor that it is bound to.
    pub cpu: Option<u32>,
    /// Niceness, -20 (most urgent) to 19.
    pub priority: Option<i32>,
    /// Variables set in its environment.
    pub env: BTreeMap<String, String>,
    /// How it is looked after.
    pub supervision: Supervision,
}

impl Graph {
    fn new(name: String, dir: PathBuf, nodes: Vec<Node>, edges: Vec<Edge>, backends: Vec<Backend>) -> Self {
        let mut topology = petgraph::graph::DiGraph::with_capacity(nodes.len(), edges.len());
        let indices: Vec<_> = (0..nodes.len()).map(|at| topology.add_node(NodeId(at))).collect();
        for (at, edge) in edges.iter().enumerate() {
            topology.add_edge(indices[edge.from.node.0], indices[edge.to.node.0], EdgeId(at));
        }
        Graph { name, dir, nodes, edges, backends, topology }
    }

    /// The edges that begin at `node`, in the order of the file.
    #[must_use]
    pub fn edges_from(&self, node: NodeId) -> Vec<EdgeId> {
        self.edges_at(node, petgraph::Direction::Outgoing)
    }

    /// The edges that end at `node`, in the order of the file.
    #[must_use]
    pub fn edges_into(&self, node: NodeId) -> Vec<EdgeId> {
        self.edges_at(node, petgraph::Direction::Incoming)
    }

    fn edges_at(&self, node: NodeId, direction: petgraph::Direction) -> Vec<EdgeId> {
        let edges = self.topology.edges_directed(petgraph::graph::NodeIndex::new(node.0), direction);
        let mut edges: Vec<EdgeId> = edges.map(|edge| *edge.weight()).collect();
        edges.sort_unstable();
        edges
    }

    /// All nodes, in the order of the file.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// All edges, in the order of the file.
    #[must_use]
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// All backends.
    #[must_use]
    pub fn backends(&self) -> &[Backend] {
        &self.backends
    }
}

impl std::ops::Index<NodeId> for Graph {
    type Output = Node;
    fn index(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }
}

impl std::ops::Index<EdgeId> for Graph {
    type Output = Edge;
    fn index(&self, id: EdgeId) -> &Edge {
        &self.edges[id.0]
    }
}

impl std::ops::Index<BackendId> for Graph {
    type Output = Backend;
    fn index(&self, id: BackendId) -> &Backend {
        &self.backends[id.0]
    }
}
