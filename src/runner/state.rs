//! What follows from what: a function of the state and the event, without processes.

use super::event::{End, Event, Exit, Interruption};
use super::restart::{Decision, decide};
use crate::control::{FromBackend, ToBackend, Verdict};
use crate::graph::{BackendId, NodeId, Restart, RestartPolicy};
use std::collections::{BTreeSet, VecDeque};
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

/// Lines of a backend's output that a report of its failure shows.
const LAST_LINES: usize = 20;
/// From the cut to the kill: longer than what a `command` gives its program between asking and killing.
const CUT_GRACE: Duration = Duration::from_secs(2);

/// The state of a run.
#[derive(Debug)]
pub struct State {
    phase: Phase,
    grace: Duration,
    end: End,
    /// What went wrong, and in which backend, whose last lines may still be on their way.
    failures: Vec<(Failure, Option<BackendId>)>,
    backends: Vec<Backend>,
    nodes: Vec<Node>,
    restarts: Vec<RestartMade>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not every backend is ready.
    Starting,
    /// Messages flow.
    Running,
    /// Sources stop, queues drain, within the grace period.
    Draining,
    /// The grace period is over.
    Cutting,
    /// Whoever is left is being killed.
    Killing,
}

#[derive(Debug)]
struct Backend {
    name: String,
    ready: bool,
    exited: bool,
    refusal: Option<String>,
    view_fault: Option<ViewFault>,
    last_lines: VecDeque<String>,
    policy: RestartPolicy,
    /// When it was started again, counted from the start of the run.
    history: Vec<Duration>,
    /// Why it is away, and to be started again after a pause.
    away: Option<Blame>,
    /// A node of it has failed, and the whole of it ends for that.
    failed: Option<Blame>,
    /// Those that have not mapped its station, where it was started again and is not running yet.
    awaits: Option<BTreeSet<BackendId>>,
}

/// Who is to blame for an end, and what happened.
#[derive(Clone, Debug)]
struct Blame {
    who: String,
    cause: String,
}

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

#[derive(Debug)]
struct Node {
    name: String,
    backend: BackendId,
    status: NodeStatus,
}

#[derive(Clone, Copy, Debug)]
struct ViewFault {
    node: u32,
    edge: u32,
    sequence: u64,
    offset: i64,
}

/// What became of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeStatus {
    /// It has not ended yet.
    Running,
    /// It ended well.
    Finished,
    /// It failed.
    Failed,
    /// Its process died, or was killed.
    Killed,
}

/// Something went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault it is: a node, or a backend.
    pub who: String,
    /// What happened.
    pub cause: String,
    /// The last lines that its process wrote.
    pub last_lines: Vec<String>,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Send a frame to every backend that is alive.
    Tell(ToBackend),
    /// A backend is dead: tell its neighbours.
    Mourn(BackendId),
    /// A node has ended: tell those who send to it.
    Left(NodeId),
    /// Kill this one.
    Kill(BackendId),
    /// Send [`Event::PauseOver`] for this backend after this time.
    Pause(BackendId, Duration),
    /// Start this backend again.
    Start(BackendId),
    /// Everything that this backend needs is in place: it begins.
    Go(BackendId),
    /// Kill every process that is left.
    KillAll,
    /// Send [`Event::Deadline`] after this time; any earlier deadline is off.
    Deadline(Duration),
    /// Say this to the user.
    Warn(String),
    /// Tell this to the user, who may not want to know.
    Note(&'static str),
    /// Every backend is attached: messages may flow, and names of segments are not needed any more.
    Attached,
}

impl State {
    /// A run that is about to start. `nodes` are names and backends, in the order of the graph.
    pub fn new(backends: Vec<(String, RestartPolicy)>, nodes: Vec<(String, BackendId)>, grace: Duration) -> Self {
        let backend = |(name, policy)| Backend {
            name,
            ready: false,
            exited: false,
            refusal: None,
            view_fault: None,
            last_lines: VecDeque::new(),
            policy,
            history: Vec::new(),
            away: None,
            failed: None,
            awaits: None,
        };
        let node = |(name, backend)| Node { name, backend, status: NodeStatus::Running };
        State {
            phase: Phase::Starting,
            grace,
            end: End::Finished,
            failures: Vec::new(),
            backends: backends.into_iter().map(backend).collect(),
            nodes: nodes.into_iter().map(node).collect(),
            restarts: Vec::new(),
        }
    }

    /// Whether every process has ended.
    pub fn is_over(&self) -> bool {
        self.backends.iter().all(|backend| backend.exited && backend.away.is_none())
    }

    /// How it ended, what went wrong, what became of each node. Called when every process has been heard out.
    pub fn into_parts(self) -> (End, Vec<Failure>, Vec<NodeStatus>) {
        let mut failures = Vec::with_capacity(self.failures.len());
        for (mut failure, backend) in self.failures {
            let lines = backend.map(|backend| &self.backends[backend.0].last_lines);
            failure.last_lines = lines.into_iter().flatten().cloned().collect();
            failures.push(failure);
        }
        (self.end, failures, self.nodes.into_iter().map(|node| node.status).collect())
    }

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
        let leaves = self.backends[backend.0].policy.restart == Restart::Never;
        let is_dead = |node: &Node| match node.status {
            NodeStatus::Killed => true,
            NodeStatus::Failed => !leaves,
            NodeStatus::Running | NodeStatus::Finished => false,
        };
        self.backends[backend.0].exited && self.nodes_of(backend).any(is_dead)
    }

    pub fn is_up(&self, backend: BackendId) -> bool {
        !self.backends[backend.0].exited
    }

    /// Whether a node has ended well: it is not started again.
    pub fn has_finished(&self, node: NodeId) -> bool {
        self.nodes[node.0].status == NodeStatus::Finished
    }

    /// How often each backend was started again, and why.
    pub fn restarts(&self) -> &[RestartMade] {
        &self.restarts
    }

    /// A backend that was started again does not begin before these have mapped its station.
    pub fn awaits(&mut self, backend: BackendId, others: BTreeSet<BackendId>) {
        if let Some(awaits) = &mut self.backends[backend.0].awaits {
            *awaits = others;
        }
    }

    /// What follows from an event.
    pub fn on(&mut self, event: &Event, now: Duration, edge_name: impl Fn(u32) -> String) -> Vec<Command> {
        match event {
            Event::Frame(backend, frame, _) => self.on_frame(*backend, frame),
            Event::Line(backend, line) => self.on_line(*backend, line),
            Event::Exited(backend, exit) => self.on_exit(*backend, exit, now, edge_name),
            Event::PauseOver(backend) => self.on_pause_over(*backend, now),
            Event::Interrupt(how) => self.on_interrupt(*how),
            Event::TimeIsUp => self.drain(),
            Event::Deadline => self.on_deadline(),
            Event::Tick => Vec::new(),
        }
    }

    fn on_frame(&mut self, backend: BackendId, frame: &FromBackend) -> Vec<Command> {
        match frame {
            FromBackend::Ready => self.on_ready(backend),
            FromBackend::Mapped { station } => self.on_mapped(backend, BackendId(*station as usize)),
            FromBackend::Ended { node, verdict } => self.on_ended(backend, NodeId(*node as usize), verdict),
            FromBackend::Refused { cause } => {
                self.backends[backend.0].refusal = Some(cause.clone());
                Vec::new()
            }
            &FromBackend::ViewFault { node, edge, sequence, offset } => {
                self.backends[backend.0].view_fault = Some(ViewFault { node, edge, sequence, offset });
                Vec::new()
            }
            FromBackend::Segment { .. } | FromBackend::Log { .. } => Vec::new(),
        }
    }

    fn on_ready(&mut self, backend: BackendId) -> Vec<Command> {
        self.backends[backend.0].ready = true;
        if self.phase != Phase::Starting {
            return self.go_if_due(backend);
        }
        if !self.backends.iter().all(|backend| backend.ready) {
            return Vec::new();
        }
        self.phase = Phase::Running;
        vec![Command::Attached, Command::Tell(ToBackend::Go)]
    }

    fn on_ended(&mut self, backend: BackendId, node: NodeId, verdict: &Verdict) -> Vec<Command> {
        // No backend speaks for the nodes of another.
        let own = self.nodes.get_mut(node.0).filter(|node| node.backend == backend);
        let Some(ended) = own else { return Vec::new() };
        match verdict {
            Verdict::Done => {
                ended.status = NodeStatus::Finished;
                vec![Command::Left(node)]
            }
            Verdict::NormalTermination => {
                ended.status = NodeStatus::Finished;
                self.drain()
            }
            Verdict::Failed { cause } => {
                ended.status = NodeStatus::Failed;
                let who = format!("node `{}`", ended.name);
                if self.backends[backend.0].policy.restart == Restart::Never || self.phase == Phase::Starting {
                    return self.fail(who, cause.clone(), backend);
                }
                // Nodes that share a process are started again together.
                self.backends[backend.0].failed.get_or_insert(Blame { who, cause: cause.clone() });
                vec![Command::Kill(backend)]
            }
        }
    }

    fn on_line(&mut self, backend: BackendId, line: &str) -> Vec<Command> {
        let lines = &mut self.backends[backend.0].last_lines;
        lines.push_back(line.to_owned());
        if lines.len() > LAST_LINES {
            lines.pop_front();
        }
        Vec::new()
    }

    fn on_exit(
        &mut self,
        backend: BackendId,
        exit: &Exit,
        now: Duration,
        edge_name: impl Fn(u32) -> String,
    ) -> Vec<Command> {
        self.backends[backend.0].exited = true;
        self.backends[backend.0].awaits = None;
        let mut commands = self.nobody_awaits(backend);
        let failed = self.backends[backend.0].failed.take();
        let unfinished: Vec<String> = self
            .nodes_of(backend)
            .filter(|node| node.status == NodeStatus::Running)
            .map(|node| format!("`{}`", node.name))
            .collect();
        let well = exit.status.is_some_and(|status| status.success()) && exit.complaint.is_none();
        if unfinished.is_empty() && well && failed.is_none() {
            return commands;
        }
        for node in self.nodes.iter_mut().filter(|node| node.backend == backend && node.status == NodeStatus::Running) {
            node.status = NodeStatus::Killed;
        }
        if self.phase == Phase::Killing {
            commands.push(Command::Mourn(backend));
            return commands;
        }
        let who = match unfinished.as_slice() {
            [] => format!("backend `{}`", self.backends[backend.0].name),
            [node] => format!("node {node}"),
            nodes => format!("backend `{}` (nodes {})", self.backends[backend.0].name, nodes.join(", ")),
        };
        let blame = failed.unwrap_or_else(|| {
            let (who, cause) = self.explain_exit(backend, exit, who, edge_name);
            Blame { who, cause }
        });
        commands.extend(self.on_failed_process(backend, blame, now));
        commands
    }

    /// A process has died of a fault, or of a signal: it is started again, or that was it.
    fn on_failed_process(&mut self, backend: BackendId, mut blame: Blame, now: Duration) -> Vec<Command> {
        let state = &mut self.backends[backend.0];
        let RestartPolicy { max_restarts: of, window, .. } = state.policy;
        if self.phase == Phase::Running {
            match decide(&state.policy, &state.history, now) {
                Decision::Final => {}
                Decision::GiveUp => {
                    let window = humantime::format_duration(window);
                    blame.cause = format!("{}; it was restarted {of} times within {window}", blame.cause);
                }
                Decision::Again { attempt, pause } => {
                    let (Blame { who, cause }, after) = (&blame, humantime::format_duration(pause));
                    let line = format!("{who}: {cause}; restart {attempt} of {of} after {after}");
                    self.restarts.push(RestartMade { backend, cause: cause.clone(), attempt, of, pause });
                    state.away = Some(blame);
                    return vec![Command::Warn(line), Command::Pause(backend, pause)];
                }
            }
        }
        let mut commands = vec![Command::Mourn(backend)];
        commands.extend(self.fail(blame.who, blame.cause, backend));
        commands
    }

    fn on_pause_over(&mut self, backend: BackendId, now: Duration) -> Vec<Command> {
        let state = &mut self.backends[backend.0];
        if state.away.take().is_none() {
            return Vec::new();
        }
        (state.exited, state.ready) = (false, false);
        (state.refusal, state.view_fault) = (None, None);
        state.awaits = Some(BTreeSet::new());
        let (window, max) = (state.policy.window, state.policy.max_restarts as usize);
        state.history.retain(|&at| now.saturating_sub(at) < window);
        debug_assert!(state.history.len() < max, "no more are made than may be");
        state.history.push(now);
        let unfinished = self.nodes.iter_mut().filter(|node| node.backend == backend);
        for node in unfinished.filter(|node| node.status != NodeStatus::Finished) {
            node.status = NodeStatus::Running;
        }
        vec![Command::Start(backend)]
    }

    /// Those that are away will not come back: the run is ending.
    fn nobody_comes_back(&mut self) -> Vec<Command> {
        let mut commands = Vec::new();
        for (at, state) in self.backends.iter_mut().enumerate() {
            let Some(Blame { who, cause }) = state.away.take() else { continue };
            let cause = format!("{cause}; the run ended before it was restarted");
            self.failures.push((Failure { who, cause, last_lines: Vec::new() }, Some(BackendId(at))));
            commands.push(Command::Mourn(BackendId(at)));
        }
        commands
    }

    fn on_mapped(&mut self, by: BackendId, station: BackendId) -> Vec<Command> {
        let Some(state) = self.backends.get_mut(station.0) else { return Vec::new() };
        if let Some(awaits) = &mut state.awaits {
            awaits.remove(&by);
        }
        self.go_if_due(station)
    }

    fn nobody_awaits(&mut self, gone: BackendId) -> Vec<Command> {
        (0..self.backends.len()).flat_map(|other| self.on_mapped(gone, BackendId(other))).collect()
    }

    fn go_if_due(&mut self, backend: BackendId) -> Vec<Command> {
        let state = &mut self.backends[backend.0];
        match &state.awaits {
            Some(awaits) if awaits.is_empty() && state.ready => {
                state.awaits = None;
                vec![Command::Go(backend)]
            }
            _ => Vec::new(),
        }
    }

    /// Who is to blame for the end of a process, and what happened: as precisely as is known.
    fn explain_exit(
        &self,
        backend: BackendId,
        exit: &Exit,
        who: String,
        edge_name: impl Fn(u32) -> String,
    ) -> (String, String) {
        let state = &self.backends[backend.0];
        let ended = exit.status.map_or("its process ended".to_owned(), describe_status);
        if let Some(fault) = state.view_fault {
            let who = self.nodes.get(fault.node as usize).map_or(who, |node| format!("node `{}`", node.name));
            let ViewFault { edge, sequence, offset, .. } = fault;
            let edge = edge_name(edge);
            let cause = format!(
                "it wrote into its read-only view of the edge {edge}: message {sequence}, offset {offset} of the payload; \
                 {ended} (a node that writes in place needs `zero_copy: false` on that edge)"
            );
            return (who, cause);
        }
        if let Some(refusal) = &state.refusal {
            return (who, refusal.clone());
        }
        match &exit.complaint {
            Some(complaint) => (who, complaint.clone()),
            None if state.ready => (who, ended),
            None => (who, format!("{ended} before it was ready")),
        }
    }

    fn on_interrupt(&mut self, how: Interruption) -> Vec<Command> {
        let first = self.end == End::Finished;
        if self.phase != Phase::Killing {
            self.end = End::Interrupted(how);
        }
        if !first || self.phase == Phase::Starting {
            return self.kill();
        }
        // Where it is draining for another reason, it just goes on to.
        let mut commands = vec![Command::Note("ending the run; once more to end it at once")];
        commands.extend(self.drain());
        commands
    }

    fn on_deadline(&mut self) -> Vec<Command> {
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

    fn fail(&mut self, who: String, cause: String, backend: BackendId) -> Vec<Command> {
        self.failures.push((Failure { who, cause, last_lines: Vec::new() }, Some(backend)));
        // Before the barrier nothing has flowed, so nothing can be lost by killing.
        if self.phase == Phase::Starting { self.kill() } else { self.drain() }
    }

    fn drain(&mut self) -> Vec<Command> {
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

    fn kill(&mut self) -> Vec<Command> {
        if std::mem::replace(&mut self.phase, Phase::Killing) == Phase::Killing {
            return Vec::new();
        }
        let mut commands = self.nobody_comes_back();
        commands.push(Command::KillAll);
        commands
    }

    fn nodes_of(&self, backend: BackendId) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |node| node.backend == backend)
    }
}

fn describe_status(status: std::process::ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => {
            let name = signal_hook::low_level::signal_name(signal).unwrap_or("unknown signal");
            format!("its process was killed by signal {signal} ({name})")
        }
        (None, Some(code)) => format!("its process exited with status {code}"),
        (None, None) => "its process ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::ExitStatus;

    const A: BackendId = BackendId(0);
    const B: BackendId = BackendId(1);
    const GRACE: Duration = Duration::from_secs(5);

    fn running() -> State {
        let mut state = starting();
        on(&mut state, Event::Frame(A, FromBackend::Ready, Vec::new()));
        on(&mut state, Event::Frame(B, FromBackend::Ready, Vec::new()));
        state
    }

    fn starting() -> State {
        starting_with(RestartPolicy::default())
    }

    fn starting_with(policy: RestartPolicy) -> State {
        let nodes = vec![("source".to_owned(), A), ("sink".to_owned(), B)];
        State::new(vec![("source".to_owned(), policy), ("sink".to_owned(), policy)], nodes, GRACE)
    }

    fn on(state: &mut State, event: Event) -> Vec<Command> {
        state.on(&event, Duration::ZERO, |edge| format!("edge {edge}"))
    }

    fn exit(raw: i32) -> Exit {
        Exit { status: Some(ExitStatus::from_raw(raw)), complaint: None }
    }

    fn ended(node: u32, verdict: Verdict) -> FromBackend {
        FromBackend::Ended { node, verdict }
    }

    #[test]
    fn nothing_flows_before_every_backend_is_ready() {
        let mut state = starting();
        assert_eq!(on(&mut state, Event::Frame(A, FromBackend::Ready, Vec::new())), []);
        let go = on(&mut state, Event::Frame(B, FromBackend::Ready, Vec::new()));
        assert_eq!(go, [Command::Attached, Command::Tell(ToBackend::Go)]);
    }

    #[test]
    fn a_failure_before_the_barrier_kills_and_after_it_drains() {
        let failed = || Event::Frame(A, ended(0, Verdict::Failed { cause: "no such file".to_owned() }), Vec::new());
        assert_eq!(on(&mut starting(), failed()), [Command::KillAll]);
        let mut state = running();
        assert_eq!(on(&mut state, failed()), [Command::Tell(ToBackend::Stop), Command::Deadline(GRACE)]);
        let (_, failures, _) = state.into_parts();
        assert_eq!((failures[0].who.as_str(), failures[0].cause.as_str()), ("node `source`", "no such file"));
    }

    #[test]
    fn the_first_interrupt_drains_and_the_second_kills() {
        let mut state = running();
        let first = on(&mut state, Event::Interrupt(Interruption::Int));
        assert_eq!(first[1..], [Command::Tell(ToBackend::Stop), Command::Deadline(GRACE)]);
        assert_eq!(on(&mut state, Event::Interrupt(Interruption::Int)), [Command::KillAll]);
        assert_eq!(state.into_parts().0, End::Interrupted(Interruption::Int));
    }

    #[test]
    fn the_first_interrupt_of_a_run_that_is_draining_already_does_not_kill() {
        let mut state = running();
        on(&mut state, Event::TimeIsUp);
        assert!(!on(&mut state, Event::Interrupt(Interruption::Int)).contains(&Command::KillAll));
        assert_eq!(on(&mut state, Event::Interrupt(Interruption::Int)), [Command::KillAll]);
    }

    #[test]
    fn the_last_lines_of_a_failed_node_may_come_after_the_news_of_its_failure() {
        let mut state = running();
        let failed = ended(1, Verdict::Failed { cause: "no".to_owned() });
        on(&mut state, Event::Frame(B, failed, Vec::new()));
        on(&mut state, Event::Line(B, "what I still wanted to say".to_owned()));
        on(&mut state, Event::Exited(B, exit(0)));
        assert_eq!(state.into_parts().1[0].last_lines, ["what I still wanted to say"]);
    }

    #[test]
    fn who_ignores_the_stop_is_cut_and_then_killed_by_name() {
        let mut state = running();
        on(&mut state, Event::Interrupt(Interruption::Term));
        on(&mut state, Event::Frame(A, ended(0, Verdict::Done), Vec::new()));
        let cut = on(&mut state, Event::Deadline);
        assert_eq!(cut[1..], [Command::Tell(ToBackend::Cut), Command::Deadline(CUT_GRACE)]);
        assert_eq!(on(&mut state, Event::Deadline), [Command::KillAll]);
        assert_eq!(state.into_parts().1[0].who, "node `sink`");
    }

    #[test]
    fn a_killed_process_is_named_with_its_signal() {
        let mut state = running();
        let commands = on(&mut state, Event::Exited(B, exit(9)));
        assert_eq!(commands, [Command::Mourn(B), Command::Tell(ToBackend::Stop), Command::Deadline(GRACE)]);
        assert!(state.is_dead(B) && !state.is_dead(A));
        let (_, failures, nodes) = state.into_parts();
        assert_eq!(failures[0].cause, "its process was killed by signal 9 (SIGKILL)");
        assert_eq!(nodes, [NodeStatus::Running, NodeStatus::Killed]);
    }

    #[test]
    fn a_store_into_a_view_is_told_with_edge_message_and_offset() {
        let mut state = running();
        let fault = FromBackend::ViewFault { node: 1, edge: 0, sequence: 17, offset: 4 };
        on(&mut state, Event::Frame(B, fault, Vec::new()));
        on(&mut state, Event::Exited(B, exit(11)));
        let cause = &state.into_parts().1[0].cause;
        assert!(cause.contains("edge 0: message 17, offset 4") && cause.contains("SIGSEGV"), "{cause}");
    }

    #[test]
    fn a_process_that_is_started_again_begins_once_its_station_is_mapped() {
        let policy = RestartPolicy { restart: Restart::OnFailure, max_restarts: 1, ..RestartPolicy::default() };
        let mut state = starting_with(policy);
        on(&mut state, Event::Frame(A, FromBackend::Ready, Vec::new()));
        on(&mut state, Event::Frame(B, FromBackend::Ready, Vec::new()));
        let commands = on(&mut state, Event::Exited(B, exit(9)));
        assert_eq!(commands[1..], [Command::Pause(B, policy.backoff)]);
        assert!(!state.is_over());
        assert_eq!(on(&mut state, Event::PauseOver(B)), [Command::Start(B)]);
        state.awaits(B, BTreeSet::from([A]));
        assert_eq!(on(&mut state, Event::Frame(B, FromBackend::Ready, Vec::new())), []);
        let mapped = FromBackend::Mapped { station: 1 };
        assert_eq!(on(&mut state, Event::Frame(A, mapped, Vec::new())), [Command::Go(B)]);
        let commands = on(&mut state, Event::Exited(B, exit(9)));
        assert_eq!(commands, [Command::Mourn(B), Command::Tell(ToBackend::Stop), Command::Deadline(GRACE)]);
        assert!(state.into_parts().1[0].cause.contains("restarted 1 times within 1m"));
    }

    #[test]
    fn what_is_away_when_the_run_is_stopped_does_not_come_back() {
        let mut state = starting_with(RestartPolicy { restart: Restart::OnFailure, ..RestartPolicy::default() });
        on(&mut state, Event::Frame(A, FromBackend::Ready, Vec::new()));
        on(&mut state, Event::Frame(B, FromBackend::Ready, Vec::new()));
        on(&mut state, Event::Exited(B, exit(9)));
        assert!(on(&mut state, Event::TimeIsUp).contains(&Command::Mourn(B)));
        assert_eq!(on(&mut state, Event::PauseOver(B)), []);
        on(&mut state, Event::Exited(A, exit(0)));
        assert!(state.is_over());
    }

    #[test]
    fn normal_termination_of_any_node_drains_without_a_failure() {
        let mut state = running();
        let commands = on(&mut state, Event::Frame(B, ended(1, Verdict::NormalTermination), Vec::new()));
        assert_eq!(commands, [Command::Tell(ToBackend::Stop), Command::Deadline(GRACE)]);
        assert_eq!(state.into_parts().1, []);
    }
}
