//! The report of a run, as JSON.

use crate::graph::Delivery;
use crate::plan::{Plan, Transport, edge_ends};
use crate::runner::{EdgeLedger, NodeStatus, NodeSummary, RestartMade, Summary};
use serde::Serialize;

/// Everything that a run came to.
#[derive(Debug, Serialize)]
pub struct Report {
    ezrun: &'static str,
    graph: Option<String>,
    exit_code: u8,
    seconds: f64,
    failures: Vec<FailureReport>,
    nodes: Vec<NodeReport>,
    restarts: Vec<RestartReport>,
    edges: Vec<EdgeReport>,
}

#[derive(Debug, Serialize)]
struct FailureReport {
    who: String,
    cause: String,
    last_lines: Vec<String>,
    /// The run has gone on without it, as the graph says.
    ignored: bool,
}

#[derive(Debug, Serialize)]
struct NodeReport {
    name: String,
    #[serde(rename = "type")]
    node_type: String,
    backend: String,
    pid: Option<u32>,
    status: NodeStatus,
    restarts: u32,
}

/// A process that was started again.
#[derive(Debug, Serialize)]
struct RestartReport {
    backend: String,
    cause: String,
    /// Which restart of those that count within the window.
    attempt: u32,
    /// How many may be made within the window.
    of: u32,
    /// The pause before it, as planned.
    pause_ms: u64,
}

#[derive(Debug, Serialize)]
struct EdgeReport {
    from: String,
    to: String,
    delivery: Delivery,
    transport: Transport,
    sent: u64,
    received: u64,
    dropped: u64,
    in_flight: u64,
    copies: u64,
    copied_bytes: u64,
    moves: u64,
    views: u64,
    latency_ns: LatencyReport,
}

#[derive(Debug, Serialize)]
struct LatencyReport {
    p50: u64,
    p99: u64,
    max: u64,
}

impl Report {
    /// The report of a run that has ended.
    pub fn new(plan: &Plan<'_>, summary: &Summary, exit_code: u8) -> Self {
        let failures = summary.failures.iter().cloned();
        let failures = failures.map(|f| FailureReport {
            who: f.who,
            cause: f.cause,
            last_lines: f.last_lines,
            ignored: f.is_ignored,
        });
        let nodes = plan.graph.nodes().iter().zip(&summary.nodes);
        let edges = plan.edges.iter().zip(plan.graph.edges()).zip(&summary.edges);
        Report {
            graph: Some(plan.graph.name.clone()),
            seconds: summary.elapsed.as_secs_f64(),
            failures: failures.collect(),
            restarts: summary.restarts.iter().map(|made| restart_report(plan, made)).collect(),
            nodes: nodes.map(|(node, outcome)| node_report(plan, node, outcome)).collect(),
            edges: edges
                .map(|((planned, edge), ledger)| {
                    let (from, to) = edge_ends(plan.graph, edge);
                    edge_report(from, to, (planned.delivery, planned.transport), ledger)
                })
                .collect(),
            ..Report::of_nothing(exit_code)
        }
    }

    /// The report where nothing was started.
    pub fn of_nothing(exit_code: u8) -> Self {
        Report {
            ezrun: env!("CARGO_PKG_VERSION"),
            graph: None,
            exit_code,
            seconds: 0.0,
            failures: Vec::new(),
            nodes: Vec::new(),
            restarts: Vec::new(),
            edges: Vec::new(),
        }
    }
}

fn node_report(plan: &Plan<'_>, node: &crate::graph::Node, outcome: &NodeSummary) -> NodeReport {
    NodeReport {
        name: node.name.clone(),
        node_type: node.uses.clone(),
        backend: plan.graph[node.backend].name.clone(),
        pid: outcome.pid,
        status: outcome.status,
        restarts: outcome.restarts,
    }
}

fn restart_report(plan: &Plan<'_>, made: &RestartMade) -> RestartReport {
    RestartReport {
        backend: plan.graph[made.backend].name.clone(),
        cause: made.cause.clone(),
        attempt: made.attempt,
        of: made.of,
        pause_ms: made.pause.as_millis() as u64,
    }
}

fn edge_report(from: String, to: String, how: (Delivery, Transport), ledger: &EdgeLedger) -> EdgeReport {
    let latency_ns = LatencyReport { p50: ledger.latency.p50, p99: ledger.latency.p99, max: ledger.latency.max };
    EdgeReport {
        from,
        to,
        delivery: how.0,
        transport: how.1,
        sent: ledger.sent,
        received: ledger.received,
        dropped: ledger.dropped,
        in_flight: ledger.in_flight,
        copies: ledger.copies,
        copied_bytes: ledger.copied_bytes,
        moves: ledger.moves,
        views: ledger.views,
        latency_ns,
    }
}
