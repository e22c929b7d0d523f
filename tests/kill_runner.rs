//! A runner that is killed takes everything with it, at whatever moment. `cargo bench --bench kill_runner` does the same
//! many times.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod killing;

use killing::runner::{Killer, LIMIT};

const KILLS: usize = 30;

fn own_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn whenever_a_runner_is_killed_nothing_of_its_run_is_left() {
    let mut killer = Killer::new(1);
    let descriptors = own_descriptors();
    let (mut most_processes, mut most_names) = (0, 0);
    for _ in 0..KILLS {
        let killed = killer.kill_one();
        most_processes = most_processes.max(killed.processes);
        most_names = most_names.max(killed.names_left);
        let when = format!("killed {:?} after launch, {} segments", killed.after, killed.segments);
        assert!(killed.gone_within.is_some(), "{when}: something is there after {LIMIT:?}");
    }
    // The runner, six backends, the guard, its shell, and what that has started.
    assert!(most_processes >= 10, "no kill came while all of the run was there: {most_processes} processes at most");
    let left = killer.names_after_sweep();
    assert!(left.is_empty(), "the next run sweeps names, of which there were {most_names}: {left:?}");
    assert_eq!(own_descriptors(), descriptors);
}
