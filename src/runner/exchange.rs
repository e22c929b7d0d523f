//! Hands every segment to those who need it, and keeps a look at its counters.

use super::lives::{self, Lives};
use crate::channel::{ChannelError, ConsumerCounts, Handle, PortStart, ProducerCounts, ReadOnly, adopt, unlink};
use crate::control::{SegmentOwner, ToBackend};
use crate::graph::{BackendId, EdgeId, NodeId};
use crate::plan::{MAX_SEGMENTS, Plan};
use std::collections::{BTreeSet, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// The segments of a run, as far as they have come.
pub struct Exchange {
    /// The front of each port's segment: its counters, not its slots.
    pub ports: Vec<Option<ReadOnly>>,
    /// Each backend's station.
    pub stations: Vec<Option<ReadOnly>>,
    /// What each edge has come to, but for the present segments.
    pub lives: Lives,
    /// How often each backend was started again.
    restarts: Vec<u32>,
    /// For each port and each station, of which of the backend's lives the present segment is.
    port_lives: Vec<u32>,
    station_lives: Vec<u32>,
    /// What a backend that is started again needs of the others; nothing where none is.
    kept: Option<Kept>,
    names: Vec<String>,
}

/// Handles of segments.
struct Kept {
    /// For each port its segments that somebody may still have to read, the oldest first.
    ports: Vec<VecDeque<PortSegment>>,
    stations: Vec<Option<Handle>>,
}

struct PortSegment {
    handle: Handle,
    anew: bool,
    /// For each edge of the port, the position that it begins with.
    begins: Vec<u64>,
}

/// A segment on its way to the backends that need it.
pub struct Introduction {
    pub to: BTreeSet<BackendId>,
    pub frame: ToBackend,
    /// The backend whose station takes the place of a dead one's, where it is that.
    pub station_anew: Option<BackendId>,
    /// One for all receivers, however long each of them keeps it waiting.
    descriptor: Option<Arc<OwnedFd>>,
}

impl Exchange {
    pub fn new(plan: &Plan<'_>) -> Self {
        let (ports, stations) = (plan.ports.len(), plan.stations.len());
        let restarts = plan.graph.backends().iter().any(|backend| backend.supervision.restart.restarts());
        let kept = restarts.then(|| Kept {
            ports: (0..ports).map(|_| VecDeque::new()).collect(),
            stations: (0..stations).map(|_| None).collect(),
        });
        Exchange {
            ports: (0..ports).map(|_| None).collect(),
            stations: (0..stations).map(|_| None).collect(),
            lives: Lives::new(plan),
            restarts: vec![0; stations],
            port_lives: vec![0; ports],
            station_lives: vec![0; stations],
            kept,
            names: Vec::new(),
        }
    }

    /// A backend is about to be started again: what comes from it now takes the place of what came before.
    pub fn begin_life(&mut self, backend: BackendId) {
        self.restarts[backend.0] += 1;
    }

    /// A segment has come from `from`.
    pub fn arrive(
        &mut self,
        plan: &Plan<'_>,
        from: BackendId,
        owner: SegmentOwner,
        handle: Handle,
    ) -> Result<Introduction, ChannelError> {
        let handle = match handle {
            // It is needed for longer than the process lives that made it.
            Handle::Named(name) if self.kept.is_some() => Handle::Named(adopt(&name).map_err(|e| cannot_share(&e))?),
            handle => handle,
        };
        let (to, anew) = match owner {
            SegmentOwner::Port(port) => self.keep_port(plan, from, port as usize, &handle)?,
            SegmentOwner::Station(station) => self.keep_station(plan, from, station as usize, &handle)?,
        };
        self.names.extend(name_of(&handle));
        let station_anew = (anew && matches!(owner, SegmentOwner::Station(_))).then_some(from);
        Ok(Introduction { to, frame: frame(owner, &handle, anew), station_anew, descriptor: descriptor(handle) })
    }

    fn keep_port(
        &mut self,
        plan: &Plan<'_>,
        from: BackendId,
        port: usize,
        handle: &Handle,
    ) -> Result<(BTreeSet<BackendId>, bool), ChannelError> {
        let planned = plan.ports.get(port).filter(|planned| planned.backend == from).ok_or_else(not_its_own)?;
        let segment = ReadOnly::map(handle, planned.layout.slots_offset())?;
        let life = self.restarts[from.0];
        let anew = std::mem::replace(&mut self.port_lives[port], life) != life;
        if anew {
            self.lives.end_of_producer(plan, port, &self.ports, &self.stations);
        }
        self.lives.one_more_segment(port);
        self.prune(plan, port);
        if let Some(kept) = &mut self.kept {
            let begins = Lives::published(planned, &segment);
            kept.ports[port].push_back(PortSegment { handle: copy(handle)?, anew, begins });
        }
        self.ports[port] = Some(segment);
        let consumers = planned.edges.iter().map(|&edge| plan.edge(edge).station.0);
        Ok((consumers.filter(|&backend| backend != from).collect(), anew))
    }

    fn keep_station(
        &mut self,
        plan: &Plan<'_>,
        from: BackendId,
        station: usize,
        handle: &Handle,
    ) -> Result<(BTreeSet<BackendId>, bool), ChannelError> {
        let layout = plan.stations.get(station).filter(|_| station == from.0).ok_or_else(not_its_own)?;
        let segment = ReadOnly::map(handle, layout.bytes())?;
        let life = self.restarts[from.0];
        let anew = std::mem::replace(&mut self.station_lives[station], life) != life;
        if anew {
            self.lives.end_of_consumer(plan, from, &self.ports, &self.stations);
        }
        if let Some(kept) = &mut self.kept
            && let Some(replaced) = kept.stations[station].replace(copy(handle)?)
        {
            forget(&mut self.names, &replaced);
        }
        self.stations[station] = Some(segment);
        let producers = plan.edges_into(from).map(|edge| plan.ports[plan.edge(edge).port.0].backend);
        Ok((producers.filter(|&backend| backend != from).collect(), anew))
    }

    /// Lets go of a port's segments that every reader has read to the end.
    fn prune(&mut self, plan: &Plan<'_>, port: usize) {
        let Some(kept) = &mut self.kept else { return };
        let segments = &mut kept.ports[port];
        let is_read = |next: &PortSegment| next.unread(plan, port, &self.lives, &self.stations).is_none();
        while segments.get(1).is_some_and(is_read) {
            segments.pop_front().iter().for_each(|read| forget(&mut self.names, &read.handle));
        }
    }

    /// An edge whose consumer has to take some of what former lives of `backend` have sent before it is started once more: so
    /// no edge that blocks ever holds more than two queues, and no output more than so many segments.
    pub fn crowded_edge(&mut self, plan: &Plan<'_>, backend: BackendId) -> Option<EdgeId> {
        let mut ports = (0..plan.ports.len()).filter(|&port| plan.ports[port].backend == backend);
        ports.find_map(|port| {
            self.prune(plan, port);
            let segments = self.kept.as_ref().map(|kept| &kept.ports[port])?;
            if let Some(next) = segments.get(1).filter(|_| segments.len() >= MAX_SEGMENTS) {
                return next.unread(plan, port, &self.lives, &self.stations);
            }
            let edges = plan.ports[port].edges.iter().copied();
            let mut outside = edges.filter(|&edge| plan.edge(edge).station.0 != backend);
            outside.find(|&edge| self.lives.is_overfull(plan, edge, &self.ports, &self.stations))
        })
    }

    /// What the present producer of an edge says of it.
    pub fn producer(&self, plan: &Plan<'_>, edge: EdgeId) -> ProducerCounts {
        lives::producer(plan, edge, &self.ports)
    }

    /// What the present consumer of an edge says of it.
    pub fn consumer(&self, plan: &Plan<'_>, edge: EdgeId) -> ConsumerCounts {
        lives::consumer(plan, edge, &self.stations)
    }

    /// For each edge of a backend's station, the word that says what was taken.
    pub fn begun(&self, plan: &Plan<'_>, backend: BackendId) -> Vec<u64> {
        self.lives.begun(plan, backend, &self.ports, &self.stations)
    }

    /// Where a port goes on whose producer has died.
    pub fn port_start(&self, plan: &Plan<'_>, port: usize) -> PortStart {
        self.lives.port_start(plan, port, &self.ports)
    }

    /// The segments of others that a backend which is started again needs for `nodes`, in the order in which it needs
    /// them.
    pub fn segments_for(
        &mut self,
        plan: &Plan<'_>,
        backend: BackendId,
        nodes: &[NodeId],
    ) -> Result<Vec<Introduction>, ChannelError> {
        let edges_out = nodes.iter().flat_map(|&node| plan.graph.edges_from(node));
        let stations: BTreeSet<BackendId> = edges_out.map(|edge| plan.edge(edge).station.0).collect();
        let edges_in = nodes.iter().flat_map(|&node| plan.graph.edges_into(node));
        let ports: BTreeSet<usize> = edges_in.map(|edge| plan.edge(edge).port.0).collect();
        // Its own ports it makes itself, but for those of nodes that have ended.
        let ports: Vec<usize> =
            ports.into_iter().filter(|&port| !nodes.contains(&plan.ports[port].port.node)).collect();
        ports.iter().for_each(|&port| self.prune(plan, port));
        let Some(kept) = &self.kept else { return Ok(Vec::new()) };
        let mut needed = Vec::new();
        for station in stations.into_iter().filter(|&station| station != backend) {
            if let Some(handle) = &kept.stations[station.0] {
                needed.push(introduction(backend, SegmentOwner::Station(station.0 as u32), handle, false)?);
            }
        }
        for port in ports {
            for segment in &kept.ports[port] {
                needed.push(introduction(backend, SegmentOwner::Port(port as u32), &segment.handle, segment.anew)?);
            }
        }
        Ok(needed)
    }

    /// Everybody has mapped what they need: nothing has to have a name any more, and nothing can be left behind. Where a
    /// backend may be started again, it will need the names to the end.
    pub fn attached(&mut self) {
        if self.kept.is_none() {
            self.forget_names();
        }
    }

    fn forget_names(&mut self) {
        for name in self.names.drain(..) {
            unlink(&name);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.forget_names();
    }
}

impl PortSegment {
    /// An edge of `port` whose consumer has not read everything that was sent before this segment. Where the consumer is in
    /// the same process, it died with the producer, and so did what was on its way.
    fn unread(&self, plan: &Plan<'_>, port: usize, lives: &Lives, stations: &[Option<ReadOnly>]) -> Option<EdgeId> {
        let producer = plan.ports[port].backend;
        let edges = plan.ports[port].edges.iter().copied().zip(&self.begins);
        let mut outside = edges.filter(|&(edge, _)| plan.edge(edge).station.0 != producer);
        outside.find(|&(edge, &begin)| !lives.has_read(plan, edge, begin, stations)).map(|(edge, _)| edge)
    }
}

impl Introduction {
    /// The descriptors that travel with the frame.
    pub fn descriptors(&self) -> Vec<Arc<OwnedFd>> {
        self.descriptor.iter().cloned().collect()
    }
}

fn introduction(to: BackendId, owner: SegmentOwner, handle: &Handle, anew: bool) -> Result<Introduction, ChannelError> {
    let (to, frame) = (BTreeSet::from([to]), frame(owner, handle, anew));
    Ok(Introduction { to, frame, station_anew: None, descriptor: descriptor(copy(handle)?) })
}

fn frame(owner: SegmentOwner, handle: &Handle, anew: bool) -> ToBackend {
    ToBackend::Segment { owner, name: name_of(handle), anew }
}

fn name_of(handle: &Handle) -> Option<String> {
    match handle {
        Handle::Named(name) => Some(name.clone()),
        Handle::Sealed(_) => None,
    }
}

/// Another segment has taken the place of this one: whoever has not mapped it by now does without.
fn forget(names: &mut Vec<String>, handle: &Handle) {
    if let Some(name) = name_of(handle) {
        unlink(&name);
        names.retain(|other| *other != name);
    }
}

fn descriptor(handle: Handle) -> Option<Arc<OwnedFd>> {
    match handle {
        Handle::Sealed(fd) => Some(Arc::new(fd)),
        Handle::Named(_) => None,
    }
}

fn copy(handle: &Handle) -> Result<Handle, ChannelError> {
    match handle {
        Handle::Named(name) => Ok(Handle::Named(name.clone())),
        Handle::Sealed(fd) => fd.try_clone().map(Handle::Sealed).map_err(|e| cannot_share(&e)),
    }
}

fn cannot_share(cause: &std::io::Error) -> ChannelError {
    ChannelError::Memory { action: "share", bytes: 0, cause: cause.to_string() }
}

fn not_its_own() -> ChannelError {
    ChannelError::Corrupt {
        edge: "control".to_owned(),
        what: "a backend sent a segment that is not its own".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{Interrupt, LocalSender, SegmentKind, Station, Waiter};
    use crate::graph::{LoadOptions, Saved, SourceFile, Wait, load};
    use crate::node::{Flow, Inputs, NoSettings, NodeType, Outputs, PortType, Program, Registry, Result as NodeResult};
    use std::path::Path;

    /// A node that is only planned.
    struct Idle;

    impl Program for Idle {
        fn run(&mut self, _: &mut Inputs, _: &mut Outputs) -> NodeResult<Flow> {
            Ok(Flow::Complete)
        }
    }

    fn registry() -> Registry {
        let source =
            NodeType::source("source", "Sends.").output("out", PortType::Any).program(|_: NoSettings| Ok(Idle));
        let sink = NodeType::sink("sink", "Takes.").input("in", PortType::Any).program(|_: NoSettings| Ok(Idle));
        Registry::new().with(source).with(sink)
    }

    const BOTH_IN_ONE: &str = "ezrun: 1
nodes: { a: { use: source }, b: { use: sink } }
edges: [{ from: a, to: b }]
backends: { both: { nodes: [a, b], restart: on_failure } }
";

    #[test]
    fn a_process_that_dies_again_and_again_before_it_has_told_of_its_station_waits_for_no_reader_within() {
        let registry = registry();
        let file = SourceFile::from_text("graph.yaml", Path::new("/"), BOTH_IN_ONE);
        let graph = load(&file, &LoadOptions::run(&registry, &[]), &Saved).graph.unwrap();
        let plan = crate::plan::plan(&graph, SegmentKind::Sealed);
        let both = BackendId(0);
        let port_handle = |start: &PortStart| {
            let waiter = Waiter::new(Arc::new(Interrupt::new().unwrap()), Wait::Block);
            let layout = &plan.ports[0].layout;
            let mut sender = LocalSender::create(plan.segments, "a", layout, waiter).unwrap();
            sender.resume(layout, start);
            sender.handle().unwrap()
        };
        let mut exchange = Exchange::new(&plan);
        // Five messages that it never took are in the queue when it dies first.
        let five = PortStart { positions: vec![5], ..PortStart::default() };
        exchange.arrive(&plan, both, SegmentOwner::Port(0), port_handle(&five)).unwrap();
        let station = Station::create(plan.segments, "both", plan.stations[0]).unwrap();
        exchange.arrive(&plan, both, SegmentOwner::Station(0), station.handle().unwrap()).unwrap();
        for _ in 0..2 * MAX_SEGMENTS {
            assert_eq!(exchange.crowded_edge(&plan, both), None);
            exchange.begin_life(both);
            let start = exchange.port_start(&plan, 0);
            exchange.arrive(&plan, both, SegmentOwner::Port(0), port_handle(&start)).unwrap();
        }
    }
}
