//! A port with two edges, which end in two processes; and a runner that puts others in the places of the dead.

use super::CAPTURE;
use crate::channel::*;
use crate::graph::{Overflow, Wait};
use crate::message::{Metadata, Release as _};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Relaxed, Release};

pub const QUEUE: u32 = 3;
pub const HOLDS: u32 = 2;
const MAX_MESSAGE: u64 = 256;
const STATION: StationLayout = StationLayout { edges: 1 };
/// What a slot begins with, and all of a message.
const SLOT_BYTES: usize = 128 + 128 + MAX_MESSAGE as usize;

pub struct World {
    pub kind: SegmentKind,
    /// How many messages were sent.
    pub sent: u64,
    /// The payload of the next one.
    next: Vec<u8>,
    metadata: Arc<Metadata>,
    /// What this process has just taken, without a look at it.
    taken: Option<*const [u8]>,
    /// The process that was killed last.
    pub child: u32,
    label: String,
    layout: PortLayout,
    sender: Sender,
    port: Arc<ReadOnly>,
    ends: [End; 2],
    producer_is_dead: Arc<AtomicBool>,
    /// Where the present producer began.
    start: PortStart,
    /// Messages that may be missing: their producer died.
    unsure: Vec<u64>,
}

/// The end of an edge.
struct End {
    terms: EdgeTerms,
    receiver: Receiver,
    station: Arc<ReadOnly>,
    inbox: Arc<Inbox>,
    dead: Arc<AtomicBool>,
    /// The next number.
    next: u64,
    /// Views, with their numbers, in the order of the borrow table.
    held: Vec<(u64, *const [u8])>,
}

/// What message `number` is.
fn payload(number: u64) -> Vec<u8> {
    let len = 16 + (number % 5) as usize * 48;
    (0..len as u64).map(|at| number.wrapping_mul(31).wrapping_add(at * 7) as u8).chain(number.to_le_bytes()).collect()
}

/// The number of a message, all of which must be as it was sent.
fn number_of(bytes: &[u8]) -> u64 {
    let number = u64::from_le_bytes(*bytes.last_chunk().expect("every message has its number"));
    assert!(bytes == payload(number), "message {number} has wrong bytes");
    number
}

fn waiter() -> Waiter {
    Waiter::new(Arc::new(Interrupt::new().unwrap()), Wait::Block)
}

fn map(handle: &Handle, bytes: usize) -> Arc<ReadOnly> {
    Arc::new(ReadOnly::map(handle, bytes).unwrap())
}

impl World {
    pub fn new(overflows: [Overflow; 2]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let label = format!("steps {} {}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let edge = EdgeLayout { queue: QUEUE, holds: HOLDS };
        let layout = PortLayout { edges: vec![edge; 2], slot_payload_bytes: MAX_MESSAGE, prefault: false };
        let mut sender = Sender::create(SegmentKind::Sealed, &label, layout.clone(), waiter()).unwrap();
        let port = map(&sender.handle().unwrap(), layout.bytes());
        let producer_is_dead = Arc::default();
        let ends = [0, 1].map(|at| End::new(at, overflows[at], &label, &layout, &port, &producer_is_dead));
        ends.iter().for_each(|end| sender.attach(end.terms.clone(), end.consumer()));
        World {
            kind: SegmentKind::Sealed,
            sent: 0,
            next: payload(0),
            metadata: Arc::new(Metadata::bytes()),
            taken: None,
            child: 0,
            label,
            layout,
            sender,
            port,
            ends,
            producer_is_dead,
            start: PortStart { positions: vec![0; 2], ..PortStart::default() },
            unsure: Vec::new(),
        }
    }

    pub fn label(&self) -> &str {
        &self.label
    }

    /// Every byte of shared memory that anybody writes.
    pub fn shared_bytes(&self) -> Vec<u8> {
        let slots = (0..self.layout.slots()).map(|slot| (self.layout.slot(slot), SLOT_BYTES));
        let of_port = [(0, self.layout.slots_offset())].into_iter().chain(slots);
        let of_port = of_port.map(|(at, len)| (&self.port, at, len));
        let of_ends = self.ends.iter().map(|end| (&end.station, 0, STATION.bytes()));
        // SAFETY: whoever writes there stands still.
        let bytes = of_port.chain(of_ends).map(|(segment, at, len)| unsafe { segment.bytes(at, len) }.unwrap());
        bytes.collect::<Vec<_>>().concat()
    }

    pub fn send(&mut self) {
        self.sender.reserve(&self.metadata, self.next.len()).unwrap();
        self.sender.payload_mut().copy_from_slice(&self.next);
        self.sender.commit(Some(CAPTURE), 0).unwrap();
        self.passed_number();
    }

    pub fn send_many(&mut self, count: u32) {
        (0..count).for_each(|_| self.send());
    }

    fn passed_number(&mut self) {
        self.sent += 1;
        self.next = payload(self.sent);
    }

    /// Every consumer says that it sleeps, and is not to be disturbed twice.
    pub fn fall_asleep(&self) {
        self.ends.iter().for_each(|end| end.receiver.announce_sleep(7));
    }

    /// Takes a message: at the first edge as a copy, at the second as a view.
    pub fn take(&mut self, edge: usize) -> u64 {
        let (end, unsure) = (&mut self.ends[edge], &self.unsure);
        assert_eq!(end.receiver.poll(), Poll::Ready, "edge {edge}");
        let number = match edge {
            0 => number_of(&end.receiver.recv().unwrap().expect("nobody overwrites it").payload),
            _ => number_of(end.receiver.recv_zero_copy().unwrap().expect("nobody overwrites it").bytes()),
        };
        end.accept(number, unsure);
        number
    }

    /// Publishes, and nothing else.
    pub fn just_send(&mut self) {
        let _ = self.sender.reserve(&self.metadata, self.next.len());
        self.sender.payload_mut().copy_from_slice(&self.next);
        let _ = self.sender.commit(Some(CAPTURE), 0);
    }

    /// Takes a message as a copy, and nothing else.
    pub fn just_copy(&mut self, edge: usize) {
        let receiver = &self.ends[edge].receiver;
        let _ = receiver.poll();
        if let Ok(Some(message)) = receiver.recv() {
            self.taken = Some(&raw const *message.payload);
            std::mem::forget(message);
        }
    }

    /// Takes a message as a view that is never dropped, and nothing else.
    pub fn just_borrow(&mut self, edge: usize) {
        let receiver = &self.ends[edge].receiver;
        let _ = receiver.poll();
        if let Ok(Some(view)) = receiver.recv_zero_copy() {
            self.taken = Some(&raw const *view.bytes());
            std::mem::forget(view);
        }
    }

    /// Whether what was just taken is one of the messages that were sent.
    pub fn is_sound(&self) -> bool {
        let Some(taken) = self.taken else { return true };
        // SAFETY: what was taken was forgotten, and so is there; a view's slot is not written by anybody.
        let bytes = unsafe { &*taken };
        bytes.last_chunk().is_some_and(|number| bytes == payload(u64::from_le_bytes(*number)))
    }

    /// Sends as many messages as use every slot again, as long as nothing would have to be waited for.
    pub fn send_what_fits(&mut self) {
        for _ in 0..2 * self.layout.slots() {
            let published = producer_counts(&self.port, &self.layout, 1).published;
            let taken = consumer_counts(&self.ends[1].station, STATION, 0).taken;
            let is_full = published - taken >= u64::from(QUEUE);
            if is_full && self.ends[1].terms.overflow == Overflow::Block {
                return;
            }
            self.send();
            self.take(0);
        }
    }

    /// Lets go of a view, and does nothing else.
    pub fn just_release(&mut self, edge: usize) {
        self.ends[edge].receiver.release(0);
    }

    /// Takes a message as a view, and keeps it.
    pub fn hold(&mut self, edge: usize) {
        let end = &mut self.ends[edge];
        assert_eq!(end.receiver.poll(), Poll::Ready, "edge {edge}");
        let view = end.receiver.recv_zero_copy().unwrap().expect("nobody overwrites it");
        let (number, bytes) = (number_of(view.bytes()), &raw const *view.bytes());
        // It is released by hand.
        std::mem::forget(view);
        end.held.push((number, bytes));
        end.accept(number, &self.unsure);
    }

    /// Lets go of the view that was taken last.
    pub fn release(&mut self, edge: usize) {
        let end = &mut self.ends[edge];
        let (number, bytes) = end.held.pop().expect("one is held");
        // SAFETY: the view was forgotten and not released, so its segment is mapped and nobody writes there.
        assert_eq!(number_of(unsafe { &*bytes }), number, "nobody writes under a view");
        end.receiver.release(end.held.len() as u64);
    }

    /// Takes what there is. The message before `until` must have been among it, unless its producer died with it.
    pub fn take_rest(&mut self, edge: usize, until: u64) {
        if self.ends[edge].dead.load(Relaxed) {
            return;
        }
        while self.ends[edge].receiver.poll() == Poll::Ready {
            self.take(edge);
        }
        let next = self.ends[edge].next;
        assert!(next <= until, "edge {edge}: message {next} of {until}");
        assert!((next..until).all(|number| self.unsure.contains(&number)), "edge {edge} ends with {next} of {until}");
        let ended = self.ends[edge].receiver.poll() == Poll::Ended;
        assert_eq!(ended, self.producer_is_dead.load(Relaxed), "edge {edge}");
    }

    /// As many messages as use every slot again, first as far as they go into the queues. Then all slots are free.
    pub fn exchange_many(&mut self) {
        self.producer_is_dead.store(false, Release);
        self.send_many(QUEUE);
        for _ in 0..QUEUE + 2 * HOLDS + 2 {
            for edge in 0..2 {
                if !self.ends[edge].dead.load(Relaxed) {
                    self.take(edge);
                }
            }
            self.send();
        }
        for edge in 0..2 {
            self.take_rest(edge, self.sent);
            while !self.ends[edge].held.is_empty() {
                self.release(edge);
            }
        }
        assert!(self.sender.has_all_slots(), "a slot is lost");
    }

    /// The message that was being sent may have come or not.
    fn is_unsure(&mut self) {
        if self.unsure.last() != Some(&self.sent) {
            self.unsure.push(self.sent);
        }
    }

    /// The runner tells the consumers.
    pub fn producer_has_died(&mut self) {
        self.is_unsure();
        self.producer_is_dead.store(true, Release);
    }

    /// The runner tells the producer.
    pub fn consumer_has_died(&mut self, edge: usize) {
        self.ends[edge].dead.store(true, Release);
        self.ends[edge].held.clear();
    }

    /// Another process goes on in the place of the producer, as the runner has it do.
    pub fn replace_producer(&mut self) {
        self.is_unsure();
        self.passed_number();
        self.attach_producer();
        self.producer_is_dead.store(false, Release);
        self.port = map(&self.sender.handle().unwrap(), self.layout.bytes());
        self.ends.iter().for_each(|end| end.inbox.put(Origin::Heir, Arc::clone(&self.port)));
    }

    pub fn attach_producer(&mut self) {
        let counts = [0, 1].map(|edge| producer_counts(&self.port, &self.layout, edge));
        self.start = PortStart {
            positions: counts.iter().map(|counts| counts.published).collect(),
            sequence: self.start.sequence + counts.iter().map(|counts| counts.sent).max().unwrap(),
            generation: self.start.generation + 1,
        };
        self.sender = Sender::create(self.kind, &self.label, self.layout.clone(), waiter()).unwrap();
        self.sender.resume(&self.start);
        let Self { sender, ends, .. } = self;
        ends.iter().for_each(|end| sender.attach(end.terms.clone(), end.consumer()));
    }

    /// Another process goes on in the place of a consumer.
    pub fn replace_consumer(&mut self, edge: usize) {
        let station = self.attach_consumer(edge);
        self.ends[edge].station.replace(&station.handle().unwrap()).unwrap();
    }

    pub fn attach_consumer(&mut self, edge: usize) -> Station {
        let published = producer_counts(&self.port, &self.layout, edge).published;
        let counts = consumer_counts(&self.ends[edge].station, STATION, 0);
        let begun = counts.taken.min(published);
        let station = Station::create(self.kind, &self.label, STATION).unwrap();
        station.resume(&[begun << 1 | u64::from(counts.left)]);
        let end = &mut self.ends[edge];
        end.inbox = Arc::default();
        let wiring = wiring(edge, &end.terms, &self.layout, &self.producer_is_dead);
        let port = map(&Handle::Sealed(self.sealed_port()), self.layout.bytes());
        let end = &mut self.ends[edge];
        end.receiver = station.receiver(wiring, Mapped::new(port, Arc::clone(&end.inbox)));
        end.held.clear();
        // No producer died here: positions and numbers are the same.
        end.next = begun;
        station
    }

    fn sealed_port(&self) -> std::os::fd::OwnedFd {
        match self.sender.handle().unwrap() {
            Handle::Sealed(descriptor) => descriptor,
            Handle::Named(_) => unreachable!("the port of a consumer that attaches is sealed"),
        }
    }

    /// What the child had made, and nobody was told of.
    pub fn nothing_is_left_of_the_child(&self) {
        sweep().unwrap();
        let names = std::fs::read_dir("/dev/shm").unwrap().flatten().map(|entry| entry.file_name());
        let of_child = format!("ezrun-{}-", self.child);
        let left: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with(&of_child)).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

fn wiring(edge: usize, terms: &EdgeTerms, layout: &PortLayout, producer_is_dead: &Arc<AtomicBool>) -> Wiring {
    let (layout, dead) = (layout.clone(), Arc::clone(producer_is_dead));
    Wiring { terms: terms.clone(), edge: edge as u32, layout, port_edge: edge, station_edge: 0, queue: None, dead }
}

impl End {
    fn new(
        edge: usize,
        overflow: Overflow,
        label: &str,
        layout: &PortLayout,
        port: &Arc<ReadOnly>,
        producer_is_dead: &Arc<AtomicBool>,
    ) -> Self {
        let name = format!("edge {edge}");
        let terms = EdgeTerms { name, overflow, queue: QUEUE, max_message: MAX_MESSAGE, holds: HOLDS };
        let station = Station::create(SegmentKind::Sealed, label, STATION).unwrap();
        let inbox = Arc::<Inbox>::default();
        let wiring = wiring(edge, &terms, layout, producer_is_dead);
        let receiver = station.receiver(wiring, Mapped::new(Arc::clone(port), Arc::clone(&inbox)));
        let station = map(&station.handle().unwrap(), STATION.bytes());
        End { terms, receiver, station, inbox, dead: Arc::default(), next: 0, held: Vec::new() }
    }

    fn consumer(&self) -> Consumer {
        Consumer::new(Arc::clone(&self.station), 0, Arc::clone(&self.dead))
    }

    fn accept(&mut self, number: u64, unsure: &[u64]) {
        let may_lose = self.terms.overflow == Overflow::DropOldest;
        let missing = |missing: u64| may_lose || unsure.contains(&missing);
        assert!(number >= self.next, "{}: {number} after {}", self.terms.name, self.next - 1);
        assert!((self.next..number).all(missing), "{}: {number} comes where {} should", self.terms.name, self.next);
        self.next = number + 1;
    }
}
