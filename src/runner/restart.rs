//! Whether a process that has ended is started again, and when: a function of the policy and of what was tried before.

use crate::graph::{MAX_BACKOFF, RestartPolicy};
use std::time::Duration;

/// What becomes of a process that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Its end is final: nothing was said of restarts.
    Final,
    /// It is started again.
    Again {
        /// Which restart of those that count this is, from 1.
        attempt: u32,
        /// After this pause.
        pause: Duration,
    },
    /// Its end is final: it was started again as often as it may be.
    GiveUp,
}

/// Decides at `now` on a process that was started again at the times `history`, all counted from the start of the run.
pub fn decide(policy: &RestartPolicy, history: &[Duration], now: Duration) -> Decision {
    if !policy.restarts() {
        return Decision::Final;
    }
    let counting = history.iter().filter(|&&at| now.saturating_sub(at) < policy.window).count();
    let counting = u32::try_from(counting).unwrap_or(u32::MAX);
    if counting >= policy.max_restarts {
        return Decision::GiveUp;
    }
    let factor = 2u32.saturating_pow(counting);
    // A first pause above the cap was asked for.
    let pause = policy.backoff.saturating_mul(factor).min(MAX_BACKOFF.max(policy.backoff));
    Decision::Again { attempt: counting + 1, pause }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Restart;

    fn policy(restart: Restart) -> RestartPolicy {
        RestartPolicy { restart, max_restarts: 12, ..RestartPolicy::default() }
    }

    fn seconds(times: &[u64]) -> Vec<Duration> {
        times.iter().map(|&at| Duration::from_secs(at)).collect()
    }

    #[test]
    fn without_a_policy_every_end_is_final() {
        assert_eq!(decide(&policy(Restart::Never), &[], Duration::ZERO), Decision::Final);
    }

    #[test]
    fn pauses_double_with_each_restart_that_counts_up_to_a_cap() {
        let pauses: Vec<u128> = (0..12)
            .map(|tried| match decide(&policy(Restart::OnFailure), &vec![Duration::ZERO; tried], Duration::ZERO) {
                Decision::Again { attempt, pause } if attempt as usize == tried + 1 => pause.as_millis(),
                other => panic!("{other:?} after {tried}"),
            })
            .collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000]);
    }

    #[test]
    fn restarts_count_for_as_long_as_the_window_and_no_more_than_allowed_are_made() {
        let policy = RestartPolicy { max_restarts: 2, ..policy(Restart::OnFailure) };
        let at = |now, history: &[u64]| decide(&policy, &seconds(history), Duration::from_secs(now));
        assert_eq!(at(30, &[0, 10]), Decision::GiveUp);
        let pause = Duration::from_millis(200);
        assert_eq!(at(60, &[0, 10]), Decision::Again { attempt: 2, pause }, "the first one no longer counts");
    }
}
