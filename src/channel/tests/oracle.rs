//! Random lives of a port and its edges, beside a list of what must come of them.

use super::CAPTURE;
use crate::channel::*;
use crate::graph::Wait;
use crate::message::{Metadata, View};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How many lives are tried, unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = if cfg!(miri) { 2 } else { 400 };
const MAX_MESSAGE: u64 = 300;
const EDGES: usize = 3;

#[derive(Clone, Copy, Debug)]
struct Policy {
    overflow: Overflow,
    queue: u32,
    holds: u32,
}

#[derive(Clone, Debug)]
enum Step {
    Send { bytes: usize, unit: u8 },
    Recv(usize),
    View(usize),
    DropView(usize, usize),
    Leave(usize),
    Die(usize),
}

#[derive(Clone)]
struct Expected {
    sequence: u64,
    bytes: Vec<u8>,
    metadata: Arc<Metadata>,
}

/// What must be so at one edge.
struct Oracle {
    policy: Policy,
    queue: VecDeque<Expected>,
    held: Vec<Expected>,
    overwritten: u64,
    rejected: u64,
    received: u64,
    offered: u64,
    reads: bool,
}

/// The edges themselves, and what the ledger sees of them.
struct Port {
    sender: Sender,
    receivers: Vec<Receiver>,
    dead: Vec<Arc<AtomicBool>>,
    seen: ReadOnly,
    stations: Vec<Arc<ReadOnly>>,
    layout: PortLayout,
}

const STATION: StationLayout = StationLayout { edges: 1 };

impl Port {
    fn new(policies: &[Policy], start: u64) -> Self {
        let edges = policies.iter().map(|p| EdgeLayout { queue: p.queue, holds: p.holds }).collect();
        let layout = PortLayout { edges, slot_payload_bytes: MAX_MESSAGE, prefault: false };
        let waiter = Waiter::new(Arc::new(Interrupt::new().unwrap()), Wait::Block);
        let mut sender = Sender::create(SegmentKind::Sealed, "oracle", layout.clone(), waiter).unwrap();
        let mapped = Arc::new(ReadOnly::map(&sender.handle().unwrap(), layout.bytes()).unwrap());
        let seen = ReadOnly::map(&sender.handle().unwrap(), layout.bytes()).unwrap();
        let (mut receivers, mut dead, mut stations) = (Vec::new(), Vec::new(), Vec::new());
        for (at, policy) in policies.iter().enumerate() {
            let Policy { overflow, queue, holds } = *policy;
            let terms = EdgeTerms { name: format!("edge {at}"), overflow, queue, max_message: MAX_MESSAGE, holds };
            let station = Station::create(SegmentKind::Sealed, "oracle", STATION).unwrap();
            let station_seen = Arc::new(ReadOnly::map(&station.handle().unwrap(), STATION.bytes()).unwrap());
            let flag = Arc::new(AtomicBool::new(false));
            let consumer = Consumer::new(Arc::clone(&station_seen), 0, Arc::clone(&flag));
            sender.attach(terms.clone(), consumer);
            let (port_edge, layout) = (at, layout.clone());
            let wiring =
                Wiring { terms, edge: 0, layout, port_edge, station_edge: 0, queue: None, dead: Arc::default() };
            let receiver = station.receiver(wiring, Mapped::new(Arc::clone(&mapped), Arc::default()));
            receiver.start_at(start);
            receivers.push(receiver);
            dead.push(flag);
            stations.push(station_seen);
        }
        sender.start_at(start);
        Port { sender, receivers, dead, seen, stations, layout }
    }
}

impl Oracle {
    fn new(policy: Policy) -> Self {
        let (queue, held) = Default::default();
        Oracle { policy, queue, held, overwritten: 0, rejected: 0, received: 0, offered: 0, reads: true }
    }

    fn is_full(&self) -> bool {
        self.queue.len() == self.policy.queue as usize
    }

    fn would_wait(&self) -> bool {
        self.reads && self.policy.overflow == Overflow::Block && self.is_full()
    }

    fn offer(&mut self, message: &Expected) {
        if !self.reads {
            return;
        }
        self.offered += 1;
        match self.policy.overflow {
            Overflow::DropNewest if self.is_full() => return self.rejected += 1,
            Overflow::DropOldest if self.is_full() => {
                self.queue.pop_front();
                self.overwritten += 1;
            }
            _ => {}
        }
        self.queue.push_back(message.clone());
    }

    /// Whether one more view, or a copy that needs a hold while it is made, would be one too many.
    fn holds_all(&self) -> bool {
        self.held.len() == self.policy.holds as usize
    }

    fn needs_hold(&self, copy: bool) -> bool {
        !copy || self.policy.overflow == Overflow::DropOldest
    }
}

fn policies() -> impl Strategy<Value = Vec<Policy>> {
    let overflow = prop_oneof![Just(Overflow::Block), Just(Overflow::DropOldest), Just(Overflow::DropNewest)];
    let policy = (overflow, 1..5u32, 0..4u32).prop_map(|(overflow, queue, holds)| {
        let least = u32::from(overflow == Overflow::DropOldest);
        Policy { overflow, queue, holds: holds.max(least) }
    });
    vec(policy, 1..=EDGES)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..=MAX_MESSAGE as usize, 0..3u8).prop_map(|(bytes, unit)| Step::Send { bytes, unit }),
        8 => (0..EDGES).prop_map(Step::Recv),
        8 => (0..EDGES).prop_map(Step::View),
        6 => (0..EDGES, 0..4usize).prop_map(|(edge, view)| Step::DropView(edge, view)),
        1 => (0..EDGES).prop_map(Step::Leave),
        1 => (0..EDGES).prop_map(Step::Die),
    ]
}

fn starts() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just((1 << 30) - 3), Just((1 << 31) - 3)]
}

fn live(policies: &[Policy], start: u64, steps: &[Step]) {
    // Of lengths that payloads begin at differing places behind.
    let units: Vec<_> = [1, 70, 300].map(|length| Arc::new(Metadata::bytes().with("unit", &"V".repeat(length)))).into();
    let Port { mut sender, receivers, dead, seen, stations, layout } = Port::new(policies, start);
    let mut oracles: Vec<_> = policies.iter().copied().map(Oracle::new).collect();
    let mut views: Vec<Vec<View<'_>>> = policies.iter().map(|_| Vec::new()).collect();
    let mut sequence = 0;
    for step in steps {
        match *step {
            Step::Send { bytes, unit } => {
                if oracles.iter().any(Oracle::would_wait) {
                    continue;
                }
                let metadata = Arc::clone(&units[unit as usize]);
                sender.reserve(&metadata, bytes).unwrap();
                sender.payload_mut().fill(sequence as u8);
                sender.commit(Some(CAPTURE), sequence).unwrap();
                let message = Expected { sequence, bytes: vec![sequence as u8; bytes], metadata };
                oracles.iter_mut().for_each(|oracle| oracle.offer(&message));
                sequence += 1;
            }
            Step::Recv(edge) | Step::View(edge) => {
                if edge >= oracles.len() || !oracles[edge].reads {
                    continue;
                }
                let copy = matches!(step, Step::Recv(_));
                take(&receivers[edge], &mut oracles[edge], &mut views[edge], copy);
            }
            Step::DropView(edge, view) => {
                if edge < oracles.len() && view < views[edge].len() {
                    views[edge].remove(view);
                    oracles[edge].held.remove(view);
                }
            }
            Step::Leave(edge) if edge < oracles.len() && oracles[edge].reads => {
                // Whoever leaves has no views left: they borrow from the inputs that are being dropped.
                views[edge].clear();
                oracles[edge].held.clear();
                receivers[edge].leave();
                oracles[edge].reads = false;
            }
            Step::Die(edge) if edge < oracles.len() && oracles[edge].reads => {
                std::mem::take(&mut views[edge]).into_iter().for_each(std::mem::forget);
                oracles[edge].held.clear();
                oracles[edge].reads = false;
                dead[edge].store(true, Ordering::Release);
            }
            Step::Leave(_) | Step::Die(_) => {}
        }
        for (edge, oracle) in oracles.iter().enumerate() {
            views[edge].iter().zip(&oracle.held).for_each(|(view, expected)| is(view.bytes(), expected));
            let sent = producer_counts(&seen, &layout, edge);
            let taken = consumer_counts(&stations[edge], STATION, 0);
            if oracle.reads {
                let in_flight = sent.published - taken.taken;
                assert_eq!((sent.sent, sent.rejected), (oracle.offered, oracle.rejected));
                assert_eq!(sent.sent, sent.rejected + taken.received + taken.in_hand + taken.overwritten + in_flight);
                assert_eq!(taken.received + taken.in_hand, oracle.received);
                assert!(taken.overwritten <= oracle.overwritten);
            }
            assert!(!sent.quarantined);
        }
    }
    for (edge, oracle) in oracles.iter_mut().enumerate().filter(|(_, oracle)| oracle.reads) {
        views[edge].clear();
        oracle.held.clear();
        while !oracle.queue.is_empty() {
            take(&receivers[edge], oracle, &mut views[edge], true);
        }
        assert!(matches!(receivers[edge].poll(), Poll::Empty(_)));
        assert_eq!(consumer_counts(&stations[edge], STATION, 0).overwritten, oracle.overwritten);
    }
    views.clear();
    assert!(sender.has_all_slots(), "a slot is lost");
    sender.close();
    let reading = receivers.iter().zip(&oracles).filter(|(_, oracle)| oracle.reads);
    reading.for_each(|(receiver, _)| assert_eq!(receiver.poll(), Poll::Ended));
}

/// Takes the next message of an edge, if there is to be one.
fn take<'r>(receiver: &'r Receiver, oracle: &mut Oracle, views: &mut Vec<View<'r>>, copy: bool) {
    let Some(expected) = oracle.queue.front().cloned() else {
        assert!(matches!(receiver.poll(), Poll::Empty(_)));
        return;
    };
    assert_eq!(receiver.poll(), Poll::Ready);
    if oracle.needs_hold(copy) && oracle.holds_all() {
        let refused = if copy { receiver.recv().map(drop) } else { receiver.recv_zero_copy().map(drop) };
        assert!(matches!(refused, Err(ChannelError::TooManyViews { .. })));
        return;
    }
    oracle.queue.pop_front();
    oracle.received += 1;
    let header = if copy {
        let message = receiver.recv().unwrap().expect("nothing overwrites it meanwhile");
        is(&message.payload, &expected);
        assert_eq!(message.metadata, expected.metadata);
        message.header
    } else {
        let view = receiver.recv_zero_copy().unwrap().expect("nothing overwrites it meanwhile");
        is(view.bytes(), &expected);
        assert_eq!(*view.metadata(), expected.metadata);
        let header = *view.header();
        views.push(view);
        oracle.held.push(expected.clone());
        header
    };
    assert_eq!((header.sequence, header.trace), (expected.sequence, expected.sequence));
}

fn is(bytes: &[u8], expected: &Expected) {
    let first = bytes.first().zip(expected.bytes.first());
    assert!(bytes == expected.bytes, "the bytes of message {} begin as {first:?}", expected.sequence);
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES))
    })]

    #[test]
    fn whatever_is_done_with_a_port_its_edges_deliver_what_they_should(
        policies in policies(),
        start in starts(),
        steps in vec(step(), 1..if cfg!(miri) { 60 } else { 200 }),
    ) {
        live(&policies, start, &steps);
    }
}
