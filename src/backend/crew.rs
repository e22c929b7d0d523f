//! The threads of a backend's nodes, from `start` to how each one ended.

use super::inputs::InputSet;
use crate::channel::{Interrupt, Level, set_current_node};
use crate::control::{FrameSender, FromBackend, Verdict};
use crate::node::{Context, Flow, Inputs, Instance, Node, Outputs, Result, Signals, Source, Stopped, Transmit, Wake};
use rustix::event::{EventfdFlags, eventfd};
use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

/// What the nodes of a backend share.
pub struct Crew {
    control: Arc<FrameSender>,
    interrupt: Arc<Interrupt>,
    /// Nodes that have not started.
    starting: AtomicUsize,
    /// Nodes that have not ended.
    running: AtomicUsize,
    gate: Mutex<bool>,
    gate_opened: Condvar,
    departures: Arc<Departures>,
    /// Whether a node that ends by itself leaves none of its edges.
    restarts_always: bool,
}

/// A node that is about to get its thread.
pub struct Job {
    pub id: u32,
    pub name: String,
    /// The directory of the file that it is written in.
    pub dir: PathBuf,
    /// Standard input and output, where the node's type uses them.
    pub streams: [Option<OwnedFd>; 2],
    pub inputs: InputSet,
    pub outputs: Vec<Box<dyn Transmit>>,
    pub crew: Arc<Crew>,
}

impl Crew {
    pub fn new(
        nodes: usize,
        control: Arc<FrameSender>,
        interrupt: Arc<Interrupt>,
        restarts_always: bool,
    ) -> std::io::Result<Self> {
        Ok(Crew {
            departures: Arc::new(Departures::new()?),
            control,
            interrupt,
            starting: AtomicUsize::new(nodes),
            running: AtomicUsize::new(nodes),
            gate: Mutex::new(false),
            gate_opened: Condvar::new(),
            restarts_always,
        })
    }

    /// A node has ended, here or elsewhere: those that wait see whether anybody still reads what they send.
    pub fn look(&self) {
        self.departures.announce();
    }

    /// Every backend is attached: lets the nodes begin.
    pub fn open_gate(&self) {
        *self.gate.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.gate_opened.notify_all();
    }

    /// Whether every node has ended.
    pub fn has_ended(&self) -> bool {
        self.running.load(Ordering::Acquire) == 0
    }

    fn wait_at_gate(&self) {
        let mut open = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        while !*open {
            open = self.gate_opened.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A node has started; the last one says that the backend is ready.
    fn started(&self) {
        if self.starting.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.tell(&FromBackend::Ready);
        }
    }

    /// What it means that a node has ended well. `is_over`: nothing more can come to it, or nobody reads what it sends.
    fn verdict(&self, flow: Flow, is_over: bool) -> Verdict {
        let stops = self.interrupt.level() >= Level::Stop;
        match flow {
            Flow::NormalTermination => Verdict::NormalTermination,
            _ if self.restarts_always && !stops && !is_over => Verdict::Returned,
            _ => Verdict::Done,
        }
    }

    /// How a node ended. Told before what it sends is known to have ended: of several failures the cause comes first.
    fn tell_verdict(&self, node: u32, mut verdict: Verdict) {
        if let Verdict::Failed { cause } = &mut verdict {
            super::logs::cut(cause);
        }
        self.tell(&FromBackend::Ended { node, verdict });
    }

    /// A node is gone, with all its edges; the last one ends the main thread's listening.
    fn ended(&self) {
        self.look();
        if self.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Where that fails the runner has closed it already.
            let _ = rustix::net::shutdown(self.control.socket(), rustix::net::Shutdown::Read);
        }
    }

    fn tell(&self, frame: &FromBackend) {
        // A runner that cannot be told is dead, and the kernel is about to end this process for that.
        let _ = self.control.send(frame, &[]);
    }
}

impl Job {
    /// Starts the thread, which makes the node first. One that cannot be made is a node that failed in its start.
    pub fn spawn(self, make: impl FnOnce() -> Result<Instance> + Send + 'static) -> std::io::Result<()> {
        // A thread's name is for the debugger; the kernel keeps 15 bytes of it, and it must not hold a NUL.
        let name = self.name.replace('\0', "");
        std::thread::Builder::new().name(name).spawn(move || self.work(make)).map(|_| ())
    }

    fn work(self, make: impl FnOnce() -> Result<Instance>) {
        let Job { id, name, dir, streams, inputs, outputs, crew } = self;
        set_current_node(id);
        let signals = NodeSignals {
            interrupt: Arc::clone(&crew.interrupt),
            is_source: inputs.is_empty(),
            departures: Arc::clone(&crew.departures),
            end_inputs: inputs.end_switch(),
        };
        let leaves = inputs.leave_switch();
        let mut edges = Edges { leaves, inputs: Some(inputs), outputs: Outputs::new(outputs, Arc::new(signals)) };
        let mut context = Context::new(&name, &dir);
        let [stdin, stdout] = streams;
        context = context.with_streams(stdin, stdout);
        let verdict = caught(|| live(make, &mut context, &mut edges, &crew));
        if matches!(verdict, Verdict::Done | Verdict::NormalTermination) {
            edges.leaves.store(true, Ordering::Release);
        }
        // Its producers see that it has left before the runner has them look.
        drop(edges.inputs);
        crew.tell_verdict(id, verdict);
        if edges.leaves.load(Ordering::Acquire) {
            drop(edges.outputs);
        } else {
            // Nobody is to see them end; they go with the process.
            std::mem::forget(edges.outputs);
        }
        crew.ended();
    }
}

/// The ends of edges that are a node's.
struct Edges {
    /// None once a program has taken them.
    inputs: Option<InputSet>,
    outputs: Outputs,
    /// Whether they are left at the end; so is every edge of a node that ends well.
    leaves: Arc<AtomicBool>,
}

/// The life of a node: start, the gate, its messages, stop.
fn live(
    make: impl FnOnce() -> Result<Instance>,
    context: &mut Context,
    edges: &mut Edges,
    crew: &Crew,
) -> Result<Verdict> {
    let Edges { inputs, outputs, leaves } = edges;
    let mut instance = make()?;
    match &mut instance {
        Instance::Node(node) => node.start(context),
        Instance::Source(source) => source.start(context),
        Instance::Program(program) => program.start(context),
    }?;
    crew.started();
    crew.wait_at_gate();
    match instance {
        Instance::Node(mut node) => {
            let flow = match inputs {
                Some(inputs) => serve(node.as_mut(), inputs, outputs)?,
                None => Flow::Complete,
            };
            node.stop(outputs).or_else(unless_stopped)?;
            let is_over = outputs.lost_readers() || inputs.as_ref().is_none_or(InputSet::have_ended);
            Ok(crew.verdict(flow, is_over))
        }
        Instance::Source(mut source) => {
            let flow = produce(source.as_mut(), outputs)?;
            source.stop(outputs).or_else(unless_stopped)?;
            Ok(crew.verdict(flow, !outputs.has_readers()))
        }
        Instance::Program(mut program) => {
            let inputs = inputs.take().expect("the inputs are there until a program takes them");
            let is_source = inputs.is_empty();
            let mut inputs = Inputs::new(Box::new(inputs));
            let flow = program.run(&mut inputs, outputs).or_else(|e| unless_stopped(e).map(|()| Flow::Complete))?;
            inputs.done();
            let is_over =
                if is_source { !outputs.has_readers() } else { inputs.have_ended() || outputs.lost_readers() };
            let verdict = crew.verdict(flow, is_over);
            leaves.store(verdict != Verdict::Returned, Ordering::Release);
            Ok(verdict)
        }
    }
}

fn serve(node: &mut dyn Node, inputs: &InputSet, outputs: &mut Outputs) -> Result<Flow> {
    while let Some((input, message)) = inputs.next()? {
        outputs.inherit(message.header());
        match node.process(input, message, outputs) {
            Ok(Flow::Continue) => inputs.done(),
            Ok(flow) => {
                inputs.done();
                return Ok(flow);
            }
            Err(e) => return unless_stopped(e).map(|()| Flow::Complete),
        }
        if outputs.lost_readers() {
            return Ok(Flow::Complete);
        }
    }
    Ok(Flow::Complete)
}

fn produce(source: &mut dyn Source, outputs: &mut Outputs) -> Result<Flow> {
    while !outputs.stopping() && outputs.has_readers() {
        match source.produce(outputs) {
            Ok(Flow::Continue) => {}
            Ok(flow) => return Ok(flow),
            Err(e) => return unless_stopped(e).map(|()| Flow::Complete),
        }
    }
    Ok(Flow::Complete)
}

/// A node that ends because it was told to has not failed.
fn unless_stopped(error: anyhow::Error) -> Result<()> {
    if error.is::<Stopped>() { Ok(()) } else { Err(error) }
}

thread_local! {
    /// Whether this thread runs a node's life, whose panics are told in its verdict.
    static TELLS: Cell<bool> = const { Cell::new(false) };
    /// What the last panic of this thread said, and where.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a node's life and says how it ended. A panic is a failure like any other: told once, in one line.
fn caught(life: impl FnOnce() -> Result<Verdict>) -> Verdict {
    TELLS.set(true);
    match catch_unwind(AssertUnwindSafe(life)) {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(e)) => Verdict::Failed { cause: format!("{e:#}") },
        Err(_) => {
            let said = PANIC.take().unwrap_or_else(|| "for no reason that it gave".to_owned());
            Verdict::Failed { cause: format!("it panicked {said}") }
        }
    }
}

/// Keeps what a panic says for the report of the node, instead of printing it.
pub fn keep_panics() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !TELLS.get() {
            // A thread of a node's own, or one that has no node: standard error carries it to the runner.
            return print(info);
        }
        let at = info.location().map(|l| format!("at {}:{}: ", l.file(), l.line())).unwrap_or_default();
        let said = info.payload_as_str().unwrap_or("with something that is no text");
        PANIC.set(Some(format!("{at}{said}")));
    }));
}

/// Tells every thread that waits in this process that a node has ended, here or elsewhere.
struct Departures {
    /// How many there were, and what becomes readable with the next one, for as long as anybody holds it.
    state: Mutex<(u64, Arc<OwnedFd>)>,
}

thread_local! {
    /// How many departures this thread has been told of.
    static TOLD: Cell<u64> = const { Cell::new(0) };
}

impl Departures {
    fn new() -> std::io::Result<Self> {
        Ok(Departures { state: Mutex::new((0, Self::event()?)) })
    }

    fn event() -> std::io::Result<Arc<OwnedFd>> {
        Ok(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// What becomes readable with the next departure; nothing where this thread has not been told of the last one.
    fn next(&self) -> Option<Arc<OwnedFd>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (TOLD.replace(state.0) == state.0).then(|| Arc::clone(&state.1))
    }

    fn announce(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Where descriptors are used up nobody is told, and a source notices at its next message.
        let Ok(fresh) = Self::event() else { return };
        let happened = std::mem::replace(&mut state.1, fresh);
        state.0 += 1;
        // A fresh counter is never full.
        let _ = rustix::io::write(&*happened, &1u64.to_ne_bytes());
    }
}

/// How a node learns of the stop: a source at once, anything else only when the run is cut short.
struct NodeSignals {
    interrupt: Arc<Interrupt>,
    is_source: bool,
    departures: Arc<Departures>,
    end_inputs: Arc<AtomicBool>,
}

impl NodeSignals {
    fn level(&self) -> Level {
        if self.is_source { Level::Stop } else { Level::Cut }
    }
}

impl Signals for NodeSignals {
    fn stopping(&self) -> bool {
        self.interrupt.level() >= self.level()
    }

    fn wait(&self, until: Option<Instant>, readable: Option<BorrowedFd<'_>>) -> Result<Wake> {
        let Some(departure) = self.departures.next() else { return Ok(Wake::Look) };
        let watched: Vec<BorrowedFd<'_>> = [departure.as_fd()].into_iter().chain(readable).collect();
        let first = self.interrupt.poll(self.level(), &watched, until)?;
        Ok(match (self.stopping(), first) {
            (true, _) => Wake::Stopped,
            (false, Some(0)) => Wake::Look,
            (false, Some(_)) => Wake::Readable,
            (false, None) => Wake::Time,
        })
    }

    fn end_inputs(&self) {
        self.end_inputs.store(true, Ordering::Release);
        self.interrupt.nudge();
    }
}
