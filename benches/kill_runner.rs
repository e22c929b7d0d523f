//! `cargo bench --bench kill_runner [-- KILLS [SEED]]`: kills the runner of a busy graph so often (1,000 times unless told
//! otherwise), each time at another moment after its launch, and prints how long anything outlived it and what was left.
//! Fails where a process is still there a second later, or a name under /dev/shm after the next run.

#![allow(clippy::unwrap_used, reason = "a fault of the machine ends the measurement")]

#[path = "../tests/killing/mod.rs"]
mod killing;

use killing::runner::{Killed, Killer, LIMIT};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<u64>().ok());
    let (kills, seed) = (numbers.next().unwrap_or(1000), numbers.next().unwrap_or(1));
    let mut killer = Killer::new(seed);
    let before = [meminfo("Shmem:"), open_files()];
    let killed: Vec<Killed> = (0..kills).map(|_| killer.kill_one()).collect();
    let left = killer.names_after_sweep().len();
    let after = [meminfo("Shmem:"), open_files()];
    let survivors = killed.iter().filter(|killed| killed.gone_within.is_none()).count();
    let named = killed.iter().filter(|killed| killed.segments == "named").count();
    println!("{kills} kills with seed {seed}, {named} of them over named segments, the others over sealed ones");
    describe("moment of the kill after launch", killed.iter().map(|killed| killed.after).collect());
    for segments in ["sealed", "named"] {
        let of_kind = killed.iter().filter(|killed| killed.segments == segments);
        let what = format!("last process gone after the runner, {segments} segments");
        describe(&what, of_kind.filter_map(|killed| killed.gone_within).collect());
    }
    let processes = killed.iter().map(|killed| killed.processes);
    println!("processes at the kill: {} to {}", processes.clone().min().unwrap_or(0), processes.max().unwrap_or(0));
    println!("runs with a process left after {LIMIT:?}: {survivors}");
    let most = killed.iter().map(|killed| killed.names_left).max().unwrap_or(0);
    println!("names under /dev/shm: {most} at most after a kill, {left} after the next run");
    println!("shared memory of the whole machine, in KiB: {} before, {} after", before[0], after[0]);
    println!("open files of the whole machine: {} before, {} after", before[1], after[1]);
    if survivors == 0 && left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn describe(what: &str, mut times: Vec<Duration>) {
    times.sort();
    if let (Some(least), Some(most)) = (times.first(), times.last()) {
        let (median, late) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        println!("{what}: {least:.1?} at least, {median:.1?} median, {late:.1?} p99, {most:.1?} at most");
    }
}

/// A figure of /proc/meminfo.
fn meminfo(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn open_files() -> u64 {
    let text = std::fs::read_to_string("/proc/sys/fs/file-nr").unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}
