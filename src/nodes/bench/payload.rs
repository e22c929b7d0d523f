//! What the messages of `ezrun bench` hold: the number of each, bytes that follow from it, and when it was sent where its
//! header does not say so.

use crate::node::Result;
use anyhow::{Context as _, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::hint::black_box;

/// The least message: its time, where it has one, and its number, 8 bytes each.
pub const MIN_BYTES: usize = 16;
/// What is touched at each end of a message where only the ends are, and how long a byte stays the same.
const LINE_BYTES: usize = 64;
/// After so many messages, or lines of a message, the bytes are the same again.
const PERIOD: usize = 251;

/// How much of a message is written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// All of it.
    Full,
    /// Its first and its last 64 bytes.
    Ends,
}

/// How much of a message its producer writes and its consumer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Touch {
    /// By the producer, out of memory of its own.
    pub written: Reach,
    /// By the consumer.
    pub read: Reach,
}

/// What a message says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When it was sent, on `CLOCK_MONOTONIC`; anything where that was not written.
    pub sent_ns: u64,
    /// Its number at its source, from 0.
    pub number: u64,
}

/// Writes messages.
pub struct Writer {
    reach: Reach,
    /// What a producer has in memory of its own, where it writes whole messages: from line `number % PERIOD` on it is what
    /// message `number` holds.
    own: Vec<u8>,
}

impl Writer {
    pub fn new(bytes: usize, reach: Reach) -> Self {
        let own_bytes = if reach == Reach::Full { bytes + PERIOD * LINE_BYTES } else { 0 };
        Writer { reach, own: (0..own_bytes).map(|at| filler(0, at / LINE_BYTES)).collect() }
    }

    /// Writes a message, but for the time: that comes last, with [`stamp_time`], where a message has one.
    pub fn fill(&self, number: u64, payload: &mut [u8]) {
        match self.reach {
            Reach::Full => {
                let from = number as usize % PERIOD * LINE_BYTES;
                payload.copy_from_slice(&self.own[from..from + payload.len()]);
            }
            Reach::Ends => {
                let last = last_line(payload.len());
                write(number, MIN_BYTES, &mut payload[MIN_BYTES..LINE_BYTES.min(last)]);
                write(number, last, &mut payload[last..]);
            }
        }
        payload[8..MIN_BYTES].copy_from_slice(&number.to_le_bytes());
    }
}

/// Writes the time.
pub fn stamp_time(sent_ns: u64, payload: &mut [u8]) {
    payload[..8].copy_from_slice(&sent_ns.to_le_bytes());
}

/// Reads a message as far as `reach` says, and verifies what it reads.
///
/// # Errors
/// Where it is not what [`Writer::fill`] wrote.
pub fn verify(reach: Reach, bytes: usize, payload: &[u8]) -> Result<Stamp> {
    ensure!(payload.len() == bytes, "a message of {} bytes arrived where all have {bytes}", payload.len());
    let stamp = stamp(payload).context("a message is too short for its time and its number")?;
    let number = stamp.number;
    let wrong = match reach {
        Reach::Full => differs(number, MIN_BYTES, &payload[MIN_BYTES..]),
        Reach::Ends => {
            let last = last_line(bytes);
            differs(number, MIN_BYTES, &payload[MIN_BYTES..LINE_BYTES.min(last)])
                || differs(number, last, &payload[last..])
        }
    };
    ensure!(!wrong, "message {number} does not hold what its source wrote");
    Ok(stamp)
}

fn stamp(payload: &[u8]) -> Option<Stamp> {
    let (sent, rest) = payload.split_first_chunk()?;
    let (number, _) = rest.split_first_chunk()?;
    Some(Stamp { sent_ns: u64::from_le_bytes(*sent), number: u64::from_le_bytes(*number) })
}

/// Where the last 64 bytes begin; behind the stamp.
fn last_line(bytes: usize) -> usize {
    bytes.saturating_sub(LINE_BYTES).max(MIN_BYTES)
}

/// What a line of a message holds: never 0, which is what memory holds that nobody has written.
fn filler(number: u64, line: usize) -> u8 {
    ((number as usize % PERIOD + line) % PERIOD) as u8 + 1
}

/// Writes the part of a message that begins at `at`.
fn write(number: u64, at: usize, part: &mut [u8]) {
    let (head, rest) = part.split_at_mut(part.len().min(at.next_multiple_of(LINE_BYTES) - at));
    head.fill(filler(number, at / LINE_BYTES));
    for (line, at) in rest.chunks_mut(LINE_BYTES).zip(at.div_ceil(LINE_BYTES)..) {
        line.fill(filler(number, at));
    }
}

/// Whether the part of a message that begins at `at` is not what was written. Reads all of it: without a way out in the
/// middle, which would keep the compiler from reading many bytes at a time.
fn differs(number: u64, at: usize, part: &[u8]) -> bool {
    let (head, rest) = part.split_at(part.len().min(at.next_multiple_of(LINE_BYTES) - at));
    let lines = rest.chunks_exact(LINE_BYTES);
    let tail = lines.remainder();
    let first = at.div_ceil(LINE_BYTES);
    let behind = first + rest.len() / LINE_BYTES;
    let inner = lines.zip(first..).fold(0, |seen, (line, at)| seen | differences(filler(number, at), line));
    let outer = differences(filler(number, at / LINE_BYTES), head) | differences(filler(number, behind), tail);
    black_box(inner | outer) != 0
}

fn differences(byte: u8, bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |seen, &b| seen | (b ^ byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u64, reach: Reach, bytes: usize) -> Vec<u8> {
        let mut payload = vec![0; bytes];
        Writer::new(bytes, reach).fill(number, &mut payload);
        stamp_time(7, &mut payload);
        payload
    }

    #[test]
    fn what_was_written_is_verified_at_any_length() {
        for (written, read) in [(Reach::Full, Reach::Full), (Reach::Full, Reach::Ends), (Reach::Ends, Reach::Ends)] {
            for bytes in [16, 17, 63, 64, 65, 79, 80, 127, 128, 129, 1000, 20_000] {
                let stamp = verify(read, bytes, &message(300, written, bytes)).unwrap();
                assert_eq!(stamp, Stamp { sent_ns: 7, number: 300 });
            }
        }
    }

    #[test]
    fn a_wrong_byte_is_found_where_it_is_read() {
        for (reach, at, found) in [
            (Reach::Full, 500, true),
            (Reach::Ends, 500, false),
            (Reach::Full, 16, true),
            (Reach::Ends, 16, true),
            (Reach::Ends, 63, true),
            (Reach::Ends, 64, false),
            (Reach::Ends, 936, true),
            (Reach::Full, 999, true),
            (Reach::Ends, 999, true),
        ] {
            let mut payload = message(3, reach, 1000);
            payload[at] ^= 1;
            assert_eq!(verify(reach, 1000, &payload).is_err(), found, "{reach:?} at {at}");
        }
    }

    #[test]
    fn the_message_before_is_not_taken_for_this_one() {
        let mut payload = message(3, Reach::Full, 1000);
        payload[8..MIN_BYTES].copy_from_slice(&4u64.to_le_bytes());
        assert!(verify(Reach::Ends, 1000, &payload).is_err());
    }

    #[test]
    fn a_message_of_another_length_is_refused() {
        assert!(verify(Reach::Ends, 64, &message(0, Reach::Ends, 65)).is_err());
    }
}
