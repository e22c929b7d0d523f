//! What the ends of edges came to whose processes have died and been started again: their counters, added up, and where
//! those that take their places go on.
//!
//! Positions on an edge count on from one life to the next, so what is queued stays what was published and not taken.

use crate::channel::{ConsumerCounts, PortStart, ProducerCounts, ReadOnly, Timings, consumer_counts, producer_counts};
use crate::graph::{BackendId, EdgeId, Overflow};
use crate::plan::{Plan, PortPlan};

/// The past of every edge and port.
pub struct Lives {
    /// One for each edge of the plan.
    pub edges: Vec<EdgePast>,
    ports: Vec<PortPast>,
    /// For each backend, whether it has ended and does not come back.
    gone: Vec<bool>,
}

/// What an edge has come to in the lives of its ends that are over.
#[derive(Clone, Debug, Default)]
pub struct EdgePast {
    /// The position that the present producer began with.
    pub producer_from: u64,
    /// The position that the present consumer began with.
    pub consumer_from: u64,
    pub sent: u64,
    pub dropped: u64,
    pub received: u64,
    pub copies: u64,
    pub copied_bytes: u64,
    pub moves: u64,
    pub views: u64,
    pub timings: Timings,
    pub quarantined: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct PortPast {
    /// Messages sent in lives that are over.
    sequence: u64,
    segments: u32,
}

type Segments = [Option<ReadOnly>];

impl Lives {
    pub fn new(plan: &Plan<'_>) -> Self {
        Lives {
            edges: vec![EdgePast::default(); plan.edges.len()],
            ports: vec![PortPast::default(); plan.ports.len()],
            gone: vec![false; plan.stations.len()],
        }
    }

    pub fn one_more_segment(&mut self, port: usize) {
        self.ports[port].segments += 1;
    }

    /// How far each edge of a port is.
    pub fn published(port: &PortPlan, segment: &ReadOnly) -> Vec<u64> {
        (0..port.edges.len()).map(|at| producer_counts(segment, &port.layout, at).published).collect()
    }

    /// The producer of `port` has died, and its heir begins: adds up what it has counted.
    pub fn end_of_producer(&mut self, plan: &Plan<'_>, port: usize, ports: &Segments, stations: &Segments) {
        let planned = &plan.ports[port];
        let offered = offered(plan, port, ports);
        for &edge in &planned.edges {
            let (counts, reads) = (producer(plan, edge, ports), !consumer(plan, edge, stations).left);
            // What the others got, and it did not get before its producer died.
            let missed = if reads && !counts.quarantined { offered - counts.sent } else { 0 };
            self.edges[edge.0].end_of_producer(&counts, missed);
        }
        self.ports[port].sequence += offered;
    }

    /// The process of `backend` has died, and its heir begins: adds up what it has counted as a consumer.
    pub fn end_of_consumer(&mut self, plan: &Plan<'_>, backend: BackendId, ports: &Segments, stations: &Segments) {
        for at in plan.edges_into(backend) {
            let counts = consumer(plan, at, stations);
            let end = end_of(plan, at, &counts, ports);
            self.edges[at.0].end_of_consumer(&counts, end);
        }
    }

    /// For each edge of a backend's station, the word that says what was taken and whether no more will be.
    pub fn begun(&self, plan: &Plan<'_>, backend: BackendId, ports: &Segments, stations: &Segments) -> Vec<u64> {
        let mut begun = vec![0; plan.stations[backend.0].edges as usize];
        for at in plan.edges_into(backend) {
            let counts = consumer(plan, at, stations);
            begun[plan.edge(at).station.1] = end_of(plan, at, &counts, ports) << 1 | u64::from(counts.left);
        }
        begun
    }

    /// Where the heir of a port's dead producer goes on.
    pub fn port_start(&self, plan: &Plan<'_>, port: usize, ports: &Segments) -> PortStart {
        let edges = &plan.ports[port].edges;
        let past = self.ports[port];
        PortStart {
            positions: edges.iter().map(|&edge| producer(plan, edge, ports).published).collect(),
            sequence: past.sequence + offered(plan, port, ports),
            generation: past.segments,
        }
    }

    /// A backend has ended and does not come back.
    pub fn bury(&mut self, backend: BackendId) {
        self.gone[backend.0] = true;
    }

    /// Whether nobody will read what lies before `position` on an edge any more.
    pub fn has_read(&self, plan: &Plan<'_>, edge: EdgeId, position: u64, stations: &Segments) -> bool {
        let counts = consumer(plan, edge, stations);
        counts.left || self.gone[plan.edge(edge).station.0.0] || counts.taken >= position
    }

    /// Whether more waits on an edge that blocks than its queue holds.
    pub fn is_overfull(&self, plan: &Plan<'_>, edge: EdgeId, ports: &Segments, stations: &Segments) -> bool {
        let (terms, published) = (&plan.edge(edge).terms, producer(plan, edge, ports).published);
        let fits = published.saturating_sub(u64::from(terms.queue));
        terms.overflow == Overflow::Block && !self.has_read(plan, edge, fits, stations)
    }
}

impl EdgePast {
    fn end_of_producer(&mut self, counts: &ProducerCounts, missed: u64) {
        let published = counts.published.saturating_sub(self.producer_from);
        self.sent += counts.sent + missed;
        // Refused; or counted, and not published before it died; or not even offered.
        self.dropped += counts.sent.saturating_sub(published) + missed;
        self.producer_from = counts.published;
        self.quarantined |= counts.quarantined;
    }

    fn end_of_consumer(&mut self, counts: &ConsumerCounts, end: u64) {
        // Overwritten, or in hand when it died.
        self.dropped += (end - self.consumer_from.min(end)).saturating_sub(counts.received);
        self.received += counts.received;
        self.copies += counts.copies;
        self.copied_bytes += counts.copied_bytes;
        self.moves += counts.moves;
        self.views += counts.views;
        self.timings.add(&counts.timings);
        self.consumer_from = end;
    }
}

/// The first position that a dead consumer's heir takes: what went on inside of one process died with it.
fn end_of(plan: &Plan<'_>, edge: EdgeId, counts: &ConsumerCounts, ports: &Segments) -> u64 {
    let planned = plan.edge(edge);
    let published = producer(plan, edge, ports).published;
    let inside = plan.ports[planned.port.0].backend == planned.station.0;
    if inside && !counts.left { published } else { counts.taken.min(published) }
}

/// How many messages the present producer of a port has offered.
fn offered(plan: &Plan<'_>, port: usize, ports: &Segments) -> u64 {
    plan.ports[port].edges.iter().map(|&edge| producer(plan, edge, ports).sent).max().unwrap_or(0)
}

/// What the present producer of an edge says of it.
pub fn producer(plan: &Plan<'_>, edge: EdgeId, ports: &Segments) -> ProducerCounts {
    let (port, at) = plan.edge(edge).port;
    ports[port].as_ref().map(|s| producer_counts(s, &plan.ports[port].layout, at)).unwrap_or_default()
}

/// What the present consumer of an edge says of it.
pub fn consumer(plan: &Plan<'_>, edge: EdgeId, stations: &Segments) -> ConsumerCounts {
    let (backend, at) = plan.edge(edge).station;
    stations[backend.0].as_ref().map(|s| consumer_counts(s, plan.stations[backend.0], at)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_consumer_had_in_hand_is_dropped_and_what_was_queued_is_not() {
        let mut past = EdgePast::default();
        let counts = ConsumerCounts { taken: 7, received: 6, in_hand: 1, ..ConsumerCounts::default() };
        past.end_of_consumer(&counts, 7);
        assert_eq!((past.received, past.dropped, past.consumer_from), (6, 1, 7));
        let counts = ConsumerCounts { taken: 10, received: 3, ..ConsumerCounts::default() };
        past.end_of_consumer(&counts, 10);
        assert_eq!((past.received, past.dropped), (9, 1));
    }

    #[test]
    fn what_a_dead_producer_refused_or_had_not_published_is_dropped() {
        let mut past = EdgePast::default();
        let counts = ProducerCounts { sent: 12, rejected: 2, published: 9, quarantined: false };
        past.end_of_producer(&counts, 1);
        assert_eq!((past.sent, past.dropped, past.producer_from), (13, 4, 9));
    }
}
