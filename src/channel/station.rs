//! What a backend writes as a consumer: how far it has come, for each edge that ends in it.

use super::layout::{InWords, StationLayout};
use super::mapped::Mapped;
use super::memory::Writable;
use super::receiver::{Receiver, Wiring};
use super::{ChannelError, Handle, SegmentKind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// The segment that a backend writes as a consumer: words for each edge that ends in it.
pub struct Station {
    memory: Arc<Writable>,
    layout: StationLayout,
}

impl Station {
    /// Makes the segment.
    ///
    /// # Errors
    /// [`ChannelError::Memory`] where there is none.
    pub fn create(kind: SegmentKind, label: &str, layout: StationLayout) -> Result<Self, ChannelError> {
        let memory = Writable::create(kind, label, layout.bytes())?;
        memory.back(0, layout.bytes())?;
        Ok(Station { memory: Arc::new(memory), layout })
    }

    /// What a producer, or the ledger, needs to map the segment.
    ///
    /// # Errors
    /// [`ChannelError::Memory`] where descriptors are used up.
    pub fn handle(&self) -> Result<Handle, ChannelError> {
        self.memory.handle()
    }

    /// Goes on where another process has left off: `begun` has the word of each edge that says what was taken.
    pub fn resume(&self, begun: &[u64]) {
        for (edge, &word) in begun.iter().enumerate().take(self.layout.edges as usize) {
            let words: &InWords = self.memory.at(self.layout.in_words(edge));
            words.taken.store(word, Relaxed);
            words.left.store((word & 1) as u32, Relaxed);
        }
    }

    /// The consumer's end of one edge, whose producer's segment is `mapped`.
    #[must_use]
    pub fn receiver(&self, wiring: Wiring, mapped: Mapped) -> Receiver {
        Receiver::new(Arc::clone(&self.memory), self.layout.in_words(wiring.station_edge), wiring, mapped)
    }
}
