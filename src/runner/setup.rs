//! Starts the process of a backend, and tells it what it is.

use super::child::Backend;
use super::event::Event;
use super::run::Options;
use crate::channel::PortStart;
use crate::control::{InputSetup, NodeSetup, OutEdgeSetup, OutputSetup, PortSetup, Setup, ToBackend};
use crate::graph::{BackendId, NodeId, PortRef, Restart};
use crate::node::Stream;
use crate::plan::Plan;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The executable of a backend.
pub fn program<'p>(plan: &'p Plan<'_>, options: &'p Options, id: BackendId) -> &'p Path {
    plan.graph[id].pack.as_deref().unwrap_or(&options.program)
}

/// Starts the process of a backend.
pub fn start(
    plan: &Plan<'_>,
    options: &Options,
    id: BackendId,
    events: &mpsc::Sender<Event>,
) -> std::io::Result<Backend> {
    let env = plan.graph[id].env.clone().into_iter();
    Backend::start(id, program(plan, options, id), &plan.graph.dir, env, events)
}

/// Which nodes a backend has, and where they go on.
pub struct Introduced<'i> {
    pub nodes: &'i [NodeId],
    pub begun: Vec<u64>,
    pub port_start: &'i dyn Fn(usize) -> PortStart,
}

impl<'i> Introduced<'i> {
    /// All nodes of a backend, in its first life.
    pub fn first(nodes: &'i [NodeId]) -> Self {
        Introduced { nodes, begun: Vec::new(), port_start: &|_| PortStart::default() }
    }
}

/// Tells a backend what it is.
pub fn introduce(
    plan: &Plan<'_>,
    options: &Options,
    id: BackendId,
    backend: &Backend,
    start: Introduced<'_>,
) -> anyhow::Result<()> {
    let planned = &plan.graph[id];
    let policy = planned.supervision.restart;
    let setup = Setup {
        backend: id.0 as u32,
        name: planned.name.clone(),
        segments: plan.segments,
        station: plan.stations[id.0],
        begun: start.begun,
        may_restart: policy.restarts(),
        restarts_always: policy.restart == Restart::Always,
        nodes: start.nodes.len() as u32,
        log_level: options.log_level,
        cpu: planned.cpu,
        priority: planned.priority,
    };
    backend.send(&ToBackend::Setup(setup), Vec::new())?;
    for &node in start.nodes {
        let uses = &plan.graph[node].node_type.uses;
        let mut fds = Vec::new();
        if uses.contains(&Stream::Stdin) {
            fds.push(Arc::new(std::io::stdin().as_fd().try_clone_to_owned()?));
        }
        if uses.contains(&Stream::Stdout) {
            fds.push(Arc::new(std::io::stdout().as_fd().try_clone_to_owned()?));
        }
        backend.send(&ToBackend::Node(node_setup(plan, node, start.port_start)), fds)?;
    }
    Ok(())
}

fn node_setup(plan: &Plan<'_>, id: NodeId, start: &dyn Fn(usize) -> PortStart) -> NodeSetup {
    let node = &plan.graph[id];
    let uses = &node.node_type.uses;
    let inputs = plan.graph.edges_into(id).into_iter().map(|edge_id| {
        let edge = &plan.graph[edge_id];
        let planned = plan.edge(edge_id);
        let (port, port_edge) = planned.port;
        InputSetup {
            input: edge.to.port as u32,
            edge: edge_id.0 as u32,
            delivery: planned.delivery,
            terms: planned.terms.clone(),
            feedback: planned.feedback,
            port: port as u32,
            layout: plan.ports[port].layout.clone(),
            port_edge: port_edge as u32,
            station_edge: planned.station.1 as u32,
        }
    });
    let outputs = (0..node.node_type.outputs.len()).map(|port| output_setup(plan, PortRef { node: id, port }, start));
    NodeSetup {
        id: id.0 as u32,
        name: node.name.clone(),
        dir: node.dir.to_string_lossy().into_owned(),
        node_type: node.node_type.name.clone(),
        settings: node.settings.to_string(),
        wait: node.wait,
        streams: (uses.contains(&Stream::Stdin), uses.contains(&Stream::Stdout)),
        inputs: inputs.collect(),
        outputs: outputs.collect(),
    }
}

fn output_setup(plan: &Plan<'_>, port: PortRef, start: &dyn Fn(usize) -> PortStart) -> OutputSetup {
    OutputSetup(plan.port_index(port).map(|at| {
        let planned = &plan.ports[at];
        let edges = planned.edges.iter().map(|&id| {
            let edge = plan.edge(id);
            OutEdgeSetup {
                edge: id.0 as u32,
                terms: edge.terms.clone(),
                station: edge.station.0.0 as u32,
                station_layout: plan.stations[edge.station.0.0],
                station_edge: edge.station.1 as u32,
            }
        });
        PortSetup {
            port: at as u32,
            layout: planned.layout.clone(),
            start: start(at),
            moves: planned.moves,
            edges: edges.collect(),
        }
    }))
}
