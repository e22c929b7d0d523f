//! An output port: one payload, sent on every edge that leaves the port.

use super::ahead;
use super::layout::{OutWords, PortStart, PortWords, Published};
use super::local::{LocalEdge, LocalQueue};
use super::memory::Writable;
use super::real_time::RealTime;
use super::ring::{Consumer, Envelope, Offer, OutEdge};
use super::slots::{Loan, Slots};
use super::turns::TOLD_BYTES;
use super::wait::Waiter;
use super::{ChannelError, EdgeTerms, Handle, PortLayout, SegmentKind};
use crate::message::{Buffer, Capture, Header, Metadata, Owned, Pool, monotonic_ns};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Spare buffers that a port with only moving edges keeps.
const SPARE_BUFFERS: usize = 16;

/// A port whose messages lie in slots of shared memory.
pub struct Sender {
    slots: Slots,
    edges: Vec<OutEdge>,
    /// Edges, by index, that were full at the first attempt.
    full: Vec<usize>,
    loan: Option<Loan>,
    sequence: u64,
    /// Since when it has been at work on the next message.
    done_ns: u64,
    real_time: RealTime,
    waiter: Waiter,
    announce: Option<Announce>,
}

/// Tells everybody who reads a port's segment, in this process and elsewhere, of the one that takes its place. What it is
/// given is told in the same order as everything else that the process tells, before anything lies in the new segment.
pub type Announce = Box<dyn FnMut(Handle) -> Result<(), ChannelError> + Send>;

/// A port all of whose edges stay in this process and copy: its messages lie in private memory, and the last owner
/// receives by move.
pub struct LocalSender {
    words: Arc<Writable>,
    edges: Vec<LocalEdge>,
    pool: Arc<Pool>,
    loan: Buffer,
    metadata: Arc<Metadata>,
    sequence: u64,
    real_time: RealTime,
    waiter: Waiter,
}

impl Sender {
    /// Makes the segment of a port. Edges are added with [`Sender::attach`], in the order of the layout.
    ///
    /// # Errors
    /// [`ChannelError::Memory`] where there is none.
    pub fn create(kind: SegmentKind, label: &str, layout: PortLayout, waiter: Waiter) -> Result<Self, ChannelError> {
        let slots = Slots::create(kind, label, layout)?;
        let (edges, full, real_time) = Default::default();
        Ok(Sender { slots, edges, full, loan: None, sequence: 0, done_ns: 0, real_time, waiter, announce: None })
    }

    /// Goes on where another process has left off. Before any edge is added.
    pub fn resume(&mut self, start: &PortStart) {
        self.sequence = start.sequence;
        self.slots.resume(start.generation);
        begin_at(self.slots.memory(), self.slots.layout(), &start.positions);
    }

    /// What a consumer, or the ledger, needs to map the segment.
    ///
    /// # Errors
    /// [`ChannelError::Memory`] where descriptors are used up.
    pub fn handle(&self) -> Result<Handle, ChannelError> {
        self.slots.memory().handle()
    }

    /// Adds the next edge of the layout.
    pub fn attach(&mut self, terms: EdgeTerms, consumer: Consumer) {
        let edge = self.edges.len();
        let memory = Arc::clone(self.slots.memory());
        let edge = OutEdge::new(memory, self.slots.layout(), edge, terms, consumer);
        if self.waiter.never_sleeps() {
            edge.announce_never();
        }
        self.edges.push(edge);
    }

    /// Lets the port give back memory that only a fresh segment can, which `announce` tells the others of.
    pub fn announce_with(&mut self, announce: Announce) {
        self.announce = Some(announce);
    }

    /// Takes a slot for a payload of `payload_bytes`.
    ///
    /// # Errors
    /// Where the message is over an edge's limit, or memory is short.
    pub fn reserve(&mut self, metadata: &Arc<Metadata>, payload_bytes: usize) -> Result<(), ChannelError> {
        check_size(self.edges.iter().map(OutEdge::terms), payload_bytes)?;
        if let Some(loan) = self.loan.take() {
            self.slots.unpin(loan.slot);
        }
        if self.slots.is_outsized()
            && let Err(e) = self.shrink()
        {
            // What there is still serves.
            tracing::debug!("cannot give memory back: {e}");
        }
        // Also where none is free: then edges have released some, since they cannot pin them all.
        if self.slots.next_is_cold(payload_bytes) {
            for edge in &mut self.edges {
                edge.reclaim(&mut self.slots);
            }
        }
        self.loan = Some(self.slots.lend(metadata, payload_bytes)?);
        Ok(())
    }

    /// The payload of the slot that was taken last; empty where none is.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.loan.as_ref().map_or(&[], |loan| self.slots.payload(loan))
    }

    /// As [`Sender::payload`], to be filled.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        match self.loan {
            Some(loan) => self.slots.payload_mut(&loan),
            None => &mut [],
        }
    }

    /// Sends the filled slot on every edge. Edges that have room get it at once, whatever the others do; then the
    /// full ones that block are waited for. Without a capture time, it is the present.
    ///
    /// # Errors
    /// [`ChannelError::Interrupted`] where the run is cut short; [`ChannelError::Full`] where an edge says so.
    pub fn commit(&mut self, capture: Option<Capture>, trace: u64) -> Result<(), ChannelError> {
        let Some(loan) = self.loan.take() else { return Ok(()) };
        let publish_ns = monotonic_ns();
        let capture = capture.unwrap_or_else(|| self.real_time.at(publish_ns));
        self.slots.seal(&loan, self.sequence, publish_ns);
        let envelope = Envelope {
            slot: loan.slot,
            metadata_version: loan.metadata_version,
            payload_bytes: loan.payload_bytes as u64,
            header: Header { sequence: self.sequence, generation: loan.slot.generation, capture, publish_ns, trace },
        };
        self.sequence += 1;
        let result = self.offer_to_all(&envelope);
        self.slots.unpin(loan.slot);
        result.map_err(|e| *e)?;
        let has_waited = loan.payload_bytes >= TOLD_BYTES && self.let_catch_up(loan.payload_bytes, publish_ns);
        self.done_ns = if has_waited || !self.full.is_empty() { monotonic_ns() } else { publish_ns };
        Ok(())
    }

    /// Gives consumers time that are far behind with what goes through caches; whether it took any.
    fn let_catch_up(&mut self, payload_bytes: usize, publish_ns: u64) -> bool {
        let made_ns = publish_ns.saturating_sub(self.done_ns);
        let until_ns = publish_ns + ahead::given_ns(made_ns);
        let may_be_written = ahead::may_be_written(payload_bytes, made_ns);
        let mut has_waited = false;
        for edge in self.edges.iter_mut().filter(|edge| may_be_written || edge.terms().holds == 0) {
            has_waited |= edge.let_catch_up(payload_bytes, until_ns, &mut self.slots, &self.waiter);
        }
        has_waited
    }

    /// Gives back memory that the last messages did not need.
    #[cold]
    fn shrink(&mut self) -> Result<(), ChannelError> {
        for edge in &mut self.edges {
            edge.reclaim(&mut self.slots);
        }
        let Some(successor) = self.slots.successor()? else { return self.slots.give_back() };
        // One after the other: a consumer is never more than one segment behind.
        let settled = !self.slots.has_retired() && self.edges.iter().all(OutEdge::has_settled);
        let Some(announce) = self.announce.as_mut().filter(|_| settled) else { return Ok(()) };
        let expected = self.slots.memory().at::<PortWords>(0).expected.load(Relaxed);
        successor.at::<PortWords>(0).expected.store(expected, Relaxed);
        self.edges.iter().for_each(|edge| edge.prepare(&successor));
        announce(successor.handle()?)?;
        self.edges.iter_mut().for_each(|edge| edge.move_to(&successor));
        self.slots.move_to(successor);
        Ok(())
    }

    /// Whether all slots are free, once what the consumers have given back is taken back.
    #[cfg(test)]
    pub fn has_all_slots(&mut self) -> bool {
        if let Some(loan) = self.loan.take() {
            self.slots.unpin(loan.slot);
        }
        self.edges.iter_mut().for_each(|edge| edge.reclaim(&mut self.slots));
        self.slots.are_free()
    }

    /// Counts the positions of all edges from `position`. Before anything is sent.
    #[cfg(test)]
    pub fn start_at(&mut self, position: u64) {
        self.edges.iter_mut().for_each(|edge| edge.start_at(position));
    }

    /// An error is boxed, so that what is returned fits a register: to copy it would wait for everything that was stored.
    fn offer_to_all(&mut self, envelope: &Envelope) -> Result<(), Box<ChannelError>> {
        self.full.clear();
        let mut result = Ok(());
        for (i, edge) in self.edges.iter_mut().enumerate() {
            match edge.offer(envelope, &mut self.slots) {
                Ok(Offer::Done) => {}
                Ok(Offer::Full) => self.full.push(i),
                Err(e) => result = Err(e.into()),
            }
        }
        for &i in &self.full {
            self.edges[i].offer_when_free(envelope, &mut self.slots, &mut self.waiter)?;
        }
        result
    }

    /// Whether anybody reads at any edge.
    #[must_use]
    pub fn has_readers(&self) -> bool {
        self.edges.iter().any(OutEdge::has_reader)
    }

    /// Says how many messages will come in all.
    pub fn expect(&self, messages: u64) {
        self.slots.memory().at::<PortWords>(0).expected.store(messages, Relaxed);
    }

    /// Says on every edge that no more will come.
    pub fn close(&mut self) {
        for edge in &mut self.edges {
            edge.close();
        }
    }
}

impl LocalSender {
    /// Makes the port's segment, which only has the words of its edges.
    ///
    /// # Errors
    /// [`ChannelError::Memory`] where there is none.
    pub fn create(kind: SegmentKind, label: &str, layout: &PortLayout, waiter: Waiter) -> Result<Self, ChannelError> {
        let words = Writable::create(kind, label, layout.bytes())?;
        words.back(0, layout.slots_offset())?;
        Ok(LocalSender {
            words: Arc::new(words),
            edges: Vec::new(),
            pool: Pool::new(SPARE_BUFFERS),
            loan: Buffer::default(),
            metadata: Arc::default(),
            sequence: 0,
            real_time: RealTime::default(),
            waiter,
        })
    }

    /// As [`Sender::resume`].
    pub fn resume(&mut self, layout: &PortLayout, start: &PortStart) {
        self.sequence = start.sequence;
        begin_at(&self.words, layout, &start.positions);
    }

    /// As [`Sender::handle`].
    ///
    /// # Errors
    /// As there.
    pub fn handle(&self) -> Result<Handle, ChannelError> {
        self.words.handle()
    }

    /// Adds the next edge of the layout, whose messages go through `queue`.
    pub fn attach(&mut self, layout: &PortLayout, terms: EdgeTerms, consumer: Consumer, queue: Arc<LocalQueue>) {
        let words_at = layout.out_words(self.edges.len());
        debug_assert!(words_at + size_of::<OutWords>() <= layout.slots_offset(), "the edge is part of the layout");
        self.edges.push(LocalEdge::new(Arc::clone(&self.words), words_at, terms, consumer, queue));
    }

    /// A buffer for a payload of `payload_bytes`.
    ///
    /// # Errors
    /// Where the message is over an edge's limit.
    pub fn reserve(&mut self, metadata: &Arc<Metadata>, payload_bytes: usize) -> Result<(), ChannelError> {
        check_size(self.edges.iter().map(LocalEdge::terms), payload_bytes)?;
        if !Arc::ptr_eq(&self.metadata, metadata) {
            self.metadata = Arc::clone(metadata);
        }
        self.loan = self.pool.buffer(payload_bytes);
        Ok(())
    }

    /// The buffer that was made last.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.loan
    }

    /// As [`LocalSender::payload`], to be filled.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        &mut self.loan
    }

    /// As [`Sender::commit`].
    ///
    /// # Errors
    /// As there.
    pub fn commit(&mut self, capture: Option<Capture>, trace: u64) -> Result<(), ChannelError> {
        let payload = std::mem::take(&mut self.loan);
        let publish_ns = monotonic_ns();
        let capture = capture.unwrap_or_else(|| self.real_time.at(publish_ns));
        let header = Header { sequence: 0, generation: 0, capture, publish_ns, trace };
        self.publish(Owned { header, metadata: Arc::clone(&self.metadata), payload })
    }

    /// Sends a message as it is.
    ///
    /// # Errors
    /// As [`LocalSender::reserve`] and [`Sender::commit`].
    pub fn send(&mut self, mut message: Owned) -> Result<(), ChannelError> {
        check_size(self.edges.iter().map(LocalEdge::terms), message.payload.len())?;
        message.header.publish_ns = monotonic_ns();
        self.publish(message)
    }

    fn publish(&mut self, mut message: Owned) -> Result<(), ChannelError> {
        message.header.sequence = self.sequence;
        self.sequence += 1;
        let Some(last) = self.edges.len().checked_sub(1) else { return Ok(()) };
        let mut result = Ok(());
        let mut full = Vec::new();
        let mut message = Some(Arc::new(message));
        for (i, edge) in self.edges.iter_mut().enumerate() {
            // The last edge gets the producer's own reference, so that the last owner is a consumer.
            let reference = if i == last { message.take() } else { message.clone() };
            match edge.offer(reference.expect("taken at the last edge only")) {
                Ok(None) => {}
                Ok(Some(waiting)) => full.push((i, waiting)),
                Err(e) => result = Err(e),
            }
        }
        for (i, waiting) in full {
            self.edges[i].offer_when_free(waiting, &mut self.waiter)?;
        }
        result
    }

    /// As [`Sender::has_readers`].
    #[must_use]
    pub fn has_readers(&self) -> bool {
        self.edges.iter().any(LocalEdge::has_reader)
    }

    /// As [`Sender::expect`].
    pub fn expect(&self, messages: u64) {
        self.words.at::<PortWords>(0).expected.store(messages, Relaxed);
    }

    /// As [`Sender::close`].
    pub fn close(&mut self) {
        for edge in &mut self.edges {
            edge.close();
        }
    }
}

fn begin_at(port: &Writable, layout: &PortLayout, positions: &[u64]) {
    for (edge, &position) in positions.iter().enumerate().take(layout.edges.len()) {
        let words: &OutWords = port.at(layout.out_words(edge));
        words.published.store(Published::open(position).word(), Relaxed);
    }
}

fn check_size<'a>(mut edges: impl Iterator<Item = &'a EdgeTerms>, payload_bytes: usize) -> Result<(), ChannelError> {
    let bytes = payload_bytes as u64;
    match edges.find(|terms| bytes > terms.max_message) {
        Some(terms) => Err(ChannelError::TooLarge { edge: terms.name.clone(), bytes, limit: terms.max_message }),
        None => Ok(()),
    }
}
