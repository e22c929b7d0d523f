//! The producer's end of one edge whose messages lie in slots.

use super::ahead::{self, Behind};
use super::layout::{Entry, InWords, OutWords, PortLayout, Published, clock_code};
use super::memory::{ReadOnly, Writable};
use super::sleep::{Sleeps, Woken, announce, announce_never};
use super::slots::{SlotRef, Slots};
use super::sync::{AtomicBool, AtomicU64, fence};
use super::wait::{Awaited, Interrupt, Level, Waiter};
use super::wait_list::WaitList;
use super::words::Words;
use super::{ChannelError, EdgeTerms, add};
use crate::graph::Overflow;
use crate::message::{Header, monotonic_ns};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

/// Less than this part of a queue is hardly any room.
const GATHERED_SHARE: usize = 4;
/// What a moment is in which more room gathers: half a microsecond, about.
const GATHER_PAUSES: u32 = 16;

/// The producer's end of an edge: its words and its ring in the port's segment, and the consumer's words.
///
/// `in_queue` and `held` are the producer's own account of who has what. The consumer's words are believed only as
/// far as they fit that account; where they do not, the edge is quarantined and never looked at again.
pub struct OutEdge {
    terms: EdgeTerms,
    ours: Words<Writable, OutWords>,
    /// The port's segment before this one, while the consumer may still look at it.
    before: Option<Before>,
    words_at: usize,
    ring_at: usize,
    ring_mask: u64,
    consumer: Consumer,
    /// The next position.
    next: u64,
    /// Those before this one were another process's.
    first: u64,
    /// Slots of the positions that the consumer has not taken; the last one belongs to `next - 1`.
    in_queue: VecDeque<SlotRef>,
    /// Positions that were taken and, when last looked at, held; and their slots.
    held: Vec<(u64, SlotRef)>,
    borrowed: Borrowed,
    open: bool,
    behind: Behind,
    /// Its own sleeps, and those of the consumer that it has ended.
    sleeps: Sleeps,
    woken: Woken,
}

/// Room in the queue of an edge, or the end of whoever reads there.
struct Room<'r> {
    edge: &'r mut OutEdge,
    slots: &'r mut Slots,
}

/// A segment that another one took the place of.
struct Before {
    words: Words<Writable, OutWords>,
    /// Its entries end before this position.
    until: u64,
}

/// The consumer's words, as its producer sees them.
pub struct Consumer {
    pub(super) words: Words<ReadOnly, InWords>,
    pub(super) dead: Arc<AtomicBool>,
}

impl Consumer {
    /// The consumer whose words for this edge lie at `words_at` in its segment `station`. `dead` is set when its process is
    /// known to be dead.
    #[must_use]
    pub fn new(station: Arc<ReadOnly>, words_at: usize, dead: Arc<AtomicBool>) -> Self {
        Consumer { words: Words::find(station, |station| station.at(words_at)), dead }
    }
}

/// A reading of the consumer's borrow table: read once and then compared, so that no consumer, however it scribbles, can
/// hold more than it may.
#[derive(Default)]
struct Borrowed(Vec<u64>);

impl Borrowed {
    fn read(&mut self, table: &[AtomicU64]) {
        self.0.clear();
        self.0.extend(table.iter().map(|tag| tag.load(Acquire)));
    }

    fn contains(&self, position: u64) -> bool {
        self.0.contains(&(position + 1))
    }
}

/// What became of a message that was offered to an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It is in the queue, or was dropped as the edge's policy says, or nobody reads here any more.
    Done,
    /// The queue is full, and the edge's policy is to wait.
    Full,
}

/// A message as an entry of a ring names it.
pub struct Envelope {
    pub slot: SlotRef,
    pub metadata_version: u32,
    pub payload_bytes: u64,
    pub header: Header,
}

impl Awaited for Room<'_> {
    type Found = ();

    fn look(&mut self, interrupt: &Interrupt, list: &mut WaitList) -> Result<Option<()>, ChannelError> {
        if interrupt.level() == Level::Cut {
            return Err(ChannelError::Interrupted);
        }
        let seen = self.edge.consumer.words.taken.load(Acquire);
        self.edge.reclaim(self.slots);
        if !self.edge.open || !self.edge.is_full() {
            return Ok(Some(()));
        }
        list.push_counter(&self.edge.consumer.words.taken, seen);
        Ok(None)
    }

    fn announce(&mut self, sleeping: bool) {
        self.edge.announce_wait(sleeping);
    }
}

impl OutEdge {
    pub fn new(port: Arc<Writable>, layout: &PortLayout, edge: usize, terms: EdgeTerms, consumer: Consumer) -> Self {
        let words_at = layout.out_words(edge);
        let ours: Words<_, OutWords> = Words::find(port, |port| port.at(words_at));
        let first = Published::of(ours.published.load(Relaxed)).positions;
        OutEdge {
            words_at,
            ring_at: layout.ring(edge),
            ring_mask: layout.edges[edge].ring_len() as u64 - 1,
            in_queue: VecDeque::with_capacity(terms.queue as usize),
            held: Vec::with_capacity(terms.holds as usize),
            borrowed: Borrowed(Vec::with_capacity(terms.holds as usize)),
            terms,
            ours,
            before: None,
            consumer,
            next: first,
            first,
            open: true,
            behind: Behind::default(),
            sleeps: Sleeps::default(),
            woken: Woken::default(),
        }
    }

    pub fn terms(&self) -> &EdgeTerms {
        &self.terms
    }

    /// Whether anybody reads at the other end.
    pub fn has_reader(&self) -> bool {
        self.open && self.consumer.words.left.load(Relaxed) == 0 && !self.consumer.dead.load(Relaxed)
    }

    /// Puts a message into the queue, or does what the edge's policy says where the queue is full.
    pub fn offer(&mut self, envelope: &Envelope, slots: &mut Slots) -> Result<Offer, ChannelError> {
        if self.is_full() {
            self.make_room(slots);
        }
        if !self.open {
            return Ok(Offer::Done);
        }
        if self.is_full() {
            match self.terms.overflow {
                Overflow::Block => return Ok(Offer::Full),
                Overflow::DropOldest => self.withdraw_oldest(slots),
                Overflow::DropNewest => {
                    self.reject();
                    return Ok(Offer::Done);
                }
                Overflow::Fail => {
                    self.reject();
                    return Err(ChannelError::Full { edge: self.terms.name.clone(), queue: self.terms.queue });
                }
            }
        }
        self.push(envelope, slots);
        Ok(Offer::Done)
    }

    /// Looks for room where there was none. Where the consumer is only just taking messages, the next one or two would find
    /// the queue full again, and each look takes the consumer's words away from it: more room gets a moment to gather.
    fn make_room(&mut self, slots: &mut Slots) {
        self.reclaim(slots);
        let (queue, waiting) = (self.terms.queue as usize, self.in_queue.len());
        let is_nearly_full = waiting < queue && waiting > queue - queue / GATHERED_SHARE;
        if is_nearly_full && self.terms.overflow == Overflow::Block {
            (0..GATHER_PAUSES).for_each(|_| std::hint::spin_loop());
            self.reclaim(slots);
        }
    }

    /// Waits for room, then puts the message into the queue.
    pub fn offer_when_free(
        &mut self,
        envelope: &Envelope,
        slots: &mut Slots,
        waiter: &mut Waiter,
    ) -> Result<(), ChannelError> {
        waiter.wait_for(&mut Room { edge: self, slots })?;
        if self.open {
            self.push(envelope, slots);
        }
        Ok(())
    }

    /// Pauses while the queue is far ahead of a consumer that is at work; none begins after `until_ns`. Whether there was any.
    pub fn let_catch_up(&mut self, payload_bytes: usize, until_ns: u64, slots: &mut Slots, waiter: &Waiter) -> bool {
        let mut paused = false;
        while self.terms.overflow == Overflow::Block && ahead::is_far(self.in_queue.len(), payload_bytes) {
            self.reclaim(slots);
            if self.behind.has_moved(self.oldest()) {
                continue;
            }
            if monotonic_ns() >= until_ns || self.behind.is_held_up() {
                break;
            }
            waiter.pause(ahead::pause(payload_bytes));
            paused = true;
        }
        paused
    }

    /// Looks at what the consumer has taken and released since, and unpins its slots.
    pub fn reclaim(&mut self, slots: &mut Slots) {
        if !self.open {
            return;
        }
        let word = self.consumer.words.taken.load(Acquire);
        let (taken, gone) = (word >> 1, word & 1 == 1);
        if taken > self.next || (taken < self.oldest() && self.oldest() > self.first && !self.may_lag()) {
            return self.quarantine(slots);
        }
        self.read_borrows();
        self.held.retain(|&(position, slot)| {
            let keep = self.borrowed.contains(position);
            if !keep {
                slots.unpin(slot);
            }
            keep
        });
        while self.oldest() < taken {
            self.leave_queue(slots);
        }
        // It has taken what lies in the present segment, and does not look back.
        self.before.take_if(|before| taken > before.until);
        if gone || self.consumer.dead.load(Acquire) {
            self.give_up(slots);
        }
    }

    /// Says that no more will come.
    pub fn close(&mut self) {
        let closed = Published { closed: true, ..Published::open(self.next) };
        self.ours.published.store(closed.word(), Release);
        self.wake_consumer();
    }

    /// Whether the consumer is known to look at the present segment alone.
    pub fn has_settled(&self) -> bool {
        self.before.is_none()
    }

    /// Makes the edge's words in a segment that is about to take this one's place.
    pub fn prepare(&self, successor: &Writable) {
        let (old, new): (_, &OutWords) = (&*self.ours, successor.at(self.words_at));
        new.published.store(Published::open(self.next).word(), Relaxed);
        new.waiting.store(old.waiting.load(Relaxed), Relaxed);
        for (from, to) in [(&old.sent, &new.sent), (&old.rejected, &new.rejected)] {
            to.store(from.load(Relaxed), Relaxed);
        }
        new.quarantined.store(old.quarantined.load(Relaxed), Relaxed);
    }

    /// Goes on in `successor`, and tells the consumer to.
    pub fn move_to(&mut self, successor: &Arc<Writable>) {
        let moved = Published { moved: true, ..Published::open(self.next) };
        self.ours.published.store(moved.word(), Release);
        self.wake_consumer();
        let ours = Words::find(Arc::clone(successor), |port| port.at(self.words_at));
        let words = std::mem::replace(&mut self.ours, ours);
        self.before = self.open.then_some(Before { words, until: self.next });
    }

    /// Tells the consumer that its producer never sleeps.
    pub fn announce_never(&self) {
        announce_never(&self.ours.waiting);
    }

    /// Raises or lowers the flag that the consumer looks at after it has taken a message, wherever it looks.
    fn announce_wait(&mut self, waiting: bool) {
        let number = self.sleeps.number(waiting);
        announce(&self.ours.waiting, number);
        if let Some(before) = &self.before {
            announce(&before.words.waiting, number);
        }
    }

    #[cfg(test)]
    pub fn start_at(&mut self, position: u64) {
        self.next = position;
        self.ours.published.store(Published::open(position).word(), Release);
    }

    fn is_full(&self) -> bool {
        self.in_queue.len() >= self.terms.queue as usize
    }

    fn count_offer(&self) {
        add(&self.ours.sent, 1);
    }

    fn reject(&self) {
        self.count_offer();
        add(&self.ours.rejected, 1);
    }

    fn push(&mut self, envelope: &Envelope, slots: &mut Slots) {
        slots.pin(envelope.slot);
        let entry = self.entry(self.next);
        entry.slot.store(envelope.slot.index, Relaxed);
        entry.metadata_version.store(envelope.metadata_version, Relaxed);
        entry.payload_bytes.store(envelope.payload_bytes, Relaxed);
        let header = &envelope.header;
        entry.publish_ns.store(header.publish_ns, Relaxed);
        entry.sequence.store(header.sequence, Relaxed);
        entry.capture_ns.store(header.capture.ns, Relaxed);
        entry.trace.store(header.trace, Relaxed);
        entry.clock.store(clock_code(header.capture.clock), Relaxed);
        entry.generation.store(header.generation, Relaxed);
        entry.tag.store(self.next + 1, Release);
        self.in_queue.push_back(envelope.slot);
        self.next += 1;
        // In one line with the word that the consumer looks at: written together, it changes cores once.
        self.count_offer();
        self.ours.published.store(Published::open(self.next).word(), Release);
        self.wake_consumer();
        self.prefetch_next();
    }

    /// Has the next entry brought here from the consumer, who has read it a round ago, if it is known to have.
    fn prefetch_next(&self) {
        if !self.is_full() {
            self.ours.segment().prefetch(self.entry_offset(self.next));
        }
    }

    fn wake_consumer(&mut self) {
        self.woken.wake(&self.consumer.words.sleeping, &self.ours.published);
    }

    /// Takes the oldest entry back from a consumer that has not taken it, or notices that it just has.
    fn withdraw_oldest(&mut self, slots: &mut Slots) {
        self.entry(self.oldest()).tag.store(0, Relaxed);
        fence(SeqCst);
        self.read_borrows();
        self.leave_queue(slots);
    }

    /// The oldest position leaves the queue. Its slot stays pinned while the consumer holds it.
    fn leave_queue(&mut self, slots: &mut Slots) {
        let position = self.oldest();
        let slot = self.in_queue.pop_front().expect("positions below `next` are in the queue");
        if self.borrowed.contains(position) {
            self.held.push((position, slot));
        } else {
            slots.unpin(slot);
        }
    }

    /// The oldest position in the queue; `next` where it is empty.
    fn oldest(&self) -> u64 {
        self.next - self.in_queue.len() as u64
    }

    fn read_borrows(&mut self) {
        self.borrowed.read(&self.consumer.words.borrowed[..self.terms.holds as usize]);
    }

    /// Whether the consumer's count may lie below what the queue holds: it does where entries were withdrawn.
    fn may_lag(&self) -> bool {
        self.terms.overflow == Overflow::DropOldest
    }

    fn quarantine(&mut self, slots: &mut Slots) {
        self.ours.quarantined.store(1, Relaxed);
        tracing::error!("the edge {} is in quarantine: its consumer wrote counters that cannot be", self.terms.name);
        self.give_up(slots);
    }

    fn give_up(&mut self, slots: &mut Slots) {
        self.open = false;
        self.before = None;
        for slot in self.in_queue.drain(..).chain(self.held.drain(..).map(|(_, slot)| slot)) {
            slots.unpin(slot);
        }
    }

    fn entry(&self, position: u64) -> &Entry {
        let words = match &self.before {
            Some(before) if position < before.until => &before.words,
            _ => &self.ours,
        };
        words.segment().at(self.entry_offset(position))
    }

    /// Where the entry of `position` lies in its segment.
    fn entry_offset(&self, position: u64) -> usize {
        self.ring_at + (position & self.ring_mask) as usize * size_of::<Entry>()
    }
}
