//! What others ask of the state of a run.

use super::{Node, NodeStatus, Phase, RestartMade, State};
use crate::graph::{BackendId, NodeId};
use crate::runner::watch::Presence;

impl State {
    /// Name of the node that wrote a line, or of the backend where it has several.
    pub fn speaker(&self, backend: BackendId) -> &str {
        let mut nodes = self.nodes.iter().filter(|node| node.backend == backend);
        match (nodes.next(), nodes.next()) {
            (Some(node), None) => &node.name,
            _ => &self.backends[backend.0].name,
        }
    }

    pub fn node_name(&self, node: NodeId) -> &str {
        &self.nodes[node.0].name
    }

    pub fn is_dead(&self, backend: BackendId) -> bool {
        // A node that failed has left its edges by itself, unless they were to be another process's.
        let leaves = !self.backends[backend.0].supervision.restart.restarts();
        let is_dead = |node: &Node| match node.status {
            NodeStatus::Killed => true,
            NodeStatus::Failed => !leaves,
            NodeStatus::Running | NodeStatus::Finished => node.has_returned,
        };
        self.backends[backend.0].exited && self.nodes_of(backend).any(is_dead)
    }

    pub fn is_up(&self, backend: BackendId) -> bool {
        !self.backends[backend.0].exited
    }

    /// Whether a process is away and to be started again.
    pub fn is_away(&self, backend: BackendId) -> bool {
        self.backends[backend.0].away.is_some()
    }

    /// Whether a process has ended and does not come back.
    pub fn is_gone(&self, backend: BackendId) -> bool {
        let state = &self.backends[backend.0];
        state.exited && state.away.is_none()
    }

    /// Whether messages flow, and nothing has begun to end that.
    pub fn is_flowing(&self) -> bool {
        self.phase == Phase::Running
    }

    /// Whether a node can be expected to do anything.
    pub fn presence(&self, node: NodeId) -> Presence {
        let Node { status, backend, has_returned, .. } = self.nodes[node.0];
        let state = &self.backends[backend.0];
        let begins = !state.ready || state.begins_anew;
        match status {
            NodeStatus::Finished if !has_returned => Presence::Ended,
            _ if state.away.is_some() || state.failed.is_some() => Presence::Away,
            NodeStatus::Running if state.exited || begins => Presence::Away,
            NodeStatus::Running => Presence::Running,
            NodeStatus::Finished | NodeStatus::Failed | NodeStatus::Killed => Presence::Ended,
        }
    }

    /// Whether a node has ended well: it is not started again.
    pub fn has_finished(&self, node: NodeId) -> bool {
        self.nodes[node.0].status == NodeStatus::Finished
    }

    /// How often each backend was started again, and why.
    pub fn restarts(&self) -> &[RestartMade] {
        &self.restarts
    }
}
