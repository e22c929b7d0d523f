//! The threads of a backend's nodes, from `start` to how each one ended.

use super::inputs::InputSet;
use crate::channel::{Interrupt, Level, set_current_node};
use crate::control::{FrameSender, FromBackend, Verdict};
use crate::node::{Context, Flow, Inputs, Instance, Node, Outputs, Result, Signals, Source, Stopped, Transmit, Wake};
use std::cell::RefCell;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

/// What the nodes of a backend share.
pub struct Crew {
    control: Arc<FrameSender>,
    interrupt: Arc<Interrupt>,
    graph_dir: PathBuf,
    /// Nodes that have not started.
    starting: AtomicUsize,
    /// Nodes that have not ended.
    running: AtomicUsize,
    gate: Mutex<bool>,
    gate_opened: Condvar,
}

/// A node that is about to get its thread.
pub struct Job {
    pub id: u32,
    pub name: String,
    /// Standard input and output, where the node's type uses them.
    pub streams: [Option<OwnedFd>; 2],
    pub inputs: InputSet,
    pub outputs: Vec<Box<dyn Transmit>>,
    pub crew: Arc<Crew>,
}

impl Crew {
    pub fn new(nodes: usize, control: Arc<FrameSender>, interrupt: Arc<Interrupt>, graph_dir: &str) -> Self {
        Crew {
            control,
            interrupt,
            graph_dir: PathBuf::from(graph_dir),
            starting: AtomicUsize::new(nodes),
            running: AtomicUsize::new(nodes),
            gate: Mutex::new(false),
            gate_opened: Condvar::new(),
        }
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

    /// A node has ended; the last one ends the main thread's listening.
    fn ended(&self, node: u32, verdict: Verdict) {
        self.tell(&FromBackend::Ended { node, verdict });
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
    /// Starts the thread. An instance that could not be made is a node that failed in its start.
    pub fn spawn(self, instance: Result<Instance, String>) -> std::io::Result<()> {
        // A thread's name is for the debugger; the kernel keeps 15 bytes of it, and it must not hold a NUL.
        let name = self.name.replace('\0', "");
        std::thread::Builder::new().name(name).spawn(move || self.work(instance)).map(|_| ())
    }

    fn work(self, instance: Result<Instance, String>) {
        let Job { id, name, streams, inputs, outputs, crew } = self;
        set_current_node(id);
        super::logs::set_current_node(id);
        let signals = NodeSignals {
            interrupt: Arc::clone(&crew.interrupt),
            is_source: inputs.is_empty(),
            end_inputs: inputs.end_switch(),
        };
        let outputs = Outputs::new(outputs, Arc::new(signals));
        let mut context = Context::new(&name, &crew.graph_dir);
        let [stdin, stdout] = streams;
        context = context.with_streams(stdin, stdout);
        let verdict = caught(|| live(instance, &mut context, (inputs, outputs), &crew));
        crew.ended(id, verdict);
    }
}

/// The life of a node: start, the gate, its messages, stop. Its edges are let go on the way out, whatever way that is.
fn live(instance: Result<Instance, String>, context: &mut Context, edges: Edges, crew: &Crew) -> Result<Flow> {
    let (inputs, mut outputs) = edges;
    let inputs = LeaveOnDrop(inputs);
    let mut instance = instance.map_err(anyhow::Error::msg)?;
    match &mut instance {
        Instance::Node(node) => node.start(context),
        Instance::Source(source) => source.start(context),
        Instance::Program(program) => program.start(context),
    }?;
    crew.started();
    crew.wait_at_gate();
    match instance {
        Instance::Node(mut node) => {
            let flow = serve(node.as_mut(), &inputs.0, &mut outputs)?;
            node.stop(&mut outputs).or_else(unless_stopped)?;
            Ok(flow)
        }
        Instance::Source(mut source) => {
            let flow = produce(source.as_mut(), &mut outputs)?;
            source.stop(&mut outputs).or_else(unless_stopped)?;
            Ok(flow)
        }
        Instance::Program(mut program) => {
            let mut inputs = Inputs::new(Box::new(inputs));
            let flow =
                program.run(&mut inputs, &mut outputs).or_else(|e| unless_stopped(e).map(|()| Flow::Complete))?;
            inputs.done();
            Ok(flow)
        }
    }
}

type Edges = (InputSet, Outputs);

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

/// Leaves its edges when a node's life ends, by return or by panic.
struct LeaveOnDrop(InputSet);

impl Drop for LeaveOnDrop {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl crate::node::Receive for LeaveOnDrop {
    fn next(&mut self) -> Result<Option<(crate::node::InputId, crate::message::Received<'_>)>> {
        crate::node::Receive::next(&mut self.0)
    }

    fn recv(&self, input: crate::node::InputId) -> Result<Option<crate::message::Owned>> {
        self.0.recv(input)
    }

    fn recv_zero_copy(&self, input: crate::node::InputId) -> Result<Option<crate::message::View<'_>>> {
        self.0.recv_zero_copy(input)
    }

    fn done(&mut self) {
        self.0.done_with_all();
    }
}

thread_local! {
    /// What the last panic of this thread said, and where.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a node's life and says how it ended. A panic is a failure like any other: told once, in one line.
fn caught(life: impl FnOnce() -> Result<Flow>) -> Verdict {
    match catch_unwind(AssertUnwindSafe(life)) {
        Ok(Ok(Flow::NormalTermination)) => Verdict::NormalTermination,
        Ok(Ok(_)) => Verdict::Done,
        Ok(Err(e)) => Verdict::Failed { cause: format!("{e:#}") },
        Err(_) => {
            let said = PANIC.take().unwrap_or_else(|| "for no reason that it gave".to_owned());
            Verdict::Failed { cause: format!("it panicked {said}") }
        }
    }
}

/// Keeps what a panic says for the report of the node, instead of printing it.
pub fn keep_panics() {
    std::panic::set_hook(Box::new(|info| {
        let at = info.location().map(|l| format!("at {}:{}: ", l.file(), l.line())).unwrap_or_default();
        let said = info.payload_as_str().unwrap_or("with something that is no text");
        PANIC.set(Some(format!("{at}{said}")));
    }));
}

/// How a node learns of the stop: a source at once, anything else only when the run is cut short.
struct NodeSignals {
    interrupt: Arc<Interrupt>,
    is_source: bool,
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
        let readable = self.interrupt.poll(self.level(), readable, until)?;
        Ok(match (self.stopping(), readable) {
            (true, _) => Wake::Stopped,
            (false, true) => Wake::Readable,
            (false, false) => Wake::Time,
        })
    }

    fn end_inputs(&self) {
        self.end_inputs.store(true, Ordering::Release);
        self.interrupt.nudge();
    }
}
