//! Hands every segment to those who need it, and keeps a look at its counters.

use crate::channel::{ChannelError, Handle, ReadOnly, unlink};
use crate::control::{SegmentOwner, ToBackend};
use crate::graph::BackendId;
use crate::plan::Plan;
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;

/// The segments of a run, as far as they have come.
pub struct Exchange {
    /// The front of each port's segment: its counters, not its slots.
    pub ports: Vec<Option<ReadOnly>>,
    /// Each backend's station.
    pub stations: Vec<Option<ReadOnly>>,
    names: Vec<String>,
}

/// A segment on its way to the backends that need it.
pub struct Introduction {
    pub to: BTreeSet<BackendId>,
    pub frame: ToBackend,
    handle: Handle,
}

impl Exchange {
    pub fn new(plan: &Plan<'_>) -> Self {
        let ports = plan.ports.iter().map(|_| None).collect();
        let stations = plan.stations.iter().map(|_| None).collect();
        Exchange { ports, stations, names: Vec::new() }
    }

    /// A segment has come from `from`.
    pub fn arrive(
        &mut self,
        plan: &Plan<'_>,
        from: BackendId,
        owner: SegmentOwner,
        handle: Handle,
    ) -> Result<Introduction, ChannelError> {
        let to = match owner {
            SegmentOwner::Port(port) => self.keep_port(plan, from, port as usize, &handle)?,
            SegmentOwner::Station(station) => self.keep_station(plan, from, station as usize, &handle)?,
        };
        let name = match &handle {
            Handle::Named(name) => Some(name.clone()),
            Handle::Sealed(_) => None,
        };
        self.names.extend(name.clone());
        Ok(Introduction { to, frame: ToBackend::Segment { owner, name }, handle })
    }

    fn keep_port(
        &mut self,
        plan: &Plan<'_>,
        from: BackendId,
        port: usize,
        handle: &Handle,
    ) -> Result<BTreeSet<BackendId>, ChannelError> {
        let planned = plan.ports.get(port).filter(|planned| planned.backend == from).ok_or_else(not_its_own)?;
        self.ports[port] = Some(ReadOnly::map(handle, planned.layout.slots_offset())?);
        let consumers = planned.edges.iter().map(|&edge| plan.edge(edge).station.0);
        Ok(consumers.filter(|&backend| backend != from).collect())
    }

    fn keep_station(
        &mut self,
        plan: &Plan<'_>,
        from: BackendId,
        station: usize,
        handle: &Handle,
    ) -> Result<BTreeSet<BackendId>, ChannelError> {
        let layout = plan.stations.get(station).filter(|_| station == from.0).ok_or_else(not_its_own)?;
        self.stations[station] = Some(ReadOnly::map(handle, layout.bytes())?);
        let edges = plan.edges.iter().filter(|edge| edge.station.0 == from);
        let producers = edges.map(|edge| plan.ports[edge.port.0].backend);
        Ok(producers.filter(|&backend| backend != from).collect())
    }

    /// Everybody has mapped what they need: nothing has to have a name any more, and nothing can be left behind.
    pub fn forget_names(&mut self) {
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

impl Introduction {
    /// The descriptors that travel with the frame, for one more receiver.
    pub fn descriptors(&self) -> std::io::Result<Vec<OwnedFd>> {
        match &self.handle {
            Handle::Sealed(fd) => Ok(vec![fd.try_clone()?]),
            Handle::Named(_) => Ok(Vec::new()),
        }
    }
}

fn not_its_own() -> ChannelError {
    ChannelError::Corrupt {
        edge: "control".to_owned(),
        what: "a backend sent a segment that is not its own".to_owned(),
    }
}
