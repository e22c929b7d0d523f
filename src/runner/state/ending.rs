//! How a run comes to its end: in order, cut short, or killed.

use super::{Command, Failure, NodeStatus, Phase, State};
use crate::control::ToBackend;
use crate::graph::BackendId;
use crate::runner::event::{End, Interruption};
use std::time::Duration;

/// From the cut to the kill: longer than what a `command` gives its program between asking and killing.
pub(super) const CUT_GRACE: Duration = Duration::from_secs(2);

impl State {
    pub(super) fn on_interrupt(&mut self, how: Interruption) -> Vec<Command> {
        let first = self.end == End::Finished;
        if self.phase != Phase::Killing {
            self.end = End::Interrupted(how);
        }
        if !first || self.phase == Phase::Starting {
            return self.kill();
        }
        // Where it is draining for another reason, it just goes on to.
        let mut commands = vec![Command::Note("ending the run; once more to end it at once".to_owned())];
        commands.extend(self.drain());
        commands
    }

    pub(super) fn on_deadline(&mut self) -> Vec<Command> {
        match self.phase {
            Phase::Starting | Phase::Running | Phase::Killing => Vec::new(),
            Phase::Draining => {
                self.phase = Phase::Cutting;
                let left = self.names_left();
                let grace = humantime::format_duration(self.grace);
                let warning = format!("{left} did not end within the grace period of {grace}");
                vec![Command::Warn(warning), Command::Tell(ToBackend::Cut), Command::Deadline(CUT_GRACE)]
            }
            Phase::Cutting => {
                let cause = "it did not stop when it was told to, and was killed".to_owned();
                self.failures.push((Failure { who: self.names_left(), cause, last_lines: Vec::new() }, None));
                self.kill()
            }
        }
    }

    /// The nodes that have not ended; where all have, the backends that have not.
    fn names_left(&self) -> String {
        let running = self.nodes.iter().filter(|node| node.status == NodeStatus::Running);
        let nodes: Vec<String> = running.map(|node| format!("`{}`", node.name)).collect();
        let alive = self.backends.iter().filter(|backend| !backend.exited);
        let backends = || alive.map(|backend| format!("`{}`", backend.name)).collect::<Vec<_>>().join(", ");
        match nodes.as_slice() {
            [] => format!("backend {}", backends()),
            [node] => format!("node {node}"),
            nodes => format!("nodes {}", nodes.join(", ")),
        }
    }

    pub(super) fn fail(&mut self, who: String, cause: String, backend: BackendId) -> Vec<Command> {
        self.failures.push((Failure { who, cause, last_lines: Vec::new() }, Some(backend)));
        // Before the barrier nothing has flowed, so nothing can be lost by killing.
        if self.phase == Phase::Starting { self.kill() } else { self.drain() }
    }

    pub(super) fn drain(&mut self) -> Vec<Command> {
        match self.phase {
            Phase::Starting => self.kill(),
            Phase::Running => {
                self.phase = Phase::Draining;
                let mut commands = self.nobody_comes_back();
                commands.extend([Command::Tell(ToBackend::Stop), Command::Deadline(self.grace)]);
                commands
            }
            Phase::Draining | Phase::Cutting | Phase::Killing => Vec::new(),
        }
    }

    pub(super) fn kill(&mut self) -> Vec<Command> {
        if std::mem::replace(&mut self.phase, Phase::Killing) == Phase::Killing {
            return Vec::new();
        }
        let mut commands = self.nobody_comes_back();
        commands.push(Command::KillAll);
        commands
    }
}
