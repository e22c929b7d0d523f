//! The slots of a port: which are free, which edges still pin which, and what a slot's bytes are.
//!
//! All of this is the producer's private book-keeping. Nothing of it is read back from shared memory.

use super::layout::{self, MAX_METADATA_BYTES, PortLayout, SlotHeader};
use super::memory::Writable;
use super::{ChannelError, SegmentKind};
use crate::message::{Capture, Clock, Metadata, Payload, codec};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Memory is given to a slot in steps of this many bytes once it is larger, so that slowly growing messages do not
/// ask the kernel each time.
const BACKING_STEP: usize = 64 << 10;
/// Payloads from this size on are worth a look at whether a warm slot has become free.
pub const WARM_BYTES: usize = 4096;

/// The segment of a port, and who uses its slots.
pub struct Slots {
    memory: Arc<Writable>,
    layout: PortLayout,
    slots: Vec<Slot>,
    /// Free slots; the one freed last, which is warm, on top.
    free: Vec<u32>,
    metadata: Encoded,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    /// Edges that have not released it, and one more while it is being filled or published.
    pins: u32,
    /// Bytes from its start that have memory.
    backed: usize,
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
    pub slot: u32,
    /// Where its payload lies in the segment.
    offset: usize,
    /// Length of the payload.
    pub payload_bytes: usize,
    /// Version of its metadata.
    pub metadata_version: u32,
}

impl Slots {
    /// A fresh segment with all slots free.
    pub fn create(kind: SegmentKind, label: &str, layout: PortLayout) -> Result<Self, ChannelError> {
        let memory = Writable::create(kind, label, layout.bytes())?;
        memory.back(0, layout.slots_offset())?;
        let count = layout.slots();
        Ok(Slots {
            memory: Arc::new(memory),
            slots: vec![Slot::default(); count as usize],
            free: (0..count).rev().collect(),
            layout,
            metadata: Encoded::default(),
        })
    }

    pub fn memory(&self) -> &Arc<Writable> {
        &self.memory
    }

    pub fn layout(&self) -> &PortLayout {
        &self.layout
    }

    /// Whether the slot that would be lent next has never held `payload_bytes` bytes: reclaim first.
    pub fn next_is_cold(&self, payload_bytes: usize) -> bool {
        let Some(&slot) = self.free.last() else { return true };
        payload_bytes >= WARM_BYTES || self.slots[slot as usize].backed < payload_bytes
    }

    /// Takes a free slot, with memory behind `payload_bytes` and the metadata in place.
    pub fn lend(&mut self, metadata: &Arc<Metadata>, payload_bytes: usize) -> Result<Loan, ChannelError> {
        self.metadata.update(metadata)?;
        let slot = self.free.pop().expect("edges pin at most queue + holds slots each, and there are two more");
        let start = self.layout.slot(slot);
        let payload_at = layout::payload_offset(self.metadata.bytes.len());
        if let Err(e) = self.back(slot, payload_at + payload_bytes) {
            self.free.push(slot);
            return Err(e);
        }
        let state = &mut self.slots[slot as usize];
        state.pins = 1;
        if state.metadata_version != self.metadata.version {
            let header_bytes = size_of::<SlotHeader>();
            // SAFETY: a slot that was free is read by nobody: every edge has released it.
            let room = unsafe { self.memory.bytes_mut(start + header_bytes, self.metadata.bytes.len()) };
            room.copy_from_slice(&self.metadata.bytes);
            state.metadata_version = self.metadata.version;
        }
        Ok(Loan { slot, offset: start + payload_at, payload_bytes, metadata_version: self.metadata.version })
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

    /// Writes the header of a filled slot.
    pub fn seal(&self, loan: &Loan, sequence: u64, capture: Capture, publish_ns: u64, trace: u64) {
        let header: &SlotHeader = self.memory.at(self.layout.slot(loan.slot));
        header.magic.store(SlotHeader::MAGIC, Relaxed);
        header.version.store(SlotHeader::VERSION, Relaxed);
        header.sequence.store(sequence, Relaxed);
        header.generation.store(0, Relaxed);
        header.metadata_version.store(loan.metadata_version, Relaxed);
        header.type_hash.store(self.metadata.type_hash, Relaxed);
        header.capture_ns.store(capture.ns, Relaxed);
        header.clock.store(clock_code(capture.clock), Relaxed);
        header.publish_ns.store(publish_ns, Relaxed);
        header.metadata_bytes.store(self.metadata.bytes.len() as u32, Relaxed);
        header.payload_bytes.store(loan.payload_bytes as u64, Relaxed);
        header.trace.store(trace, Relaxed);
    }

    /// One more edge has the message in this slot.
    pub fn pin(&mut self, slot: u32) {
        self.slots[slot as usize].pins += 1;
    }

    /// One edge, or the one that filled it, is done with this slot. The last one frees it.
    pub fn unpin(&mut self, slot: u32) {
        let state = &mut self.slots[slot as usize];
        state.pins -= 1;
        if state.pins == 0 {
            self.free.push(slot);
        }
    }

    fn back(&mut self, slot: u32, bytes: usize) -> Result<(), ChannelError> {
        let backed = self.slots[slot as usize].backed;
        if bytes <= backed {
            return Ok(());
        }
        let start = self.layout.slot(slot);
        let wanted = if bytes > BACKING_STEP { bytes.next_multiple_of(BACKING_STEP) } else { bytes };
        let wanted = wanted.min(self.layout.slot_stride());
        self.memory.back(start + backed, wanted - backed)?;
        self.slots[slot as usize].backed = wanted;
        Ok(())
    }
}

impl Encoded {
    fn update(&mut self, metadata: &Arc<Metadata>) -> Result<(), ChannelError> {
        let known = self.version != 0;
        if known && (Arc::ptr_eq(&self.value, metadata) || self.value == *metadata) {
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

/// How a clock is written in a slot's header.
fn clock_code(clock: Clock) -> u32 {
    match clock {
        Clock::Stream => 1,
        Clock::Realtime => 2,
    }
}

/// The clock that a slot's header names, if it names one.
pub fn clock_of(code: u32) -> Option<Clock> {
    match code {
        1 => Some(Clock::Stream),
        2 => Some(Clock::Realtime),
        _ => None,
    }
}
