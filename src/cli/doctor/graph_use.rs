//! What a run of a graph would use, and whether that fits.

use super::report::{Area, Check, GraphUse, Verdict};
use super::system::{bytes, shared_memory_room};
use crate::channel::{SegmentKind, processors};
use crate::cli::memory;
use crate::graph::Wait;
use crate::nodes::COMMAND;
use crate::plan::{Plan, outline};
use rustix::process::{Resource, geteuid, getrlimit};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The program of a `command`, and the process that guards it.
const PROCESSES_PER_COMMAND: u64 = 2;
/// Threads for a `command` beside its node's own: three that talk with its program, two in its guard, the program.
const THREADS_PER_COMMAND: u64 = 6;
/// What the runner has open without any backend: standard streams, its loop, signals, what it was started with.
const DESCRIPTORS_OF_RUNNER: u64 = 14;
/// A backend's control socket, its two streams of output, and what tells of its end.
const DESCRIPTORS_PER_BACKEND: u64 = 4;

/// Reckons what a run of `plan` would use.
pub fn of(plan: &Plan<'_>) -> GraphUse {
    let outline = outline(plan, Path::new("ezrun"));
    let nodes = || plan.graph.nodes().iter();
    let commands = nodes().filter(|node| node.uses == COMMAND).count() as u64;
    let backends = outline.totals.processes as u64;
    let restarted =
        plan.graph.backends().iter().filter(|backend| backend.supervision.restart.restarts()).count() as u64;
    let segments: u64 = outline.memory.iter().map(|segment| segment.segments_at_most as u64).sum();
    GraphUse {
        name: outline.graph,
        processes: 1 + backends + PROCESSES_PER_COMMAND * commands,
        threads: 1 + backends + outline.totals.nodes as u64 + THREADS_PER_COMMAND * commands,
        // While backends are introduced to each other, every segment passes through the runner; and while one is started
        // again, what was there of it still is.
        descriptors: DESCRIPTORS_OF_RUNNER + DESCRIPTORS_PER_BACKEND * (backends + restarted) + segments + restarted,
        reserved_bytes: outline.totals.reserved_bytes,
        at_start_bytes: outline.totals.at_start_bytes,
        at_most_bytes: outline.totals.at_most_bytes,
    }
}

/// Holds that against what there is.
pub fn checks(plan: &Plan<'_>, used: &GraphUse) -> Vec<Check> {
    let mut checks = vec![
        of_graph("processes", used.processes.to_string(), Verdict::Told),
        threads(used),
        descriptors(used),
        address_space(plan, used),
        memory_at_start(used),
        memory_at_most(used),
    ];
    checks.extend((plan.segments == SegmentKind::Named).then(|| named_room(used)));
    checks.extend(bindings(plan));
    checks.extend(busy_nodes(plan));
    checks
}

fn of_graph(what: impl Into<String>, found: impl Into<String>, verdict: Verdict) -> Check {
    Check::new(Area::Graph, what, found, verdict)
}

/// Whether `needed` of a thing is within a limit; where there is none, anything is.
fn within(what: &str, limit: Option<u64>, needed: u64, word: fn(u64) -> String) -> Check {
    let found = limit.map_or_else(|| "no limit".to_owned(), |limit| format!("{} allowed", word(limit)));
    let verdict = Verdict::holds_if(limit.is_none_or(|limit| needed <= limit));
    of_graph(what, found, verdict).needing(word(needed))
}

fn threads(used: &GraphUse) -> Check {
    let user = geteuid();
    // The limit does not bind root.
    let limit = getrlimit(Resource::Nproc).current.filter(|_| !user.is_root());
    let left = limit.map(|limit| limit.saturating_sub(threads_of(user.as_raw())));
    within("threads, of what this user has left", left, used.threads, |n| n.to_string())
}

/// How many threads the processes of a user have.
fn threads_of(user: u32) -> u64 {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let own = processes.filter(|entry| entry.metadata().is_ok_and(|found| found.uid() == user));
    // What is no process has no tasks.
    own.filter_map(|entry| std::fs::read_dir(entry.path().join("task")).ok()).map(|tasks| tasks.count() as u64).sum()
}

fn descriptors(used: &GraphUse) -> Check {
    // A run raises its limit as far as it may.
    within("descriptors in the runner", getrlimit(Resource::Nofile).maximum, used.descriptors, |n| n.to_string())
}

fn address_space(plan: &Plan<'_>, used: &GraphUse) -> Check {
    // Every process that has to do with a segment maps it.
    let largest = plan.ports.iter().map(|port| port.layout.bytes() as u64).max().unwrap_or(0);
    let limit = getrlimit(Resource::As).current;
    let check = within("address space, for the largest segment", limit, largest, bytes);
    Check { found: format!("{}; {} reserved by all together", check.found, bytes(used.reserved_bytes)), ..check }
}

fn memory_at_start(used: &GraphUse) -> Check {
    within("shared memory at the start", Some(memory::limit(None).bytes), used.at_start_bytes, bytes)
}

fn memory_at_most(used: &GraphUse) -> Check {
    let check = within("shared memory at most", Some(memory::limit(None).bytes), used.at_most_bytes, bytes);
    // Few graphs ever fill every slot with the largest message, so this is for the user to judge.
    Check { verdict: if check.verdict == Verdict::Fails { Verdict::Told } else { check.verdict }, ..check }
}

fn named_room(used: &GraphUse) -> Check {
    match shared_memory_room() {
        Ok((_, free)) => within("room in /dev/shm at the start", Some(free), used.at_start_bytes, bytes),
        Err(e) => of_graph("room in /dev/shm", e.to_string(), Verdict::Fails),
    }
}

/// Processors that backends are bound to.
fn bindings(plan: &Plan<'_>) -> impl Iterator<Item = Check> {
    let usable = rustix::thread::sched_getaffinity(None);
    plan.graph.backends().iter().filter_map(move |backend| {
        let cpu = backend.cpu?;
        let there = usable.as_ref().is_ok_and(|set| set.is_set(cpu as usize));
        let found = if there { "there" } else { "not for this process" };
        Some(of_graph(format!("cpu {cpu}, for backend `{}`", backend.name), found, Verdict::holds_if(there)))
    })
}

fn busy_nodes(plan: &Plan<'_>) -> Option<Check> {
    let busy = plan.graph.nodes().iter().filter(|node| node.wait == Wait::Busy).count();
    let found = format!("{} processors", processors());
    (busy > 0)
        .then(|| of_graph("processors for nodes with `wait: busy`", found, Verdict::Told).needing(busy.to_string()))
}
