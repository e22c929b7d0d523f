//! Where a receiver reads: its producer's segment, until a fresh one takes its place.

use super::fault::Watched;
use super::memory::ReadOnly;
use std::cell::{Cell, RefCell, UnsafeCell};
use std::collections::VecDeque;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::sync::{Arc, Mutex, PoisonError};

/// Where segments that take another's place wait until a receiver has read the old ones to their ends.
#[derive(Default)]
pub struct Inbox {
    waiting: Mutex<VecDeque<(Origin, Arc<ReadOnly>)>>,
    /// How many of them are of a producer that took a dead one's place.
    heirs: AtomicU32,
}

/// Who made a segment that takes another's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The producer of that one, which says in it when it has moved on.
    Same,
    /// One that was started in its place. It says nothing more.
    Heir,
}

/// The segments that a receiver reads. Used by one thread.
pub struct Mapped {
    present: UnsafeCell<Arc<ReadOnly>>,
    /// Those before, each while views of it are held: by bit, which entries of the borrow table they have. More than one
    /// only where a producer no longer waits for this consumer, since it is in quarantine.
    before: RefCell<Vec<(u64, Arc<ReadOnly>)>>,
    inbox: Arc<Inbox>,
    watched: Cell<Option<&'static Watched>>,
}

impl Inbox {
    /// A segment has come.
    pub fn put(&self, origin: Origin, segment: Arc<ReadOnly>) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back((origin, segment));
        if origin == Origin::Heir {
            self.heirs.fetch_add(1, AcqRel);
        }
    }

    fn take(&self) -> Option<Arc<ReadOnly>> {
        let (origin, segment) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()?;
        if origin == Origin::Heir {
            self.heirs.fetch_sub(1, AcqRel);
        }
        Some(segment)
    }
}

impl Mapped {
    /// Reads `present`; what takes its place comes to `inbox`.
    #[must_use]
    pub fn new(present: Arc<ReadOnly>, inbox: Arc<Inbox>) -> Self {
        let (present, before) = (UnsafeCell::new(present), RefCell::default());
        Mapped { present, before, inbox, watched: Cell::new(None) }
    }

    /// The segment to read. What it gives is not to be kept across [`Mapped::advance`], but for the payloads of views:
    /// those stay where they are until [`Mapped::gave_back`] is told the last one of them.
    pub fn segment(&self) -> &ReadOnly {
        // SAFETY: one thread uses this value, and only `advance` writes; it keeps the old segment while views of it are
        // held, and nothing else that was read from it is kept, by the contract above.
        unsafe { &*self.present.get() }
    }

    /// Whether the producer of the present segment is dead and another one has taken its place: what the segment says,
    /// read after this, is final.
    pub fn is_inherited(&self) -> bool {
        self.inbox.heirs.load(Acquire) > 0
    }

    /// Goes on in the segment that takes this one's place, if it has come. `borrows` are the entries of the borrow table
    /// that are in use.
    pub fn advance(&self, borrows: u64) -> bool {
        let Some(successor) = self.inbox.take() else { return false };
        // SAFETY: as in `segment`: no reference to the old `Arc` is alive here.
        let old = unsafe { std::mem::replace(&mut *self.present.get(), successor) };
        let mut before = self.before.borrow_mut();
        let of_old = before.iter().fold(borrows, |left, (borrows, _)| left & !borrows);
        if of_old != 0 {
            before.push((of_old, Arc::clone(&old)));
        }
        drop(before);
        self.tell_watched();
        true
    }

    /// An entry of the borrow table is free again.
    pub fn gave_back(&self, entry: usize) {
        let mut before = self.before.borrow_mut();
        before.iter_mut().for_each(|(borrows, _)| *borrows &= !(1 << entry));
        if let Some(at) = before.iter().position(|(borrows, _)| *borrows == 0) {
            let released = before.remove(at);
            drop(before);
            self.tell_watched();
            drop(released);
        }
    }

    /// Keeps `watched` told of where views lie.
    pub fn watch(&self, watched: &'static Watched) {
        self.watched.set(Some(watched));
        self.tell_watched();
    }

    fn tell_watched(&self) {
        if let Some(watched) = self.watched.get() {
            let before = self.before.borrow();
            watched.now_at(Some(self.segment()), before.last().map(|(_, segment)| &**segment));
        }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        if let Some(watched) = self.watched.get() {
            watched.now_at(None, None);
        }
    }
}
