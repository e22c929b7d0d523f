//! The main thread of a backend: set up, attach, then listen to the runner until every node has ended.

use super::attach::{Attachment, NodeAndStreams, Segments, send_segment};
use super::crew::{self, Crew, Job};
use super::{guard, logs};
use crate::channel::{Interrupt, Level, ViewFault, install_fault_handler, keep_descriptors_from_children, processors};
use crate::control::{
    ControlError, FrameReader, FrameSender, FromBackend, NodeSetup, SegmentOwner, Setup, ToBackend, encode_to_slice,
    handle_of, send_part,
};
use crate::node::{Instance, Registry};
use anyhow::{Context as _, anyhow, bail};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

/// Runs this process as a backend of the runner `parent`, on the control socket that is its standard input.
pub fn serve(registry: Registry, parent: &str) -> ExitCode {
    if !guard::die_with(parent) || ignore_interrupts().is_err() {
        return ExitCode::FAILURE;
    }
    keep_descriptors_from_children();
    crew::keep_panics();
    let registry = Arc::new(registry);
    match Backend::begin(&registry) {
        Ok(backend) => backend.listen(),
        Err(refusal) => {
            refusal.tell();
            ExitCode::FAILURE
        }
    }
}

/// A Ctrl-C at the terminal, and a SIGTERM to a group or a service, reach every process of the run, and it is for the
/// runner to say what follows from them.
fn ignore_interrupts() -> std::io::Result<()> {
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(())
}

/// A backend whose nodes are starting or running.
struct Backend {
    control: Arc<FrameSender>,
    reader: FrameReader<ToBackend>,
    interrupt: Arc<Interrupt>,
    attachment: Attachment,
    crew: Arc<Crew>,
}

/// Why a backend could not begin, and whom to tell.
struct Refusal {
    control: Option<Arc<FrameSender>>,
    cause: String,
}

impl Backend {
    /// From the first frame to nodes that wait at the gate.
    fn begin(registry: &Arc<Registry>) -> Result<Self, Refusal> {
        let control = take_control_socket().map_err(|e| Refusal { control: None, cause: e.to_string() })?;
        let control = Arc::new(FrameSender::new(control));
        Self::begin_on(registry, &control).map_err(|e| Refusal { control: Some(control), cause: format!("{e:#}") })
    }

    fn begin_on(registry: &Arc<Registry>, control: &Arc<FrameSender>) -> anyhow::Result<Self> {
        let interrupt = Arc::new(Interrupt::new()?);
        let mut reader = FrameReader::default();
        let (setup, nodes) = read_setup(control, &mut reader)?;
        logs::install(control, setup.log_level);
        take_priority(&setup)?;
        gain_no_privileges(&nodes)?;
        report_faults_to(control);

        let mut segments = Segments::create(&setup, &nodes, &interrupt)?;
        for (owner, handle) in segments.own_handles()? {
            send_segment(control, owner, &handle)?;
        }
        let early = attach_to_peers(control, &mut reader, &mut segments)?;
        let (attachment, wired) = segments.bind(&nodes, control)?;
        let crew = Crew::new(nodes.len(), Arc::clone(control), Arc::clone(&interrupt), setup.restarts_always)?;
        let crew = Arc::new(crew);
        for ((node, streams), (inputs, outputs)) in nodes.into_iter().zip(wired) {
            let (name, dir) = (node.name.clone(), PathBuf::from(&node.dir));
            let job = Job { id: node.id, name, dir, streams, inputs, outputs, crew: Arc::clone(&crew) };
            let registry = Arc::clone(registry);
            job.spawn(move || make(&registry, &node)).context("cannot start a thread")?;
        }
        let mut backend = Backend { control: Arc::clone(control), reader, interrupt, attachment, crew };
        for frame in early {
            backend.obey(frame, Vec::new())?;
        }
        Ok(backend)
    }

    /// Until every node has ended, or the runner is gone.
    fn listen(mut self) -> ExitCode {
        loop {
            match self.reader.next(self.control.socket()) {
                Ok((frame, fds)) => match self.obey(frame, fds) {
                    Ok(()) => {}
                    Err(cause) => return self.refuse(format!("{cause:#}")),
                },
                // The last node to end closes the socket for reading: that is how this loop ends well.
                Err(_) if self.crew.has_ended() => return ExitCode::SUCCESS,
                Err(ControlError::Closed) => return ExitCode::FAILURE,
                Err(e) => return self.refuse(e.to_string()),
            }
        }
    }

    fn refuse(self, cause: String) -> ExitCode {
        Refusal { control: Some(self.control), cause }.tell();
        ExitCode::FAILURE
    }

    fn obey(&mut self, frame: ToBackend, fds: Vec<OwnedFd>) -> anyhow::Result<()> {
        match frame {
            ToBackend::Go => self.crew.open_gate(),
            ToBackend::PeerDead { edge } => {
                self.attachment.mark_dead(edge);
                self.interrupt.nudge();
            }
            ToBackend::Segment { owner, name, anew } => {
                let handle = handle_of(name, fds).context("a segment came without a descriptor")?;
                self.attachment.replace(owner, &handle, anew)?;
                self.interrupt.nudge();
                answer(&self.control, owner, anew)?;
            }
            ToBackend::Look => self.crew.look(),
            ToBackend::Stop => self.interrupt.raise(Level::Stop),
            ToBackend::Cut => {
                self.interrupt.raise(Level::Cut);
                self.crew.open_gate();
            }
            other => tracing::warn!("a control frame came at the wrong time: {other:?}"),
        }
        Ok(())
    }
}

impl Refusal {
    fn tell(&self) {
        let frame = FromBackend::Refused { cause: self.cause.clone() };
        // Where nobody listens, standard error is all that is left.
        if self.control.as_ref().is_none_or(|control| control.send(&frame, &[]).is_err()) {
            eprintln!("{}", self.cause);
        }
    }
}

/// The control socket is standard input: moved away, so that nothing reads it by mistake, and kept from children.
fn take_control_socket() -> std::io::Result<OwnedFd> {
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let null = std::fs::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(null)?;
    rustix::net::sockopt::socket_type(&socket)
        .map_err(|_| std::io::Error::other("a backend is started by ezrun, not by hand"))?;
    Ok(socket)
}

fn read_setup(
    control: &FrameSender,
    reader: &mut FrameReader<ToBackend>,
) -> Result<(Setup, Vec<NodeAndStreams>), ControlError> {
    let (ToBackend::Setup(setup), _) = reader.next(control.socket())? else {
        return Err(ControlError::Malformed("the first one is no setup".to_owned()));
    };
    let mut nodes = Vec::new();
    while nodes.len() < setup.nodes as usize {
        let (ToBackend::Node(node), fds) = reader.next(control.socket())? else {
            return Err(ControlError::Malformed("a node was to come".to_owned()));
        };
        let mut fds = fds.into_iter();
        let stdin = if node.streams.0 { fds.next() } else { None };
        let stdout = if node.streams.1 { fds.next() } else { None };
        nodes.push((node, [stdin, stdout]));
    }
    Ok((setup, nodes))
}

/// Maps the segments of the other backends as they come, until none is missing. Returns what else was said meanwhile: in a
/// run that has begun there may be such.
fn attach_to_peers(
    control: &FrameSender,
    reader: &mut FrameReader<ToBackend>,
    segments: &mut Segments,
) -> anyhow::Result<Vec<ToBackend>> {
    let mut early = Vec::new();
    while !segments.is_complete() {
        match reader.next(control.socket())? {
            (ToBackend::Segment { owner, name, anew }, fds) => {
                let handle = handle_of(name, fds).context("a segment came without a descriptor")?;
                segments.add(owner, handle, anew)?;
                answer(control, owner, anew)?;
            }
            (ToBackend::Setup(_) | ToBackend::Node(_) | ToBackend::Go, _) => {
                bail!("a control frame came before every segment had");
            }
            (other, _) => early.push(other),
        }
    }
    Ok(early)
}

/// Tells the runner that the station of a backend that was started again is mapped. One that still waits to be wired counts
/// too: nothing is sent before it is.
fn answer(control: &FrameSender, owner: SegmentOwner, anew: bool) -> Result<(), ControlError> {
    match owner {
        SegmentOwner::Station(station) if anew => control.send(&FromBackend::Mapped { station }, &[]),
        _ => Ok(()),
    }
}

fn make(registry: &Registry, node: &NodeSetup) -> anyhow::Result<Instance> {
    let name = &node.node_type;
    let built_in;
    let node_type = match registry.get(name) {
        Some(of_the_pack) => of_the_pack,
        None => {
            built_in = crate::nodes::node_type(name).with_context(|| {
                let program = std::env::current_exe().unwrap_or_default();
                format!("{} has no node type `{name}`", program.display())
            })?;
            &built_in
        }
    };
    let settings = serde_json::from_str(&node.settings).context("its settings are no JSON")?;
    node_type.make(settings).map_err(|e| match &e.setting {
        Some(setting) => anyhow!("setting `{setting}`: {e}"),
        None => anyhow!("{e}"),
    })
}

fn take_priority(setup: &Setup) -> anyhow::Result<()> {
    let cpus = processors();
    if let Some(cpu) = setup.cpu {
        let mut set = rustix::thread::CpuSet::new();
        set.set(cpu as usize);
        rustix::thread::sched_setaffinity(None, &set).with_context(|| {
            format!("cannot bind to cpu {cpu} (there are {cpus} for this process; they count from 0)")
        })?;
    }
    if let Some(priority) = setup.priority {
        rustix::process::setpriority_process(None, priority)
            .with_context(|| format!("cannot take priority {priority} (below 0 takes a privilege)"))?;
    }
    Ok(())
}

/// Has the kernel see to it that nothing which this process starts gains privileges. The program of a `command` may be
/// one that is meant to, such as `sudo`: a backend with such a node goes without.
fn gain_no_privileges(nodes: &[NodeAndStreams]) -> anyhow::Result<()> {
    if nodes.iter().all(|(node, _)| node.node_type != crate::nodes::COMMAND) {
        rustix::thread::set_no_new_privs(true).context("cannot give up gaining privileges")?;
    }
    Ok(())
}

/// Where the handler of a fault, which can be handed nothing, finds the runner.
static FAULT_CONTROL: OnceLock<Arc<FrameSender>> = OnceLock::new();

fn report_faults_to(control: &Arc<FrameSender>) {
    // Set once: a process is the backend of one run.
    let _ = FAULT_CONTROL.set(Arc::clone(control));
    install_fault_handler(report_fault);
}

/// Runs in a signal handler: encodes on the stack and sends with one system call, past the lock of the sender. A frame
/// this short goes as a whole or not at all.
fn report_fault(fault: &ViewFault) {
    let &ViewFault { node, edge, sequence, offset } = fault;
    let mut bytes = [0; 128];
    let frame = FromBackend::ViewFault { node, edge, sequence, offset };
    if let (Ok(len), Some(control)) = (encode_to_slice(&frame, &mut bytes), FAULT_CONTROL.get()) {
        let _ = send_part(control.socket(), &bytes[..len], &[]);
    }
}
