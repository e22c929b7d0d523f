//! What the processes of a run hold: descriptors, segments, memory, and each other.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// What a run holds at a moment.
#[derive(Clone, Debug, Default)]
pub struct Holdings {
    pub processes: usize,
    pub runner_descriptors: usize,
    /// Of those who are never killed.
    pub survivor_descriptors: usize,
    /// Segments that anybody has open or mapped, or that have a name.
    pub segments: usize,
    /// What lies behind them.
    pub segment_bytes: u64,
    /// Resident memory of the runner, segments aside.
    pub runner_bytes: u64,
}

impl Holdings {
    /// Those of a run with these processes, others of which are dead.
    pub fn of(runner: u32, survivors: &BTreeSet<u32>, processes: &[u32], dead: &BTreeSet<u32>) -> Self {
        let makers: Vec<u32> = processes.iter().chain(dead).copied().collect();
        let mut segments: BTreeMap<u64, u64> = names_of(&makers).iter().filter_map(sized).collect();
        for &pid in processes {
            for path in descriptors(pid).iter().filter(|path| is_segment(path)) {
                segments.extend(sized(path));
            }
            for inode in mapped(pid) {
                segments.entry(inode).or_default();
            }
        }
        Holdings {
            processes: processes.len(),
            runner_descriptors: descriptors(runner).len(),
            survivor_descriptors: survivors.iter().map(|&pid| descriptors(pid).len()).sum(),
            segments: segments.len(),
            segment_bytes: segments.values().sum(),
            runner_bytes: rolled_up(runner, "Anonymous:"),
        }
    }

    /// What there is now, and was not before: `spare` more descriptors there may be, and `segments` segments in all.
    pub fn leaked_since(&self, before: &Holdings, spare: usize, segments: usize) -> Vec<String> {
        let mut leaks = Vec::new();
        let mut at_most = |what: &str, now: usize, limit: usize| {
            if now > limit {
                leaks.push(format!("{now} {what}, and {limit} at most are needed"));
            }
        };
        at_most("processes", self.processes, before.processes);
        at_most("descriptors of the runner", self.runner_descriptors, before.runner_descriptors + spare);
        let own = before.survivor_descriptors;
        at_most("descriptors of those who were not killed", self.survivor_descriptors, own + spare);
        at_most("segments", self.segments, segments);
        leaks
    }
}

/// What one process holds.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub resident_bytes: u64,
    /// Shared pages in equal parts.
    pub proportional_bytes: u64,
    pub descriptors: usize,
}

impl Held {
    pub fn of(pid: u32) -> Self {
        Held {
            resident_bytes: rolled_up(pid, "Rss:"),
            proportional_bytes: rolled_up(pid, "Pss:"),
            descriptors: descriptors(pid).len(),
        }
    }

    pub fn most(self, other: Held) -> Held {
        Held {
            resident_bytes: self.resident_bytes.max(other.resident_bytes),
            proportional_bytes: self.proportional_bytes.max(other.proportional_bytes),
            descriptors: self.descriptors.max(other.descriptors),
        }
    }
}

/// The children of a process, those included that have ended and are not waited for.
pub fn children(pid: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    text.split_whitespace().map(|word| word.parse().unwrap()).collect()
}

/// A variable in the environment with which a process was started.
pub fn variable_of(pid: u32, name: &str) -> Option<String> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let environment = String::from_utf8_lossy(&environment);
    let value = environment.split('\0').find_map(|variable| variable.strip_prefix(name)?.strip_prefix('='));
    value.map(str::to_owned)
}

/// What the system calls a process.
pub fn name_of(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

fn descriptors(pid: u32) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd"));
    entries.into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn is_segment(descriptor: &PathBuf) -> bool {
    let target = std::fs::read_link(descriptor).unwrap_or_default().display().to_string();
    target.starts_with("/memfd:") || target.starts_with("/dev/shm/ezrun-")
}

/// Which file it is, and the memory behind it.
fn sized(path: &PathBuf) -> Option<(u64, u64)> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.ino(), found.blocks() * 512))
}

/// Named segments, `ezrun-PID-START-RANDOM`, that tell of one of these processes.
fn names_of(pids: &[u32]) -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/dev/shm").unwrap().flatten().map(|entry| entry.path());
    let maker = |path: &PathBuf| path.file_name()?.to_str()?.strip_prefix("ezrun-")?.split('-').next()?.parse().ok();
    entries.filter(|path| maker(path).is_some_and(|pid| pids.contains(&pid))).collect()
}

fn mapped(pid: u32) -> Vec<u64> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let of_segments = maps.lines().filter(|line| line.contains(" /memfd:") || line.contains(" /dev/shm/ezrun-"));
    of_segments.filter_map(|line| line.split_whitespace().nth(4)?.parse().ok()).collect()
}

/// A line of what all its mappings come to.
fn rolled_up(pid: u32, line: &str) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let kib = rollup.lines().find_map(|text| text.strip_prefix(line)?.split_whitespace().next()?.parse().ok());
    kib.unwrap_or(0u64) * 1024
}
