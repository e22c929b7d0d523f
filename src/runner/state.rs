//! What follows from what: a function of the state and the event, without processes.

mod blame;
mod ending;
mod queries;
mod restarts;
mod starts;
#[cfg(test)]
mod tests;

pub use restarts::RestartMade;

use super::event::{End, Event, Exit};
use super::watch::Presence;
use crate::control::{FromBackend, SegmentOwner, ToBackend, Verdict};
use crate::graph::{BackendId, NodeId, Supervision};
use blame::{Blame, ViewFault};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Lines of a backend's output that a report of its failure shows.
const LAST_LINES: usize = 20;

/// The state of a run.
#[derive(Debug)]
pub struct State {
    phase: Phase,
    grace: Duration,
    /// Draining has a limit.
    must_end: bool,
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
    /// The segments that it writes are there.
    introduced: bool,
    /// Its time to be ready begins anew once those of all others are there.
    start_waits: bool,
    ready: bool,
    exited: bool,
    refusal: Option<String>,
    view_fault: Option<ViewFault>,
    last_lines: VecDeque<String>,
    supervision: Supervision,
    /// How often it was started again.
    life: u32,
    /// When it was started again, counted from the start of the run.
    history: Vec<Duration>,
    /// Why it is away, and to be started again after a pause.
    away: Option<Blame>,
    /// A node of it has failed, and the whole of it ends for that.
    failed: Option<Blame>,
    /// It was started again, and is not running yet.
    begins_anew: bool,
    /// Those that have not mapped its station, and how many: of former lives, too, since they map one after the other.
    awaits: BTreeMap<BackendId, u32>,
}

#[derive(Debug)]
struct Node {
    name: String,
    backend: BackendId,
    status: NodeStatus,
    /// It has ended by itself, and has left none of its edges.
    has_returned: bool,
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
    /// The run has gone on without it, as the graph says.
    pub is_ignored: bool,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Send a frame to every backend that is alive.
    Tell(ToBackend),
    /// A backend is dead: tell its neighbours.
    Mourn(BackendId),
    /// A node has ended and has left none of its edges, and nothing takes its place: tell those at the other ends.
    MournNode(NodeId),
    /// A node has ended: tell those who send to it.
    Left(NodeId),
    /// Kill this one.
    Kill(BackendId),
    /// Send [`Event::StartOverdue`] for this backend in this life after this time.
    LimitStart(BackendId, u32, Duration),
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
    Note(String),
    /// Every backend is attached: messages may flow, and names of segments are not needed any more.
    Attached,
}

impl State {
    /// A run that is about to start. `nodes` are names and backends, in the order of the graph.
    pub fn new(backends: Vec<(String, Supervision)>, nodes: Vec<(String, BackendId)>, grace: Duration) -> Self {
        let backend = |(name, supervision)| Backend {
            name,
            introduced: false,
            start_waits: false,
            ready: false,
            exited: false,
            refusal: None,
            view_fault: None,
            last_lines: VecDeque::new(),
            supervision,
            life: 0,
            history: Vec::new(),
            away: None,
            failed: None,
            begins_anew: false,
            awaits: BTreeMap::new(),
        };
        let node = |(name, backend)| Node { name, backend, status: NodeStatus::Running, has_returned: false };
        State {
            phase: Phase::Starting,
            grace,
            must_end: false,
            end: End::Finished,
            failures: Vec::new(),
            backends: backends.into_iter().map(backend).collect(),
            nodes: nodes.into_iter().map(node).collect(),
            restarts: Vec::new(),
        }
    }

    /// What is to be done once every process has been started.
    pub fn begin(&self) -> Vec<Command> {
        (0..self.backends.len()).filter_map(|at| self.limit_start(BackendId(at))).collect()
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

    /// What follows from an event.
    pub fn on(&mut self, event: &Event, now: Duration, edge_name: impl Fn(u32) -> String) -> Vec<Command> {
        match event {
            Event::Frame(backend, frame, _) => self.on_frame(*backend, frame),
            Event::Line(backend, line) => self.on_line(*backend, line),
            Event::Exited(backend, exit) => self.on_exit(*backend, exit, now, edge_name),
            Event::StartOverdue(backend, life) => self.on_start_overdue(*backend, *life),
            Event::PauseOver(backend) => self.on_pause_over(*backend, now),
            Event::Interrupt(how) => self.on_interrupt(*how),
            Event::TimeIsUp => self.drain(Some(self.grace)),
            Event::Deadline => self.on_deadline(),
            Event::Hung(node, cause) => self.on_hung(*node, cause),
            Event::Tick | Event::Look => Vec::new(),
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
            FromBackend::Segment { owner: SegmentOwner::Station(_), .. } => self.on_introduced(backend),
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
                self.drain(Some(self.grace))
            }
            Verdict::Returned => self.on_returned(backend, node),
            Verdict::Failed { cause } => {
                ended.status = NodeStatus::Failed;
                let who = format!("node `{}`", ended.name);
                let is_final = !self.backends[backend.0].supervision.restart.restarts();
                if is_final || self.phase == Phase::Starting {
                    let mut commands = self.fail(who, cause.clone(), backend);
                    commands.extend(self.is_flowing().then_some(Command::Left(node)));
                    return commands;
                }
                // Nodes that share a process are started again together.
                self.fail_process(backend, Blame::of(who, cause.clone()))
            }
        }
    }

    /// A node is stuck. Its process is ended for that, unless it is on its way to an end anyway.
    fn on_hung(&mut self, node: NodeId, cause: &str) -> Vec<Command> {
        if self.phase != Phase::Running || self.presence(node) != Presence::Running {
            return Vec::new();
        }
        let Node { name, backend, .. } = &self.nodes[node.0];
        let (who, backend) = (format!("node `{name}`"), *backend);
        self.fail_process(backend, Blame::of(who, cause.to_owned()))
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
        self.backends[backend.0].begins_anew = false;
        let mut commands = self.nobody_awaits(backend);
        let failed = self.backends[backend.0].failed.take();
        let well = exit.status.is_some_and(|status| status.success()) && exit.complaint.is_none();
        if self.nodes_of(backend).all(|node| node.status != NodeStatus::Running) && well && failed.is_none() {
            return commands;
        }
        let who = self.who(backend);
        for node in self.nodes.iter_mut().filter(|node| node.backend == backend && node.status == NodeStatus::Running) {
            node.status = if node.has_returned { NodeStatus::Finished } else { NodeStatus::Killed };
        }
        if self.phase == Phase::Killing {
            commands.push(Command::Mourn(backend));
            return commands;
        }
        let blame = failed.unwrap_or_else(|| self.explain_exit(backend, exit, who, edge_name));
        commands.extend(self.on_failed_process(backend, blame, now));
        commands
    }

    /// A process has failed, and is ended for that.
    fn fail_process(&mut self, backend: BackendId, blame: Blame) -> Vec<Command> {
        self.backends[backend.0].failed.get_or_insert(blame);
        vec![Command::Kill(backend)]
    }

    /// The only node of a process that has not ended, or else the backend.
    fn who(&self, backend: BackendId) -> String {
        let unfinished = self.nodes_of(backend).filter(|node| node.status == NodeStatus::Running);
        let unfinished: Vec<String> = unfinished.map(|node| format!("`{}`", node.name)).collect();
        let name = &self.backends[backend.0].name;
        match unfinished.as_slice() {
            [] => format!("backend `{name}`"),
            [node] => format!("node {node}"),
            nodes => format!("backend `{name}` (nodes {})", nodes.join(", ")),
        }
    }

    fn nodes_of(&self, backend: BackendId) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |node| node.backend == backend)
    }
}
