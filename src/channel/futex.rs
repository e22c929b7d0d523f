//! Where the kernel has a thread sleep: on words in shared memory, through mappings that may be read-only.

use super::ChannelError;
use super::wait::timespec;
use super::wait_list::{Place, Word};
use rustix::io::Errno;
use rustix::thread::futex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

/// Words that one futex_waitv takes.
const WORDS_PER_CALL: usize = 128;

/// Waits until one of `words` has changed, or `until` has come.
///
/// # Errors
/// [`ChannelError::Wait`] with the system's word.
pub fn sleep(words: &[Word], until: Option<Instant>) -> Result<(), ChannelError> {
    let deadline = until.map(|t| {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        now + timespec(t.saturating_duration_since(Instant::now()))
    });
    let waits: Vec<futex::Wait> = words.iter().map(for_the_kernel).collect();
    if waits.len() <= WORDS_PER_CALL { wait_call(&waits, deadline.as_ref()) } else { wait_in_parts(&waits, deadline) }
}

fn for_the_kernel(word: &Word) -> futex::Wait {
    let at = match word.place() {
        Place::Flag(flag) => flag,
        Place::Counter(counter) => low_half(counter),
    };
    wait_at(at, word.seen)
}

fn wait_at(word: &AtomicU32, seen: u32) -> futex::Wait {
    let mut wait = futex::Wait::new();
    wait.val = u64::from(seen);
    wait.uaddr = futex::WaitPtr::new(word.as_ptr().cast());
    wait.flags = futex::WaitFlags::SIZE_U32;
    wait
}

/// Waits on more words than one call takes: a thread for each part, all of them ended by whichever wakes first.
/// A node with so many edges sleeps rarely enough to pay for that.
fn wait_in_parts(waits: &[futex::Wait], deadline: Option<rustix::time::Timespec>) -> Result<(), ChannelError> {
    let woken = AtomicU32::new(0);
    let wait_part = |part: &[futex::Wait]| {
        let mut waits = part.to_vec();
        waits.push(wait_at(&woken, 0));
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

/// A part of what is waited for on its way to a thread of its own.
struct Part<'a>(&'a [futex::Wait]);

// SAFETY: the pointers are only handed to the kernel, which checks them; the words outlive the wait, as `sleep` has them.
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
    // The interpreter makes no system calls; under it nobody sleeps.
    if cfg!(miri) {
        return;
    }
    // Waking cannot fail on a valid address; nobody sleeping is not a failure.
    let _ = futex::wake(word, futex::Flags::empty(), i32::MAX as u32);
}

fn low_half(counter: &AtomicU64) -> &AtomicU32 {
    const { assert!(cfg!(target_endian = "little"), "the low half lies first") };
    // SAFETY: the low half of an aligned 8-byte word is an aligned 4-byte word; it is only used as a futex address.
    unsafe { &*counter.as_ptr().cast::<AtomicU32>() }
}
