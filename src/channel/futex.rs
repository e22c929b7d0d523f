//! Where the kernel has a thread sleep: on words in shared memory, through mappings that may be read-only.

use super::ChannelError;
use super::wait::timespec;
use rustix::io::Errno;
use rustix::thread::futex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

/// Words that one futex_waitv takes.
const WORDS_PER_CALL: usize = 128;

/// What a node thread sleeps on: words in shared memory, each with what was last seen in it.
#[derive(Default)]
pub struct WaitList(Vec<Word>);

/// A word, or the low half of a counter, that is waited for while it holds `seen`.
#[derive(Clone, Copy, PartialEq)]
struct Word {
    place: Place,
    seen: u32,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Flag(*const AtomicU32),
    Counter(*const AtomicU64),
}

// SAFETY: the pointers are read atomically or handed to the kernel, which checks them; the words outlive the list's use by
// the contract of `WaitList::push`.
unsafe impl Send for WaitList {}

impl Word {
    fn has_changed(&self) -> bool {
        // SAFETY: by the contract of `WaitList::push` the word is still there. It is read in the size in which it is written.
        let now = unsafe {
            match self.place {
                Place::Flag(word) => (*word).load(Ordering::Relaxed),
                Place::Counter(counter) => (*counter).load(Ordering::Relaxed) as u32,
            }
        };
        now != self.seen
    }

    fn for_the_kernel(&self) -> futex::Wait {
        let word = match self.place {
            Place::Flag(word) => word,
            // SAFETY: as in `has_changed`.
            Place::Counter(counter) => low_half(unsafe { &*counter }),
        };
        let mut wait = futex::Wait::new();
        wait.val = u64::from(self.seen);
        wait.uaddr = futex::WaitPtr::new(word.cast_mut().cast());
        wait.flags = futex::WaitFlags::SIZE_U32;
        wait
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
        self.0.push(Word { place: Place::Flag(word), seen });
    }

    /// Adds the low half of a counter, to be woken when it is no longer that of `seen`.
    pub fn push_counter(&mut self, counter: &AtomicU64, seen: u64) {
        self.0.push(Word { place: Place::Counter(counter), seen: seen as u32 });
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
        let deadline = until.map(|t| {
            let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
            now + timespec(t.saturating_duration_since(Instant::now()))
        });
        let waits: Vec<futex::Wait> = self.0.iter().map(Word::for_the_kernel).collect();
        if waits.len() <= WORDS_PER_CALL {
            wait_call(&waits, deadline.as_ref())
        } else {
            wait_in_parts(&waits, deadline)
        }
    }
}

/// Waits on more words than one call takes: a thread for each part, all of them ended by whichever wakes first.
/// A node with so many edges sleeps rarely enough to pay for that.
fn wait_in_parts(waits: &[futex::Wait], deadline: Option<rustix::time::Timespec>) -> Result<(), ChannelError> {
    let woken = AtomicU32::new(0);
    let wait_part = |part: &[futex::Wait]| {
        let mut waits = part.to_vec();
        waits.push(Word { place: Place::Flag(&woken), seen: 0 }.for_the_kernel());
        let result = wait_call(&waits, deadline.as_ref());
        woken.store(1, Ordering::Release);
        wake(&woken);
        result
    };
    std::thread::scope(|scope| {
        let wait_part = &wait_part;
        let parts = waits.chunks(WORDS_PER_CALL - 1).map(Part);
        let threads: Vec<_> = parts.map(|part| scope.spawn(move || wait_part(part.words()))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or(Ok(())))
    })
}

/// A part of a [`WaitList`] on its way to a thread of its own.
struct Part<'a>(&'a [futex::Wait]);

// SAFETY: as for `WaitList`: the pointers are only handed to the kernel.
unsafe impl Send for Part<'_> {}

impl Part<'_> {
    fn words(&self) -> &[futex::Wait] {
        self.0
    }
}

fn wait_call(words: &[futex::Wait], deadline: Option<&rustix::time::Timespec>) -> Result<(), ChannelError> {
    match futex::waitv(words, futex::WaitvFlags::empty(), deadline, futex::ClockId::Monotonic) {
        // Woken, or the word had changed already, or a signal or the time has come: the caller looks again.
        Ok(_) | Err(Errno::AGAIN | Errno::INTR | Errno::TIMEDOUT) => Ok(()),
        Err(e) => Err(ChannelError::Wait(e.into())),
    }
}

/// Wakes whoever sleeps on the low half of `counter`.
pub fn wake_counter(counter: &AtomicU64) {
    wake(low_half(counter));
}

/// Wakes whoever sleeps on `word`.
pub fn wake(word: &AtomicU32) {
    // Waking cannot fail on a valid address; nobody sleeping is not a failure.
    let _ = futex::wake(word, futex::Flags::empty(), i32::MAX as u32);
}

fn low_half(counter: &AtomicU64) -> &AtomicU32 {
    const { assert!(cfg!(target_endian = "little"), "the low half lies first") };
    // SAFETY: the low half of an aligned 8-byte word is an aligned 4-byte word; it is only used as a futex address.
    unsafe { &*counter.as_ptr().cast::<AtomicU32>() }
}
