//! `cargo bench --bench soak [-- --messages 1000000000] [--segments named]`: sends so many messages (10^8 unless told
//! otherwise) to a consumer that keeps up, to one that stands still now and then, and to two on edges that drop, and prints
//! what each process holds along the way and what became of every message. Fails where memory or descriptors grow, where a
//! byte is wrong, or where the ledger is not exact.

#![allow(clippy::unwrap_used, reason = "a fault of the machine ends the measurement")]

#[path = "../tests/killing/mod.rs"]
mod killing;

use killing::holdings::{Held, variable_of};
use killing::pack::{Progress, registry};
use killing::{MARK, ezrun, has_ended_within, is_pack, number_after, processes_with, word_after};
use rustix::process::Pid;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, ExitCode};
use std::time::{Duration, Instant};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// What is there after this part of all messages is compared with what comes later.
const WARM_PART: u64 = 20;
/// Pages that a process may come to touch after that: of its code, of its stacks, of counters.
const SPARE_BYTES: u64 = 1 << 20;
const BACKEND: &str = "EZRUN_SOAK_BACKEND";
const NODES: [&str; 5] = ["numbers", "every", "halting", "oldest", "newest"];

const GRAPH: &str = "ezrun: 1
packs: { storm: 'PACK' }
nodes:
  numbers: { use: storm/numbers, with: { source: 1, bytes: [32, 40, 64], count: COUNT } }
  every: { use: storm/witness, with: { progress: every } }
  halting: { use: storm/witness, with: { progress: halting, pause_every: 20000, pause_us: 1000 } }
  oldest: { use: storm/witness, with: { progress: oldest, gaps: true, pause_every: 1000, pause_us: 300 } }
  newest: { use: storm/witness, with: { progress: newest, gaps: true, pause_every: 100, pause_us: 1000 } }
edges:
  - { from: numbers, to: every, zero_copy: true, queue: 1024 }
  - { from: numbers, to: halting, queue: 1024 }
  - { from: numbers, to: oldest, zero_copy: true, overflow: drop_oldest, queue: 16 }
  - { from: numbers, to: newest, overflow: drop_newest }
backends:
";

fn main() -> ExitCode {
    // The runner starts this executable as a pack.
    if is_pack() {
        return ezrun::pack_main(registry());
    }
    let messages = number_after("--messages").unwrap_or(100_000_000);
    let segments = word_after("--segments").unwrap_or_else(|| "sealed".to_owned());
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("graph.yaml"), graph(messages)).unwrap();
    let mark = format!("{MARK}=soak-{}", std::process::id());
    let mut command = ezrun(&dir.path().join("graph.yaml"), &segments, &mark);
    command.args(["--report", &format!("json={}", dir.path().join("report.json").display())]);
    let began = Instant::now();
    let mut runner = command.spawn().unwrap();
    println!("{messages} messages over {segments} segments");
    let seen = watch(&mut runner, &mark, dir.path(), messages);
    let status = runner.wait().unwrap();
    println!(
        "{:.1} s, {:.0} messages/s",
        began.elapsed().as_secs_f64(),
        messages as f64 / began.elapsed().as_secs_f64()
    );
    let mut faults = seen.faults();
    if !status.success() {
        faults.push(format!("the run ended with {status}"));
    }
    faults.extend(ledger(dir.path(), messages));
    faults.iter().for_each(|fault| println!("FAULT {fault}"));
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn graph(messages: u64) -> String {
    let pack = std::env::current_exe().unwrap();
    let graph = GRAPH.replace("PACK", &pack.display().to_string()).replace("COUNT", &messages.to_string());
    let backends = NODES.map(|name| format!("  b_{name}: {{ nodes: [{name}], env: {{ {BACKEND}: {name} }} }}\n"));
    graph + &backends.concat()
}

/// What each process held once it was warm, and the most that it held later.
#[derive(Default)]
struct Seen(BTreeMap<String, (Held, Held)>);

/// Looks at all processes until the run ends.
fn watch(runner: &mut Child, mark: &str, dir: &Path, messages: u64) -> Seen {
    let (mut seen, mut shown) = (Seen::default(), 0);
    while !has_ended_within(Pid::from_child(runner), LOOK) {
        let done = Progress::read(&dir.join("every")).map_or(0, |progress| progress.count);
        let pids = processes_with(mark);
        // At the end they go one by one.
        if done < messages / WARM_PART || done == messages || pids.len() != NODES.len() + 1 {
            continue;
        }
        let show = done * 10 / messages >= shown;
        for pid in pids {
            let name = variable_of(pid, BACKEND).unwrap_or_else(|| "(runner)".to_owned());
            let held = Held::of(pid);
            if show {
                println!("{done:>12} {name:10} {held:?}");
            }
            seen.add(name, held);
        }
        shown += u64::from(show);
    }
    seen
}

impl Seen {
    fn add(&mut self, name: String, held: Held) {
        let (_, most) = self.0.entry(name).or_insert((held, held));
        *most = most.most(held);
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, (first, most)) in &self.0 {
            println!("{name:10} first {first:?}, at most {most:?}");
            if most.resident_bytes > first.resident_bytes + SPARE_BYTES {
                faults.push(format!("the memory of {name} grows"));
            }
            if most.descriptors > first.descriptors {
                faults.push(format!("the descriptors of {name} grow"));
            }
        }
        faults
    }
}

/// Every message is accounted for, by the run and by those who had them.
fn ledger(dir: &Path, messages: u64) -> Vec<String> {
    let report = std::fs::read_to_string(dir.join("report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let mut faults = Vec::new();
    for edge in report["edges"].as_array().unwrap() {
        let count = |what: &str| edge[what].as_u64().unwrap();
        let [sent, received, dropped, in_flight] = ["sent", "received", "dropped", "in_flight"].map(count);
        let to = edge["to"].as_str().unwrap();
        println!("numbers -> {to:11} {sent} sent = {received} received + {dropped} dropped + {in_flight} in flight");
        let had = Progress::read(&dir.join(to.trim_end_matches(".in"))).map_or(0, |progress| progress.count);
        let may_drop = ["oldest.in", "newest.in"].contains(&to);
        let exact = sent == messages && sent == received + dropped && had == received && in_flight == 0;
        if !exact || (dropped > 0) != may_drop {
            faults.push(format!("{to} had {had}: {edge}"));
        }
    }
    faults
}
