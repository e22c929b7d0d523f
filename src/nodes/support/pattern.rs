//! The bytes of `counter`'s messages, made and verified: both sides must agree, so they live here together.
//!
//! A message of 8 bytes or more begins with its number, little endian. All other bytes follow from the number, the
//! message's length and their place, eight at a time, so that a byte that was moved, repeated or cut off shows.

/// Where a payload differs from what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Offset of the first wrong byte.
    pub offset: usize,
    /// What is there.
    pub found: u8,
    /// What should be there.
    pub wanted: u8,
}

/// Fills `payload` as message `number`.
pub fn fill(number: u64, payload: &mut [u8]) {
    let seed = seed(number, payload.len());
    let (words, rest) = payload.as_chunks_mut::<8>();
    for (i, bytes) in words.iter_mut().enumerate() {
        *bytes = word(seed, i).to_le_bytes();
    }
    let last = word(seed, words.len()).to_le_bytes();
    rest.copy_from_slice(&last[..rest.len()]);
    if let Some(first) = words.first_mut() {
        *first = number.to_le_bytes();
    }
}

/// The number at the front of `payload`, where it is long enough to have one.
#[must_use]
pub fn number_of(payload: &[u8]) -> Option<u64> {
    payload.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// The first byte of `payload` that is not as message `number` has it.
#[must_use]
pub fn difference(number: u64, payload: &[u8]) -> Option<Difference> {
    let seed = seed(number, payload.len());
    let (words, rest) = payload.as_chunks::<8>();
    let wanted = |i: usize| if i == 0 && !words.is_empty() { number } else { word(seed, i) };
    let wrong = words.iter().enumerate().position(|(i, bytes)| u64::from_le_bytes(*bytes) != wanted(i));
    let (at, found) = match wrong {
        Some(at) => (at, &words[at][..]),
        None => (words.len(), rest),
    };
    let wanted = wanted(at).to_le_bytes();
    let byte = found.iter().zip(&wanted).position(|(found, wanted)| found != wanted)?;
    Some(Difference { offset: at * 8 + byte, found: found[byte], wanted: wanted[byte] })
}

fn seed(number: u64, payload_bytes: usize) -> u64 {
    splitmix(number ^ (payload_bytes as u64).rotate_left(40))
}

fn word(seed: u64, index: usize) -> u64 {
    splitmix(seed.wrapping_add(index as u64))
}

/// The output function of the SplitMix64 generator: every bit of the input moves every bit of the output.
#[must_use]
pub fn splitmix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_byte_is_found_at_its_place() {
        for len in [1, 7, 8, 9, 16, 63, 64, 100] {
            let mut payload = vec![0; len];
            fill(5, &mut payload);
            assert_eq!(difference(5, &payload), None);
            for offset in 0..len {
                payload[offset] ^= 0x10;
                let wanted = payload[offset] ^ 0x10;
                assert_eq!(difference(5, &payload), Some(Difference { offset, found: payload[offset], wanted }));
                payload[offset] ^= 0x10;
            }
        }
    }

    #[test]
    fn messages_of_another_number_or_length_differ() {
        let mut payload = vec![0; 64];
        fill(1, &mut payload);
        assert!(difference(2, &payload).is_some());
        assert!(difference(1, &payload[..32]).is_some(), "a message that was cut off does not pass for a shorter one");
        assert_eq!(number_of(&payload), Some(1));
        assert_eq!(difference(3, &[]), None);
        assert_eq!(number_of(&[1, 2, 3]), None);
    }
}
