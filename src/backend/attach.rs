//! A backend's segments and those of its peers, and how its nodes are wired to them.

use super::inputs::{BoundEdge, InputSet};
use super::outputs;
use crate::channel::{
    AtomicBool, ChannelError, Consumer, Handle, Inbox, Interrupt, LocalQueue, LocalSender, Mapped, Origin, PortLayout,
    ReadOnly, Receiver, Sender, Station, StationLayout, Waiter, Wiring, is_gone,
};
use crate::control::{
    ControlError, FrameSender, FromBackend, InputSetup, NodeSetup, OutEdgeSetup, PortSetup, SegmentOwner, Setup,
    handle_parts,
};
use crate::graph::Delivery;
use crate::node::Transmit;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Every segment that the nodes of a backend touch: its own, and those of its peers as they come.
pub struct Segments {
    backend: u32,
    interrupt: Arc<Interrupt>,
    station: Station,
    ports: BTreeMap<u32, OwnPort>,
    /// Every segment that is read here, own ones included, since the two ends of an edge may be in one backend.
    mapped: BTreeMap<SegmentOwner, Arc<ReadOnly>>,
    /// Those of the peers that have not come, with how much of them to map.
    missing: BTreeMap<SegmentOwner, usize>,
    /// Segments that are to be read after those of the same ports that came first.
    later: Vec<(SegmentOwner, Handle, bool)>,
    /// Whether a process may be started in the place of this one, which gets the edges of nodes that fail.
    may_restart: bool,
}

enum OwnPort {
    Slots(Box<Sender>),
    Moves(LocalSender),
}

/// What stays of the attachment once the nodes run.
pub struct Attachment {
    /// For each edge that leaves the process: set when the other end is dead.
    dead: BTreeMap<u32, Arc<AtomicBool>>,
    /// For each port that is read here.
    readers: BTreeMap<u32, Arc<Readers>>,
    /// For each backend that reads what is sent here, what it says of that.
    stations: BTreeMap<u32, Arc<ReadOnly>>,
}

/// Who in this process reads a port, and so has to learn of the segment that takes its segment's place.
struct Readers {
    /// How much of the segment they map.
    bytes: usize,
    inboxes: Mutex<Vec<Weak<Inbox>>>,
}

/// A node as it was told, with the streams that came with it.
pub type NodeAndStreams = (NodeSetup, [Option<OwnedFd>; 2]);

/// A node's ends of its edges.
pub type Wired = (InputSet, Vec<Box<dyn Transmit>>);

impl Segments {
    /// Makes the segments that this backend writes, and lists those that it reads.
    pub fn create(setup: &Setup, nodes: &[NodeAndStreams], interrupt: &Arc<Interrupt>) -> Result<Self, ChannelError> {
        let station = Station::create(setup.segments, &setup.name, setup.station)?;
        station.resume(&setup.begun);
        let mut segments = Segments {
            backend: setup.backend,
            interrupt: Arc::clone(interrupt),
            station,
            ports: BTreeMap::new(),
            mapped: BTreeMap::new(),
            missing: BTreeMap::new(),
            later: Vec::new(),
            may_restart: setup.may_restart,
        };
        for (node, _) in nodes {
            for port in node.outputs.iter().filter_map(|output| output.0.as_ref()) {
                segments.create_port(setup, node, port)?;
            }
        }
        let own_station = segments.station.handle()?;
        segments.map(SegmentOwner::Station(setup.backend), &own_station, setup.station.bytes())?;
        for (node, _) in nodes {
            segments.expect_peers(node);
        }
        Ok(segments)
    }

    fn create_port(&mut self, setup: &Setup, node: &NodeSetup, port: &PortSetup) -> Result<(), ChannelError> {
        let waiter = Waiter::new(Arc::clone(&self.interrupt), node.wait);
        let own = if port.moves {
            let mut sender = LocalSender::create(setup.segments, &node.name, &port.layout, waiter)?;
            sender.resume(&port.layout, &port.start);
            OwnPort::Moves(sender)
        } else {
            let mut sender = Sender::create(setup.segments, &node.name, port.layout.clone(), waiter)?;
            sender.resume(&port.start);
            OwnPort::Slots(Box::new(sender))
        };
        if port.edges.iter().any(|edge| edge.station == setup.backend) {
            self.map(SegmentOwner::Port(port.port), &own.handle()?, port.layout.bytes())?;
        }
        self.ports.insert(port.port, own);
        Ok(())
    }

    fn expect_peers(&mut self, node: &NodeSetup) {
        let ports = node.inputs.iter().map(|input| (SegmentOwner::Port(input.port), input.layout.bytes()));
        let edges = node.outputs.iter().filter_map(|output| output.0.as_ref()).flat_map(|port| &port.edges);
        let stations = edges.map(|edge| (SegmentOwner::Station(edge.station), edge.station_layout.bytes()));
        for (owner, bytes) in ports.chain(stations) {
            let own = match owner {
                SegmentOwner::Port(port) => self.ports.contains_key(&port),
                SegmentOwner::Station(station) => station == self.backend,
            };
            if !own {
                self.missing.insert(owner, bytes);
            }
        }
    }

    /// What the others, and the ledger, need of this backend's segments.
    pub fn own_handles(&self) -> Result<Vec<(SegmentOwner, Handle)>, ChannelError> {
        let ports = self.ports.iter().map(|(&port, own)| Ok((SegmentOwner::Port(port), own.handle()?)));
        let station = self.station.handle().map(|handle| (SegmentOwner::Station(self.backend), handle));
        ports.chain([station]).collect()
    }

    /// Whether every segment of the peers has come.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Maps a segment of a peer, or keeps it for when what it takes the place of is wired.
    pub fn add(&mut self, owner: SegmentOwner, handle: Handle, anew: bool) -> Result<(), ChannelError> {
        match self.missing.get(&owner).copied() {
            Some(bytes) => match self.map(owner, &handle, bytes) {
                // The one in its place is on its way.
                Err(_) if is_gone(&handle) => Ok(()),
                mapped => {
                    self.missing.remove(&owner);
                    mapped
                }
            },
            None => {
                self.later.push((owner, handle, anew));
                Ok(())
            }
        }
    }

    fn map(&mut self, owner: SegmentOwner, handle: &Handle, bytes: usize) -> Result<(), ChannelError> {
        self.mapped.insert(owner, Arc::new(ReadOnly::map(handle, bytes)?));
        Ok(())
    }

    /// Wires the nodes, in their order.
    pub fn bind(
        mut self,
        nodes: &[NodeAndStreams],
        control: &Arc<FrameSender>,
    ) -> Result<(Attachment, Vec<Wired>), ChannelError> {
        let mut attachment = Attachment { dead: BTreeMap::new(), readers: BTreeMap::new(), stations: self.stations() };
        let mut queues: BTreeMap<u32, Arc<LocalQueue>> = BTreeMap::new();
        let wired = nodes
            .iter()
            .map(|(node, _)| {
                let outputs = node.outputs.iter().map(|output| match &output.0 {
                    Some(port) => self.bind_port(port, &mut attachment, &mut queues, control),
                    None => outputs::nobody(),
                });
                let outputs = outputs.collect();
                let inputs =
                    node.inputs.iter().map(|input| self.bind_input(node.id, input, &mut attachment, &mut queues));
                let leaves = !self.may_restart;
                (InputSet::new(inputs.collect(), Arc::clone(&self.interrupt), node.wait, leaves), outputs)
            })
            .collect();
        for (owner, handle, anew) in &self.later {
            attachment.replace(*owner, handle, *anew)?;
        }
        Ok((attachment, wired))
    }

    /// The stations of the peers.
    fn stations(&self) -> BTreeMap<u32, Arc<ReadOnly>> {
        let stations = self.mapped.iter().filter_map(|(owner, segment)| match owner {
            SegmentOwner::Station(station) if *station != self.backend => Some((*station, Arc::clone(segment))),
            _ => None,
        });
        stations.collect()
    }

    fn bind_port(
        &mut self,
        port: &PortSetup,
        attachment: &mut Attachment,
        queues: &mut BTreeMap<u32, Arc<LocalQueue>>,
        control: &Arc<FrameSender>,
    ) -> Box<dyn Transmit> {
        let own = self.ports.remove(&port.port).expect("made by `create`, and each port belongs to one node");
        match own {
            OwnPort::Slots(mut sender) => {
                for edge in &port.edges {
                    sender.attach(edge.terms.clone(), self.consumer(edge, attachment));
                }
                let (readers, control) = (attachment.readers(port.port, &port.layout), Arc::clone(control));
                let owner = SegmentOwner::Port(port.port);
                sender.announce_with(Box::new(move |successor| {
                    readers.move_to(Origin::Same, &successor)?;
                    // A runner that cannot be told is dead, and so is this process soon.
                    let _ = send_segment(&control, owner, &successor);
                    Ok(())
                }));
                outputs::slots(*sender)
            }
            OwnPort::Moves(mut sender) => {
                for edge in &port.edges {
                    let queue = Arc::clone(queues.entry(edge.edge).or_default());
                    sender.attach(&port.layout, edge.terms.clone(), self.consumer(edge, attachment), queue);
                }
                outputs::moves(sender)
            }
        }
    }

    fn consumer(&self, edge: &OutEdgeSetup, attachment: &mut Attachment) -> Consumer {
        let layout: StationLayout = edge.station_layout;
        let station = self.reading(SegmentOwner::Station(edge.station));
        Consumer::new(station, layout.in_words(edge.station_edge as usize), attachment.flag(edge.edge))
    }

    fn bind_input(
        &self,
        node: u32,
        input: &InputSetup,
        attachment: &mut Attachment,
        queues: &mut BTreeMap<u32, Arc<LocalQueue>>,
    ) -> BoundEdge {
        let layout: &PortLayout = &input.layout;
        // Only a port whose messages travel as private memory has no slots, and its two ends are in this process.
        let queue = (layout.slots() == 0).then(|| Arc::clone(queues.entry(input.edge).or_default()));
        let wiring = Wiring {
            terms: input.terms.clone(),
            edge: input.edge,
            layout: layout.clone(),
            port_edge: input.port_edge as usize,
            station_edge: input.station_edge as usize,
            queue,
            dead: attachment.flag(input.edge),
        };
        let inbox = attachment.readers(input.port, layout).add();
        let segment = self.reading(SegmentOwner::Port(input.port));
        layout.prefaulted().for_each(|(start, bytes)| segment.populate(start, bytes));
        let mapped = Mapped::new(segment, inbox);
        let receiver: Receiver = self.station.receiver(wiring, mapped);
        if input.delivery == Delivery::ZeroCopy {
            receiver.watch_views(node);
        }
        BoundEdge::new(receiver, input)
    }

    fn reading(&self, owner: SegmentOwner) -> Arc<ReadOnly> {
        Arc::clone(self.mapped.get(&owner).expect("mapped before anything is wired"))
    }
}

impl OwnPort {
    fn handle(&self) -> Result<Handle, ChannelError> {
        match self {
            OwnPort::Slots(sender) => sender.handle(),
            OwnPort::Moves(sender) => sender.handle(),
        }
    }
}

impl Attachment {
    /// The other end of `edge` is dead.
    pub fn mark_dead(&self, edge: u32) {
        if let Some(flag) = self.dead.get(&edge) {
            flag.store(true, Ordering::Release);
        }
    }

    /// Another segment takes the place of a peer's; `anew` where that one's process is dead.
    pub fn replace(&self, owner: SegmentOwner, successor: &Handle, anew: bool) -> Result<(), ChannelError> {
        let replaced = match owner {
            SegmentOwner::Port(port) => {
                let origin = if anew { Origin::Heir } else { Origin::Same };
                self.readers.get(&port).map_or(Ok(()), |readers| readers.move_to(origin, successor))
            }
            // Of a station only words are read.
            SegmentOwner::Station(station) => {
                self.stations.get(&station).map_or(Ok(()), |station| station.replace(successor))
            }
        };
        // One that is gone had nothing to be read here, and the one in its place is on its way.
        if is_gone(successor) { Ok(()) } else { replaced }
    }

    fn readers(&mut self, port: u32, layout: &PortLayout) -> Arc<Readers> {
        let none = || Arc::new(Readers { bytes: layout.bytes(), inboxes: Mutex::default() });
        Arc::clone(self.readers.entry(port).or_insert_with(none))
    }

    fn flag(&mut self, edge: u32) -> Arc<AtomicBool> {
        Arc::clone(self.dead.entry(edge).or_default())
    }
}

impl Readers {
    /// One more reader: where it will find the segment to come.
    fn add(&self) -> Arc<Inbox> {
        let inbox = Arc::new(Inbox::default());
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&inbox));
        inbox
    }

    /// Maps the segment for those who still read.
    fn move_to(&self, origin: Origin, successor: &Handle) -> Result<(), ChannelError> {
        let mut inboxes = self.inboxes.lock().unwrap_or_else(PoisonError::into_inner);
        inboxes.retain(|inbox| inbox.strong_count() > 0);
        if inboxes.is_empty() {
            return Ok(());
        }
        let segment = Arc::new(ReadOnly::map(successor, self.bytes)?);
        inboxes.iter().filter_map(Weak::upgrade).for_each(|inbox| inbox.put(origin, Arc::clone(&segment)));
        Ok(())
    }
}

/// Tells the runner of a segment of this backend.
pub fn send_segment(control: &FrameSender, owner: SegmentOwner, handle: &Handle) -> Result<(), ControlError> {
    let (name, fds) = handle_parts(handle);
    control.send(&FromBackend::Segment { owner, name }, &fds)
}
