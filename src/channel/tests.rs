//! The channel by itself: both ends in one process, both kinds of segment, every step by hand.

mod hostile;
mod oracle;
#[cfg(all(not(any(miri, ezrun_tsan)), any(target_arch = "x86_64", target_arch = "aarch64")))]
mod steps;
mod threads;

use super::*;
use crate::graph::Wait;
use crate::message::{Capture, Metadata, Owned, View};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(not(miri))]
use std::time::Instant;

const KINDS: [SegmentKind; 2] = [SegmentKind::Sealed, SegmentKind::Named];
const CAPTURE: Capture = Capture { ns: 5, clock: crate::message::Clock::Stream };

/// One producer and one consumer, with handles of both segments for the ledger.
struct Pair {
    sender: Sender,
    receiver: Receiver,
    station: Arc<ReadOnly>,
    consumer_is_dead: Arc<AtomicBool>,
    names: Vec<String>,
}

/// Address space for the largest message; memory is used only as far as messages need it.
const MAX_MESSAGE: u64 = if cfg!(miri) { 64 << 10 } else { 64 << 20 };

impl Pair {
    fn new(kind: SegmentKind, overflow: Overflow, queue: u32, holds: u32) -> Self {
        Self::labelled("test", kind, overflow, queue, holds)
    }

    fn labelled(label: &str, kind: SegmentKind, overflow: Overflow, queue: u32, holds: u32) -> Self {
        Self::waiting(label, kind, Wait::Adaptive, overflow, queue, holds)
    }

    fn waiting(label: &str, kind: SegmentKind, wait: Wait, overflow: Overflow, queue: u32, holds: u32) -> Self {
        let layout =
            PortLayout { edges: vec![EdgeLayout { queue, holds }], slot_payload_bytes: MAX_MESSAGE, prefault: false };
        let terms = EdgeTerms { name: "a.out -> b.in".to_owned(), overflow, queue, max_message: MAX_MESSAGE, holds };
        let interrupt = Arc::new(Interrupt::new().unwrap());
        let mut sender = Sender::create(kind, label, layout.clone(), Waiter::new(interrupt, wait)).unwrap();
        let station = Station::create(kind, "test", StationLayout { edges: 1 }).unwrap();
        let (port_handle, station_handle) = (sender.handle().unwrap(), station.handle().unwrap());
        let station_seen = Arc::new(ReadOnly::map(&station_handle, StationLayout { edges: 1 }.bytes()).unwrap());
        let consumer_is_dead = Arc::new(AtomicBool::new(false));
        let (at, dead) = (StationLayout { edges: 1 }.in_words(0), Arc::clone(&consumer_is_dead));
        sender.attach(terms.clone(), Consumer::new(Arc::clone(&station_seen), at, dead));
        let inbox = Arc::new(Inbox::default());
        let port = Arc::new(ReadOnly::map(&port_handle, layout.bytes()).unwrap());
        let (bytes, successors) = (layout.bytes(), Arc::clone(&inbox));
        sender.announce_with(Box::new(move |successor| {
            successors.put(Origin::Same, Arc::new(ReadOnly::map(&successor, bytes)?));
            Ok(())
        }));
        let wiring =
            Wiring { terms, edge: 0, layout, port_edge: 0, station_edge: 0, queue: None, dead: Arc::default() };
        let receiver = station.receiver(wiring, Mapped::new(port, inbox));
        let names = [port_handle, station_handle].into_iter().filter_map(|handle| match handle {
            Handle::Named(name) if !cfg!(miri) => Some(name),
            Handle::Named(_) | Handle::Sealed(_) => None,
        });
        Pair { sender, receiver, station: station_seen, consumer_is_dead, names: names.collect() }
    }

    fn send(&mut self, payload: &[u8]) {
        self.sender.reserve(&Arc::new(Metadata::bytes()), payload.len()).unwrap();
        self.sender.payload_mut().copy_from_slice(payload);
        self.sender.commit(Some(CAPTURE), 7).unwrap();
    }

    fn recv(&self) -> Owned {
        assert!(matches!(self.receiver.poll(), Poll::Ready));
        self.receiver.recv().unwrap().expect("nothing overwrites it")
    }

    fn view(&self) -> View<'_> {
        assert!(matches!(self.receiver.poll(), Poll::Ready));
        self.receiver.recv_zero_copy().unwrap().expect("nothing overwrites it")
    }

    /// Where the next message would be written: a slot that is free.
    fn next_slot(&mut self, payload_bytes: usize) -> *const u8 {
        self.sender.reserve(&Arc::new(Metadata::bytes()), payload_bytes).unwrap();
        self.sender.payload().as_ptr()
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.names.iter().for_each(|name| unlink(name));
    }
}

#[test]
fn a_message_arrives_with_its_header_and_its_bytes_either_way() {
    for kind in KINDS {
        let mut pair = Pair::new(kind, Overflow::Block, 4, 1);
        pair.send(b"first");
        pair.send(b"second");
        let owned = pair.recv();
        assert_eq!((&*owned.payload, owned.header.sequence, owned.header.trace), (&b"first"[..], 0, 7));
        assert_eq!(owned.header.capture, CAPTURE);
        let view = pair.view();
        assert_eq!((view.bytes(), view.header().sequence), (&b"second"[..], 1));
        assert_eq!(view.bytes().as_ptr() as usize % crate::message::ALIGN, 0);
    }
}

#[test]
fn recv_frees_the_slot_at_once_and_a_view_frees_it_when_it_is_dropped() {
    for kind in KINDS {
        let mut pair = Pair::new(kind, Overflow::Block, 1, 1);
        let first = pair.next_slot(5000);
        pair.send(&[1; 5000]);
        let copy = pair.recv();
        assert_eq!(pair.next_slot(5000), first, "the copy left the slot, which is warm and so the next one");
        pair.send(&[2; 5000]);
        let Pair { sender, receiver, .. } = &mut pair;
        assert!(matches!(receiver.poll(), Poll::Ready));
        let view = receiver.recv_zero_copy().unwrap().unwrap();
        sender.reserve(&Arc::new(Metadata::bytes()), 5000).unwrap();
        assert_ne!(sender.payload().as_ptr(), first, "the view keeps its slot");
        assert_eq!(view.bytes(), [2; 5000]);
        drop(view);
        sender.reserve(&Arc::new(Metadata::bytes()), 5000).unwrap();
        assert_eq!(sender.payload().as_ptr(), first, "the dropped view gave it back");
        assert_eq!(*copy.payload, [1; 5000]);
    }
}

#[test]
fn in_whichever_order_slots_take_turns_nobody_writes_under_a_view() {
    for kind in KINDS {
        let mut pair = Pair::new(kind, Overflow::Block, 4, 2);
        // Long enough for both orders to be tried.
        for i in 0..400u32 {
            let bytes = |i: u32| vec![i as u8; 5000];
            pair.send(&bytes(2 * i));
            pair.send(&bytes(2 * i + 1));
            let Pair { sender, receiver, .. } = &mut pair;
            let views = [(); 2].map(|()| {
                assert!(matches!(receiver.poll(), Poll::Ready));
                receiver.recv_zero_copy().unwrap().unwrap()
            });
            sender.reserve(&Arc::new(Metadata::bytes()), 5000).unwrap();
            sender.payload_mut().fill(0xff);
            assert_eq!(views[0].bytes(), bytes(2 * i));
            assert_eq!(views[1].bytes(), bytes(2 * i + 1));
        }
    }
}

#[test]
#[cfg(not(miri))]
fn a_queue_of_large_messages_fills_up_though_nobody_takes_any() {
    let mut pair = Pair::new(SegmentKind::Sealed, Overflow::Block, 12, 1);
    for i in 0..12u8 {
        pair.send(&vec![i; 1 << 20]);
    }
    for i in 0..12u8 {
        assert_eq!(*pair.recv().payload, vec![i; 1 << 20]);
    }
}

#[test]
fn as_many_views_as_declared_can_be_held_and_no_more_while_the_producer_goes_on() {
    for kind in KINDS {
        let mut pair = Pair::new(kind, Overflow::DropOldest, 2, 3);
        for i in 0..2u8 {
            pair.send(&[i; 100]);
        }
        let Pair { sender, receiver, .. } = &mut pair;
        let mut kept = Vec::new();
        let mut sent = 2u8;
        while kept.len() < 3 {
            assert!(matches!(receiver.poll(), Poll::Ready));
            kept.push(receiver.recv_zero_copy().unwrap().unwrap());
            for _ in 0..50 {
                sender.reserve(&Arc::new(Metadata::bytes()), 100).unwrap();
                sender.payload_mut().fill(sent);
                sender.commit(Some(CAPTURE), 0).unwrap();
                sent = sent.wrapping_add(1);
            }
        }
        assert!(matches!(receiver.poll(), Poll::Ready));
        assert!(matches!(receiver.recv_zero_copy(), Err(ChannelError::TooManyViews { holds: 3, .. })));
        for view in &kept {
            assert_eq!(view.bytes(), [view.header().sequence as u8; 100], "nobody writes under a view");
        }
    }
}

#[test]
fn a_hundred_into_a_depth_of_three_leaves_the_last_three_and_counts_the_rest() {
    for kind in KINDS {
        let mut pair = Pair::new(kind, Overflow::DropOldest, 3, 1);
        for i in 0..100u8 {
            pair.send(&[i]);
        }
        let left: Vec<u8> = (0..3).map(|_| pair.recv().payload[0]).collect();
        assert_eq!(left, [97, 98, 99]);
        let counts = consumer_counts(&pair.station, StationLayout { edges: 1 }, 0);
        assert_eq!((counts.overwritten, counts.copies, counts.taken), (97, 3, 100));
    }
}

#[test]
fn a_dead_consumer_holds_nothing_back() {
    for kind in KINDS {
        let mut pair = Pair::new(kind, Overflow::Block, 2, 1);
        pair.send(&[0; 100]);
        // As if it had been killed with a view in its hand: nobody will ever give it back.
        std::mem::forget(pair.view());
        pair.consumer_is_dead.store(true, Ordering::Release);
        for i in 0..100u8 {
            pair.send(&[i; 100]);
        }
        assert!(!pair.sender.has_readers());
    }
}

/// Bytes of memory behind the producer's present segment.
#[cfg(not(miri))]
fn backed_bytes(pair: &Pair) -> u64 {
    let stat = match pair.sender.handle().unwrap() {
        Handle::Sealed(fd) => rustix::fs::fstat(&fd).unwrap(),
        Handle::Named(name) => rustix::fs::stat(format!("/dev/shm/{name}")).unwrap(),
    };
    stat.st_blocks as u64 * 512
}

/// How often a segment with this label is mapped in this process.
#[cfg(not(miri))]
fn mappings(label: &str) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains(&format!("/memfd:{label} "))).count()
}

#[cfg(not(miri))]
#[test]
fn memory_that_one_large_message_needed_is_given_back_and_views_stay() {
    for kind in KINDS {
        let label = "outsized";
        let mut pair = Pair::labelled(label, kind, Overflow::Block, 4, 2);
        pair.send(&vec![9; 40 << 20]);
        drop(pair.recv());
        pair.send(&[7; 100]);
        let Pair { sender, receiver, .. } = &mut pair;
        assert!(matches!(receiver.poll(), Poll::Ready));
        let kept = receiver.recv_zero_copy().unwrap().unwrap();
        let (mut first, mut last) = (u32::MAX, 0);
        for i in 0..3000u64 {
            sender.reserve(&Arc::new(Metadata::bytes()), 8).unwrap();
            sender.payload_mut().copy_from_slice(&i.to_le_bytes());
            sender.commit(Some(CAPTURE), 0).unwrap();
            assert!(matches!(receiver.poll(), Poll::Ready));
            let message = receiver.recv_zero_copy().unwrap().unwrap();
            assert_eq!((message.bytes(), message.header().sequence), (&i.to_le_bytes()[..], i + 2));
            (first, last) = (first.min(message.header().generation), message.header().generation);
        }
        assert_eq!(kept.bytes(), [7; 100], "a view of the old segment");
        let sealed = kind == SegmentKind::Sealed;
        assert_eq!((first, last), (0, u32::from(sealed)), "a sealed segment is replaced, once");
        assert_eq!(mappings(label), if sealed { 3 } else { 0 }, "both ends of the new one, and the view's");
        drop(kept);
        assert_eq!(mappings(label), if sealed { 2 } else { 0 }, "nobody keeps the old one");
        assert!(backed_bytes(&pair) < 1 << 20, "{} bytes are left", backed_bytes(&pair));
    }
}

#[cfg(not(miri))]
#[test]
fn every_segment_stays_mapped_while_views_of_it_are_held_however_many_came_after_it() {
    let label = "held";
    let segment = || Writable::create(SegmentKind::Sealed, label, 4096).unwrap();
    let map = |segment: &Writable| Arc::new(ReadOnly::map(&segment.handle().unwrap(), 4096).unwrap());
    let segments = [segment(), segment(), segment()];
    let inbox = Arc::new(Inbox::default());
    let mapped = Mapped::new(map(&segments[0]), Arc::clone(&inbox));
    for (at, borrows) in [(1, 0b1), (2, 0b11)] {
        inbox.put(Origin::Same, map(&segments[at]));
        assert!(mapped.advance(borrows));
    }
    assert_eq!(mappings(label), 6, "the first has entry 0, the second entry 1");
    mapped.gave_back(0);
    assert_eq!(mappings(label), 5);
    mapped.gave_back(1);
    assert_eq!(mappings(label), 4, "the present one alone");
}

#[cfg(not(miri))]
#[test]
fn a_consumer_that_stood_still_while_the_segment_was_replaced_gets_the_newest_and_counts_the_rest() {
    let mut pair = Pair::new(SegmentKind::Sealed, Overflow::DropOldest, 3, 1);
    pair.send(&vec![9; 40 << 20]);
    for i in 0..5000u64 {
        pair.send(&i.to_le_bytes());
    }
    let left: Vec<Owned> = (0..3).map(|_| pair.recv()).collect();
    let numbers: Vec<u64> = left.iter().map(|m| u64::from_le_bytes((&*m.payload).try_into().unwrap())).collect();
    assert_eq!(numbers, [4997, 4998, 4999]);
    assert_eq!(left[2].header.generation, 1);
    let counts = consumer_counts(&pair.station, StationLayout { edges: 1 }, 0);
    assert_eq!((counts.overwritten, counts.taken), (4998, 5001));
}

#[cfg(not(miri))]
#[test]
fn nothing_is_lost_or_changed_while_segments_are_replaced_under_a_running_consumer() {
    const MESSAGES: u64 = 12_000;
    let large = |i: u64| i.is_multiple_of(2500);
    let mut pair = Pair::new(SegmentKind::Sealed, Overflow::Block, 4, 1);
    let Pair { sender, receiver, .. } = &mut pair;
    let interrupt = Interrupt::new().unwrap();
    let generation = std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..MESSAGES {
                let bytes = if large(i) { 20 << 20 } else { 64 };
                sender.reserve(&Arc::new(Metadata::bytes()), bytes).unwrap();
                let payload = sender.payload_mut();
                payload[..8].copy_from_slice(&i.to_le_bytes());
                payload[bytes - 8..].copy_from_slice(&i.to_le_bytes());
                sender.commit(Some(CAPTURE), 0).unwrap();
            }
            sender.close();
        });
        let (mut expected, mut generation, mut sleeps) = (0, 0, Sleeps::default());
        loop {
            match receiver.poll() {
                Poll::Ready => {
                    let view = receiver.recv_zero_copy().unwrap().unwrap();
                    let bytes = view.bytes();
                    assert_eq!(bytes.len(), if large(expected) { 20 << 20 } else { 64 });
                    assert_eq!((&bytes[..8], &bytes[bytes.len() - 8..]), (&expected.to_le_bytes()[..], &bytes[..8]));
                    generation = view.header().generation;
                    expected += 1;
                }
                Poll::Empty(seen) => {
                    receiver.announce_sleep(sleeps.number(true));
                    if matches!(receiver.poll(), Poll::Empty(now) if now == seen) {
                        let mut list = WaitList::default();
                        receiver.push_wait(&mut list, seen);
                        interrupt.wait(&mut list, interrupt.ticket(), None).unwrap();
                    }
                    receiver.announce_sleep(0);
                }
                Poll::Ended => break,
            }
        }
        assert_eq!(expected, MESSAGES);
        generation
    });
    assert!(generation >= 3, "only {generation} segments were replaced");
}

#[test]
fn the_end_of_the_stream_comes_after_its_last_message() {
    for kind in KINDS {
        let mut pair = Pair::new(kind, Overflow::Block, 4, 1);
        assert!(matches!(pair.receiver.poll(), Poll::Empty(_)));
        pair.send(b"last");
        pair.sender.close();
        assert_eq!(&*pair.recv().payload, b"last");
        assert_eq!(pair.receiver.poll(), Poll::Ended);
    }
}

#[test]
fn changing_metadata_arrives_with_the_message_that_it_describes() {
    let mut pair = Pair::new(SegmentKind::Sealed, Overflow::DropOldest, 1, 1);
    let send = |pair: &mut Pair, length: usize| {
        let metadata = Arc::new(Metadata::bytes().with("unit", &"V".repeat(length)));
        pair.sender.reserve(&metadata, 8).unwrap();
        pair.sender.payload_mut().copy_from_slice(&length.to_le_bytes());
        pair.sender.commit(Some(CAPTURE), 0).unwrap();
    };
    let arrives = |pair: &Pair, length: usize| {
        let message = pair.recv();
        assert_eq!(message.metadata.attributes["unit"], "V".repeat(length).as_str());
        assert_eq!(*message.payload, length.to_le_bytes(), "a payload lies behind its own metadata");
    };
    [1, 300, 70].into_iter().for_each(|length| send(&mut pair, length));
    arrives(&pair, 70);
    for length in [70, 300, 1, 1] {
        send(&mut pair, length);
        arrives(&pair, length);
    }
}

#[cfg(not(miri))]
#[test]
fn a_wait_on_more_words_than_one_call_takes_ends_at_a_change_of_any_of_them() {
    use std::sync::atomic::AtomicU64;
    let interrupt = Interrupt::new().unwrap();
    let words: Vec<AtomicU64> = (0..300).map(AtomicU64::new).collect();
    for changed in [0, 150, 299] {
        let mut list = WaitList::default();
        words.iter().for_each(|word| list.push_counter(word, word.load(Ordering::Relaxed)));
        let deadline = Instant::now() + std::time::Duration::from_secs(60);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                words[changed].fetch_add(1000, Ordering::SeqCst);
                super::futex::wake_counter(&words[changed]);
            });
            interrupt.wait(&mut list, interrupt.ticket(), Some(deadline)).unwrap();
        });
        assert!(Instant::now() < deadline, "word {changed} woke nobody");
    }
}

#[cfg(not(miri))]
#[test]
fn a_segment_cannot_be_mapped_for_writing_by_anybody_else() {
    use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};
    let pair = Pair::new(SegmentKind::Sealed, Overflow::Block, 1, 1);
    let Handle::Sealed(fd) = pair.sender.handle().unwrap() else { unreachable!("a sealed segment has a descriptor") };
    let reopened = std::fs::OpenOptions::new().read(true).write(true).open(format!("/proc/self/fd/{}", {
        use std::os::fd::AsRawFd;
        fd.as_raw_fd()
    }));
    let null = std::ptr::null_mut;
    // SAFETY: new mappings at addresses of the kernel's choice; none of them is used.
    let map = |fd: &std::os::fd::OwnedFd, protection| unsafe {
        rustix::mm::mmap(null(), 4096, protection, MapFlags::SHARED, fd, 0)
    };
    let writable = ProtFlags::READ | ProtFlags::WRITE;
    assert!(map(&fd, writable).is_err(), "a writable mapping");
    assert!(map(&reopened.unwrap().into(), writable).is_err(), "a writable mapping through /proc");
    let read_only = map(&fd, ProtFlags::READ).unwrap();
    // SAFETY: the mapping is this test's own, and nothing refers into it.
    let widened = unsafe { rustix::mm::mprotect(read_only, 4096, MprotectFlags::READ | MprotectFlags::WRITE) };
    assert!(widened.is_err(), "mprotect to writable");
    assert!(rustix::io::pwrite(&fd, b"x", 0).is_err(), "write");
    assert!(rustix::fs::ftruncate(&fd, 0).is_err(), "truncate");
}
