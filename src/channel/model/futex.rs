//! Sleeping as the kernel does it, for the model checker: a sleeper looks at its words and lies down in one step, as seen by
//! whoever wakes; a wake-up goes to those who lie there, and is lost where nobody does.
#![allow(missing_docs, reason = "as in the real one")]

use super::ChannelError;
use super::model::atomics::acts;
use super::sync::{AtomicU32, AtomicU64};
use super::wait_list::{Place, Word};
use loom::sync::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::time::Instant;

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

fn address(word: &Word) -> usize {
    match word.place() {
        Place::Flag(flag) => std::ptr::from_ref(flag) as usize,
        Place::Counter(counter) => std::ptr::from_ref(counter) as usize,
    }
}

pub fn sleep(words: &[Word], until: Option<Instant>) -> Result<(), ChannelError> {
    assert!(until.is_none(), "no time passes in a model");
    let mut sleepers = KERNEL.sleepers.lock().expect("no thread dies in here");
    if words.iter().any(Word::has_changed) {
        return Ok(());
    }
    let me = sleepers.next;
    sleepers.next += 1;
    sleepers.asleep.insert(me, (words.iter().map(address).collect(), false));
    while !sleepers.asleep[&me].1 {
        sleepers = KERNEL.woken.wait(sleepers).expect("no thread dies in here");
    }
    sleepers.asleep.remove(&me);
    Ok(())
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
