//! What a thread sleeps on: words in shared memory, each with what was last seen in it.

use super::sync::{AtomicU32, AtomicU64};
use super::{ChannelError, futex};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// Words, each with what was last seen in it.
#[derive(Default)]
pub struct WaitList(Vec<Word>);

/// A word, or the low half of a counter, that is waited for while it is what was seen.
#[derive(Clone, Copy, PartialEq)]
pub struct Word {
    at: At,
    pub seen: u32,
}

#[derive(Clone, Copy, PartialEq)]
enum At {
    Flag(*const AtomicU32),
    Counter(*const AtomicU64),
}

/// Where a word is.
pub enum Place<'w> {
    Flag(&'w AtomicU32),
    /// Its low half.
    Counter(&'w AtomicU64),
}

// SAFETY: the pointers are only used as references to atomics, and the words outlive the list's use by the contract of
// `WaitList::push`.
unsafe impl Send for WaitList {}

impl Word {
    pub fn place(&self) -> Place<'_> {
        // SAFETY: by the contract of `WaitList::push` the word is still there.
        unsafe {
            match self.at {
                At::Flag(word) => Place::Flag(&*word),
                At::Counter(counter) => Place::Counter(&*counter),
            }
        }
    }

    /// Whether it is no longer what was seen. It is read in the size in which it is written.
    pub fn has_changed(&self) -> bool {
        let now = match self.place() {
            Place::Flag(word) => word.load(Relaxed),
            Place::Counter(counter) => counter.load(Relaxed) as u32,
        };
        now != self.seen
    }
}

impl WaitList {
    /// Empties the list.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether the same was seen in the same words.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Whether any word is no longer what was seen.
    pub fn has_changed(&self) -> bool {
        self.0.iter().any(Word::has_changed)
    }

    /// Adds a word, to be woken when it is no longer `seen`. The word must outlive the wait; every word here lies in a
    /// mapping, or in an [`Interrupt`](super::Interrupt), that the waiting node keeps.
    pub fn push(&mut self, word: &AtomicU32, seen: u32) {
        self.0.push(Word { at: At::Flag(word), seen });
    }

    /// Adds the low half of a counter, to be woken when it is no longer that of `seen`.
    pub fn push_counter(&mut self, counter: &AtomicU64, seen: u64) {
        self.0.push(Word { at: At::Counter(counter), seen: seen as u32 });
    }

    /// Takes the word back that was added last.
    pub fn pop(&mut self) {
        self.0.pop();
    }

    /// Waits until a word changes, or `until` has come.
    ///
    /// # Errors
    /// [`ChannelError::Wait`] with the system's word.
    pub fn wait(&self, until: Option<Instant>) -> Result<(), ChannelError> {
        futex::sleep(&self.0, until)
    }
}
