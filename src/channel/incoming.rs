//! What a producer has written for one of its consumers, read and checked.

use super::ChannelError;
use super::layout::{
    Entry, MAX_METADATA_BYTES, OutWords, PortLayout, SlotHeader, SlotPlaces, clock_of, payload_offset,
};
use super::mapped::Mapped;
use super::sync::fence;
use crate::message::{Capture, Header, Metadata, codec};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

/// A producer's segment as one of its consumers reads it. Used by one thread.
pub struct Incoming {
    mapped: Mapped,
    places: Places,
    metadata: RefCell<Seen>,
    /// The slots read last and before that.
    slots: Cell<(u32, u32)>,
}

/// The metadata that was decoded last.
#[derive(Default)]
struct Seen {
    version: u32,
    value: Arc<Metadata>,
    /// Its encoded length: payloads of that version begin behind it.
    bytes: usize,
}

/// Where things lie in the producer's segment, worked out once.
struct Places {
    words_at: usize,
    ring_at: usize,
    ring_mask: u64,
    slots: SlotPlaces,
}

/// An entry as it was read, and still true after reading.
pub struct Found {
    slot: u32,
    metadata_version: u32,
    /// Length of its message's payload.
    pub payload_bytes: usize,
    /// When it was published.
    pub publish_ns: u64,
    sequence: u64,
    generation: u32,
    capture_ns: i64,
    clock: u32,
    trace: u64,
}

/// What a slot holds.
pub struct Content<'a> {
    pub header: Header,
    pub metadata: Arc<Metadata>,
    pub payload: &'a [u8],
}

impl Places {
    fn of(layout: &PortLayout, edge: usize) -> Self {
        Places {
            words_at: layout.out_words(edge),
            ring_at: layout.ring(edge),
            ring_mask: layout.edges[edge].ring_len() as u64 - 1,
            slots: layout.slot_places(),
        }
    }
}

impl Incoming {
    /// What lies in `mapped` for the edge `edge` of its port.
    pub fn new(mapped: Mapped, layout: &PortLayout, edge: usize) -> Self {
        Incoming { mapped, places: Places::of(layout, edge), metadata: RefCell::default(), slots: Cell::new((0, 0)) }
    }

    pub fn mapped(&self) -> &Mapped {
        &self.mapped
    }

    pub fn words(&self) -> &OutWords {
        self.mapped.segment().at(self.places.words_at)
    }

    /// Goes on in the segment that takes this one's place, as [`Mapped::advance`]: another producer counts the versions of
    /// its metadata anew.
    pub fn advance(&self, borrows: u64) -> bool {
        let advanced = self.mapped.advance(borrows);
        if advanced {
            self.metadata.take();
        }
        advanced
    }

    /// Has the first line of a message's payload brought near: by the time that the node is done with the one before it, it
    /// is.
    pub fn prefetch(&self, position: u64) {
        self.prefetch_slot(self.entry(position).slot.load(Relaxed));
    }

    /// As [`Incoming::prefetch`] before the message's entry has come near: its slot is likely as far from the last one as
    /// that was from the one before.
    pub fn prefetch_likely(&self) {
        let (last, before) = self.slots.get();
        self.prefetch_slot(last.wrapping_add(last.wrapping_sub(before)));
    }

    fn prefetch_slot(&self, slot: u32) {
        let slot_at = self.places.slots.slot(slot);
        self.mapped.segment().prefetch(slot_at.saturating_add(payload_offset(self.metadata.borrow().bytes)));
    }

    /// Reads an entry; nothing where it is not, or no longer, that of `position`.
    pub fn entry_at(&self, position: u64) -> Option<Found> {
        let entry = self.entry(position);
        if entry.tag.load(Acquire) != position + 1 {
            return None;
        }
        let found = Found {
            slot: entry.slot.load(Relaxed),
            metadata_version: entry.metadata_version.load(Relaxed),
            payload_bytes: entry.payload_bytes.load(Relaxed) as usize,
            publish_ns: entry.publish_ns.load(Relaxed),
            sequence: entry.sequence.load(Relaxed),
            generation: entry.generation.load(Relaxed),
            capture_ns: entry.capture_ns.load(Relaxed),
            clock: entry.clock.load(Relaxed),
            trace: entry.trace.load(Relaxed),
        };
        fence(Acquire);
        (entry.tag.load(Relaxed) == position + 1).then_some(found)
    }

    fn entry(&self, position: u64) -> &Entry {
        let index = (position & self.places.ring_mask) as usize;
        self.mapped.segment().at(self.places.ring_at + index * size_of::<Entry>())
    }

    /// Reads a slot that is held back: by its place in the queue, or by the borrow table.
    /// What is wrong with it is told of the edge `name`.
    #[inline(always)]
    pub fn content(&self, found: &Found, name: &str) -> Result<Content<'_>, ChannelError> {
        let slots = &self.places.slots;
        if found.slot >= slots.count || found.payload_bytes > slots.payload_bytes {
            return Err(corrupt(name, "an entry names a slot or a length that is not there"));
        }
        let Some(clock) = clock_of(found.clock) else {
            return Err(corrupt(name, "an entry names a clock that this version does not know"));
        };
        self.slots.set((found.slot, self.slots.get().0));
        let slot_at = slots.slot(found.slot);
        if self.metadata.borrow().version != found.metadata_version {
            self.decode(found.metadata_version, slot_at, name)?;
        }
        let metadata = self.metadata.borrow();
        let payload_at = slot_at + payload_offset(metadata.bytes);
        // SAFETY: the slot is published, and held back as this function's contract says.
        let payload = unsafe { self.mapped.segment().bytes(payload_at, found.payload_bytes) };
        let payload = payload.ok_or_else(|| corrupt(name, "a payload reaches beyond its segment"))?;
        let header = Header {
            sequence: found.sequence,
            generation: found.generation,
            capture: Capture { ns: found.capture_ns, clock },
            publish_ns: found.publish_ns,
            trace: found.trace,
        };
        Ok(Content { header, metadata: Arc::clone(&metadata.value), payload })
    }

    /// Decodes the metadata in the slot at `slot_at`.
    #[cold]
    fn decode(&self, version: u32, slot_at: usize, name: &str) -> Result<(), ChannelError> {
        let header: &SlotHeader = self.mapped.segment().at(slot_at);
        let known = (header.magic.load(Relaxed), header.version.load(Relaxed));
        if known != (SlotHeader::MAGIC, SlotHeader::VERSION) {
            return Err(corrupt(name, "a slot has no header that this version knows"));
        }
        let bytes = header.metadata_bytes.load(Relaxed) as usize;
        if bytes > MAX_METADATA_BYTES {
            return Err(corrupt(name, "a slot has more metadata than there is room for"));
        }
        // SAFETY: the metadata lies in the same slot as the payload, and is held back with it.
        let encoded = unsafe { self.mapped.segment().bytes(slot_at + size_of::<SlotHeader>(), bytes) };
        let encoded = encoded.ok_or_else(|| corrupt(name, "metadata reaches beyond its segment"))?;
        let value = Arc::new(codec::decode(encoded)?.0);
        self.metadata.replace(Seen { version, value, bytes });
        Ok(())
    }
}

/// What a producer has written to an edge makes no sense.
#[cold]
pub fn corrupt(edge: &str, what: &str) -> ChannelError {
    ChannelError::Corrupt { edge: edge.to_owned(), what: what.to_owned() }
}
