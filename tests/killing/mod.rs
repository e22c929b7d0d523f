//! Kills processes of runs with SIGKILL at moments that a seed picks, and sees what is left. For tests of a few kills, and
//! for benches that make many: `cargo bench --bench kill_runner`, `cargo bench --bench kill_storm`.
#![allow(dead_code, reason = "each test and each bench uses its part")]

pub mod holdings;
#[path = "../packs/storm.rs"]
pub mod pack;
pub mod runner;
pub mod storm;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The variable that every process of a run inherits, by which it is found.
pub const MARK: &str = "EZRUN_KILLED_RUN";

/// Random numbers: splitmix64.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A run of a graph, whose processes all have `mark` in their environment.
pub fn ezrun(graph: &Path, segments: &str, mark: &str) -> Command {
    let (name, value) = mark.split_once('=').unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ezrun"));
    command.arg(graph).args(["--quiet", "--segments", segments]).env(name, value).stdin(Stdio::null());
    command
}

/// Waits so long at most.
pub fn has_ended_within(pid: Pid, limit: Duration) -> bool {
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).unwrap();
    let mut watched = [PollFd::new(&pidfd, PollFlags::IN)];
    poll(&mut watched, Some(&limit.try_into().unwrap())).unwrap() > 0
}

/// The processes with the variable in their environment; what has ended and is not yet waited for has none.
pub fn processes_with(mark: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_of_run = |pid: &u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|variable| variable == mark.as_bytes())
    };
    pids.filter(is_of_run).collect()
}

/// The word that follows `name` on the command line.
pub fn word_after(name: &str) -> Option<String> {
    std::env::args().skip_while(|arg| arg != name).nth(1)
}

/// The number that follows `name` on the command line.
pub fn number_after(name: &str) -> Option<u64> {
    word_after(name).map(|number| number.replace('_', "").parse().unwrap())
}

/// Whether a run has started this executable for what is in it as a pack.
pub fn is_pack() -> bool {
    std::env::args().nth(1).is_some_and(|verb| ["describe", "check", "backend", "guard"].contains(&verb.as_str()))
}
