//! What follows from what: a function of the state and the event, without processes.

use super::event::{End, Event, Exit, Interruption};
use crate::control::{FromBackend, ToBackend, Verdict};
use crate::graph::{BackendId, NodeId};
use std::collections::VecDeque;
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
    pub fn new(backends: Vec<String>, nodes: Vec<(String, BackendId)>, grace: Duration) -> Self {
        let backend = |name| Backend {
            name,
            ready: false,
            exited: false,
            refusal: None,
            view_fault: None,
            last_lines: VecDeque::new(),
        };
        let node = |(name, backend)| Node { name, backend, status: NodeStatus::Running };
        State {
            phase: Phase::Starting,
            grace,
            end: End::Finished,
            failures: Vec::new(),
            backends: backends.into_iter().map(backend).collect(),
            nodes: nodes.into_iter().map(node).collect(),
        }
    }

    /// Whether every process has ended.
    pub fn is_over(&self) -> bool {
        self.backends.iter().all(|backend| backend.exited)
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
        self.backends[backend.0].exited && self.nodes_of(backend).any(|node| node.status == NodeStatus::Killed)
    }

    /// What follows from an event.
    pub fn on(&mut self, event: &Event, edge_name: impl Fn(u32) -> String) -> Vec<Command> {
        match event {
            Event::Frame(backend, frame, _) => self.on_frame(*backend, frame),
            Event::Line(backend, line) => self.on_line(*backend, line),
            Event::Exited(backend, exit) => self.on_exit(*backend, exit, edge_name),
            Event::Interrupt(how) => self.on_interrupt(*how),
            Event::TimeIsUp => self.drain(),
            Event::Deadline => self.on_deadline(),
            Event::Tick => Vec::new(),
        }
    }

    fn on_frame(&mut self, backend: BackendId, frame: &FromBackend) -> Vec<Command> {
        match frame {
            FromBackend::Ready => self.on_ready(backend),
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
        if self.phase != Phase::Starting || !self.backends.iter().all(|backend| backend.ready) {
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
                self.fail(who, cause.clone(), backend)
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

    fn on_exit(&mut self, backend: BackendId, exit: &Exit, edge_name: impl Fn(u32) -> String) -> Vec<Command> {
        self.backends[backend.0].exited = true;
        let unfinished: Vec<String> = self
            .nodes_of(backend)
            .filter(|node| node.status == NodeStatus::Running)
            .map(|node| format!("`{}`", node.name))
            .collect();
        let well = exit.status.is_some_and(|status| status.success()) && exit.complaint.is_none();
        if unfinished.is_empty() && well {
            return Vec::new();
        }
        for node in self.nodes.iter_mut().filter(|node| node.backend == backend && node.status == NodeStatus::Running) {
            node.status = NodeStatus::Killed;
        }
        let mut commands = vec![Command::Mourn(backend)];
        if self.phase == Phase::Killing {
            return commands;
        }
        let who = match unfinished.as_slice() {
            [] => format!("backend `{}`", self.backends[backend.0].name),
            [node] => format!("node {node}"),
            nodes => format!("backend `{}` (nodes {})", self.backends[backend.0].name, nodes.join(", ")),
        };
        let (who, cause) = self.explain_exit(backend, exit, who, edge_name);
        commands.extend(self.fail(who, cause, backend));
        commands
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
                vec![Command::Tell(ToBackend::Stop), Command::Deadline(self.grace)]
            }
            Phase::Draining | Phase::Cutting | Phase::Killing => Vec::new(),
        }
    }

    fn kill(&mut self) -> Vec<Command> {
        if std::mem::replace(&mut self.phase, Phase::Killing) == Phase::Killing {
            return Vec::new();
        }
        vec![Command::KillAll]
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
        let nodes = vec![("source".to_owned(), A), ("sink".to_owned(), B)];
        State::new(vec!["source".to_owned(), "sink".to_owned()], nodes, GRACE)
    }

    fn on(state: &mut State, event: Event) -> Vec<Command> {
        state.on(&event, |edge| format!("edge {edge}"))
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
    fn normal_termination_of_any_node_drains_without_a_failure() {
        let mut state = running();
        let commands = on(&mut state, Event::Frame(B, ended(1, Verdict::NormalTermination), Vec::new()));
        assert_eq!(commands, [Command::Tell(ToBackend::Stop), Command::Deadline(GRACE)]);
        assert_eq!(state.into_parts().1, []);
    }
}
