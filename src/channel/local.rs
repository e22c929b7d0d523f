//! Edges that copy and stay inside one backend: a bounded queue of reference-counted messages.
//!
//! The words of such an edge lie where those of every other edge lie, so sleeping, waking and the ledger are the same;
//! only the messages themselves travel in private memory. The last owner of a message receives it by move.

use super::layout::{InWords, OutWords, Published};
use super::memory::Writable;
use super::ring::Consumer;
use super::wait::{Interrupt, Level, WaitList, wake_counter};
use super::{ChannelError, EdgeTerms};
use crate::graph::Overflow;
use crate::message::Owned;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::fence;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The messages of one edge, with their positions.
#[derive(Debug, Default)]
pub struct LocalQueue(Mutex<VecDeque<(u64, Arc<Owned>)>>);

/// The producer's end of such an edge.
pub struct LocalEdge {
    terms: EdgeTerms,
    port: Arc<Writable>,
    words_at: usize,
    consumer: Consumer,
    queue: Arc<LocalQueue>,
    next: u64,
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

impl LocalEdge {
    pub fn new(
        port: Arc<Writable>,
        words_at: usize,
        terms: EdgeTerms,
        consumer: Consumer,
        queue: Arc<LocalQueue>,
    ) -> Self {
        LocalEdge { terms, port, words_at, consumer, queue, next: 0 }
    }

    pub fn terms(&self) -> &EdgeTerms {
        &self.terms
    }

    pub fn has_reader(&self) -> bool {
        self.theirs().taken.load(Acquire) & 1 == 0
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
                    self.ours().sent.fetch_add(1, Relaxed);
                    self.ours().rejected.fetch_add(1, Relaxed);
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
        self.ours().sent.fetch_add(1, Relaxed);
        self.ours().published.store(Published::open(self.next).word(), Release);
        drop(queue);
        self.wake_consumer();
        Ok(None)
    }

    /// As [`OutEdge::offer_when_free`](super::ring::OutEdge::offer_when_free).
    pub fn offer_when_free(&mut self, mut message: Arc<Owned>, interrupt: &Interrupt) -> Result<(), ChannelError> {
        let mut list = WaitList::default();
        loop {
            let ticket = interrupt.ticket();
            if interrupt.level() == Level::Cut {
                return Err(ChannelError::Interrupted);
            }
            self.ours().waiting.store(1, Relaxed);
            fence(SeqCst);
            let seen = self.theirs().taken.load(Acquire);
            match self.offer(message)? {
                None => break,
                Some(still_here) => message = still_here,
            }
            list.clear();
            list.push_counter(&self.theirs().taken, seen);
            interrupt.wait(&mut list, ticket, None)?;
        }
        self.ours().waiting.store(0, Relaxed);
        Ok(())
    }

    pub fn close(&mut self) {
        let closed = Published { closed: true, ..Published::open(self.next) };
        self.ours().published.store(closed.word(), Release);
        self.wake_consumer();
    }

    fn wake_consumer(&self) {
        fence(SeqCst);
        if self.theirs().sleeping.load(Relaxed) != 0 {
            wake_counter(&self.ours().published);
        }
    }

    fn ours(&self) -> &OutWords {
        self.port.at(self.words_at)
    }

    fn theirs(&self) -> &InWords {
        self.consumer.station.at(self.consumer.words_at)
    }
}
