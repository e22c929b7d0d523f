//! What the messages of `ezrun bench` hold: when each was sent, its number, and a byte that follows from the number.

use crate::node::Result;
use anyhow::{Context as _, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::hint::black_box;

/// The least message: its time and its number, 8 bytes each.
pub const MIN_BYTES: usize = 16;
/// What is touched at each end of a message where only the ends are.
const LINE_BYTES: usize = 64;

/// How much of a message its producer writes and its consumer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Touch {
    /// All of it.
    Full,
    /// Its first and its last 64 bytes.
    Ends,
}

/// What a message says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When it was sent, on `CLOCK_MONOTONIC`.
    pub sent_ns: u64,
    /// Its number at its source, from 0.
    pub number: u64,
}

/// Writes a message, but for the time: that comes last, with [`stamp_time`].
pub fn fill(number: u64, touch: Touch, payload: &mut [u8]) {
    let byte = filler(number);
    match touch {
        Touch::Full => payload[MIN_BYTES..].fill(byte),
        Touch::Ends => {
            let last = last_line(payload.len());
            payload[MIN_BYTES..LINE_BYTES.min(last)].fill(byte);
            payload[last..].fill(byte);
        }
    }
    payload[8..MIN_BYTES].copy_from_slice(&number.to_le_bytes());
}

/// Writes the time.
pub fn stamp_time(sent_ns: u64, payload: &mut [u8]) {
    payload[..8].copy_from_slice(&sent_ns.to_le_bytes());
}

/// Reads a message as far as `touch` says, and verifies what it reads.
///
/// # Errors
/// Where it is not what [`fill`] wrote.
pub fn verify(touch: Touch, bytes: usize, payload: &[u8]) -> Result<Stamp> {
    ensure!(payload.len() == bytes, "a message of {} bytes arrived where all have {bytes}", payload.len());
    let stamp = stamp(payload).context("a message is too short for its time and its number")?;
    let byte = filler(stamp.number);
    let wrong = match touch {
        Touch::Full => differs(byte, &payload[MIN_BYTES..]),
        Touch::Ends => {
            let last = last_line(bytes);
            differs(byte, &payload[MIN_BYTES..LINE_BYTES.min(last)]) || differs(byte, &payload[last..])
        }
    };
    ensure!(!wrong, "message {} does not hold what its source wrote", stamp.number);
    Ok(stamp)
}

fn stamp(payload: &[u8]) -> Option<Stamp> {
    let (sent, rest) = payload.split_first_chunk()?;
    let (number, _) = rest.split_first_chunk()?;
    Some(Stamp { sent_ns: u64::from_le_bytes(*sent), number: u64::from_le_bytes(*number) })
}

/// Where the last line begins; behind the stamp.
fn last_line(bytes: usize) -> usize {
    bytes.saturating_sub(LINE_BYTES).max(MIN_BYTES)
}

/// Never 0, which is what memory holds that nobody has written.
fn filler(number: u64) -> u8 {
    (number % 251) as u8 + 1
}

/// Reads all of `bytes`: without a way out in the middle, which would keep the compiler from reading many at a time.
fn differs(byte: u8, bytes: &[u8]) -> bool {
    black_box(bytes.iter().fold(0, |differences, &b| differences | (b ^ byte))) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u64, touch: Touch, bytes: usize) -> Vec<u8> {
        let mut payload = vec![0; bytes];
        fill(number, touch, &mut payload);
        stamp_time(7, &mut payload);
        payload
    }

    #[test]
    fn what_was_filled_is_verified_at_any_length() {
        for touch in [Touch::Full, Touch::Ends] {
            for bytes in [16, 17, 63, 64, 65, 79, 80, 127, 128, 129, 1000] {
                let stamp = verify(touch, bytes, &message(300, touch, bytes)).unwrap();
                assert_eq!(stamp, Stamp { sent_ns: 7, number: 300 });
            }
        }
    }

    #[test]
    fn a_wrong_byte_is_found_where_it_is_read() {
        for (touch, at, found) in [
            (Touch::Full, 500, true),
            (Touch::Ends, 500, false),
            (Touch::Ends, 16, true),
            (Touch::Ends, 63, true),
            (Touch::Ends, 64, false),
            (Touch::Ends, 936, true),
            (Touch::Ends, 999, true),
        ] {
            let mut payload = message(3, touch, 1000);
            payload[at] ^= 1;
            assert_eq!(verify(touch, 1000, &payload).is_err(), found, "{touch:?} at {at}");
        }
    }

    #[test]
    fn a_message_of_another_length_is_refused() {
        assert!(verify(Touch::Ends, 64, &message(0, Touch::Ends, 65)).is_err());
    }
}
