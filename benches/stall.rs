//! `cargo bench --bench stall [-- --seconds 60] [--bytes 1024] [--segments named]`: stops consumers with SIGSTOP for so long
//! and prints what that does to their producers. Of the graphs under way one at a time is awake, so that what is compared
//! is measured within the same second. Fails where a message is lost that need not be, where an edge that blocks is not
//! named, where memory grows, or where the ledger is not exact; how fast anything is fails nothing.

#![allow(clippy::unwrap_used, reason = "a fault of the machine ends the measurement")]

#[path = "../tests/killing/mod.rs"]
mod killing;

use killing::holdings::{Held, Holdings, variable_of};
use killing::pack::{Progress, about_a_break, registry};
use killing::{MARK, ezrun, has_ended_within, is_pack, number_after, processes_with, word_after};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// For so long the messages of a producer are counted, and not counted before.
const WINDOW: Duration = Duration::from_millis(300);
const SETTLING: Duration = Duration::from_millis(50);
/// So often a producer is measured with its consumer running and with it stopped, before the long stop.
const ROUNDS: usize = 12;
/// Between two looks.
const LOOK: Duration = Duration::from_millis(2);
/// What takes longer will never be.
const DEADLINE: Duration = Duration::from_secs(60);
/// A graph is warm after so many messages.
const WARM: u64 = 100_000;
/// Pages that processes may come to touch after that: of their code, of their stacks, of counters.
const SPARE_BYTES: u64 = 1 << 20;
const BACKEND: &str = "EZRUN_STALL_BACKEND";
const QUEUE: usize = 8;

/// `beside` keeps up, and is there with and without `held`.
const GRAPH: &str = "ezrun: 1
packs: { storm: 'PACK' }
nodes:
  numbers: { use: storm/numbers, with: { source: 1, bytes: [BYTES], progress: numbers } }
  beside: { use: null }
";
const EDGES: &str = "edges:
  - { from: numbers, to: beside, zero_copy: true, queue: 64 }
";
const HELD: &str = "  held: { use: storm/witness, with: { progress: held, gaps: GAPS, breaks: breaks } }
";
const BACKENDS: &str = "backends: { b_held: { nodes: [held], env: { EZRUN_STALL_BACKEND: held } } }
";

/// What the edge to `held` is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    None,
    Block,
    DropOldest,
    DropNewest,
}

impl Edge {
    fn graph(self, bytes: u64) -> String {
        let terms = match self {
            Edge::None => return format!("{GRAPH}{EDGES}"),
            Edge::Block => "zero_copy: true",
            Edge::DropOldest => "zero_copy: true, overflow: drop_oldest",
            Edge::DropNewest => "overflow: drop_newest",
        };
        let held = HELD.replace("GAPS", if self == Edge::Block { "false" } else { "true" });
        let edge = format!("  - {{ from: numbers, to: held, queue: {QUEUE}, {terms} }}\n");
        format!("{GRAPH}{held}{EDGES}{edge}{BACKENDS}").replace("BYTES", &bytes.to_string())
    }

    fn name(self) -> &'static str {
        match self {
            Edge::None => "without the edge",
            Edge::Block => "block",
            Edge::DropOldest => "drop_oldest",
            Edge::DropNewest => "drop_newest",
        }
    }
}

fn main() -> ExitCode {
    // The runner starts this executable as a pack.
    if is_pack() {
        return ezrun::pack_main(registry());
    }
    let stop = Duration::from_secs(number_after("--seconds").unwrap_or(60));
    let terms = Terms {
        bytes: number_after("--bytes").unwrap_or(1024),
        segments: word_after("--segments").unwrap_or_else(|| "sealed".to_owned()),
    };
    println!("consumers stopped for {stop:?}; messages of {} bytes over {} segments", terms.bytes, terms.segments);
    let without = Graph::start(Edge::None, &terms);
    let mut dropping = [Edge::DropOldest, Edge::DropNewest].map(|edge| Graph::start(edge, &terms));
    dropping.iter_mut().for_each(|graph| compare_in_rounds(graph, &without));
    let mut blocking = Graph::start(Edge::Block, &terms);
    let mut faults = blocking.block();
    dropping.iter_mut().for_each(Graph::stop_held_for_long);
    compare_while_stopped(&mut dropping, &mut blocking, &without, stop);
    for graph in dropping.into_iter().chain([blocking]) {
        faults.extend(graph.finish());
    }
    faults.extend(without.finish());
    faults.iter().for_each(|fault| println!("FAULT {fault}"));
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The same producer with its consumer running, with it stopped, and without that edge, in turns.
fn compare_in_rounds(graph: &mut Graph, without: &Graph) {
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let running = graph.rate();
        graph.stop_held();
        let stopped = graph.rate();
        graph.let_held_go();
        rates.push([running, stopped, without.rate()]);
    }
    let name = graph.edge.name();
    describe(&format!("{name}, stopped / running"), rates.iter().map(|[running, stopped, _]| stopped / running));
    describe(&format!("{name}, running / without"), rates.iter().map(|[running, _, without]| running / without));
    describe(&format!("{name}, stopped / without"), rates.iter().map(|[_, stopped, without]| stopped / without));
    describe(&format!("{name}, messages/s while it runs"), rates.iter().map(|[running, ..]| *running));
    describe(&format!("{name}, messages/s while it is stopped"), rates.iter().map(|[_, stopped, _]| *stopped));
    describe(&format!("{name}, messages/s without the edge"), rates.iter().map(|[.., without]| *without));
}

/// All producers in turns, until their consumers have been stopped for so long.
fn compare_while_stopped(dropping: &mut [Graph; 2], blocking: &mut Graph, without: &Graph, stop: Duration) {
    let began = Instant::now();
    let mut rates = Vec::new();
    while began.elapsed() < stop {
        rates.push((dropping.each_ref().map(Graph::rate), without.rate()));
        dropping.iter_mut().chain([&mut *blocking]).for_each(Graph::look);
    }
    for (at, graph) in dropping.iter().enumerate() {
        let what = format!("{}, stopped / without, during the long stop", graph.edge.name());
        describe(&what, rates.iter().map(|(stopped, without)| stopped[at] / without));
    }
}

fn describe(what: &str, figures: impl Iterator<Item = f64>) {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    if let (Some(least), Some(most)) = (figures.first(), figures.last()) {
        let median = figures[figures.len() / 2];
        println!("{what:52} {least:>12.3} least {median:>12.3} median {most:>12.3} most of {}", figures.len());
    }
}

struct Terms {
    bytes: u64,
    segments: String,
}

/// A run under way, all of which stands still but while it is looked at.
struct Graph {
    edge: Edge,
    runner: Child,
    lines: Receiver<String>,
    said: Vec<String>,
    dir: tempfile::TempDir,
    mark: String,
    is_held: bool,
    /// How many had been sent when the queue of the consumer that is stopped was full.
    full_at: u64,
    /// Before its consumer was stopped, and the most since.
    memory: Option<(Memory, Memory)>,
}

/// What the processes of a run hold together, in bytes.
#[derive(Clone, Copy, Debug)]
struct Memory {
    /// Resident, what they share counted for each.
    resident: u64,
    segments: u64,
}

impl Graph {
    fn start(edge: Edge, terms: &Terms) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pack = std::env::current_exe().unwrap();
        let graph = edge.graph(terms.bytes).replace("PACK", &pack.display().to_string());
        std::fs::write(dir.path().join("graph.yaml"), graph.replace("BYTES", &terms.bytes.to_string())).unwrap();
        let mark = format!("{MARK}=stall-{}-{}", std::process::id(), edge as u8);
        let mut command = ezrun(&dir.path().join("graph.yaml"), &terms.segments, &mark);
        let report = format!("json={}", dir.path().join("report.json").display());
        command.args(["--stall-warning", "1s", "--grace", "1h", "--report", &report]);
        let mut runner = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(runner.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let graph =
            Graph { edge, runner, lines, said: Vec::new(), dir, mark, is_held: false, full_at: 0, memory: None };
        graph.wait_for(|| graph.progress("numbers").count > WARM);
        if edge != Edge::None {
            graph.wait_for(|| graph.progress("held").count > WARM / 100);
        }
        graph.signal(Signal::STOP);
        graph
    }

    fn progress(&self, name: &str) -> Progress {
        Progress::read(&self.dir.path().join(name)).unwrap_or_default()
    }

    fn pass(&self, time: Duration) {
        assert!(!has_ended_within(Pid::from_child(&self.runner), time), "the run ended by itself");
    }

    fn wait_for(&self, is_there: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_there() {
            assert!(began.elapsed() < DEADLINE, "{}: it never comes", self.edge.name());
            self.pass(LOOK);
        }
    }

    /// Sends a signal to all processes but a consumer that is held.
    fn signal(&self, signal: Signal) {
        let held = self.is_held.then(|| self.held());
        for pid in processes_with(&self.mark).into_iter().filter(|pid| Some(*pid) != held) {
            kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
        }
    }

    fn held(&self) -> u32 {
        let is_held = |pid: &u32| variable_of(*pid, BACKEND).is_some();
        processes_with(&self.mark).into_iter().find(is_held).unwrap()
    }

    /// The consumer stands still from now on; it does so already, as all of the run.
    fn stop_held(&mut self) {
        self.memory = Some((self.memory(), self.memory()));
        self.is_held = true;
    }

    /// Stops the consumer, and lets its queue fill.
    fn stop_held_for_long(&mut self) {
        self.stop_held();
        self.rate();
        self.full_at = self.progress("numbers").count;
    }

    fn let_held_go(&mut self) {
        self.is_held = false;
    }

    /// Messages per second of its producer, which is awake for this time.
    fn rate(&self) -> f64 {
        self.signal(Signal::CONT);
        self.pass(SETTLING);
        let before = self.wait_for_progress();
        self.pass(WINDOW);
        let after = self.wait_for_progress();
        self.signal(Signal::STOP);
        (after.count - before.count) as f64 / (after.now_ns - before.now_ns) as f64 * 1e9
    }

    /// How far its producer is, once it has gone on.
    fn wait_for_progress(&self) -> Progress {
        let before = self.progress("numbers");
        self.wait_for(|| self.progress("numbers").count > before.count);
        self.progress("numbers")
    }

    /// Stops the consumer of an edge that blocks, and sees that the edge is named. From then on nobody has work.
    fn block(&mut self) -> Vec<String> {
        self.stop_held();
        self.signal(Signal::CONT);
        let line = self.lines.recv_timeout(DEADLINE).unwrap_or_default();
        println!("{}: {line}", self.edge.name());
        let is_named = line.contains("numbers.out -> held.in") && line.contains("is full and blocks");
        let fault = (!is_named).then(|| format!("the edge that blocks is not named: {line:?}"));
        self.look();
        fault.into_iter().collect()
    }

    /// Memory before the consumer was stopped, and the most since.
    fn look(&mut self) {
        let now = self.memory();
        if let Some((_, most)) = &mut self.memory {
            *most = Memory { resident: most.resident.max(now.resident), segments: most.segments.max(now.segments) };
        }
    }

    fn memory(&self) -> Memory {
        let pids = processes_with(&self.mark);
        let held = Holdings::of(self.runner.id(), &BTreeSet::new(), &pids, &BTreeSet::new());
        Memory { resident: pids.iter().map(|&pid| Held::of(pid).resident_bytes).sum(), segments: held.segment_bytes }
    }

    /// Lets the consumer go on, ends the run, and tells what must not be.
    fn finish(mut self) -> Vec<String> {
        let (held_at, sent) = (self.progress("held").count, self.progress("numbers").count);
        self.is_held = false;
        self.signal(Signal::CONT);
        if self.edge != Edge::None {
            self.wait_for(|| self.progress("held").count > held_at + 1000);
        }
        kill_process(Pid::from_child(&self.runner), Signal::INT).unwrap();
        assert!(has_ended_within(Pid::from_child(&self.runner), DEADLINE), "the run does not end");
        let code = self.runner.wait().unwrap().code();
        self.said.extend(self.lines.iter());
        let mut faults = self.said.clone();
        if code != Some(130) {
            faults.push(format!("the run ended with {code:?}"));
        }
        faults.extend(self.memory_faults());
        faults.extend(self.faults_about_the_stop(sent));
        faults.extend(self.ledger_faults());
        faults.iter().map(|fault| format!("{}: {fault}", self.edge.name())).collect()
    }

    fn memory_faults(&self) -> Option<String> {
        let (before, most) = self.memory?;
        println!("{}: {before:?} before the stop, at most {most:?} during it", self.edge.name());
        (most.resident > before.resident + SPARE_BYTES).then(|| "memory grows".to_owned())
    }

    /// A queue that drops the newest has kept what it had, one that drops the oldest has the newest.
    fn faults_about_the_stop(&self, sent: u64) -> Option<String> {
        if self.edge == Edge::None {
            return None;
        }
        let numbers = about_a_break(&self.dir.path().join("breaks"));
        let (Some(last), Some(rest)) = (numbers.first(), numbers.get(1..=QUEUE)) else {
            return Some(format!("it has noted no more than {numbers:?} about the stop"));
        };
        println!(
            "{}: after message {last} and the stop came {rest:?}; {sent} were sent before it went on",
            self.edge.name()
        );
        let is_right = match self.edge {
            Edge::None => true,
            Edge::Block => rest.iter().zip(last + 1..).all(|(number, next)| *number == next),
            Edge::DropNewest => rest.iter().all(|number| *number < self.full_at),
            // One may have been in its hands.
            Edge::DropOldest => rest[1] + QUEUE as u64 >= sent,
        };
        (!is_right).then(|| format!("{rest:?} came after {last}, and {sent} had been sent"))
    }

    /// Every message is accounted for, by the run and by those who had them.
    fn ledger_faults(&self) -> Vec<String> {
        let report = std::fs::read_to_string(self.dir.path().join("report.json")).unwrap();
        let report: Value = serde_json::from_str(&report).unwrap();
        let (made, had) = (self.progress("numbers").count, self.progress("held").count);
        let mut faults = Vec::new();
        for edge in report["edges"].as_array().unwrap() {
            let count = |what: &str| edge[what].as_u64().unwrap();
            let [sent, received, dropped, in_flight] = ["sent", "received", "dropped", "in_flight"].map(count);
            let (to, name) = (edge["to"].as_str().unwrap(), self.edge.name());
            println!("{name}: {to:9} {sent} sent = {received} received + {dropped} dropped + {in_flight} in flight");
            let (is_held, drops) = (to == "held.in", matches!(self.edge, Edge::DropOldest | Edge::DropNewest));
            let exact = sent == made && sent == received + dropped && in_flight == 0;
            if !exact || (is_held && had != received) || (dropped > 0) != (is_held && drops) {
                faults.push(format!("{made} were made, held had {had}: {edge}"));
            }
        }
        faults
    }
}
