//! Where the kernel has a thread sleep: on words in shared memory, through mappings that may be read-only.

use super::ChannelError;
use super::wait::timespec;
use rustix::io::Errno;
use rustix::thread::futex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

/// Words that one futex_waitv takes.
const WORDS_PER_CALL: usize = 128;

/// What a node thread sleeps on: words in shared memory, each with the value that was last seen.
#[derive(Default)]
pub struct WaitList(Vec<futex::Wait>);

// SAFETY: the pointers are only handed to the kernel, which checks them; the words outlive the list's use by the
// contract of `WaitList::push`.
unsafe impl Send for WaitList {}

impl WaitList {
    /// Empties the list.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether the same was seen in the same words.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let seen = |wait: &futex::Wait| (wait.uaddr.ptr, wait.val);
        self.0.iter().map(seen).eq(other.0.iter().map(seen))
    }

    /// Whether any word is no longer what was seen.
    pub fn has_changed(&self) -> bool {
        self.0.iter().any(|wait| {
            // SAFETY: by the contract of `push` the word is still there, and it is only ever changed atomically.
            let word = unsafe { AtomicU32::from_ptr(wait.uaddr.ptr.cast()) };
            u64::from(word.load(Ordering::Relaxed)) != wait.val
        })
    }

    /// Adds a word, to be woken when it is no longer `seen`. The word must outlive the wait; every word here lies in a
    /// mapping, or in an [`Interrupt`], that the waiting node keeps.
    pub fn push(&mut self, word: &AtomicU32, seen: u32) {
        let mut wait = futex::Wait::new();
        wait.val = u64::from(seen);
        wait.uaddr = futex::WaitPtr::new(word.as_ptr().cast());
        wait.flags = futex::WaitFlags::SIZE_U32;
        self.0.push(wait);
    }

    /// Adds the low half of a counter, to be woken when it is no longer that of `seen`.
    pub fn push_counter(&mut self, counter: &AtomicU64, seen: u64) {
        self.push(low_half(counter), seen as u32);
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
        if self.0.len() <= WORDS_PER_CALL {
            wait_call(&self.0, deadline.as_ref())
        } else {
            self.wait_in_parts(deadline)
        }
    }

    /// Waits on more words than one call takes: a thread for each part, all of them ended by whichever wakes first.
    /// A node with so many edges sleeps rarely enough to pay for that.
    fn wait_in_parts(&self, deadline: Option<rustix::time::Timespec>) -> Result<(), ChannelError> {
        let woken = AtomicU32::new(0);
        let wait_part = |part: &[futex::Wait]| {
            let mut list = WaitList(part.to_vec());
            list.push(&woken, 0);
            let result = wait_call(&list.0, deadline.as_ref());
            woken.store(1, Ordering::Release);
            wake(&woken);
            result
        };
        std::thread::scope(|scope| {
            let wait_part = &wait_part;
            let parts = self.0.chunks(WORDS_PER_CALL - 1).map(Part);
            let threads: Vec<_> = parts.map(|part| scope.spawn(move || wait_part(part.words()))).collect();
            threads.into_iter().try_for_each(|thread| thread.join().unwrap_or(Ok(())))
        })
    }
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
