//! Sleeping as the kernel does it, for the model checker: a sleeper looks at its words and lies down in one step, as seen by
//! whoever wakes; a wake-up goes to those who lie there, and is lost where nobody does.
#![allow(missing_docs, reason = "as in the real one")]

use super::ChannelError;
use super::model::atomics::acts;
use super::sync::{AtomicU32, AtomicU64};
use loom::sync::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// What a thread sleeps on: words, each with the value that was last seen.
#[derive(Default)]
pub struct WaitList(Vec<Word>);

/// A word, by its address, and the low half of what was last seen in it.
#[derive(Clone, Copy, PartialEq)]
enum Word {
    Flag(*const AtomicU32, u32),
    Counter(*const AtomicU64, u32),
}

/// Who sleeps: on which addresses, and whether it was woken.
#[derive(Default)]
struct Sleepers {
    next: u32,
    asleep: BTreeMap<u32, (Vec<usize>, bool)>,
}

struct Kernel {
    sleepers: Mutex<Sleepers>,
    woken: Condvar,
}

loom::lazy_static! {
    static ref KERNEL: Kernel = Kernel { sleepers: Mutex::new(Sleepers::default()), woken: Condvar::new() };
}

// SAFETY: the words outlive the list's use, as in the real one.
unsafe impl Send for WaitList {}

impl Word {
    fn address(&self) -> usize {
        match *self {
            Word::Flag(word, _) => word as usize,
            Word::Counter(word, _) => word as usize,
        }
    }

    fn has_changed(&self) -> bool {
        // SAFETY: the words outlive the list's use, as in the real one.
        unsafe {
            match *self {
                Word::Flag(word, seen) => (*word).load(Relaxed) != seen,
                Word::Counter(word, seen) => (*word).load(Relaxed) as u32 != seen,
            }
        }
    }
}

impl WaitList {
    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn says_the_same_as(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    pub fn has_changed(&self) -> bool {
        self.0.iter().any(Word::has_changed)
    }

    pub fn push(&mut self, word: &AtomicU32, seen: u32) {
        self.0.push(Word::Flag(word, seen));
    }

    pub fn push_counter(&mut self, counter: &AtomicU64, seen: u64) {
        self.0.push(Word::Counter(counter, seen as u32));
    }

    pub fn pop(&mut self) {
        self.0.pop();
    }

    pub fn wait(&self, until: Option<Instant>) -> Result<(), ChannelError> {
        assert!(until.is_none(), "no time passes in a model");
        let mut sleepers = KERNEL.sleepers.lock().expect("no thread dies in here");
        if self.has_changed() {
            return Ok(());
        }
        let me = sleepers.next;
        sleepers.next += 1;
        sleepers.asleep.insert(me, (self.0.iter().map(Word::address).collect(), false));
        while !sleepers.asleep[&me].1 {
            sleepers = KERNEL.woken.wait(sleepers).expect("no thread dies in here");
        }
        sleepers.asleep.remove(&me);
        Ok(())
    }
}

pub fn wake_counter(counter: &AtomicU64) {
    wake_at(std::ptr::from_ref(counter) as usize);
}

pub fn wake(word: &AtomicU32) {
    wake_at(std::ptr::from_ref(word) as usize);
}

fn wake_at(address: usize) {
    if !acts() {
        return;
    }
    let mut sleepers = KERNEL.sleepers.lock().expect("no thread dies in here");
    let mut any = false;
    for (_, woken) in sleepers.asleep.values_mut().filter(|(words, _)| words.contains(&address)) {
        any |= !std::mem::replace(woken, true);
    }
    if any {
        KERNEL.woken.notify_all();
    }
}
