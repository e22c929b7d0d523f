//! Which of the free slots of a port is lent next.
//!
//! A slot of which the consumers read little is best filled while it is warm in the producer's cache: the one that was freed
//! last. One that they have read in full lies in their caches, and its lines are dear to take back from there: it had better
//! rest until others have taken its place. Which of the two it is depends on the nodes and on the machine, so that now and
//! then both are tried, and the time that it takes to fill a slot tells.

/// A slot that rests is lent again after so many bytes of others: more than a core's own caches hold, and less than what all
/// cores share.
const REST_BYTES: usize = 2 << 20;
/// Payloads from this size on are filled slowly enough to tell.
pub const TOLD_BYTES: usize = 4096;
/// Larger ones push each other out of any core's own caches.
const TOLD: std::ops::RangeInclusive<usize> = TOLD_BYTES..=REST_BYTES;
/// How many slots each way are timed; the median counts.
const TIMED: usize = 9;
/// The other way must take less than seven parts in so many of the time.
const PARTS: u64 = 8;
/// Messages before both ways are tried for the first time, and between two trials at most.
const FIRST_TRIAL: u32 = 128;
const MAX_BETWEEN: u32 = 1 << 16;

/// The way in which slots take turns, as of late.
pub struct Turns {
    slots: usize,
    rest: bool,
    /// Length of the payload, about. Where it changes by more than the half, all begins anew.
    payload_bytes: usize,
    /// Messages since the last trial, and until the next one.
    since: u32,
    between: u32,
    began_ns: Option<u64>,
    /// What filling took the present way and the other one, as for a payload of [`REST_BYTES`], in ns.
    present: Vec<u64>,
    other: Vec<u64>,
}

impl Turns {
    /// Of so many slots, before the first message.
    pub fn of(slots: usize) -> Self {
        let (present, other) = (Vec::with_capacity(TIMED), Vec::with_capacity(TIMED));
        let (rest, payload_bytes, since, between, began_ns) = (false, 0, 0, FIRST_TRIAL, None);
        Turns { slots, rest, payload_bytes, since, between, began_ns, present, other }
    }

    /// Where the slot that is lent next stands among `free` of them, which are in the order in which they were freed.
    pub fn next(&self, free: usize, payload_bytes: usize) -> Option<usize> {
        let last = free.checked_sub(1)?;
        let rests = TOLD.contains(&payload_bytes) && self.rest != self.tries_other();
        Some(if rests { last.saturating_sub(REST_BYTES / payload_bytes) } else { last })
    }

    /// A slot has been lent.
    pub fn lent(&mut self, payload_bytes: usize, now_ns: impl FnOnce() -> u64) {
        self.began_ns = None;
        if !TOLD.contains(&payload_bytes) {
            return;
        }
        if payload_bytes / 2 > self.payload_bytes || payload_bytes < self.payload_bytes / 2 {
            (self.payload_bytes, self.rest) = (payload_bytes, false);
            self.begin_anew(FIRST_TRIAL);
        }
        if self.since >= self.between {
            self.began_ns = Some(now_ns());
        }
    }

    /// The slot that was lent last is filled.
    pub fn filled(&mut self, payload_bytes: usize, now_ns: u64) {
        if !TOLD.contains(&payload_bytes) {
            return;
        }
        self.since += 1;
        let Some(began_ns) = self.began_ns.take() else { return };
        // Sizes may differ a little.
        let time = now_ns.saturating_sub(began_ns) * REST_BYTES as u64 / payload_bytes as u64;
        if self.present.len() < TIMED {
            self.present.push(time);
        } else if self.since > self.other_from() {
            self.other.push(time);
        }
        if self.other.len() == TIMED {
            self.decide();
        }
    }

    fn tries_other(&self) -> bool {
        self.present.len() == TIMED
    }

    /// From here on slots come that have taken their turns the other way.
    fn other_from(&self) -> u32 {
        self.between + (TIMED + self.slots.min(REST_BYTES / self.payload_bytes)) as u32
    }

    fn decide(&mut self) {
        let median = |times: &mut Vec<u64>| *times.select_nth_unstable(TIMED / 2).1;
        let (present, other) = (median(&mut self.present), median(&mut self.other));
        let is_better = other < present - present / PARTS;
        self.rest ^= is_better;
        self.begin_anew(if is_better { FIRST_TRIAL } else { (2 * self.between).min(MAX_BETWEEN) });
    }

    fn begin_anew(&mut self, between: u32) {
        (self.since, self.between) = (0, between);
        self.present.clear();
        self.other.clear();
    }
}

#[cfg(test)]
#[cfg(not(miri))]
mod tests {
    use super::*;

    const SLOTS: usize = 34;

    /// Sends so many messages that take so long to fill, in a slot that was freed last and in one that has rested; how many
    /// lay in slots that had rested.
    fn rested(turns: &mut Turns, messages: u32, payload_bytes: usize, (warm_ns, rested_ns): (u64, u64)) -> u32 {
        let mut clock = 0;
        let mut rested = 0;
        for _ in 0..messages {
            let rests = turns.next(SLOTS, payload_bytes).unwrap() < SLOTS - 1;
            turns.lent(payload_bytes, || clock);
            clock += if rests { rested_ns } else { warm_ns };
            turns.filled(payload_bytes, clock);
            rested += u32::from(rests);
        }
        rested
    }

    #[test]
    fn slots_rest_where_that_is_faster_and_not_where_it_is_not() {
        for payload_bytes in [TOLD_BYTES, 64 << 10, 1 << 20] {
            let mut turns = Turns::of(SLOTS);
            assert!(rested(&mut turns, 20_000, payload_bytes, (1000, 200)) > 19_000, "{payload_bytes}");
            // It has become otherwise: noticed at the next trial.
            rested(&mut turns, 2 * MAX_BETWEEN, payload_bytes, (200, 1000));
            assert!(rested(&mut turns, 20_000, payload_bytes, (200, 1000)) < 1000, "{payload_bytes}");
        }
    }

    #[test]
    fn a_small_difference_is_none() {
        let mut turns = Turns::of(SLOTS);
        assert!(rested(&mut turns, 20_000, 64 << 10, (1000, 900)) < 1000);
    }

    #[test]
    fn one_message_in_many_is_filled_the_other_way() {
        let mut turns = Turns::of(SLOTS);
        rested(&mut turns, 10 * MAX_BETWEEN, 64 << 10, (200, 1000));
        assert!(rested(&mut turns, 4 * MAX_BETWEEN, 64 << 10, (200, 1000)) < 4 * MAX_BETWEEN / 1000);
    }

    #[test]
    fn slots_of_another_size_are_tried_anew() {
        let mut turns = Turns::of(SLOTS);
        rested(&mut turns, 10 * MAX_BETWEEN, 64 << 10, (1000, 200));
        // The size of the first one is known once it is lent.
        assert!(rested(&mut turns, FIRST_TRIAL, 1 << 20, (200, 1000)) <= 1);
        assert!(rested(&mut turns, 20_000, 1 << 20, (200, 1000)) < 1000);
    }

    #[test]
    fn what_is_filled_at_once_is_not_timed() {
        let mut turns = Turns::of(SLOTS);
        for _ in 0..10_000 {
            turns.lent(TOLD_BYTES - 1, || unreachable!("the clock is not read"));
            turns.filled(TOLD_BYTES - 1, 0);
            assert_eq!(turns.next(SLOTS, TOLD_BYTES - 1), Some(SLOTS - 1));
        }
        assert_eq!(turns.next(0, 1), None);
    }
}
