//! The capture time of a message that has none of its own.

use crate::message::{Capture, Clock, monotonic_ns, realtime_ns};

/// Real time by a reading of the monotonic clock: the two run beside each other until somebody sets real time, so how far
/// they are apart is looked at only now and then.
#[derive(Debug, Default)]
pub struct RealTime {
    /// What real time is ahead, in nanoseconds.
    ahead_ns: i64,
    /// When that was looked at last, on the monotonic clock.
    looked_ns: u64,
}

/// So long after it was set, real time may still be told as if it had not been.
const LOOK_EVERY_NS: u64 = 1_000_000;

impl RealTime {
    /// The capture time of what was captured at `now_ns`, the present on the monotonic clock.
    pub fn at(&mut self, now_ns: u64) -> Capture {
        if now_ns.saturating_sub(self.looked_ns) >= LOOK_EVERY_NS {
            self.ahead_ns = ahead_ns();
            self.looked_ns = now_ns;
        }
        Capture { ns: now_ns as i64 + self.ahead_ns, clock: Clock::Realtime }
    }
}

/// What real time is ahead of monotonic time. Whoever is held up between the two readings is told a wrong distance: the
/// quickest of some counts.
fn ahead_ns() -> i64 {
    let look = || {
        let before_ns = monotonic_ns();
        let ahead_ns = realtime_ns() - before_ns as i64;
        (monotonic_ns() - before_ns, ahead_ns)
    };
    let looks = [look(), look(), look()];
    looks.into_iter().min_by_key(|(took_ns, _)| *took_ns).map_or(0, |(_, ahead_ns)| ahead_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_present_follows_from_the_monotonic_clock() {
        let mut real_time = RealTime::default();
        for _ in 0..1000 {
            let present = real_time.at(monotonic_ns());
            assert_eq!(present.clock, Clock::Realtime);
            assert!(present.ns.abs_diff(realtime_ns()) < LOOK_EVERY_NS * 1000, "{} is not the present", present.ns);
        }
    }
}
