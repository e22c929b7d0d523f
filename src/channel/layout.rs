//! What lies where in a segment. Both sides compute it from the same numbers, so no size or offset is ever read from
//! shared memory.

use super::latency::BUCKETS;
use super::sync::{AtomicU32, AtomicU64, Plain32, Plain64};
use crate::message::Clock;
use bincode::{Decode, Encode};
use std::sync::atomic::AtomicI64;

/// Most messages that an input may hold at a time.
pub const MAX_HOLDS: usize = 64;
/// Largest encoded metadata, in bytes.
pub const MAX_METADATA_BYTES: usize = 256 << 10;

/// Entries of a borrow table; a model makes no more than it needs.
const BORROWS: usize = if cfg!(ezrun_loom) { 2 } else { MAX_HOLDS };
const PAGE: usize = 4096;
/// Added to each slot's length, so that neighbouring slots do not start in the same cache set.
const STAGGER: usize = 9 * 64;
/// Slots beside those that edges can pin: one that is being filled, one to spare.
const SPARE_SLOTS: u32 = 2;

/// Types that may lie in shared memory while another process writes them.
///
/// # Safety
/// Every field must be an atomic, or padding, and every bit pattern valid.
#[cfg(not(ezrun_loom))]
pub unsafe trait Shared {}

/// As without the model checker, for which words are values of their own.
///
/// # Safety
/// As there.
#[cfg(ezrun_loom)]
pub unsafe trait Shared: Default + Send + Sync + 'static {}

/// What lies at the front of a producer's segment.
#[cfg_attr(ezrun_loom, derive(Default))]
#[repr(C, align(128))]
pub struct PortWords {
    /// How many messages will be sent in all; 0 where nobody knows.
    pub expected: Plain64,
}

/// What a producer writes for one edge: first what changes with every message, then, on lines of its own, what a consumer
/// looks at with every message and what hardly ever changes.
#[cfg_attr(ezrun_loom, derive(Default))]
#[repr(C, align(128))]
pub struct OutWords {
    /// A [`Published`].
    pub published: AtomicU64,
    /// Messages offered to this edge.
    pub sent: Plain64,
    /// Those of them that the edge refused since it was full.
    pub rejected: Plain64,
    pad: [u64; 13],
    /// While the producer sleeps until `taken` changes, the number of this sleep; else 0.
    pub waiting: AtomicU32,
    /// Set once the consumer's words were found to be impossible.
    pub quarantined: Plain32,
}

/// How far a producer is on an edge, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// How many positions are published.
    pub positions: u64,
    /// No more will come.
    pub closed: bool,
    /// What comes next lies in the segment that takes this one's place.
    pub moved: bool,
}

impl Published {
    /// What a word says.
    #[must_use]
    pub fn of(word: u64) -> Self {
        Published { positions: word >> 2, closed: word & 1 == 1, moved: word & 2 == 2 }
    }

    /// `positions` are published, and more will come.
    #[must_use]
    pub fn open(positions: u64) -> Self {
        Published { positions, closed: false, moved: false }
    }

    /// The word that says it.
    #[must_use]
    pub fn word(self) -> u64 {
        self.positions << 2 | u64::from(self.moved) << 1 | u64::from(self.closed)
    }
}

/// An entry of an edge's ring: on one line all that a consumer reads of a message, beside its payload and metadata that is
/// new to it.
#[cfg_attr(ezrun_loom, derive(Default))]
#[repr(C, align(64))]
pub struct Entry {
    /// Position plus 1; 0 where the entry was withdrawn.
    pub tag: AtomicU64,
    /// Slot of the message.
    pub slot: AtomicU32,
    /// Version of its metadata.
    pub metadata_version: Plain32,
    /// Length of its payload in bytes.
    pub payload_bytes: Plain64,
    /// When it was published, `CLOCK_MONOTONIC` nanoseconds.
    pub publish_ns: Plain64,
    /// Number of the message on its port.
    pub sequence: AtomicU64,
    /// Capture time in nanoseconds.
    pub capture_ns: AtomicI64,
    /// Follows a message through the graph.
    pub trace: Plain64,
    /// Clock of the capture time.
    pub clock: Plain32,
    /// How many segments of the port came before this one.
    pub generation: Plain32,
}

/// How a clock is written in an entry.
pub fn clock_code(clock: Clock) -> u32 {
    match clock {
        Clock::Stream => 1,
        Clock::Realtime => 2,
    }
}

/// The clock that an entry names, if it names one.
pub fn clock_of(code: u32) -> Option<Clock> {
    match code {
        1 => Some(Clock::Stream),
        2 => Some(Clock::Realtime),
        _ => None,
    }
}

/// What a consumer writes for one edge, ordered as in [`OutWords`].
#[repr(C, align(128))]
pub struct InWords {
    /// Twice the number of taken positions, plus 1 once no more will be taken.
    pub taken: AtomicU64,
    pad: [u64; 15],
    /// While the consumer sleeps until `published` changes, the number of this sleep; else 0.
    pub sleeping: AtomicU32,
    /// Set once no more will be taken.
    pub left: AtomicU32,
    pad_too: [u64; 15],
    /// Counters that only the ledger reads.
    pub counters: Counters,
    /// Positions plus 1 of the messages that are held; 0 where an entry is free.
    pub borrowed: [AtomicU64; BORROWS],
    /// Latencies from publish to take.
    pub latency: [Plain64; BUCKETS],
}

#[cfg(ezrun_loom)]
impl Default for InWords {
    fn default() -> Self {
        let (taken, sleeping, left) = <(AtomicU64, AtomicU32, AtomicU32)>::default();
        let (counters, latency) = (Counters::default(), std::array::from_fn(|_| Plain64::default()));
        let (pad, pad_too, borrowed) = Default::default();
        InWords { taken, pad, sleeping, left, pad_too, counters, borrowed, latency }
    }
}

/// What a consumer counts for one edge.
#[cfg_attr(ezrun_loom, derive(Default))]
#[repr(C, align(128))]
pub struct Counters {
    /// Messages that the node is done with.
    pub received: Plain64,
    /// Messages that the node has in hand.
    pub in_hand: Plain64,
    /// Messages overwritten before they were taken.
    pub dropped: Plain64,
    /// Private copies made.
    pub copies: Plain64,
    /// Bytes copied for them.
    pub copied_bytes: Plain64,
    /// Messages received by move.
    pub moves: Plain64,
    /// Views given.
    pub views: Plain64,
    /// Longest latency in nanoseconds.
    pub latency_max: Plain64,
}

/// What lies in front of metadata and payload, at the start of a slot. A consumer reads it only for metadata that is new to
/// it; the number is for the report of a store into a view.
#[cfg_attr(ezrun_loom, derive(Default))]
#[repr(C)]
pub struct SlotHeader {
    /// [`SlotHeader::MAGIC`].
    pub magic: Plain32,
    /// [`SlotHeader::VERSION`].
    pub version: Plain32,
    /// Number of the message on its port.
    pub sequence: Plain64,
    /// Length of the metadata in bytes.
    pub metadata_bytes: Plain32,
    /// Version of the metadata that stands behind this header.
    pub metadata_version: Plain32,
    /// Tells payload types apart at a glance.
    pub type_hash: Plain64,
    reserved: [u64; 12],
}

// SAFETY: atomics only.
unsafe impl Shared for PortWords {}
// SAFETY: atomics only.
unsafe impl Shared for OutWords {}
// SAFETY: atomics only.
unsafe impl Shared for Entry {}
// SAFETY: atomics and padding only.
unsafe impl Shared for InWords {}
// SAFETY: atomics, and reserved words that nobody reads.
unsafe impl Shared for SlotHeader {}

#[cfg(not(ezrun_loom))]
const _: () = {
    assert!(size_of::<PortWords>() == 128 && size_of::<OutWords>() == 256 && size_of::<Entry>() == 64);
    assert!(size_of::<SlotHeader>() == 128 && size_of::<Counters>() == 128);
    assert!(std::mem::offset_of!(OutWords, waiting) == 128 && std::mem::offset_of!(InWords, sleeping) == 128);
    assert!(std::mem::offset_of!(InWords, counters) == 256);
};

impl SlotHeader {
    /// Marks a slot that holds a message.
    pub const MAGIC: u32 = u32::from_le_bytes(*b"ezm1");
    /// Version of this layout.
    pub const VERSION: u32 = 4;
}

/// The numbers that a producer's segment follows from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct PortLayout {
    /// One for each edge that leaves the port.
    pub edges: Vec<EdgeLayout>,
    /// Largest payload of any edge, in bytes; 0 where no message lies in the segment (all edges move or copy from
    /// private memory of the one process).
    pub slot_payload_bytes: u64,
    /// Whether all slots have their memory before the first message.
    pub prefault: bool,
}

/// What an edge adds to its producer's segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct EdgeLayout {
    /// Depth of the queue.
    pub queue: u32,
    /// How many messages the consumer may hold beside the queue.
    pub holds: u32,
}

impl PortLayout {
    /// How many slots there are: what the edges can pin, and two.
    #[must_use]
    pub fn slots(&self) -> u32 {
        if self.slot_payload_bytes == 0 {
            return 0;
        }
        let pinned = self.edges.iter().map(|edge| edge.queue.saturating_add(edge.holds));
        pinned.fold(SPARE_SLOTS, u32::saturating_add)
    }

    /// From one slot to the next, in bytes.
    #[must_use]
    pub fn slot_stride(&self) -> usize {
        let room = (size_of::<SlotHeader>() + MAX_METADATA_BYTES).saturating_add(self.slot_payload_bytes as usize);
        pages(room).saturating_add(STAGGER)
    }

    /// Where the words of an edge lie.
    #[must_use]
    pub fn out_words(&self, edge: usize) -> usize {
        size_of::<PortWords>() + edge * size_of::<OutWords>()
    }

    /// Where the ring of an edge lies.
    #[must_use]
    pub fn ring(&self, edge: usize) -> usize {
        let before: usize = self.edges[..edge].iter().map(EdgeLayout::ring_len).sum();
        self.out_words(self.edges.len()) + before * size_of::<Entry>()
    }

    /// Where the slots begin: also the length of everything before them.
    #[must_use]
    pub fn slots_offset(&self) -> usize {
        self.ring(self.edges.len()).next_multiple_of(PAGE)
    }

    /// Where a slot lies.
    #[must_use]
    pub fn slot(&self, slot: u32) -> usize {
        self.slot_places().slot(slot)
    }

    /// Where its slots lie, worked out once.
    #[must_use]
    pub fn slot_places(&self) -> SlotPlaces {
        SlotPlaces {
            first: self.slots_offset(),
            stride: self.slot_stride(),
            count: self.slots(),
            payload_bytes: self.slot_payload_bytes as usize,
        }
    }

    /// Length of the segment; one that no machine has where it would be longer than can be counted.
    #[must_use]
    pub fn bytes(&self) -> usize {
        pages(self.slot_places().end())
    }

    /// How much memory all slots come to need with messages of the largest size and hardly any metadata.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        let slot = pages(size_of::<SlotHeader>().saturating_add(self.slot_payload_bytes as usize));
        (self.slots() as usize).saturating_mul(slot)
    }

    /// The parts of the segment that get their memory before the first message, where that is asked for: of each slot,
    /// what a message of the largest size needs with a page of metadata. Where each begins, and its length.
    pub fn prefaulted(&self) -> impl Iterator<Item = (usize, usize)> {
        let (places, count) = (self.slot_places(), if self.prefault { self.slots() } else { 0 });
        let bytes = pages(payload_offset(PAGE).saturating_add(places.payload_bytes)).min(places.stride);
        (0..count).map(move |slot| (places.slot(slot), bytes))
    }
}

/// Where the slots of a segment lie.
#[derive(Clone, Copy, Debug)]
pub struct SlotPlaces {
    first: usize,
    /// From one to the next, in bytes.
    pub stride: usize,
    /// How many there are.
    pub count: u32,
    /// The longest payload.
    pub payload_bytes: usize,
}

impl SlotPlaces {
    /// Where a slot lies; any place at all where there is no such slot.
    #[must_use]
    pub fn slot(&self, slot: u32) -> usize {
        self.first.wrapping_add((slot as usize).wrapping_mul(self.stride))
    }

    /// Where the last one ends; where that is more than can be counted, further than any segment reaches.
    fn end(&self) -> usize {
        self.first.saturating_add((self.count as usize).saturating_mul(self.stride))
    }
}

/// Where a port goes on that another process has begun; all 0 where none has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct PortStart {
    /// For each edge, the first position.
    pub positions: Vec<u64>,
    /// Number of the first message.
    pub sequence: u64,
    /// How many segments the port had before.
    pub generation: u32,
}

/// As many bytes in whole pages.
fn pages(bytes: usize) -> usize {
    bytes.checked_next_multiple_of(PAGE).unwrap_or(usize::MAX)
}

impl EdgeLayout {
    /// Entries in the ring: a power of two, so that a position finds its entry by its low bits.
    #[must_use]
    pub fn ring_len(&self) -> usize {
        (self.queue as usize).next_power_of_two()
    }
}

/// Where a payload begins in its slot.
#[must_use]
pub fn payload_offset(metadata_bytes: usize) -> usize {
    (size_of::<SlotHeader>() + metadata_bytes).next_multiple_of(crate::message::ALIGN)
}

/// The numbers that a consumer's segment follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StationLayout {
    /// Edges that end in this process.
    pub edges: u32,
}

impl StationLayout {
    /// Where the words of an edge lie.
    #[must_use]
    pub fn in_words(&self, edge: usize) -> usize {
        edge * size_of::<InWords>()
    }

    /// Length of the segment.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.in_words(self.edges as usize).next_multiple_of(PAGE).max(PAGE)
    }
}
