//! Times in messages: nanoseconds, the clock always named.

use bincode::{Decode, Encode};
use rustix::time::{ClockId, clock_gettime};

/// The clock of a capture time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Clock {
    /// Nanoseconds since the recording began: what a file or a synthetic source has.
    Stream,
    /// Nanoseconds since 1970-01-01 UTC.
    Realtime,
}

/// When the content of a message came to be (event time), as its source tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Capture {
    /// Nanoseconds on `clock`.
    pub ns: i64,
    /// What the nanoseconds count from.
    pub clock: Clock,
}

impl Capture {
    /// The present, on the real-time clock.
    #[must_use]
    pub fn now() -> Self {
        Capture { ns: realtime_ns(), clock: Clock::Realtime }
    }

    /// A time in seconds since the recording began.
    #[must_use]
    pub fn stream_seconds(seconds: f64) -> Self {
        Capture { ns: (seconds * 1e9).round() as i64, clock: Clock::Stream }
    }

    /// The same clock, `seconds` later (or earlier, where negative).
    #[must_use]
    pub fn plus_seconds(self, seconds: f64) -> Self {
        Capture { ns: self.ns + (seconds * 1e9).round() as i64, clock: self.clock }
    }

    /// The time in seconds on its clock.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.ns as f64 / 1e9
    }
}

/// Nanoseconds on `CLOCK_MONOTONIC`, comparable between the processes of one machine.
#[must_use]
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Nanoseconds since 1970-01-01 UTC.
#[must_use]
pub fn realtime_ns() -> i64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}
