//! The loop: one event after the other, each handed to the state, whose commands are carried out.

use super::child::Backend;
use super::event::{Event, Exit};
use super::exchange::{Exchange, Introduction};
use super::setup::{Introduced, introduce, program, start};
use super::state::{Command, State};
use super::system::{check_descriptors, forward_signals, raise_descriptor_limit};
use super::watchdog::{Found, Watchdog};
use super::{NodeSummary, Observer, Progress, Summary, ledger};
use crate::channel::{SegmentKind, sweep};
use crate::control::{FromBackend, LogLevel, SegmentOwner, ToBackend, handle_of};
use crate::graph::{BackendId, NodeId};
use crate::node::counted;
use crate::plan::Plan;
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Events that may wait; a backend that says more is held back.
const EVENTS: usize = 1024;
/// From one look to the next whether a process that is away may be started again.
const CROWDED_FOR: Duration = Duration::from_millis(50);

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// ezrun's own executable, which runs the backends that need no pack.
    pub program: PathBuf,
    /// End the run after this time.
    pub stop_after: Option<Duration>,
    /// How long queues may drain once the run is ending.
    pub grace: Duration,
    /// How long a node may take nothing from a full edge that blocks before the user is told; nothing where never.
    pub stall_warning: Option<Duration>,
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
        Ok(swept) => {
            let swept = counted(swept, "named segment");
            observer.note(LogLevel::Info, &format!("removed {swept} that a dead run had left"));
        }
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
    watchdog: Watchdog,
    /// Backends that are away until others have read what they sent.
    crowded: BTreeSet<BackendId>,
    /// When to look next, while messages flow.
    look_at: Option<tokio::time::Instant>,
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
            let start = Introduced::first(&graph[BackendId(at)].nodes);
            introduce(plan, options, BackendId(at), backend, start)
                .map_err(|e| start_error("cannot set up a backend", &e))?;
        }
        let names = graph.backends().iter().map(|backend| (backend.name.clone(), backend.supervision)).collect();
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
            crowded: BTreeSet::new(),
            watchdog: Watchdog::new(plan, options.stall_warning),
            look_at: None,
            began,
        })
    }

    async fn run(mut self) -> Result<Summary, StartError> {
        let mut tick = tokio::time::interval(self.observer.progress_every());
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // The first tick comes at once, before there is anything to show.
        tick.tick().await;
        for command in self.state.begin() {
            self.carry_out(command);
        }
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
                () = sleep_until(self.look_at) => {
                    self.look_at = self.next_look();
                    Event::Look
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
        if let Event::PauseOver(backend) = event
            && self.waits_for_readers(backend)
        {
            return;
        }
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
            Event::Look => self.look(),
            Event::Frame(..)
            | Event::Exited(..)
            | Event::StartOverdue(..)
            | Event::Hung(..)
            | Event::PauseOver(_)
            | Event::Interrupt(_)
            | Event::TimeIsUp
            | Event::Deadline => {}
        }
    }

    /// Whether a process that is away has to wait until what it sent has been read.
    fn waits_for_readers(&mut self, backend: BackendId) -> bool {
        let edge = self.exchange.crowded_edge(self.plan, backend).filter(|_| self.state.is_away(backend));
        let Some(edge) = edge else {
            self.crowded.remove(&backend);
            return false;
        };
        if self.crowded.insert(backend) {
            let (who, edge) = (self.state.speaker(backend), &self.plan.edge(edge).terms.name);
            let line =
                format!("`{who}` is started again once more of what it sent through the edge {edge} has been taken");
            self.observer.note(LogLevel::Warn, &line);
        }
        self.send_after(CROWDED_FOR, Event::PauseOver(backend));
        true
    }

    /// Looks whether a node holds up the run.
    fn look(&mut self) {
        for found in self.watchdog.look(self.plan, &self.exchange, &self.state) {
            match found {
                Found::Stalled(line) => self.observer.note(LogLevel::Warn, &line),
                Found::GoesOn(line) => self.observer.note(LogLevel::Info, &line),
                Found::Hung(node, cause) => self.on(Event::Hung(node, cause)),
            }
        }
    }

    fn next_look(&self) -> Option<tokio::time::Instant> {
        let every = self.watchdog.every().filter(|_| self.state.is_flowing())?;
        Some(tokio::time::Instant::now() + every)
    }

    fn pass_on(&mut self, from: BackendId, owner: SegmentOwner, name: Option<String>, fds: Vec<OwnedFd>) {
        let Some(handle) = handle_of(name, fds) else {
            return self.give_up(from, "it sent a segment without a descriptor");
        };
        let introduction = match self.exchange.arrive(self.plan, from, owner, handle) {
            Ok(introduction) => introduction,
            Err(e) => return self.give_up(from, &e.to_string()),
        };
        self.send_segment(&introduction);
    }

    fn send_segment(&mut self, introduction: &Introduction) {
        for &to in &introduction.to {
            self.tell(to, &introduction.frame, introduction.descriptors());
            if let Some(backend) = introduction.station_anew.filter(|_| self.state.is_up(to)) {
                self.state.awaits(backend, to);
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
        needed.iter().for_each(|introduction| self.send_segment(introduction));
        for (edge, neighbour) in plan.neighbours(id) {
            if self.state.is_gone(neighbour) {
                self.tell(id, &ToBackend::PeerDead { edge: edge.0 as u32 }, Vec::new());
            }
        }
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
                self.exchange.lives.bury(dead);
                for (edge, neighbour) in self.plan.neighbours(dead) {
                    self.tell(neighbour, &ToBackend::PeerDead { edge: edge.0 as u32 }, Vec::new());
                }
            }
            Command::MournNode(node) => {
                for (edge, other) in self.plan.edges_of(node) {
                    self.tell(other, &ToBackend::PeerDead { edge: edge.0 as u32 }, Vec::new());
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
            Command::LimitStart(backend, life, limit) => self.send_after(limit, Event::StartOverdue(backend, life)),
            Command::Pause(backend, pause) => self.send_after(pause, Event::PauseOver(backend)),
            Command::Start(backend) => self.start_again(backend),
            Command::Go(backend) => self.tell(backend, &ToBackend::Go, Vec::new()),
            Command::KillAll => self.backends.iter().for_each(Backend::kill),
            Command::Deadline(after) => self.deadline = Some(tokio::time::Instant::now() + after),
            Command::Warn(line) => self.observer.note(LogLevel::Warn, &line),
            Command::Attached => {
                self.exchange.attached();
                self.look_at = self.next_look();
                self.stop_at = self.stop_after.map(|after| tokio::time::Instant::now() + after);
            }
            Command::Note(line) => self.observer.note(LogLevel::Info, &line),
        }
    }

    fn send_after(&self, time: Duration, event: Event) {
        let events = self.events.clone();
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            // Nobody listens any more only where the run itself is over.
            let _ = events.send(event).await;
        });
    }

    fn tell(&mut self, to: BackendId, frame: &ToBackend, fds: Vec<Arc<OwnedFd>>) {
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

fn start_error(what: &str, cause: &dyn std::fmt::Display) -> StartError {
    StartError { what: what.to_owned(), cause: cause.to_string() }
}
