//! Who holds up a run: told from what the edges' counters come to from one look to the next. No processes, no clock.
//!
//! Where nothing comes through an edge, what is before it is walked through, against the stream as long as nothing comes
//! there either, and with the stream where an edge is full.
//!
//! A node is idle while a message waits for it, nothing keeps it from taking that, and it takes nothing. A full edge that
//! blocks keeps its producer from taking anything, so of a chain of full edges the node at the end of the last one is idle
//! and the others are not: that is how the culprit is found.

#[cfg(test)]
mod tests;

use crate::graph::{EdgeId, NodeId, Overflow};
use crate::plan::Plan;
use std::collections::BTreeSet;
use std::time::Duration;

/// The shortest time from one look to the next, and the longest.
const EVERY: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// So many looks are taken within a limit.
const LOOKS: u32 = 5;

/// What is watched: how the nodes hang together, and what limits they have.
#[derive(Debug, Default)]
pub struct Watched {
    pub nodes: Vec<WatchedNode>,
    pub edges: Vec<WatchedEdge>,
    /// How long a node may be idle behind a full edge before the user is told.
    pub warn_after: Option<Duration>,
}

/// A node as it is watched.
#[derive(Clone, Debug, Default)]
pub struct WatchedNode {
    /// How long it may be idle before it counts as failed.
    pub stall_timeout: Option<Duration>,
    pub inputs: Vec<usize>,
    pub outputs: Vec<usize>,
}

/// An edge as it is watched.
#[derive(Clone, Debug)]
pub struct WatchedEdge {
    pub from: usize,
    pub to: usize,
    pub queue: u64,
    /// Whether its producer waits where it is full.
    pub blocks: bool,
    pub feedback: bool,
    /// How long nothing may come through it.
    pub input_timeout: Option<Duration>,
}

/// What an edge's counters say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Messages that its producer offered.
    pub offered: u64,
    pub published: u64,
    pub taken: u64,
    /// Nothing more will be taken.
    pub left: bool,
}

/// Whether a node can be expected to do anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Running,
    /// Its process is starting, or about to be ended or started again.
    Away,
    Ended,
}

/// All edges and all nodes at a moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub edges: Vec<Look>,
    pub nodes: Vec<Presence>,
}

/// What is known from all looks so far.
#[derive(Clone, Debug)]
pub struct History {
    last: Snapshot,
    /// For each node, how long it has been idle, where it is.
    idle: Vec<Option<Duration>>,
    /// For each node, how long it has been running.
    running: Vec<Duration>,
    /// For each edge, how long nothing has come, and nothing waits in it.
    quiet: Vec<Duration>,
}

/// A node takes nothing from a full edge, and others wait for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall {
    pub node: NodeId,
    pub edge: EdgeId,
    /// Nodes that wait for room in that edge, or in one that leads to it.
    pub waiting: Vec<NodeId>,
    /// How long it has been idle.
    pub idle: Duration,
}

/// A node has been idle for as long as it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overdue {
    pub node: NodeId,
    /// Where messages wait for it.
    pub edge: EdgeId,
    pub limit: Duration,
}

/// Nothing has come through an edge for as long as may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    pub edge: EdgeId,
    pub limit: Duration,
    /// The node that is to blame.
    pub node: NodeId,
    pub why: Why,
}

/// Why a node is to blame for the silence of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It sends nothing, and waits for nobody.
    SendsNothing,
    /// Messages wait for it here.
    LeavesWaiting(EdgeId),
    /// A node before the silent edge waits, or others do that it waits for, until this node takes from here.
    HoldsUp(EdgeId),
}

impl Watched {
    pub fn of(plan: &Plan<'_>, warn_after: Option<Duration>) -> Self {
        let graph = plan.graph;
        let mut nodes: Vec<WatchedNode> = graph
            .nodes()
            .iter()
            .map(|node| WatchedNode {
                stall_timeout: graph[node.backend].supervision.stall_timeout,
                ..WatchedNode::default()
            })
            .collect();
        let edges = graph.edges().iter().enumerate().map(|(at, edge)| {
            let (from, to) = (edge.from.node.0, edge.to.node.0);
            nodes[from].outputs.push(at);
            nodes[to].inputs.push(at);
            let (queue, blocks) = (u64::from(edge.queue), edge.overflow == Overflow::Block);
            WatchedEdge { from, to, queue, blocks, feedback: edge.feedback, input_timeout: edge.input_timeout }
        });
        let edges = edges.collect();
        Watched { nodes, edges, warn_after }
    }

    /// How often to look; nothing where no look could find anything.
    pub fn every(&self) -> Option<Duration> {
        let warn_after = self.warn_after.filter(|_| self.edges.iter().any(|edge| edge.blocks));
        let limits = self.nodes.iter().filter(|node| !node.inputs.is_empty()).filter_map(|node| node.stall_timeout);
        let (shortest, longest) = EVERY;
        let of_edges = self.edges.iter().filter_map(|edge| edge.input_timeout);
        limits.chain(of_edges).chain(warn_after).min().map(|limit| (limit / LOOKS).clamp(shortest, longest))
    }
}

impl Look {
    fn waits(&self) -> bool {
        !self.left && self.published > self.taken
    }

    fn is_full(&self, queue: u64) -> bool {
        !self.left && self.published.saturating_sub(self.taken) >= queue
    }
}

impl History {
    pub fn new(watched: &Watched) -> Self {
        let last = Snapshot {
            edges: vec![Look::default(); watched.edges.len()],
            nodes: vec![Presence::Away; watched.nodes.len()],
        };
        let nodes = watched.nodes.len();
        let quiet = vec![Duration::ZERO; watched.edges.len()];
        History { last, idle: vec![None; nodes], running: vec![Duration::ZERO; nodes], quiet }
    }

    /// Takes in what is there, `passed` after what was there before. Of a time in which nobody looked, since the runner or
    /// the machine was asleep, little is counted: the others may have been asleep as well.
    pub fn see(&mut self, watched: &Watched, snapshot: Snapshot, passed: Duration) {
        let passed = passed.min(watched.every().unwrap_or_default() * 2);
        let before = std::mem::replace(&mut self.last, snapshot);
        for (at, node) in watched.nodes.iter().enumerate() {
            let took = node.inputs.iter().any(|&edge| self.last.edges[edge].taken != before.edges[edge].taken);
            let has_work = node.inputs.iter().any(|&edge| self.last.edges[edge].waits());
            let is_free = self.last.nodes[at] == Presence::Running && self.blocking(watched, at).is_none();
            let is_idle = !took && has_work && is_free;
            self.idle[at] = is_idle.then(|| self.idle[at].map_or(Duration::ZERO, |idle| idle + passed));
            let goes_on_running = [&before, &self.last].iter().all(|look| look.nodes[at] == Presence::Running);
            self.running[at] = if goes_on_running { self.running[at] + passed } else { Duration::ZERO };
        }
        for (at, quiet) in self.quiet.iter_mut().enumerate() {
            let (was, is) = (before.edges[at], self.last.edges[at]);
            let is_quiet = was.offered == is.offered && !was.waits() && !is.waits();
            *quiet = if is_quiet { *quiet + passed } else { Duration::ZERO };
        }
    }

    /// Nodes that others have waited for as long as the user is to be told of.
    pub fn stalls(&self, watched: &Watched) -> Vec<Stall> {
        let Some(limit) = watched.warn_after else { return Vec::new() };
        let stall = |(node, &idle): (usize, &Option<Duration>)| {
            let idle = idle.filter(|&idle| idle >= limit)?;
            let edge = watched.nodes[node].inputs.iter().copied().find(|&edge| self.blocks(watched, edge))?;
            Some(Stall { node: NodeId(node), edge: EdgeId(edge), waiting: self.waiting(watched, node), idle })
        };
        self.idle.iter().enumerate().filter_map(stall).collect()
    }

    /// Nodes that have been idle for as long as they may be.
    pub fn overdue(&self, watched: &Watched) -> Vec<Overdue> {
        let nodes = watched.nodes.iter().enumerate();
        let overdue = nodes.filter_map(|(at, node)| {
            let limit = node.stall_timeout.filter(|&limit| self.idle[at].is_some_and(|idle| idle >= limit))?;
            let edge = node.inputs.iter().copied().find(|&edge| self.last.edges[edge].waits())?;
            Some(Overdue { node: NodeId(at), edge: EdgeId(edge), limit })
        });
        overdue.collect()
    }

    /// Edges through which nothing has come for as long as may be, each with the node that is to blame. Nobody is to blame
    /// who has not been running for that time.
    pub fn silences(&self, watched: &Watched) -> Vec<Silence> {
        let edges = watched.edges.iter().enumerate();
        let silence = edges.filter_map(|(at, edge)| {
            let limit = edge.input_timeout.filter(|&limit| self.quiet[at] >= limit)?;
            let is_over = self.last.edges[at].left || self.last.nodes[edge.from] == Presence::Ended;
            if is_over || self.running[edge.to] < limit {
                return None;
            }
            let (node, why) = self.culprit(watched, edge.from, limit);
            let silence = Silence { edge: EdgeId(at), limit, node: NodeId(node), why };
            (self.running[node] >= limit).then_some(silence)
        });
        silence.collect()
    }

    /// Why a node sends nothing: because of those after it that take nothing, of those before it that send nothing, or of
    /// itself.
    fn culprit(&self, watched: &Watched, mut node: usize, limit: Duration) -> (usize, Why) {
        // Of a cycle no node is looked at twice.
        for _ in 0..watched.nodes.len() {
            if let Some(edge) = self.blocking(watched, node) {
                return self.end_of_chain(watched, edge);
            }
            let inputs = watched.nodes[node].inputs.iter().copied().filter(|&edge| !watched.edges[edge].feedback);
            let inputs: Vec<usize> = inputs.collect();
            if let Some(&edge) = inputs.iter().find(|&&edge| self.last.edges[edge].waits()) {
                return (node, Why::LeavesWaiting(EdgeId(edge)));
            }
            let goes_on = |edge: &&usize| self.last.nodes[watched.edges[**edge].from] != Presence::Ended;
            match inputs.iter().find(goes_on) {
                Some(&edge) if inputs.iter().all(|&edge| self.quiet[edge] >= limit) => node = watched.edges[edge].from,
                _ => break,
            }
        }
        (node, Why::SendsNothing)
    }

    /// The consumer of the last of the full edges that `edge` leads to.
    fn end_of_chain(&self, watched: &Watched, mut edge: usize) -> (usize, Why) {
        for _ in 0..watched.edges.len() {
            match self.blocking(watched, watched.edges[edge].to) {
                Some(next) => edge = next,
                None => break,
            }
        }
        (watched.edges[edge].to, Why::HoldsUp(EdgeId(edge)))
    }

    /// What an edge's counters said last.
    pub fn look(&self, edge: EdgeId) -> Look {
        self.last.edges[edge.0]
    }

    pub fn is_idle(&self, node: NodeId) -> bool {
        self.idle[node.0].is_some()
    }

    /// Whether an edge is full, and its producer waits for that.
    fn blocks(&self, watched: &Watched, edge: usize) -> bool {
        let WatchedEdge { from, to, queue, blocks, .. } = watched.edges[edge];
        let is_over = [from, to].iter().any(|&node| self.last.nodes[node] == Presence::Ended);
        blocks && self.last.edges[edge].is_full(queue) && !is_over
    }

    /// The edge whose fullness keeps a node from going on.
    fn blocking(&self, watched: &Watched, node: usize) -> Option<usize> {
        watched.nodes[node].outputs.iter().copied().find(|&edge| self.blocks(watched, edge))
    }

    /// Who waits for a node, directly or by others that do.
    fn waiting(&self, watched: &Watched, node: usize) -> Vec<NodeId> {
        let (mut waiting, mut to_see) = (BTreeSet::new(), vec![node]);
        while let Some(node) = to_see.pop() {
            let full = watched.nodes[node].inputs.iter().filter(|&&edge| self.blocks(watched, edge));
            for from in full.map(|&edge| watched.edges[edge].from) {
                if waiting.insert(from) {
                    to_see.push(from);
                }
            }
        }
        waiting.remove(&node);
        waiting.into_iter().map(NodeId).collect()
    }
}
