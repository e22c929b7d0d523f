//! The loop: one event after the other, each handed to the state, whose commands are carried out.

use super::child::Backend;
use super::event::{Event, Exit, Interruption};
use super::exchange::{Exchange, Introduction};
use super::state::{Command, State};
use super::{NodeSummary, Observer, Progress, Summary, ledger};
use crate::channel::{PortStart, SegmentKind, sweep};
use crate::control::{
    FromBackend, InputSetup, LogLevel, NodeSetup, OutEdgeSetup, OutputSetup, PortSetup, SegmentOwner, Setup, ToBackend,
    handle_of,
};
use crate::graph::{BackendId, NodeId, PortRef, Restart};
use crate::node::Stream;
use crate::plan::Plan;
use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Events that may wait; a backend that says more is held back.
const EVENTS: usize = 1024;
/// An event queue with a second handle, what wakes it, and a pair of sockets for signals; a few to spare.
const DESCRIPTORS_OF_RUNTIME: usize = 8;

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// ezrun's own executable, which runs the backends that need no pack.
    pub program: PathBuf,
    /// End the run after this time.
    pub stop_after: Option<Duration>,
    /// How long queues may drain once the run is ending.
    pub grace: Duration,
    /// The least level that nodes log.
    pub log_level: LogLevel,
}

/// Why a run could not even start.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {cause}")]
pub struct StartError {
    what: String,
    cause: String,
}

/// Runs `plan` to its end.
///
/// # Errors
/// [`StartError`] where a process cannot be started or the system refuses what every run needs; nothing has flowed.
pub fn run(plan: &Plan<'_>, options: &Options, observer: &mut dyn Observer) -> Result<Summary, StartError> {
    raise_descriptor_limit();
    match sweep() {
        Ok(0) => {}
        Ok(swept) => observer.note(LogLevel::Info, &format!("removed {swept} named segments that a dead run had left")),
        Err(e) => observer.note(LogLevel::Debug, &format!("cannot look for named segments of dead runs: {e}")),
    }
    check_descriptors().map_err(|e| start_error("cannot start the runner", &e))?;
    // One thread, the main one: the kernel ends a backend with the thread that started it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| start_error("cannot start the runner", &e))?;
    let summary = runtime.block_on(async { Runner::start(plan, options, observer)?.run().await });
    if plan.segments == SegmentKind::Named {
        // Names of backends that died before they could tell them. What cannot be swept now, the next run sweeps.
        let _ = sweep();
    }
    summary
}

struct Runner<'a, 'g> {
    plan: &'a Plan<'g>,
    options: Options,
    observer: &'a mut dyn Observer,
    backends: Vec<Backend>,
    exchange: Exchange,
    state: State,
    events: mpsc::Sender<Event>,
    inbox: mpsc::Receiver<Event>,
    deadline: Option<tokio::time::Instant>,
    /// Counted from the moment that messages flow.
    stop_after: Option<Duration>,
    stop_at: Option<tokio::time::Instant>,
    began: Instant,
}

impl<'a, 'g> Runner<'a, 'g> {
    fn start(plan: &'a Plan<'g>, options: &Options, observer: &'a mut dyn Observer) -> Result<Self, StartError> {
        let (events, inbox) = mpsc::channel(EVENTS);
        let began = Instant::now();
        forward_signals(&events).map_err(|e| start_error("cannot listen to signals", &e))?;
        let graph = plan.graph;
        let mut backends = Vec::with_capacity(graph.backends().len());
        // All processes first, so that they come up while the first ones are being told what they are.
        for (at, backend) in graph.backends().iter().enumerate() {
            let started = start(plan, options, BackendId(at), &events);
            backends.push(started.map_err(|e| {
                let program = program(plan, options, BackendId(at));
                start_error(&format!("cannot start backend `{}` ({})", backend.name, program.display()), &e)
            })?);
        }
        for (at, backend) in backends.iter().enumerate() {
            let start = Introduced { nodes: &graph[BackendId(at)].nodes, begun: Vec::new(), port_start: &no_start };
            introduce(plan, options, BackendId(at), backend, start)
                .map_err(|e| start_error("cannot set up a backend", &e))?;
        }
        let names = graph.backends().iter().map(|backend| (backend.name.clone(), backend.restart)).collect();
        let nodes = graph.nodes().iter().map(|node| (node.name.clone(), node.backend)).collect();
        let state = State::new(names, nodes, options.grace);
        let exchange = Exchange::new(plan);
        Ok(Runner {
            plan,
            options: options.clone(),
            observer,
            backends,
            exchange,
            state,
            events,
            inbox,
            deadline: None,
            stop_after: options.stop_after,
            stop_at: None,
            began,
        })
    }

    async fn run(mut self) -> Result<Summary, StartError> {
        let mut tick = tokio::time::interval(self.observer.progress_every());
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // The first tick comes at once, before there is anything to show.
        tick.tick().await;
        while !self.state.is_over() {
            // What is due comes first: however much the backends have to say, it must not hold back the end of the run.
            let event = tokio::select! {
                biased;
                () = sleep_until(self.deadline) => {
                    self.deadline = None;
                    Event::Deadline
                }
                () = sleep_until(self.stop_at) => {
                    self.stop_at = None;
                    Event::TimeIsUp
                }
                _ = tick.tick() => Event::Tick,
                Some(event) = self.inbox.recv() => event,
            };
            self.on(event);
        }
        self.show_progress();
        Ok(self.summary())
    }

    fn on(&mut self, event: Event) {
        let plan = self.plan;
        let edge_name = |edge: u32| plan.edges.get(edge as usize).map_or_else(String::new, |e| e.terms.name.clone());
        let commands = self.state.on(&event, self.began.elapsed(), edge_name);
        self.show(event);
        for command in commands {
            self.carry_out(command);
        }
    }

    /// What of an event is for the user's eyes, or for the other backends.
    fn show(&mut self, event: Event) {
        match event {
            Event::Frame(from, FromBackend::Segment { owner, name }, fds) => self.pass_on(from, owner, name, fds),
            Event::Frame(from, FromBackend::Log { node, level, text }, _) => {
                let node = node.map(|node| NodeId(node as usize)).filter(|node| node.0 < self.plan.graph.nodes().len());
                let speaker = node.map_or_else(|| self.state.speaker(from), |node| self.state.node_name(node));
                self.observer.log(speaker, level, &text);
            }
            Event::Line(from, line) => self.observer.output(self.state.speaker(from), &line),
            Event::Tick => self.show_progress(),
            Event::Frame(..)
            | Event::Exited(..)
            | Event::PauseOver(_)
            | Event::Interrupt(_)
            | Event::TimeIsUp
            | Event::Deadline => {}
        }
    }

    fn pass_on(&mut self, from: BackendId, owner: SegmentOwner, name: Option<String>, fds: Vec<OwnedFd>) {
        let Some(handle) = handle_of(name, fds) else {
            return self.give_up(from, "it sent a segment without a descriptor");
        };
        let introduction = match self.exchange.arrive(self.plan, from, owner, handle) {
            Ok(introduction) => introduction,
            Err(e) => return self.give_up(from, &e.to_string()),
        };
        if let Some(backend) = introduction.station_anew {
            let up = introduction.to.iter().copied().filter(|&to| self.state.is_up(to));
            let up = up.collect();
            self.state.awaits(backend, up);
        }
        self.send_segment(from, &introduction);
    }

    fn send_segment(&mut self, from: BackendId, introduction: &Introduction) {
        for &to in &introduction.to {
            match introduction.descriptors() {
                Ok(fds) => self.tell(to, &introduction.frame, fds),
                Err(e) => return self.give_up(from, &format!("its segment cannot be shared: {e}")),
            }
        }
    }

    /// Starts a backend again, and tells it where its nodes go on. Where that cannot be done it has ended once more.
    fn start_again(&mut self, id: BackendId) {
        if let Err(e) = self.try_start_again(id) {
            let exit = Exit { status: None, complaint: Some(format!("it cannot be started again: {e:#}")) };
            let events = self.events.clone();
            tokio::spawn(async move { events.send(Event::Exited(id, exit)).await });
        }
    }

    fn try_start_again(&mut self, id: BackendId) -> anyhow::Result<()> {
        let (plan, planned) = (self.plan, &self.plan.graph[id]);
        if plan.segments == SegmentKind::Named {
            // What it had made and died before it could tell. What cannot be swept now is swept at the end.
            let _ = sweep();
        }
        let unfinished = planned.nodes.iter().copied().filter(|&node| !self.state.has_finished(node));
        let nodes: Vec<NodeId> = unfinished.collect();
        self.exchange.begin_life(id);
        let begun = self.exchange.begun(plan, id);
        let needed = self.exchange.segments_for(plan, id, &nodes)?;
        let backend = start(plan, &self.options, id, &self.events)?;
        let start = Introduced { nodes: &nodes, begun, port_start: &|port| self.exchange.port_start(plan, port) };
        introduce(plan, &self.options, id, &backend, start)?;
        self.backends[id.0] = backend;
        needed.iter().for_each(|introduction| self.send_segment(id, introduction));
        Ok(())
    }

    /// A backend that cannot be worked with is ended; its exit tells the rest.
    fn give_up(&mut self, backend: BackendId, why: &str) {
        self.observer.note(LogLevel::Error, &format!("{}: {why}", self.state.speaker(backend)));
        self.backends[backend.0].kill();
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Tell(frame) => {
                for at in 0..self.backends.len() {
                    self.tell(BackendId(at), &frame, Vec::new());
                }
            }
            Command::Mourn(dead) => {
                for (edge, neighbour) in neighbours(self.plan, dead) {
                    self.tell(neighbour, &ToBackend::PeerDead { edge }, Vec::new());
                }
            }
            Command::Left(node) => {
                let graph = self.plan.graph;
                let producers = graph.edges_into(node).into_iter().map(|edge| graph[graph[edge].from.node].backend);
                let producers: BTreeSet<BackendId> = producers.collect();
                for backend in producers {
                    self.tell(backend, &ToBackend::Look, Vec::new());
                }
            }
            Command::Kill(backend) => self.backends[backend.0].kill(),
            Command::Pause(backend, pause) => {
                let events = self.events.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(pause).await;
                    events.send(Event::PauseOver(backend)).await
                });
            }
            Command::Start(backend) => self.start_again(backend),
            Command::Go(backend) => self.tell(backend, &ToBackend::Go, Vec::new()),
            Command::KillAll => self.backends.iter().for_each(Backend::kill),
            Command::Deadline(after) => self.deadline = Some(tokio::time::Instant::now() + after),
            Command::Warn(line) => self.observer.note(LogLevel::Warn, &line),
            Command::Attached => {
                self.exchange.attached();
                self.stop_at = self.stop_after.map(|after| tokio::time::Instant::now() + after);
            }
            Command::Note(line) => self.observer.note(LogLevel::Info, line),
        }
    }

    fn tell(&mut self, to: BackendId, frame: &ToBackend, fds: Vec<OwnedFd>) {
        if let Err(e) = self.backends[to.0].send(frame, fds) {
            self.give_up(to, &e.to_string());
        }
    }

    fn show_progress(&mut self) {
        let (sent, expected) = ledger::progress(self.plan, &self.exchange);
        self.observer.progress(Progress { elapsed: self.began.elapsed(), sent, expected });
    }

    fn summary(self) -> Summary {
        let edges = ledger::read(self.plan, &self.exchange, |backend| self.state.is_dead(backend));
        let elapsed = self.began.elapsed();
        let pids = self.plan.graph.nodes().iter().map(|node| self.backends[node.backend.0].pid());
        let pids: Vec<u32> = pids.collect();
        drop(self.events);
        let restarts = self.state.restarts().to_vec();
        let (end, failures, statuses) = self.state.into_parts();
        let nodes = pids.into_iter().zip(statuses).zip(self.plan.graph.nodes());
        let nodes = nodes.map(|((pid, status), node)| {
            let restarts = restarts.iter().filter(|made| made.backend == node.backend).count() as u32;
            NodeSummary { pid: Some(pid), status, restarts }
        });
        Summary { end, failures, nodes: nodes.collect(), restarts, edges, elapsed }
    }
}

async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn forward_signals(events: &mpsc::Sender<Event>) -> std::io::Result<()> {
    // The end of a terminal is no reason to lose what is in the queues.
    let kinds = [
        (SignalKind::interrupt(), Interruption::Int),
        (SignalKind::terminate(), Interruption::Term),
        (SignalKind::hangup(), Interruption::Term),
    ];
    for (kind, interruption) in kinds {
        let mut stream = signal(kind)?;
        let events = events.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                if events.send(Event::Interrupt(interruption)).await.is_err() {
                    break;
                }
            }
        });
    }
    Ok(())
}

/// The executable of a backend.
fn program<'p>(plan: &'p Plan<'_>, options: &'p Options, id: BackendId) -> &'p Path {
    plan.graph[id].pack.as_deref().unwrap_or(&options.program)
}

/// Starts the process of a backend.
fn start(plan: &Plan<'_>, options: &Options, id: BackendId, events: &mpsc::Sender<Event>) -> std::io::Result<Backend> {
    let env = plan.graph[id].env.clone().into_iter();
    Backend::start(id, program(plan, options, id), &plan.graph.dir, env, events)
}

/// Which nodes a backend has, and where they go on.
struct Introduced<'i> {
    nodes: &'i [NodeId],
    begun: Vec<u64>,
    port_start: &'i dyn Fn(usize) -> PortStart,
}

fn no_start(_: usize) -> PortStart {
    PortStart::default()
}

/// Tells a backend what it is.
fn introduce(
    plan: &Plan<'_>,
    options: &Options,
    id: BackendId,
    backend: &Backend,
    start: Introduced<'_>,
) -> anyhow::Result<()> {
    let planned = &plan.graph[id];
    let setup = Setup {
        backend: id.0 as u32,
        name: planned.name.clone(),
        segments: plan.segments,
        station: plan.stations[id.0],
        begun: start.begun,
        may_restart: planned.restart.restart != Restart::Never,
        nodes: start.nodes.len() as u32,
        log_level: options.log_level,
        cpu: planned.cpu,
        priority: planned.priority,
    };
    backend.send(&ToBackend::Setup(setup), Vec::new())?;
    for &node in start.nodes {
        let uses = &plan.graph[node].node_type.uses;
        let mut fds = Vec::new();
        if uses.contains(&Stream::Stdin) {
            fds.push(std::io::stdin().as_fd().try_clone_to_owned()?);
        }
        if uses.contains(&Stream::Stdout) {
            fds.push(std::io::stdout().as_fd().try_clone_to_owned()?);
        }
        backend.send(&ToBackend::Node(node_setup(plan, node, start.port_start)), fds)?;
    }
    Ok(())
}

fn node_setup(plan: &Plan<'_>, id: NodeId, start: &dyn Fn(usize) -> PortStart) -> NodeSetup {
    let node = &plan.graph[id];
    let uses = &node.node_type.uses;
    let inputs = plan.graph.edges_into(id).into_iter().map(|edge_id| {
        let edge = &plan.graph[edge_id];
        let planned = plan.edge(edge_id);
        let (port, port_edge) = planned.port;
        InputSetup {
            input: edge.to.port as u32,
            edge: edge_id.0 as u32,
            delivery: planned.delivery,
            terms: planned.terms.clone(),
            feedback: planned.feedback,
            port: port as u32,
            layout: plan.ports[port].layout.clone(),
            port_edge: port_edge as u32,
            station_edge: planned.station.1 as u32,
        }
    });
    let outputs = (0..node.node_type.outputs.len()).map(|port| output_setup(plan, PortRef { node: id, port }, start));
    NodeSetup {
        id: id.0 as u32,
        name: node.name.clone(),
        dir: node.dir.to_string_lossy().into_owned(),
        node_type: node.node_type.name.clone(),
        settings: node.settings.to_string(),
        wait: node.wait,
        streams: (uses.contains(&Stream::Stdin), uses.contains(&Stream::Stdout)),
        inputs: inputs.collect(),
        outputs: outputs.collect(),
    }
}

fn output_setup(plan: &Plan<'_>, port: PortRef, start: &dyn Fn(usize) -> PortStart) -> OutputSetup {
    OutputSetup(plan.port_index(port).map(|at| {
        let planned = &plan.ports[at];
        let edges = planned.edges.iter().map(|&id| {
            let edge = plan.edge(id);
            OutEdgeSetup {
                edge: id.0 as u32,
                terms: edge.terms.clone(),
                station: edge.station.0.0 as u32,
                station_layout: plan.stations[edge.station.0.0],
                station_edge: edge.station.1 as u32,
            }
        });
        PortSetup {
            port: at as u32,
            layout: planned.layout.clone(),
            start: start(at),
            moves: planned.moves,
            edges: edges.collect(),
        }
    }))
}

/// The edges that have one end in `backend`, each with the backend at the other end.
fn neighbours(plan: &Plan<'_>, backend: BackendId) -> Vec<(u32, BackendId)> {
    let ends = plan.edges.iter().enumerate().filter_map(|(at, edge)| {
        let (from, to) = (plan.ports[edge.port.0].backend, edge.station.0);
        match (from == backend, to == backend) {
            (true, false) => Some((at as u32, to)),
            (false, true) => Some((at as u32, from)),
            _ => None,
        }
    });
    ends.collect()
}

/// Whether there is room for what the runtime opens: it panics where a part of it cannot be had.
fn check_descriptors() -> std::io::Result<()> {
    let open = |_| rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC);
    let spare: Result<Vec<_>, _> = (0..DESCRIPTORS_OF_RUNTIME).map(open).collect();
    Ok(spare.map(drop)?)
}

/// A run needs a few descriptors for each backend, and the limit is often lower than what it may be raised to.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where that is refused the limit stays, and a start that needs more says so.
    let _ = setrlimit(Resource::Nofile, limit);
}

fn start_error(what: &str, cause: &dyn std::fmt::Display) -> StartError {
    StartError { what: what.to_owned(), cause: cause.to_string() }
}
