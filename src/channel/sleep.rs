//! How the two ends of an edge tell each other that one of them sleeps: a number for each sleep, and 0 while awake.

use super::futex::wake_counter;
use super::sync::{AtomicU32, AtomicU64, fence};
#[cfg(not(ezrun_loom))]
use std::sync::LazyLock;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

/// What stands for the number of a sleep where there will never be one.
const NEVER: u32 = u32::MAX;

/// Numbers the sleeps of one end of an edge. The first number differs from process to process: the other end may still
/// know the last sleep of the process that this one has taken the place of.
pub struct Sleeps(u32);

#[cfg(not(ezrun_loom))]
impl Default for Sleeps {
    fn default() -> Self {
        static FIRST: LazyLock<u32> = LazyLock::new(|| {
            let mut random = [0; 4];
            // Where that fails it is as good as any other number.
            let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
            u32::from_le_bytes(random)
        });
        Sleeps(*FIRST)
    }
}

/// A model counts over the end of the numbers.
#[cfg(ezrun_loom)]
impl Default for Sleeps {
    fn default() -> Self {
        Sleeps(NEVER - 2)
    }
}

impl Sleeps {
    /// What to announce: the number of a sleep that begins, not that of the last one and never 0; or 0 for being awake.
    pub fn number(&mut self, sleeping: bool) -> u32 {
        if !sleeping {
            return 0;
        }
        self.0 = self.0 % (NEVER - 1) + 1;
        self.0
    }
}

/// Tells the other end of an edge that this one never sleeps, so that there is nothing to look for after a change. Before
/// the first message.
pub fn announce_never(place: &AtomicU32) {
    place.store(NEVER, Relaxed);
}

/// Announces a sleep, or with 0 the end of it, where the other end looks. After announcing a sleep, look again: what is
/// waited for may have come before the other end could see that somebody sleeps.
pub fn announce(place: &AtomicU32, number: u32) {
    place.store(number, Relaxed);
    if number != 0 {
        fence(SeqCst);
    }
}

/// How often the present sleep of the other end was ended.
#[derive(Default)]
pub struct Woken {
    number: u32,
    times: u32,
}

/// The first time may come for something that the sleeper saw before it went to sleep, and find it on its way there. What
/// comes after it, the sleeper has not seen.
const TIMES_TO_WAKE: u32 = 2;

impl Woken {
    /// `changed` has just been stored to: wakes whoever announces at `place` that it waits for that.
    pub fn wake(&mut self, place: &AtomicU32, changed: &AtomicU64) {
        if place.load(Relaxed) == NEVER {
            return;
        }
        fence(SeqCst);
        if self.is_due(place.load(Relaxed)) {
            wake_counter(changed);
        }
    }

    /// Whether the sleep `number` is to be ended: not where it is none, nor where it was ended already and the sleeper only
    /// has not come round to running.
    fn is_due(&mut self, number: u32) -> bool {
        if self.number != number {
            *self = Woken { number, times: 0 };
        }
        self.times = self.times.saturating_add(1);
        number != 0 && self.times <= TIMES_TO_WAKE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_ended_once_more_since_the_first_time_may_find_the_sleeper_on_its_way() {
        let mut woken = Woken::default();
        let due: Vec<bool> = [0, 7, 7, 7, 0, 8, 8, 8].into_iter().map(|number| woken.is_due(number)).collect();
        assert_eq!(due, [false, true, true, false, false, true, true, false]);
    }
}
