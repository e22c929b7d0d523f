//! Processes that are to be ready within a time.

use super::blame::Blame;
use super::{Command, Phase, State};
use crate::graph::BackendId;

impl State {
    pub(super) fn limit_start(&self, backend: BackendId) -> Option<Command> {
        let state = &self.backends[backend.0];
        state.supervision.startup_timeout.map(|limit| Command::LimitStart(backend, state.life, limit))
    }

    /// The segments that a backend writes are there: others may be able to go on with their start.
    pub(super) fn on_introduced(&mut self, backend: BackendId) -> Vec<Command> {
        self.backends[backend.0].introduced = true;
        if !self.all_introduced() {
            return Vec::new();
        }
        let all = (0..self.backends.len()).map(BackendId);
        let waiting: Vec<_> = all.filter(|at| std::mem::take(&mut self.backends[at.0].start_waits)).collect();
        waiting.into_iter().filter_map(|at| self.limit_start(at)).collect()
    }

    /// A process was to be ready by now. One that waits for what others write is not to blame for them.
    pub(super) fn on_start_overdue(&mut self, backend: BackendId, life: u32) -> Vec<Command> {
        let waits_for_others = self.phase == Phase::Starting && !self.all_introduced();
        let state = &mut self.backends[backend.0];
        if state.life != life || state.ready || state.exited {
            return Vec::new();
        }
        if state.introduced && waits_for_others {
            state.start_waits = true;
            return Vec::new();
        }
        let Some(limit) = state.supervision.startup_timeout else { return Vec::new() };
        let cause = format!("not ready within {} (`startup_timeout`)", humantime::format_duration(limit));
        let who = self.who(backend);
        self.fail_process(backend, Blame::of(who, cause))
    }

    fn all_introduced(&self) -> bool {
        self.backends.iter().all(|backend| backend.introduced)
    }
}
