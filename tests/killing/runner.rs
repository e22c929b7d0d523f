//! Kills runners with SIGKILL at moments that a seed picks, and sees what is left.

use super::{Dice, MARK, ezrun, has_ended_within, processes_with};
use rustix::process::Pid;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Everything of a run must be gone so long after its runner.
pub const LIMIT: Duration = Duration::from_secs(1);
/// The latest moment of a kill: by then messages have been flowing for a while, also in an unoptimised build.
const LATEST_US: u64 = 150_000;

/// Copies, views, a queue that drops, and a program with children of its own; it ends only by force.
const GRAPH: &str = "ezrun: 1
nodes:
  numbers: { use: counter, with: { bytes: 2000 } }
  copied: { use: merge }
  viewed: { use: merge }
  both: { use: check }
  last: { use: check }
  tree: { use: command, with: { argv: [sh, -c, 'sh -c \"sleep 1000 | cat\" & cat >/dev/null; sleep 1000'] } }
edges:
  - { from: numbers, to: copied }
  - { from: numbers, to: viewed, zero_copy: true }
  - { from: numbers, to: tree, zero_copy: true, overflow: drop_oldest }
  - { from: copied, to: both, zero_copy: true }
  - { from: viewed, to: last }
";

/// What a kill came to.
pub struct Killed {
    pub segments: &'static str,
    pub after: Duration,
    /// How many processes there were just before.
    pub processes: usize,
    /// How long the last of them outlived the runner; none where one was still there at the limit.
    pub gone_within: Option<Duration>,
    /// Names under /dev/shm whose owner is dead, before the next run swept them.
    pub names_left: usize,
}

/// Graphs to kill.
pub struct Killer {
    dir: tempfile::TempDir,
    dice: Dice,
    count: u64,
}

impl Killer {
    pub fn new(seed: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("graph.yaml"), GRAPH).unwrap();
        let small = "ezrun: 1\nnodes: { a: { use: counter, with: { count: 1 } }, b: { use: check } }\n\
                     edges: [{ from: a, to: b }]\n";
        std::fs::write(dir.path().join("small.yaml"), small).unwrap();
        Killer { dir, dice: Dice(seed), count: 0 }
    }

    /// Starts a run, kills its runner, and waits until everything else is gone too.
    pub fn kill_one(&mut self) -> Killed {
        self.count += 1;
        let segments = if self.count.is_multiple_of(2) { "named" } else { "sealed" };
        let mark = format!("{MARK}={}-{}", std::process::id(), self.count);
        // Half of the kills in the first tenth of the time, where processes and segments come to be.
        let scale = if self.dice.roll().is_multiple_of(2) { LATEST_US / 10 } else { LATEST_US };
        let after = Duration::from_micros(self.dice.roll() % scale);
        let mut runner = self.ezrun("graph.yaml", segments, &mark).spawn().unwrap();
        assert!(!has_ended_within(Pid::from_child(&runner), after), "the run ended by itself");
        let processes = processes_with(&mark).len();
        runner.kill().unwrap();
        runner.wait().unwrap();
        let killed_at = Instant::now();
        let gone_within = all_gone(&mark, killed_at);
        Killed { segments, after, processes, gone_within, names_left: names_of_dead_owners().len() }
    }

    /// Runs a graph to its end, which sweeps, and tells which of the names that were there before are still there.
    pub fn names_after_sweep(&self) -> BTreeSet<PathBuf> {
        let before = names_of_dead_owners();
        let mark = format!("{MARK}=none");
        assert!(self.ezrun("small.yaml", "named", &mark).status().unwrap().success());
        names_of_dead_owners().intersection(&before).cloned().collect()
    }

    fn ezrun(&self, graph: &str, segments: &str, mark: &str) -> Command {
        let mut command = ezrun(&self.dir.path().join(graph), segments, mark);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

/// How long it took until no process of the run was left; a process that is being forked may hide from one look.
fn all_gone(mark: &str, since: Instant) -> Option<Duration> {
    let mut looks_in_vain = 0;
    while since.elapsed() < LIMIT {
        let passed = since.elapsed();
        looks_in_vain = if processes_with(mark).is_empty() { looks_in_vain + 1 } else { 0 };
        if looks_in_vain == 3 {
            return Some(passed);
        }
        std::thread::yield_now();
    }
    None
}

/// Named segments, `ezrun-PID-START-RANDOM`, whose process is no more.
fn names_of_dead_owners() -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir("/dev/shm").unwrap().flatten().map(|entry| entry.path());
    let is_left = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let owner = name.strip_prefix("ezrun-").and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
    };
    entries.filter(is_left).collect()
}
