//! The consumer's end of one edge: `recv` makes a private copy, `recv_zero_copy` gives a read-only view.
//!
//! What returns a message, or its content, is `inline(always)`: handed up in memory from one function to the next, it would
//! be read back at each while the stores before still wait, which takes longer than all the rest.

use super::fault;
use super::incoming::{Incoming, corrupt};
use super::latency;
use super::layout::{InWords, OutWords, PortLayout, Published};
use super::local::LocalQueue;
use super::mapped::Mapped;
use super::memory::Writable;
use super::sleep::{self, Woken};
use super::sync::{AtomicBool, fence};
use super::wait_list::WaitList;
use super::words::Words;
use super::{ChannelError, EdgeTerms, add};
use crate::graph::Overflow;
use crate::message::{Owned, Pool, Release, View, monotonic_ns};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release as Releasing, SeqCst};

/// Spare buffers that an input keeps for its copies.
const SPARE_BUFFERS: usize = 16;
/// From this position on, only one in `LATENCY_EVERY` messages is timed.
const LATENCY_ALL: u64 = 4096;
const LATENCY_EVERY: u64 = 16;

/// What a receiver is wired to.
pub struct Wiring {
    /// `from -> to`, policy, depth.
    pub terms: EdgeTerms,
    /// Number of the edge in the plan, for the report of a fault.
    pub edge: u32,
    /// Layout of the producer's segment.
    pub layout: PortLayout,
    /// Which of the port's edges this is.
    pub port_edge: usize,
    /// Which of the station's edges this is.
    pub station_edge: usize,
    /// Where messages travel outside of slots.
    pub queue: Option<Arc<LocalQueue>>,
    /// Set when the producer's process is known to be dead.
    pub dead: Arc<AtomicBool>,
}

/// The consumer's end of one edge. Used by one thread.
pub struct Receiver {
    ours: Words<Writable, InWords>,
    wiring: Wiring,
    incoming: Incoming,
    pool: Arc<Pool>,
    /// The next position to look at.
    next: Cell<u64>,
    /// Positions that are known to be published.
    known: Cell<u64>,
    /// How often the producer's present sleep was ended.
    woken: Cell<Woken>,
    /// Messages taken that the node is not done with.
    in_hand: Cell<u64>,
    /// Which entries of the borrow table are in use, by bit.
    borrows: Cell<u64>,
}

/// What there is at an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// A message.
    Ready,
    /// Nothing yet; the word to wait for a change of, as it was seen.
    Empty(u64),
    /// Nothing, and nothing more will come.
    Ended,
}

impl Receiver {
    /// The consumer's end of one edge: its own words lie at `words_at` in `station`, and what its producer has written is
    /// `mapped`.
    pub(super) fn new(station: Arc<Writable>, words_at: usize, wiring: Wiring, mapped: Mapped) -> Self {
        let ours: Words<_, InWords> = Words::find(station, |station| station.at(words_at));
        let next = ours.taken.load(Relaxed) >> 1;
        Receiver {
            ours,
            incoming: Incoming::new(mapped, &wiring.layout, wiring.port_edge),
            wiring,
            pool: Pool::new(SPARE_BUFFERS),
            next: Cell::new(next),
            known: Cell::new(0),
            woken: Cell::default(),
            in_hand: Cell::new(0),
            borrows: Cell::new(0),
        }
    }

    /// `from -> to`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.wiring.terms.name
    }

    /// Has a store into one of its views reported as that of `node`.
    pub fn watch_views(&self, node: u32) {
        self.incoming.mapped().watch(fault::watch_views(node, self.wiring.edge, &self.wiring.layout));
    }

    /// What there is. Counts what was overwritten before it could be taken.
    #[must_use]
    pub fn poll(&self) -> Poll {
        // What is in a queue that loses nothing stays there.
        if self.next.get() < self.known.get() && !self.may_lose() {
            return Poll::Ready;
        }
        loop {
            let dead = self.wiring.dead.load(Acquire);
            let inherited = self.incoming.mapped().is_inherited();
            let word = self.theirs().published.load(Acquire);
            let published = Published::of(word);
            self.known.set(published.positions);
            if self.has_message_before(published.positions) {
                return Poll::Ready;
            }
            let advanced = (published.moved || inherited) && self.incoming.advance(self.borrows.get());
            if !advanced {
                return if published.closed || dead { Poll::Ended } else { Poll::Empty(word) };
            }
        }
    }

    /// When the next message was published, where there is one; passes over those that were overwritten.
    #[must_use]
    pub fn next_published_at(&self) -> Option<u64> {
        match &self.wiring.queue {
            None => self.incoming.entry_at(self.next.get()).map(|found| found.publish_ns),
            Some(queue) => {
                let (position, publish_ns) = queue.head()?;
                self.skip_to(position);
                Some(publish_ns)
            }
        }
    }

    /// Whether a message before the position `published` is there; counts those that were overwritten.
    fn has_message_before(&self, published: u64) -> bool {
        if !self.may_lose() {
            return self.next.get() < published;
        }
        self.skip_to(published.saturating_sub(u64::from(self.wiring.terms.queue)));
        while self.next.get() < published {
            if self.next_published_at().is_some() {
                return true;
            }
            self.skip_to(self.next.get() + 1);
        }
        false
    }

    /// Takes the next message as a private copy, or by move where this is its last owner. Its slot is free before this
    /// returns. Nothing where the producer has just overwritten it: poll again.
    ///
    /// # Errors
    /// [`ChannelError::Corrupt`] where what the producer wrote makes no sense.
    #[inline(always)]
    pub fn recv(&self) -> Result<Option<Owned>, ChannelError> {
        self.done();
        match &self.wiring.queue {
            Some(queue) => Ok(self.recv_local(queue)),
            None => self.recv_copy(),
        }
    }

    #[inline(always)]
    fn recv_copy(&self) -> Result<Option<Owned>, ChannelError> {
        let position = self.next.get();
        self.prefetch_newest(position);
        // Where nothing can be overwritten, the place in the queue holds the slot until it is left.
        let borrow = if self.may_lose() { Some(self.borrow(position)?) } else { None };
        let Some(found) = self.incoming.entry_at(position) else {
            self.give_back(borrow);
            return self.overwritten();
        };
        self.prefetch(position + 1);
        let content = self.incoming.content(&found, self.name())?;
        let payload = self.pool.copy_of(content.payload);
        let message = Owned { header: content.header, metadata: content.metadata, payload };
        let counters = &self.ours.counters;
        add(&counters.copies, 1);
        add(&counters.copied_bytes, found.payload_bytes as u64);
        self.give_back(borrow);
        self.advance(position, found.publish_ns);
        Ok(Some(message))
    }

    fn recv_local(&self, queue: &LocalQueue) -> Option<Owned> {
        let (position, shared) = queue.pop()?;
        self.skip_to(position);
        let publish_ns = shared.header.publish_ns;
        let counters = &self.ours.counters;
        let message = match Arc::try_unwrap(shared) {
            Ok(message) => {
                add(&counters.moves, 1);
                message
            }
            Err(shared) => {
                add(&counters.copies, 1);
                add(&counters.copied_bytes, shared.payload.len() as u64);
                let payload = self.pool.copy_of(&shared.payload);
                Owned { header: shared.header, metadata: Arc::clone(&shared.metadata), payload }
            }
        };
        self.advance(position, publish_ns);
        Some(message)
    }

    /// Takes the next message as a read-only view, which holds its slot until it is dropped. Nothing where the producer
    /// has just overwritten it: poll again.
    ///
    /// # Errors
    /// [`ChannelError::TooManyViews`]; [`ChannelError::Corrupt`] where what the producer wrote makes no sense.
    #[inline(always)]
    pub fn recv_zero_copy(&self) -> Result<Option<View<'_>>, ChannelError> {
        self.done();
        let position = self.next.get();
        self.prefetch_newest(position);
        let borrow = self.borrow(position)?;
        let Some(found) = self.incoming.entry_at(position) else {
            self.give_back(Some(borrow));
            return self.overwritten();
        };
        self.prefetch(position + 1);
        let content = self.incoming.content(&found, self.name())?;
        add(&self.ours.counters.views, 1);
        self.advance(position, found.publish_ns);
        Ok(Some(View::new(content.header, content.metadata, content.payload, Some((self, borrow as u64)))))
    }

    /// Says that the node is done with every message taken so far.
    pub fn done(&self) {
        let counters = &self.ours.counters;
        let in_hand = self.in_hand.replace(0);
        if in_hand > 0 {
            add(&counters.received, in_hand);
            counters.in_hand.store(0, Relaxed);
        }
    }

    /// Announces the sleep `number` of this consumer, or, with 0, that it is awake. After announcing a sleep, poll again.
    pub fn announce_sleep(&self, number: u32) {
        sleep::announce(&self.ours.sleeping, number);
    }

    /// Tells the producer that this consumer never sleeps.
    pub fn announce_never(&self) {
        sleep::announce_never(&self.ours.sleeping);
    }

    /// Adds what to wait for: a change of the word that [`Poll::Empty`] told.
    pub fn push_wait(&self, list: &mut WaitList, seen: u64) {
        list.push_counter(&self.theirs().published, seen);
    }

    /// Leaves: nothing more will be taken. What is still queued counts as dropped.
    pub fn leave(&self) {
        self.ours.left.store(1, Releasing);
        self.ours.taken.store(self.next.get() << 1 | 1, Releasing);
        self.wake_producer();
    }

    /// Takes from `position` on. Before anything is taken.
    #[cfg(test)]
    pub fn start_at(&self, position: u64) {
        self.next.set(position);
        self.ours.taken.store(position << 1, Releasing);
    }

    /// The next entry is not there any more, which only a queue that may lose messages can say.
    fn overwritten<T>(&self) -> Result<Option<T>, ChannelError> {
        if self.may_lose() { Ok(None) } else { Err(corrupt(self.name(), "an entry is missing from its ring")) }
    }

    /// Has the next message brought near where it is known to be there.
    fn prefetch(&self, position: u64) {
        if position < self.known.get() {
            self.incoming.prefetch(position);
        }
    }

    /// Has a message brought near that has only just been published, while its entry is on its way as well.
    fn prefetch_newest(&self, position: u64) {
        if position + 1 == self.known.get() {
            self.incoming.prefetch_likely();
        }
    }

    /// Writes `position` into the borrow table before it is looked at, so that the producer leaves its slot alone.
    #[inline]
    fn borrow(&self, position: u64) -> Result<usize, ChannelError> {
        let holds = self.wiring.terms.holds;
        let entry = self.borrows.get().trailing_ones();
        if entry >= holds {
            return Err(ChannelError::TooManyViews { edge: self.name().to_owned(), holds });
        }
        self.borrows.set(self.borrows.get() | 1 << entry);
        self.ours.borrowed[entry as usize].store(position + 1, Releasing);
        if self.may_lose() {
            fence(SeqCst);
        }
        Ok(entry as usize)
    }

    fn give_back(&self, borrow: Option<usize>) {
        if let Some(entry) = borrow {
            self.ours.borrowed[entry].store(0, Releasing);
            self.borrows.set(self.borrows.get() & !(1 << entry));
            self.incoming.mapped().gave_back(entry);
        }
    }

    /// The message at `position` has been taken: it leaves the queue.
    #[inline]
    fn advance(&self, position: u64, publish_ns: u64) {
        let ours = &self.ours;
        self.in_hand.set(self.in_hand.get() + 1);
        ours.counters.in_hand.store(self.in_hand.get(), Relaxed);
        if position < LATENCY_ALL || position.is_multiple_of(LATENCY_EVERY) {
            self.time(monotonic_ns().saturating_sub(publish_ns));
        }
        self.next.set(position + 1);
        ours.taken.store((position + 1) << 1, Releasing);
        self.wake_producer();
    }

    #[inline]
    fn wake_producer(&self) {
        let mut woken = self.woken.take();
        woken.wake(&self.theirs().waiting, &self.ours.taken);
        self.woken.set(woken);
    }

    /// Positions before `position` were overwritten: they count as dropped.
    fn skip_to(&self, position: u64) {
        let missed = position.saturating_sub(self.next.get());
        if missed > 0 {
            add(&self.ours.counters.dropped, missed);
            self.next.set(position);
            self.ours.taken.store(position << 1, Releasing);
        }
    }

    #[cold]
    fn time(&self, latency_ns: u64) {
        let ours = &self.ours;
        add(&ours.latency[latency::bucket(latency_ns)], 1);
        let longest = ours.counters.latency_max.load(Relaxed).max(latency_ns);
        ours.counters.latency_max.store(longest, Relaxed);
    }

    fn may_lose(&self) -> bool {
        self.wiring.terms.overflow == Overflow::DropOldest
    }

    fn theirs(&self) -> &OutWords {
        self.incoming.words()
    }
}

impl Release for Receiver {
    fn release(&self, token: u64) {
        self.give_back(Some(token as usize));
    }
}
