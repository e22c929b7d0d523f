//! The slots of a port: which are free, which edges still pin which, and what a slot's bytes are.
//!
//! Memory that one large message needed stays with its slot. Where a port has had much more than it needs for a while, it
//! is given back: a named segment's by punching holes, a sealed one's, which forbids that, by a fresh segment that takes
//! its place. Slots of the old one stay as long as an edge pins them.
//!
//! All of this is the producer's private book-keeping. Nothing of it is read back from shared memory.

use super::layout::{self, MAX_METADATA_BYTES, PortLayout, SlotHeader, SlotPlaces};
use super::memory::Writable;
use super::turns::{TOLD_BYTES, Turns};
use super::{ChannelError, SegmentKind};
use crate::message::{Metadata, Payload, codec, monotonic_ns};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// A slot gets this part more memory than its message needs, so that slowly growing messages do not ask the kernel each
/// time.
const BACKING_SHARE: usize = 16;
/// After so many messages it is decided whether a port has much more memory than they needed.
const USAGE_WINDOW: u32 = 1024;
/// Up to so many bytes nobody asks whether they are needed.
const MODEST_BYTES: usize = 16 << 20;
/// So many times what was in use at a time is much more than what is needed.
const MUCH_MORE: usize = 4;

/// The segment of a port, and who uses its slots.
pub struct Slots {
    memory: Arc<Writable>,
    kind: SegmentKind,
    label: String,
    layout: PortLayout,
    places: SlotPlaces,
    slots: Vec<Slot>,
    /// Free slots, in the order in which they were freed.
    free: Vec<u32>,
    turns: Turns,
    metadata: Encoded,
    usage: Usage,
    generation: u32,
    /// The segment before this one, while edges pin slots of it.
    retired: Option<Retired>,
}

/// A slot of one of a port's segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotRef {
    /// Counts the port's segments.
    pub generation: u32,
    /// Counts its slots.
    pub index: u32,
}

/// A segment that another one took the place of.
struct Retired {
    generation: u32,
    /// How often its slots are pinned, all together.
    pins: u32,
}

/// How much memory a port has, and how much of it was in use of late.
#[derive(Default)]
struct Usage {
    backed: usize,
    in_use: usize,
    peak: usize,
    messages: u32,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    /// Edges that have not released it, and one more while it is being filled or published.
    pins: u32,
    /// Bytes from its start that have memory.
    backed: usize,
    /// Those of them that the message in it needs; 0 where it is free.
    in_use: usize,
    /// Version of the metadata that it holds; 0 for none.
    metadata_version: u32,
}

/// The metadata of the message sent last.
#[derive(Default)]
struct Encoded {
    value: Arc<Metadata>,
    version: u32,
    bytes: Vec<u8>,
    type_hash: u64,
}

/// A slot that is being filled.
#[derive(Clone, Copy, Debug)]
pub struct Loan {
    /// The slot.
    pub slot: SlotRef,
    /// Where it lies in the segment.
    start: usize,
    /// Where its payload lies there.
    offset: usize,
    /// Length of the payload.
    pub payload_bytes: usize,
    /// Version of its metadata.
    pub metadata_version: u32,
}

impl Slots {
    /// A fresh segment with all slots free.
    pub fn create(kind: SegmentKind, label: &str, layout: PortLayout) -> Result<Self, ChannelError> {
        let (slots, free) = all_free(&layout);
        let mut port = Slots {
            memory: fresh(kind, label, &layout)?,
            kind,
            label: label.to_owned(),
            slots,
            free,
            turns: Turns::of(layout.slots() as usize),
            places: layout.slot_places(),
            layout,
            metadata: Encoded::default(),
            usage: Usage::default(),
            generation: 0,
            retired: None,
        };
        port.prefault()?;
        Ok(port)
    }

    /// Gets the memory that is to be there before the first message.
    fn prefault(&mut self) -> Result<(), ChannelError> {
        for (slot, (start, bytes)) in self.slots.iter_mut().zip(self.layout.prefaulted()) {
            self.memory.back(start, bytes)?;
            self.memory.populate(start, bytes);
            slot.backed = bytes;
            self.usage.backed += bytes;
        }
        Ok(())
    }

    /// Counts on from the segments of the process that this one has taken the place of.
    pub fn resume(&mut self, generation: u32) {
        self.generation = generation;
    }

    /// Whether no slot is pinned, of whichever segment.
    #[cfg(test)]
    pub fn are_free(&self) -> bool {
        self.free.len() == self.slots.len() && self.retired.is_none()
    }

    pub fn memory(&self) -> &Arc<Writable> {
        &self.memory
    }

    pub fn layout(&self) -> &PortLayout {
        &self.layout
    }

    /// Whether there is much more memory than the last messages needed. Told once, and then only after more messages.
    pub fn is_outsized(&mut self) -> bool {
        // What was asked for before the first message is not given back.
        if self.usage.messages < USAGE_WINDOW || self.layout.prefault {
            return false;
        }
        let Usage { backed, in_use, peak, .. } = self.usage;
        self.usage = Usage { backed, in_use, peak: in_use, messages: 0 };
        backed > MODEST_BYTES && backed / MUCH_MORE > peak
    }

    /// A segment to take this one's place; nothing where the memory of this one can be given back as it is.
    pub fn successor(&self) -> Result<Option<Arc<Writable>>, ChannelError> {
        match self.kind {
            SegmentKind::Sealed => fresh(self.kind, &self.label, &self.layout).map(Some),
            SegmentKind::Named => Ok(None),
        }
    }

    /// Whether slots of an earlier segment are still pinned.
    pub fn has_retired(&self) -> bool {
        self.retired.is_some()
    }

    /// Goes on in `successor`.
    pub fn move_to(&mut self, successor: Arc<Writable>) {
        let pins = self.slots.iter().map(|slot| slot.pins).sum();
        self.retired = (pins > 0).then_some(Retired { generation: self.generation, pins });
        self.generation += 1;
        (self.slots, self.free) = all_free(&self.layout);
        self.memory = successor;
        self.usage = Usage::default();
    }

    /// Gives the memory back that no message is in.
    pub fn give_back(&mut self) -> Result<(), ChannelError> {
        for (index, slot) in self.slots.iter_mut().enumerate().filter(|(_, slot)| slot.backed > slot.in_use) {
            let start = self.places.slot(index as u32);
            self.memory.give_back(start + slot.in_use, slot.backed - slot.in_use)?;
            self.usage.backed -= slot.backed - slot.in_use;
            slot.backed = slot.in_use;
            if slot.in_use == 0 {
                slot.metadata_version = 0;
            }
        }
        Ok(())
    }

    #[inline]
    fn next_free(&self, payload_bytes: usize) -> Option<u32> {
        self.turns.next(self.free.len(), payload_bytes).map(|at| self.free[at])
    }

    /// Whether the slot that would be lent next has never held `payload_bytes` bytes: reclaim first.
    pub fn next_is_cold(&self, payload_bytes: usize) -> bool {
        let is_cold = |slot: u32| self.slots[slot as usize].backed < payload_bytes;
        payload_bytes >= TOLD_BYTES || self.next_free(payload_bytes).is_none_or(is_cold)
    }

    /// Takes a free slot, with memory behind `payload_bytes` and the metadata in place.
    pub fn lend(&mut self, metadata: &Arc<Metadata>, payload_bytes: usize) -> Result<Loan, ChannelError> {
        if !self.metadata.is_of(metadata) {
            self.metadata.update(metadata)?;
        }
        let index = self.take_free(payload_bytes);
        let start = self.places.slot(index);
        let payload_at = layout::payload_offset(self.metadata.bytes.len());
        let needed = payload_at + payload_bytes;
        if needed > self.slots[index as usize].backed
            && let Err(e) = self.back(index, needed)
        {
            self.free.push(index);
            return Err(e);
        }
        let state = &mut self.slots[index as usize];
        state.pins = 1;
        state.in_use = needed;
        self.usage.lent(state.in_use);
        if state.metadata_version != self.metadata.version {
            state.metadata_version = self.metadata.version;
            self.describe(start);
        }
        self.prefetch_next(payload_at, payload_bytes);
        self.turns.lent(payload_bytes, monotonic_ns);
        let slot = SlotRef { generation: self.generation, index };
        Ok(Loan { slot, start, offset: start + payload_at, payload_bytes, metadata_version: self.metadata.version })
    }

    /// The free slot whose turn it is.
    #[inline]
    fn take_free(&mut self, payload_bytes: usize) -> u32 {
        let next = self.turns.next(self.free.len(), payload_bytes).and_then(|at| {
            let is_last = at + 1 == self.free.len();
            if is_last { self.free.pop() } else { Some(self.free.remove(at)) }
        });
        next.expect("edges pin at most queue + holds slots each, and there are two more")
    }

    /// Writes the metadata into the slot at `start`, and what its header says of it.
    #[cold]
    fn describe(&mut self, start: usize) {
        let metadata = &self.metadata;
        // SAFETY: a slot that was free is read by nobody: every edge has released it.
        let room = unsafe { self.memory.bytes_mut(start + size_of::<SlotHeader>(), metadata.bytes.len()) };
        room.copy_from_slice(&metadata.bytes);
        let header: &SlotHeader = self.memory.at(start);
        header.magic.store(SlotHeader::MAGIC, Relaxed);
        header.version.store(SlotHeader::VERSION, Relaxed);
        header.metadata_bytes.store(metadata.bytes.len() as u32, Relaxed);
        header.metadata_version.store(metadata.version, Relaxed);
        header.type_hash.store(metadata.type_hash, Relaxed);
    }

    /// Has the first line of the payload in the slot that is lent next brought here from the consumer, whose it was: as
    /// things stand, or once another one will have been freed.
    fn prefetch_next(&self, payload_at: usize, payload_bytes: usize) {
        let at = self.turns.next(self.free.len() + 1, payload_bytes);
        if let Some(&next) = at.and_then(|at| self.free.get(at)).or(self.free.last()) {
            self.memory.prefetch(self.places.slot(next).saturating_add(payload_at));
        }
    }

    pub fn payload(&self, loan: &Loan) -> &[u8] {
        // SAFETY: a lent slot is read and written by this process alone until it is published.
        unsafe { self.memory.bytes(loan.offset, loan.payload_bytes) }
    }

    pub fn payload_mut(&mut self, loan: &Loan) -> &mut [u8] {
        // SAFETY: a lent slot is read and written by this process alone until it is published, and `&mut self` makes
        // this the only reference.
        unsafe { self.memory.bytes_mut(loan.offset, loan.payload_bytes) }
    }

    /// The slot is filled: says which message is in it.
    pub fn seal(&mut self, loan: &Loan, sequence: u64, publish_ns: u64) {
        self.turns.filled(loan.payload_bytes, publish_ns);
        self.memory.at::<SlotHeader>(loan.start).sequence.store(sequence, Relaxed);
    }

    /// One more edge has the message in this slot.
    pub fn pin(&mut self, slot: SlotRef) {
        debug_assert_eq!(slot.generation, self.generation, "what is sent lies in the present segment");
        self.slots[slot.index as usize].pins += 1;
    }

    /// One edge, or the one that filled it, is done with this slot. The last one frees it.
    pub fn unpin(&mut self, slot: SlotRef) {
        if slot.generation != self.generation {
            return self.unpin_retired(slot);
        }
        let state = &mut self.slots[slot.index as usize];
        state.pins -= 1;
        if state.pins == 0 {
            self.usage.in_use -= std::mem::take(&mut state.in_use);
            self.free.push(slot.index);
        }
    }

    #[cold]
    fn unpin_retired(&mut self, slot: SlotRef) {
        let Some(retired) = self.retired.as_mut().filter(|retired| retired.generation == slot.generation) else {
            unreachable!("a segment retires only when nothing pins the one before it")
        };
        retired.pins -= 1;
        if retired.pins == 0 {
            self.retired = None;
        }
    }

    /// Gets more memory for a slot: `bytes` from its start, and some more.
    #[cold]
    fn back(&mut self, slot: u32, bytes: usize) -> Result<(), ChannelError> {
        let backed = self.slots[slot as usize].backed;
        let start = self.places.slot(slot);
        let wanted = (bytes + bytes / BACKING_SHARE).min(self.places.stride);
        self.memory.back(start + backed, wanted - backed)?;
        self.slots[slot as usize].backed = wanted;
        self.usage.backed += wanted - backed;
        Ok(())
    }
}

impl Usage {
    fn lent(&mut self, bytes: usize) {
        self.messages += 1;
        self.in_use += bytes;
        self.peak = self.peak.max(self.in_use);
    }
}

fn fresh(kind: SegmentKind, label: &str, layout: &PortLayout) -> Result<Arc<Writable>, ChannelError> {
    let memory = Writable::create(kind, label, layout.bytes())?;
    memory.back(0, layout.slots_offset())?;
    Ok(Arc::new(memory))
}

fn all_free(layout: &PortLayout) -> (Vec<Slot>, Vec<u32>) {
    let count = layout.slots();
    (vec![Slot::default(); count as usize], (0..count).rev().collect())
}

impl Encoded {
    /// Whether it is known to be this one, without a look at what it says.
    fn is_of(&self, metadata: &Arc<Metadata>) -> bool {
        self.version != 0 && Arc::ptr_eq(&self.value, metadata)
    }

    /// Takes on other metadata than that of the last message; the same where it says the same.
    #[cold]
    fn update(&mut self, metadata: &Arc<Metadata>) -> Result<(), ChannelError> {
        if self.version != 0 && self.value == *metadata {
            self.value = Arc::clone(metadata);
            return Ok(());
        }
        let mut bytes = Vec::new();
        codec::encode_into(&**metadata, &mut bytes)?;
        if bytes.len() > MAX_METADATA_BYTES {
            return Err(ChannelError::MetadataTooLarge { bytes: bytes.len() });
        }
        let version = self.version.wrapping_add(1).max(1);
        *self = Encoded { value: Arc::clone(metadata), version, bytes, type_hash: type_hash(&metadata.payload) };
        Ok(())
    }
}

/// Tells payload types apart: FNV-1a of what the payload calls itself, lengths aside.
fn type_hash(payload: &Payload) -> u64 {
    let name = match payload {
        Payload::Bytes => "bytes".to_owned(),
        Payload::Tensor(spec) => {
            let dims: Vec<&str> = spec.dims.iter().map(|d| d.name.as_str()).collect();
            format!("tensor {}[{}]", spec.dtype, dims.join(","))
        }
        Payload::Record(spec) => format!("record {}", spec.name),
    };
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
