//! Edges that copy and stay inside one backend: a bounded queue of reference-counted messages.
//!
//! The words of such an edge lie where those of every other edge lie, so sleeping, waking and the ledger are the same;
//! only the messages themselves travel in private memory. The last owner of a message receives it by move.

use super::layout::{OutWords, Published};
use super::memory::Writable;
use super::ring::Consumer;
use super::sleep::{Sleeps, Woken, announce};
use super::wait::{Awaited, Interrupt, Level, Waiter};
use super::wait_list::WaitList;
use super::words::Words;
use super::{ChannelError, EdgeTerms, add};
use crate::graph::Overflow;
use crate::message::Owned;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The messages of one edge, with their positions.
#[derive(Debug, Default)]
pub struct LocalQueue(Mutex<VecDeque<(u64, Arc<Owned>)>>);

/// The producer's end of such an edge.
pub struct LocalEdge {
    terms: EdgeTerms,
    ours: Words<Writable, OutWords>,
    consumer: Consumer,
    queue: Arc<LocalQueue>,
    next: u64,
    sleeps: Sleeps,
    woken: Woken,
}

/// The way of a message into the queue of an edge.
struct Passage<'e> {
    edge: &'e mut LocalEdge,
    /// None once it is there, or nobody wants it.
    message: Option<Arc<Owned>>,
}

impl LocalQueue {
    /// The position of the oldest message and when it was published.
    pub fn head(&self) -> Option<(u64, u64)> {
        self.lock().front().map(|(position, message)| (*position, message.header.publish_ns))
    }

    /// Takes the oldest message.
    pub fn pop(&self) -> Option<(u64, Arc<Owned>)> {
        self.lock().pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, Arc<Owned>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Awaited for Passage<'_> {
    type Found = ();

    fn look(&mut self, interrupt: &Interrupt, list: &mut WaitList) -> Result<Option<()>, ChannelError> {
        if interrupt.level() == Level::Cut {
            return Err(ChannelError::Interrupted);
        }
        let seen = self.edge.consumer.words.taken.load(Acquire);
        if let Some(message) = self.message.take() {
            self.message = self.edge.offer(message)?;
        }
        if self.message.is_none() {
            return Ok(Some(()));
        }
        list.push_counter(&self.edge.consumer.words.taken, seen);
        Ok(None)
    }

    fn announce(&mut self, sleeping: bool) {
        let number = self.edge.sleeps.number(sleeping);
        announce(&self.edge.ours.waiting, number);
    }
}

impl LocalEdge {
    pub fn new(
        port: Arc<Writable>,
        words_at: usize,
        terms: EdgeTerms,
        consumer: Consumer,
        queue: Arc<LocalQueue>,
    ) -> Self {
        let (sleeps, woken) = (Sleeps::default(), Woken::default());
        let ours: Words<_, OutWords> = Words::find(port, |port| port.at(words_at));
        let next = Published::of(ours.published.load(Relaxed)).positions;
        LocalEdge { terms, ours, consumer, queue, next, sleeps, woken }
    }

    pub fn terms(&self) -> &EdgeTerms {
        &self.terms
    }

    pub fn has_reader(&self) -> bool {
        self.consumer.words.left.load(Acquire) == 0
    }

    /// As [`OutEdge::offer`](super::ring::OutEdge::offer); a message that has to wait comes back.
    pub fn offer(&mut self, message: Arc<Owned>) -> Result<Option<Arc<Owned>>, ChannelError> {
        if !self.has_reader() {
            self.queue.lock().clear();
            return Ok(None);
        }
        let mut queue = self.queue.lock();
        if queue.len() >= self.terms.queue as usize {
            match self.terms.overflow {
                Overflow::Block => return Ok(Some(message)),
                // The consumer counts it: a gap in the positions.
                Overflow::DropOldest => drop(queue.pop_front()),
                Overflow::DropNewest | Overflow::Fail => {
                    add(&self.ours.sent, 1);
                    add(&self.ours.rejected, 1);
                    if self.terms.overflow == Overflow::DropNewest {
                        return Ok(None);
                    }
                    return Err(ChannelError::Full { edge: self.terms.name.clone(), queue: self.terms.queue });
                }
            }
        }
        queue.push_back((self.next, message));
        self.next += 1;
        // Counted before anybody can take it.
        add(&self.ours.sent, 1);
        self.ours.published.store(Published::open(self.next).word(), Release);
        drop(queue);
        self.wake_consumer();
        Ok(None)
    }

    /// As [`OutEdge::offer_when_free`](super::ring::OutEdge::offer_when_free).
    pub fn offer_when_free(&mut self, message: Arc<Owned>, waiter: &mut Waiter) -> Result<(), ChannelError> {
        waiter.wait_for(&mut Passage { edge: self, message: Some(message) })
    }

    pub fn close(&mut self) {
        let closed = Published { closed: true, ..Published::open(self.next) };
        self.ours.published.store(closed.word(), Release);
        self.wake_consumer();
    }

    fn wake_consumer(&mut self) {
        self.woken.wake(&self.consumer.words.sleeping, &self.ours.published);
    }
}
