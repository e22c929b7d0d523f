//! Both ends of a port's edges, and how a node uses them.

use crate::channel::layout::{Entry, OutWords, PortWords, SlotHeader};
use crate::channel::{
    AtomicBool, ChannelError, Consumer, EdgeLayout, EdgeTerms, Inbox, Interrupt, Level, Mapped, Poll, PortLayout,
    ReadOnly, Receiver, SegmentKind, Sender, Sleeps, Station, StationLayout, WaitList, Waiter, Wiring,
};
use crate::channel::{Awaited, Handle};
use crate::graph::{Overflow, Wait};
use crate::message::{Capture, Clock, Metadata};
use std::sync::Arc;
use std::sync::atomic::Ordering::Release;

/// How an edge receives.
#[derive(Clone, Copy)]
pub enum By {
    Copy,
    View,
}

/// An edge of a model.
#[derive(Clone, Copy)]
pub struct Edge {
    pub overflow: Overflow,
    pub queue: u32,
    pub by: By,
}

/// The end of a port that sends: one process.
pub struct Producer {
    pub sender: Sender,
    metadata: Arc<Metadata>,
}

/// The end of an edge that receives: one process.
pub struct Reader {
    pub receiver: Receiver,
    waiter: Waiter,
    sleeps: Sleeps,
    by: By,
    port: Arc<ReadOnly>,
}

/// What the runner knows: how to tell the other end that one is dead.
#[derive(Clone)]
pub struct Runner {
    producer: Arc<Interrupt>,
    consumers: Vec<(Arc<Interrupt>, Arc<AtomicBool>)>,
    producer_is_dead: Arc<AtomicBool>,
}

/// A port with these edges, each of which ends in a process of its own. Positions count from `start`.
pub fn port(edges: &[Edge], start: u64) -> (Producer, Vec<Reader>, Runner) {
    let holds = |edge: &Edge| u32::from(matches!((edge.by, edge.overflow), (By::View, _) | (_, Overflow::DropOldest)));
    let edge_layouts = edges.iter().map(|edge| EdgeLayout { queue: edge.queue, holds: holds(edge) });
    let layout = PortLayout { edges: edge_layouts.collect(), slot_payload_bytes: 8, prefault: false };
    let producer_interrupt = interrupt();
    let waiter = Waiter::new(Arc::clone(&producer_interrupt), Wait::Block);
    let mut sender = Sender::create(SegmentKind::Named, "port", layout.clone(), waiter).expect("on the heap");
    let port = Arc::new(mapped(&sender.handle(), layout.bytes()));
    make_port_words(&port, &layout);
    let producer_is_dead = Arc::new(AtomicBool::new(false));
    let (mut readers, mut consumers) = (Vec::new(), Vec::new());
    for (at, edge) in edges.iter().enumerate() {
        let (queue, holds, overflow) = (edge.queue, holds(edge), edge.overflow);
        let terms = EdgeTerms { name: format!("edge {at}"), overflow, queue, max_message: 8, holds };
        let station_layout = StationLayout { edges: 1 };
        let station = Station::create(SegmentKind::Named, "station", station_layout).expect("on the heap");
        let seen = Arc::new(mapped(&station.handle(), station_layout.bytes()));
        let (dead, interrupt) = (Arc::new(AtomicBool::new(false)), interrupt());
        sender.attach(terms.clone(), Consumer::new(seen, 0, Arc::clone(&dead)));
        let wiring = Wiring {
            terms,
            edge: 0,
            layout: layout.clone(),
            port_edge: at,
            station_edge: 0,
            queue: None,
            dead: Arc::clone(&producer_is_dead),
        };
        let receiver = station.receiver(wiring, Mapped::new(Arc::clone(&port), Arc::new(Inbox::default())));
        receiver.start_at(start);
        let waiter = Waiter::new(Arc::clone(&interrupt), Wait::Block);
        let (sleeps, by, port) = (Sleeps::default(), edge.by, Arc::clone(&port));
        readers.push(Reader { receiver, waiter, sleeps, by, port });
        consumers.push((interrupt, dead));
    }
    sender.start_at(start);
    let producer = Producer { sender, metadata: Arc::new(Metadata::bytes()) };
    (producer, readers, Runner { producer: producer_interrupt, consumers, producer_is_dead })
}

fn interrupt() -> Arc<Interrupt> {
    Arc::new(Interrupt::new().expect("descriptors are left"))
}

fn mapped(handle: &Result<Handle, ChannelError>, bytes: usize) -> ReadOnly {
    ReadOnly::map(handle.as_ref().expect("it has a name"), bytes).expect("it is there")
}

/// The words that a segment of zeros has from the beginning.
fn make_port_words(port: &ReadOnly, layout: &PortLayout) {
    port.at::<PortWords>(0);
    for (at, edge) in layout.edges.iter().enumerate() {
        port.at::<OutWords>(layout.out_words(at));
        for entry in 0..edge.ring_len() {
            port.at::<Entry>(layout.ring(at) + entry * size_of::<Entry>());
        }
    }
    for slot in 0..layout.slots() {
        port.at::<SlotHeader>(layout.slot(slot));
    }
}

impl Producer {
    /// Sends the messages with these numbers.
    pub fn send(&mut self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            self.sender.reserve(&self.metadata, 8).expect("there is always a slot");
            self.sender.payload_mut().copy_from_slice(&number.to_le_bytes());
            self.sender.commit(Some(Capture { ns: 0, clock: Clock::Stream }), 0).expect("nobody cuts the run");
        }
    }
}

impl Reader {
    /// Sleeps until there is a message; the number that it has in its header and in its bytes. Nothing at the end.
    pub fn next(&mut self) -> Option<u64> {
        loop {
            let mut next = Next { receiver: &self.receiver, sleeps: &mut self.sleeps };
            if !self.waiter.wait_for(&mut next).expect("a wait never fails") {
                return None;
            }
            if let Some(number) = self.take() {
                return Some(number);
            }
        }
    }

    /// Takes what is there, if it still is.
    pub fn take(&self) -> Option<u64> {
        match self.by {
            By::Copy => {
                let message = self.receiver.recv().expect("what the producer wrote makes sense")?;
                self.receiver.done();
                Some(number(&message.payload, message.header.sequence))
            }
            By::View => {
                let view = self.receiver.recv_zero_copy().expect("what the producer wrote makes sense")?;
                let first = number(view.bytes(), view.header().sequence);
                loom::thread::yield_now();
                self.port.read_again(view.bytes());
                assert_eq!(number(view.bytes(), view.header().sequence), first, "nobody writes under a view");
                Some(first)
            }
        }
    }
}

fn number(payload: &[u8], sequence: u64) -> u64 {
    let number = u64::from_le_bytes(payload.try_into().expect("8 bytes"));
    assert_eq!(number, sequence, "the bytes are those of another message");
    number
}

/// What a node waits for at one edge, as `backend::inputs` does at several.
struct Next<'r> {
    receiver: &'r Receiver,
    sleeps: &'r mut Sleeps,
}

impl Awaited for Next<'_> {
    /// Whether there is one.
    type Found = bool;

    fn look(&mut self, interrupt: &Interrupt, list: &mut WaitList) -> Result<Option<bool>, ChannelError> {
        if interrupt.level() == Level::Cut {
            return Ok(Some(false));
        }
        Ok(match self.receiver.poll() {
            Poll::Ready => Some(true),
            Poll::Ended => Some(false),
            Poll::Empty(seen) => {
                self.receiver.push_wait(list, seen);
                None
            }
        })
    }

    fn announce(&mut self, sleeping: bool) {
        self.receiver.announce_sleep(self.sleeps.number(sleeping));
    }
}

impl Runner {
    /// The process of an edge's consumer is gone.
    pub fn consumer_died(&self, edge: usize) {
        self.consumers[edge].1.store(true, Release);
        self.producer.nudge();
    }

    /// The producer's process is gone.
    pub fn producer_died(&self) {
        self.producer_is_dead.store(true, Release);
        self.consumers.iter().for_each(|(interrupt, _)| interrupt.nudge());
    }
}
