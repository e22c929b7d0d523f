//! When a producer that runs ahead gives its consumers time.
//!
//! What no cache holds any more when it is read costs both ends several times as much. A producer that is ahead by more than
//! that lets a consumer catch up that is at work; not one that is held up elsewhere.

use std::time::Duration;

/// What lies in a queue stays in a cache up to this size.
const CACHED_BYTES: usize = 4 << 20;
/// So many messages, however large, keep a consumer at work.
const AT_WORK: usize = 2;
/// How fast a message is copied that lies in a cache: a pause has the length of a copy, up to the longest.
const COPIED_BYTES_PER_NS: u64 = 32;
const LONGEST_PAUSE: Duration = Duration::from_millis(1);
/// After so many pauses in a row in which nothing was taken, no further one is worth it.
const MOST_IDLE_PAUSES: u32 = 4;
/// No payload is written in full faster than this.
const WRITTEN_BYTES_PER_NS: u64 = 128;
/// Consumers are given one part in so many of the time that a message took, and so much at most: a producer in its own time
/// stays in it.
const PARTS: u64 = 4;
const MOST_GIVEN_NS: u64 = 1_000_000;

/// Whether `waiting` messages of this size are more than a cache holds.
pub fn is_far(waiting: usize, payload_bytes: usize) -> bool {
    waiting > AT_WORK && waiting * payload_bytes > CACHED_BYTES
}

/// How long to pause between two looks.
pub fn pause(payload_bytes: usize) -> Duration {
    Duration::from_nanos(payload_bytes as u64 / COPIED_BYTES_PER_NS).min(LONGEST_PAUSE)
}

/// How much time all consumers together are given after a message that took `made_ns`.
pub fn given_ns(made_ns: u64) -> u64 {
    (made_ns / PARTS).min(MOST_GIVEN_NS)
}

/// Whether a payload that took `made_ns` may have been written in full.
pub fn may_be_written(payload_bytes: usize, made_ns: u64) -> bool {
    made_ns >= payload_bytes as u64 / WRITTEN_BYTES_PER_NS
}

/// A consumer that is far behind, as its producer last saw it.
#[derive(Default)]
pub struct Behind {
    /// The oldest position that it had not taken.
    oldest: u64,
    /// Pauses since that last changed.
    idle_pauses: u32,
}

impl Behind {
    /// Looks at the oldest position that is not taken; whether that is another one than before.
    pub fn has_moved(&mut self, oldest: u64) -> bool {
        let has_moved = oldest != self.oldest;
        if has_moved {
            *self = Behind { oldest, idle_pauses: 0 };
        }
        has_moved
    }

    /// Whether it is held up, so that it is not worth while to wait for it; else one more pause is counted.
    pub fn is_held_up(&mut self) -> bool {
        let is_held_up = self.idle_pauses == MOST_IDLE_PAUSES;
        self.idle_pauses += u32::from(!is_held_up);
        is_held_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_that_takes_nothing_is_held_up_until_it_takes_something() {
        let mut behind = Behind::default();
        assert!(behind.has_moved(7));
        for _ in 0..MOST_IDLE_PAUSES {
            assert!(!behind.has_moved(7) && !behind.is_held_up());
        }
        assert!((0..100).all(|_| !behind.has_moved(7) && behind.is_held_up()));
        assert!(behind.has_moved(8) && !behind.is_held_up());
    }

    #[test]
    fn few_messages_are_never_far_and_many_only_where_no_cache_holds_them() {
        assert!(!is_far(AT_WORK, 1 << 30));
        assert!(is_far(AT_WORK + 1, 1 << 30));
        assert!(!is_far(1024, 4096));
        assert!(is_far(1025, 4096));
    }

    #[test]
    fn no_time_that_is_given_and_no_pause_is_longer_than_a_millisecond() {
        assert_eq!((given_ns(100_000), given_ns(u64::MAX)), (25_000, 1_000_000));
        assert_eq!((pause(1 << 20), pause(1 << 40)), (Duration::from_nanos(32_768), LONGEST_PAUSE));
    }
}
