//! Processes that are started again: which, when, and when they begin.

use super::blame::Blame;
use super::{Command, Failure, NodeStatus, Phase, State};
use crate::graph::{BackendId, NodeId, OnExit, RestartPolicy};
use crate::runner::restart::{Decision, decide};
use std::time::Duration;

/// A process was started again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartMade {
    /// Its backend.
    pub backend: BackendId,
    /// Why.
    pub cause: String,
    /// Which restart of those that count it was, from 1.
    pub attempt: u32,
    /// How many may be made within the window.
    pub of: u32,
    /// The pause before it, as planned.
    pub pause: Duration,
}

impl State {
    /// A backend that was started again does not begin before `other`, which was told of its station, has mapped that.
    pub fn awaits(&mut self, backend: BackendId, other: BackendId) {
        *self.backends[backend.0].awaits.entry(other).or_default() += 1;
    }

    /// A process has died of a fault, or of a signal: it is started again, or that was it.
    pub(super) fn on_failed_process(&mut self, backend: BackendId, mut blame: Blame, now: Duration) -> Vec<Command> {
        let state = &mut self.backends[backend.0];
        let RestartPolicy { max_restarts: of, window, .. } = state.supervision.restart;
        if self.phase == Phase::Running {
            match decide(&state.supervision.restart, &state.history, now) {
                Decision::Final => {}
                Decision::GiveUp => {
                    let window = humantime::format_duration(window);
                    blame.cause = format!("{}; it was restarted {of} times within {window}", blame.cause);
                    blame.is_well = false;
                }
                Decision::Again { attempt, pause } => {
                    let (Blame { who, cause, is_well }, after) = (&blame, humantime::format_duration(pause));
                    let line = format!("{who}: {cause}; restart {attempt} of {of} after {after}");
                    self.restarts.push(RestartMade { backend, cause: cause.clone(), attempt, of, pause });
                    let told = if *is_well { Command::Note(line) } else { Command::Warn(line) };
                    state.away = Some(blame);
                    return vec![told, Command::Pause(backend, pause)];
                }
            }
        }
        let mut commands = vec![Command::Mourn(backend)];
        if !blame.is_well {
            self.has_failed_for_good(backend);
            commands.extend(self.fail(blame.who, blame.cause, backend));
        }
        commands
    }

    /// A node has ended by itself, and its process is to be started again.
    pub(super) fn on_returned(&mut self, backend: BackendId, node: NodeId) -> Vec<Command> {
        let returned = &mut self.nodes[node.0];
        returned.has_returned = true;
        if self.phase != Phase::Running {
            returned.status = NodeStatus::Finished;
            return vec![Command::MournNode(node), Command::Left(node)];
        }
        let who = format!("node `{}`", returned.name);
        self.fail_process(backend, Blame { who, cause: "it ended by itself".to_owned(), is_well: true })
    }

    /// What has ended by itself too often has failed.
    fn has_failed_for_good(&mut self, backend: BackendId) {
        for node in self.nodes.iter_mut().filter(|node| node.backend == backend && node.has_returned) {
            node.status = NodeStatus::Failed;
        }
    }

    pub(super) fn on_pause_over(&mut self, backend: BackendId, now: Duration) -> Vec<Command> {
        let state = &mut self.backends[backend.0];
        if state.away.take().is_none() {
            return Vec::new();
        }
        (state.exited, state.introduced, state.ready) = (false, false, false);
        state.life += 1;
        (state.refusal, state.view_fault) = (None, None);
        state.begins_anew = true;
        let (window, max) = (state.supervision.restart.window, state.supervision.restart.max_restarts as usize);
        state.history.retain(|&at| now.saturating_sub(at) < window);
        debug_assert!(state.history.len() < max, "no more are made than may be");
        state.history.push(now);
        let unfinished = self.nodes.iter_mut().filter(|node| node.backend == backend);
        for node in unfinished.filter(|node| node.status != NodeStatus::Finished || node.has_returned) {
            (node.status, node.has_returned) = (NodeStatus::Running, false);
        }
        [Command::Start(backend)].into_iter().chain(self.limit_start(backend)).collect()
    }

    /// Those that are away will not come back: the run is ending.
    pub(super) fn nobody_comes_back(&mut self) -> Vec<Command> {
        let mut commands = Vec::new();
        for (at, state) in self.backends.iter_mut().enumerate() {
            let Some(Blame { who, cause, is_well }) = state.away.take() else { continue };
            commands.push(Command::Mourn(BackendId(at)));
            if !is_well {
                let cause = format!("{cause}; the run ended before it was restarted");
                let is_ignored = state.supervision.on_exit == OnExit::Ignore;
                let failure = Failure { who, cause, last_lines: Vec::new(), is_ignored };
                self.failures.push((failure, Some(BackendId(at))));
            }
        }
        commands
    }

    pub(super) fn on_mapped(&mut self, by: BackendId, station: BackendId) -> Vec<Command> {
        let Some(state) = self.backends.get_mut(station.0) else { return Vec::new() };
        if let Some(left) = state.awaits.get_mut(&by) {
            *left -= 1;
            state.awaits.retain(|_, left| *left > 0);
        }
        self.go_if_due(station)
    }

    pub(super) fn nobody_awaits(&mut self, gone: BackendId) -> Vec<Command> {
        for state in &mut self.backends {
            state.awaits.remove(&gone);
        }
        (0..self.backends.len()).flat_map(|other| self.go_if_due(BackendId(other))).collect()
    }

    pub(super) fn go_if_due(&mut self, backend: BackendId) -> Vec<Command> {
        let state = &mut self.backends[backend.0];
        if !state.begins_anew || !state.ready || !state.awaits.is_empty() {
            return Vec::new();
        }
        state.begins_anew = false;
        vec![Command::Go(backend)]
    }
}
