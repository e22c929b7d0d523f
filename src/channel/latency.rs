//! Latencies counted in buckets, sixteen to an octave: a bucket is at most 6.25 % wide.

const SUB_BITS: u32 = 4;
const SUB: u64 = 1 << SUB_BITS;
/// Buckets: up to 2^40 ns, which is 18 minutes.
pub const BUCKETS: usize = (40 - SUB_BITS as usize) * SUB as usize + SUB as usize;

/// The bucket that `ns` falls into.
#[must_use]
pub fn bucket(ns: u64) -> usize {
    if ns < SUB {
        return ns as usize;
    }
    let octave = ns.ilog2() - SUB_BITS;
    let index = (u64::from(octave) + 1) * SUB + ((ns >> octave) - SUB);
    (index as usize).min(BUCKETS - 1)
}

/// The middle of a bucket, in nanoseconds.
#[must_use]
pub fn middle(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < SUB {
        return bucket;
    }
    let octave = bucket / SUB - 1;
    let low = (SUB + bucket % SUB) << octave;
    low + (1 << octave) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_its_bucket_is_near_every_latency() {
        for ns in (0..64).chain([100, 999, 26_000, 1_000_000, 123_456_789, 60_000_000_000]) {
            let error = (middle(bucket(ns)) as f64 - ns as f64).abs();
            assert!(error <= ns as f64 * 0.04, "{ns} ns counts as {}", middle(bucket(ns)));
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }
}
