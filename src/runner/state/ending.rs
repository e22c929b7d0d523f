//! How a run comes to its end: in order, cut short, or killed.

use super::{Command, Failure, NodeStatus, Phase, State};
use crate::control::ToBackend;
use crate::graph::{BackendId, OnExit};
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
        commands.extend(self.drain(Some(self.grace)));
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
                self.failures
                    .push((Failure { who: self.names_left(), cause, last_lines: Vec::new(), is_ignored: false }, None));
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

    /// A process has failed for good.
    pub(super) fn fail(&mut self, who: String, cause: String, backend: BackendId) -> Vec<Command> {
        // A run that cannot start does not go on without what it lacks.
        let on_exit = match self.phase {
            Phase::Starting => OnExit::Fail,
            _ => self.backends[backend.0].supervision.on_exit,
        };
        let is_ignored = on_exit == OnExit::Ignore;
        let line = format!("{who}: {cause}; the run goes on without it");
        self.failures.push((Failure { who, cause, last_lines: Vec::new(), is_ignored }, Some(backend)));
        match on_exit {
            OnExit::Fail => self.drain(Some(self.grace)),
            OnExit::Drain => self.drain(None),
            OnExit::Ignore if self.is_flowing() => vec![Command::Warn(line)],
            OnExit::Ignore => Vec::new(),
        }
    }

    /// Sources stop and queues drain, within `limit` where there is one.
    pub(super) fn drain(&mut self, limit: Option<Duration>) -> Vec<Command> {
        let mut commands = match self.phase {
            // Nothing has flowed, so nothing can be lost by killing.
            Phase::Starting => return self.kill(),
            Phase::Cutting | Phase::Killing => return Vec::new(),
            Phase::Draining => Vec::new(),
            Phase::Running => {
                self.phase = Phase::Draining;
                let mut commands = self.nobody_comes_back();
                commands.push(Command::Tell(ToBackend::Stop));
                commands
            }
        };
        if let Some(limit) = limit.filter(|_| !self.must_end) {
            self.must_end = true;
            commands.push(Command::Deadline(limit));
        }
        commands
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
