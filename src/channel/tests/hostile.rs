//! The other end's segment is filled with anything, between any two operations.
//!
//! `EZRUN_HOSTILE_ROUNDS=1000000 cargo test --release --lib hostile` is the long run.

use super::CAPTURE;
use crate::channel::layout::{Entry, InWords, OutWords, SlotHeader};
use crate::channel::*;
use crate::graph::Wait;
use crate::message::{Metadata, View};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// How often something is written into the other end's segment, unless `EZRUN_HOSTILE_ROUNDS` says otherwise.
const ROUNDS: u64 = if cfg!(miri) { 40 } else { 30_000 };
const MAX_MESSAGE: u64 = 1000;
const QUEUE: u32 = 2;
const HOLDS: u32 = 2;
const STATION: StationLayout = StationLayout { edges: 1 };

fn rounds() -> u64 {
    std::env::var("EZRUN_HOSTILE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS)
}

/// Numbers of which many nearly make sense.
struct Whims(u64);

impl Whims {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }

    fn word(&mut self, now: u64) -> u64 {
        match self.below(10) {
            0 => self.next(),
            1 => self.next() | 1 << 63,
            2 => u64::MAX - self.below(4),
            3 => u64::MAX >> self.below(64),
            4 => self.below(8),
            5 => now ^ 1,
            6 => now ^ 1 << self.below(64),
            7 => now.wrapping_sub(self.below(9)),
            _ => now.wrapping_add(self.below(9)),
        }
    }

    fn scribble(&mut self, word: &std::sync::atomic::AtomicU64) {
        word.store(self.word(word.load(Relaxed)), Relaxed);
    }

    fn scribble_32(&mut self, word: &std::sync::atomic::AtomicU32) {
        word.store(self.word(u64::from(word.load(Relaxed))) as u32, Relaxed);
    }

    fn in_words(&mut self, words: &InWords) {
        match self.below(6) {
            0 | 1 => self.scribble(&words.taken),
            2 => self.scribble_32(&words.sleeping),
            3 => self.scribble_32(&words.left),
            _ => {
                let entry = self.below(u64::from(HOLDS) + 1) as usize;
                self.scribble(&words.borrowed[entry]);
            }
        }
    }

    fn out_words(&mut self, words: &OutWords) {
        match self.below(3) {
            0 | 1 => self.scribble(&words.published),
            _ => self.scribble_32(&words.waiting),
        }
    }

    fn entry(&mut self, entry: &Entry) {
        match self.below(7) {
            0 => self.scribble(&entry.tag),
            1 => self.scribble_32(&entry.slot),
            2 => self.scribble_32(&entry.metadata_version),
            3 => self.scribble(&entry.payload_bytes),
            4 => self.scribble_32(&entry.clock),
            5 => self.scribble(&entry.sequence),
            _ => self.scribble(&entry.publish_ns),
        }
    }

    fn header(&mut self, header: &SlotHeader) {
        match self.below(3) {
            0 => self.scribble_32(&header.magic),
            1 => self.scribble_32(&header.version),
            _ => self.scribble_32(&header.metadata_bytes),
        }
    }
}

fn terms(overflow: Overflow) -> EdgeTerms {
    EdgeTerms { name: "a -> b".to_owned(), overflow, queue: QUEUE, max_message: MAX_MESSAGE, holds: HOLDS }
}

fn layout(edges: usize) -> PortLayout {
    PortLayout {
        edges: vec![EdgeLayout { queue: QUEUE, holds: HOLDS }; edges],
        slot_payload_bytes: MAX_MESSAGE,
        prefault: false,
    }
}

fn sender(layout: PortLayout) -> Sender {
    let waiter = Waiter::new(Arc::new(Interrupt::new().unwrap()), Wait::Block);
    Sender::create(SegmentKind::Sealed, "hostile", layout, waiter).unwrap()
}

fn backed(bytes: usize) -> Writable {
    let memory = Writable::create(SegmentKind::Sealed, "hostile", bytes).unwrap();
    memory.back(0, bytes).unwrap();
    memory
}

fn consumer(station: &Writable) -> Consumer {
    let station = Arc::new(ReadOnly::map(&station.handle().unwrap(), STATION.bytes()).unwrap());
    Consumer::new(station, 0, Arc::default())
}

fn wiring(overflow: Overflow, layout: PortLayout, port_edge: usize) -> Wiring {
    let terms = terms(overflow);
    Wiring { terms, edge: 0, layout, port_edge, station_edge: 0, queue: None, dead: Arc::default() }
}

fn send(sender: &mut Sender, number: u64) {
    sender.reserve(&Arc::new(Metadata::bytes()), 8).unwrap();
    sender.payload_mut().copy_from_slice(&number.to_le_bytes());
    sender.commit(Some(CAPTURE), 0).unwrap();
}

/// Sends on an edge whose consumer scribbles and on one whose consumer is honest, until the first is given up. Returns
/// how often it was scribbled.
fn producer_beside(overflow: Overflow, whims: &mut Whims) -> u64 {
    let layout = layout(2);
    let mut sender = sender(layout.clone());
    let scribbled = backed(STATION.bytes());
    sender.attach(terms(overflow), consumer(&scribbled));
    let station = Station::create(SegmentKind::Sealed, "honest", STATION).unwrap();
    let seen = Arc::new(ReadOnly::map(&station.handle().unwrap(), STATION.bytes()).unwrap());
    sender.attach(terms(Overflow::Block), Consumer::new(seen, 0, Arc::default()));
    let port = Arc::new(ReadOnly::map(&sender.handle().unwrap(), layout.bytes()).unwrap());
    let wiring = wiring(Overflow::Block, layout.clone(), 1);
    let honest = station.receiver(wiring, Mapped::new(Arc::clone(&port), Arc::default()));
    let (mut held, mut number) = (None::<View<'_>>, 0);
    while number < 200 && !producer_counts(&port, &layout, 0).quarantined {
        whims.in_words(scribbled.at(0));
        send(&mut sender, number);
        assert_eq!(honest.poll(), Poll::Ready);
        if let Some(view) = held.take() {
            assert_eq!(view.bytes(), (number - 1).to_le_bytes(), "nobody writes under an honest view");
        }
        held = honest.recv_zero_copy().unwrap();
        assert_eq!(held.as_ref().unwrap().bytes(), number.to_le_bytes());
        number += 1;
    }
    drop(held);
    scribbled.at::<InWords>(0).left.store(1, Relaxed);
    scribbled.at::<InWords>(0).taken.store(u64::MAX, Relaxed);
    assert!(sender.has_all_slots(), "a slot is lost");
    number
}

#[test]
fn a_consumer_that_scribbles_harms_nobody_but_its_own_edge() {
    let mut whims = Whims(1);
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let mut done = 0;
        while done < rounds() / 2 {
            done += producer_beside(overflow, &mut whims);
        }
    }
}

#[cfg(not(miri))]
#[test]
fn a_producer_that_waits_for_a_consumer_that_scribbles_goes_on() {
    let mut whims = Whims(2);
    let mut done = 0;
    while done < rounds() / 10 {
        let mut sender = sender(layout(1));
        let scribbled = backed(STATION.bytes());
        sender.attach(terms(Overflow::Block), consumer(&scribbled));
        let sent = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..50).for_each(|number| send(&mut sender, number));
                sent.store(true, Relaxed);
            });
            while !sent.load(Relaxed) {
                let words: &InWords = scribbled.at(0);
                whims.in_words(words);
                super::super::futex::wake_counter(&words.taken);
                done += 1;
            }
        });
        scribbled.at::<InWords>(0).taken.store(u64::MAX, Relaxed);
        assert!(sender.has_all_slots(), "a slot is lost");
    }
}

/// Takes from a port whose producer scribbles. Returns how often it did.
fn consumer_beside(overflow: Overflow, whims: &mut Whims) -> u64 {
    let layout = layout(1);
    let port = backed(layout.bytes());
    let mapped = Arc::new(ReadOnly::map(&port.handle().unwrap(), layout.bytes()).unwrap());
    let (base, len) = mapped.range();
    let within = |bytes: &[u8]| {
        let at = bytes.as_ptr() as usize;
        assert!(at >= base && at + bytes.len() <= base + len, "a view reaches beyond its segment");
        // Every byte can be read.
        std::hint::black_box(bytes.iter().fold(0u8, |all, byte| all ^ byte));
    };
    let station = Station::create(SegmentKind::Sealed, "honest", STATION).unwrap();
    let receiver = station.receiver(wiring(overflow, layout.clone(), 0), Mapped::new(mapped, Arc::default()));
    make_sense(&port, &layout);
    let mut views = Vec::new();
    for round in 0..100 {
        let (entry, slot) = (whims.below(2) as usize, whims.below(2) as u32);
        match whims.below(8) {
            0 | 1 => whims.out_words(port.at(layout.out_words(0))),
            2 | 3 => whims.entry(port.at(layout.ring(0) + entry * size_of::<Entry>())),
            4 => whims.header(port.at(layout.slot(slot))),
            5 => make_sense(&port, &layout),
            _ => publish(&port, &layout, round),
        }
        if receiver.poll() != Poll::Ready {
            continue;
        }
        let _ = receiver.next_published_at();
        match whims.below(3) {
            0 => drop(receiver.recv()),
            1 => views.extend(receiver.recv_zero_copy().ok().flatten()),
            _ => views.clear(),
        }
        views.iter().for_each(|view| within(view.bytes()));
    }
    100
}

/// What a producer would have written, in all slots and entries.
fn make_sense(port: &Writable, layout: &PortLayout) {
    for slot in 0..layout.slots() {
        let header: &SlotHeader = port.at(layout.slot(slot));
        header.magic.store(SlotHeader::MAGIC, Relaxed);
        header.version.store(SlotHeader::VERSION, Relaxed);
        header.metadata_bytes.store(2, Relaxed);
    }
}

/// One more message, with bytes in front of it that may be metadata.
fn publish(port: &Writable, layout: &PortLayout, round: u64) {
    let words: &OutWords = port.at(layout.out_words(0));
    let position = words.published.load(Relaxed) >> 2;
    let entry: &Entry = port.at(layout.ring(0) + (position as usize & 1) * size_of::<Entry>());
    entry.slot.store(round as u32 % 2, Relaxed);
    entry.metadata_version.store(round as u32 % 3, Relaxed);
    entry.payload_bytes.store(MAX_MESSAGE, Relaxed);
    entry.clock.store(1, Relaxed);
    entry.tag.store(position.wrapping_add(1), Relaxed);
    words.published.store(position.wrapping_add(1) << 2, Relaxed);
}

#[test]
fn a_producer_that_scribbles_gets_an_error_and_is_never_followed_out_of_its_segment() {
    let mut whims = Whims(3);
    for overflow in [Overflow::Block, Overflow::DropOldest] {
        let mut done = 0;
        while done < rounds() / 2 {
            done += consumer_beside(overflow, &mut whims);
        }
    }
}
