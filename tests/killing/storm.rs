//! A graph under full load, whose processes are killed one after the other at moments that a seed picks and are started
//! again; what came of that.

use super::holdings::{Holdings, children, variable_of};
use super::pack::{Progress, now_ns};
use super::{Dice, MARK, ezrun, has_ended_within, processes_with};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What takes longer will never be.
const DEADLINE: Duration = Duration::from_secs(300);
/// As many kills follow each other at most before everybody has to be back.
const BURST: u64 = 4;
/// The longest pause between two kills of a burst: shorter than a process takes to come up.
const PAUSE_US: u64 = 12_000;
/// Between two looks at how far everybody is.
const LOOK: Duration = Duration::from_micros(300);
/// Tells a backend from the others.
const BACKEND: &str = "EZRUN_STORM_BACKEND";

/// What the runner says where a killed process has to wait until others have taken what it sent: as it should, where they
/// were killed with it.
const CROWDED: &str = "is started again once more of what it sent";

/// Never killed: a source and a witness, with each other and with everybody else.
const SURVIVORS: [&str; 2] = ["rock", "steady"];
const MORTALS: [&str; 7] = ["ember", "copied", "far", "lossy", "hoarder", "pair", "tree"];
const WITNESSES: [&str; 5] = ["steady", "far", "lossy", "hoarder", "near"];
/// Ports that have slots.
const PORTS: usize = 4;

/// Copies and views, chains, a queue that overwrites, several views held at a time, nodes that share a process, and a
/// program with a child of its own. `PACK` is where the pack of witnesses lies.
const GRAPH: &str = "ezrun: 1
packs: { storm: 'PACK' }
nodes:
  rock: { use: storm/numbers, with: { source: 1, bytes: [64, 5000, 200, 40000] } }
  ember: { use: storm/numbers, with: { source: 2, bytes: [48, 3000, 300, 20001] } }
  steady: { use: storm/witness, with: { progress: steady } }
  copied: { use: merge }
  far: { use: storm/witness, with: { progress: far, gaps: true } }
  lossy: { use: storm/witness, with: { progress: lossy, gaps: true } }
  hoarder: { use: storm/hoarder, with: { progress: hoarder } }
  inner: { use: merge }
  near: { use: storm/witness, with: { progress: near } }
  tree: { use: command, with: { argv: [sh, -c, 'cat >/dev/null'] } }
edges:
  - { from: rock, to: steady }
  - { from: ember, to: steady, zero_copy: true }
  - { from: rock, to: copied }
  - { from: copied, to: far, zero_copy: true }
  - { from: rock, to: lossy, zero_copy: true, overflow: drop_oldest, queue: 2 }
  - { from: ember, to: hoarder, zero_copy: true, queue: 3 }
  - { from: ember, to: inner, zero_copy: true, queue: 1 }
  - { from: inner, to: near }
  - { from: ember, to: tree, overflow: drop_oldest }
backends:
";

/// A run under way.
pub struct Storm {
    runner: Child,
    stderr: JoinHandle<String>,
    dir: tempfile::TempDir,
    mark: String,
    dice: Dice,
    killed: BTreeSet<u32>,
    survivors: BTreeSet<u32>,
    before: Holdings,
    seen: Seen,
}

/// What was measured.
#[derive(Default)]
pub struct Seen {
    pub kills: usize,
    /// How long after a kill somebody who was not killed had a message that was sent after it.
    pub survivors: Vec<Duration>,
    /// How long after the last kill of a burst every witness had one, the killed ones too.
    pub everybody: Vec<Duration>,
}

/// What came of a run.
pub struct Outcome {
    pub seen: Seen,
    pub before: Holdings,
    pub after: Holdings,
    /// How often each backend was started again.
    pub restarts: BTreeMap<String, u64>,
    /// For each edge what it lost, and how much of that its policy does not explain.
    pub edges: Vec<EdgeOutcome>,
    /// How often a killed process had to wait until others had taken what it had sent.
    pub crowded: usize,
    /// Everything that must not be.
    pub faults: Vec<String>,
}

pub struct EdgeOutcome {
    pub name: String,
    pub delivery: String,
    pub sent: u64,
    pub received: u64,
    pub dropped: u64,
    /// As much as the kills of its two ends may cost; nothing where its policy drops too.
    pub allowed: Option<u64>,
}

impl Storm {
    /// Starts the graph, with `pack` for the witnesses, and waits until everybody is at work.
    pub fn start(seed: u64, segments: &str, pack: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut graph = GRAPH.replace("PACK", &pack.display().to_string());
        for name in SURVIVORS.iter().chain(&MORTALS) {
            let nodes = if *name == "pair" { "inner, near" } else { name };
            let env = format!("env: {{ {BACKEND}: {name} }}");
            let restart = "restart: on_failure, max_restarts: 1000, window: 1ms, backoff: 1us";
            graph += &format!("  b_{name}: {{ nodes: [{nodes}], {env}, {restart} }}\n");
        }
        std::fs::write(dir.path().join("graph.yaml"), graph).unwrap();
        let mark = format!("{MARK}=storm-{}-{seed}-{segments}", std::process::id());
        let mut command = ezrun(&dir.path().join("graph.yaml"), segments, &mark);
        command.args(["--grace", "1h", "--report", &format!("json={}", dir.path().join("report.json").display())]);
        let mut runner = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut pipe = runner.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut text = Vec::new();
            pipe.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut storm = Storm {
            runner,
            stderr,
            dir,
            mark,
            dice: Dice(seed),
            killed: BTreeSet::new(),
            survivors: BTreeSet::new(),
            before: Holdings::default(),
            seen: Seen::default(),
        };
        storm.wait_for_everybody(now_ns());
        let is_survivor = |pid: &u32| variable_of(*pid, BACKEND).is_some_and(|name| SURVIVORS.contains(&name.as_str()));
        storm.survivors = children(storm.pid()).into_iter().filter(is_survivor).collect();
        assert_eq!(storm.survivors.len(), SURVIVORS.len());
        storm.before = storm.holdings_at_rest();
        storm
    }

    /// Kills until there were so many kills, each time some shortly after each other; then everybody has to be back.
    pub fn kill(&mut self, kills: usize) {
        while self.seen.kills < kills {
            let burst = 1 + self.dice.roll() % BURST;
            let mut last = now_ns();
            for _ in 0..burst {
                let pause = Duration::from_micros(self.dice.roll() % PAUSE_US);
                self.pass(pause);
                if let Some(at) = self.kill_one() {
                    last = at;
                }
            }
            self.wait_for_everybody(last);
        }
    }

    fn kill_one(&mut self) -> Option<u64> {
        let spared = |pid: &u32| self.survivors.contains(pid) || self.killed.contains(pid);
        let targets: Vec<u32> = children(self.pid()).into_iter().filter(|pid| !spared(pid)).collect();
        let target = *targets.get(self.dice.roll() as usize % targets.len().max(1))?;
        kill_process(Pid::from_raw(target as i32).unwrap(), Signal::KILL).ok()?;
        self.killed.insert(target);
        self.seen.kills += 1;
        Some(now_ns())
    }

    /// Until every witness has a message that was sent after this moment.
    fn wait_for_everybody(&mut self, since: u64) {
        let began = Instant::now();
        let mut missing: BTreeSet<&str> = WITNESSES.into();
        let mut longest = Duration::ZERO;
        while !missing.is_empty() {
            assert!(began.elapsed() < DEADLINE, "{missing:?} get nothing any more after {} kills", self.seen.kills);
            for name in missing.clone() {
                let progress = Progress::read(&self.dir.path().join(name));
                let Some(progress) = progress.filter(|progress| progress.sent_ns > since) else { continue };
                missing.remove(name);
                let took = Duration::from_nanos(progress.now_ns - since);
                longest = longest.max(took);
                if SURVIVORS.contains(&name) {
                    self.seen.survivors.push(took);
                }
            }
            self.pass(LOOK);
        }
        self.seen.everybody.push(longest);
    }

    /// What the run holds once every process is there that should be, and none besides.
    fn holdings_at_rest(&mut self) -> Holdings {
        let began = Instant::now();
        // Of a program that was killed, the guard may be about to end.
        let most = if self.killed.is_empty() { usize::MAX } else { self.before.processes };
        loop {
            let processes = processes_with(&self.mark);
            let cats = processes.iter().filter(|pid| super::holdings::name_of(**pid) == "cat").count();
            let is_complete = children(self.pid()).len() == SURVIVORS.len() + MORTALS.len() && cats == 1;
            if is_complete && processes.len() <= most {
                return Holdings::of(self.runner.id(), &self.survivors, &processes, &self.killed);
            }
            assert!(began.elapsed() < DEADLINE, "{} processes, {cats} of them cats", processes.len());
            self.pass(LOOK);
        }
    }

    /// Ends the run, and sees what came of it.
    pub fn finish(mut self) -> Outcome {
        let after = self.holdings_at_rest();
        kill_process(Pid::from_child(&self.runner), Signal::INT).unwrap();
        assert!(has_ended_within(Pid::from_child(&self.runner), DEADLINE), "the run does not end");
        let code = self.runner.wait().unwrap().code();
        let stderr = self.stderr.join().unwrap();
        let report = std::fs::read_to_string(self.dir.path().join("report.json")).unwrap_or_default();
        let report: Value = serde_json::from_str(&report).unwrap_or_else(|e| panic!("no report ({e}):\n{stderr}"));
        let mut faults = Vec::new();
        if code != Some(130) {
            faults.push(format!("the run ended with {code:?}: {}", report["failures"]));
        }
        let said = stderr.lines().filter(|line| !line.contains("SIGKILL"));
        let (crowded, other): (Vec<&str>, Vec<&str>) = said.partition(|line| line.contains(CROWDED));
        faults.extend(other.into_iter().map(str::to_owned));
        let restarts = restarts(&report, &mut faults);
        let edges = edges(&report, &restarts, &mut faults);
        let made: u64 = restarts.values().sum();
        if made != self.seen.kills as u64 {
            faults.push(format!("{} kills, and {made} restarts", self.seen.kills));
        }
        let steady = Progress::read(&self.dir.path().join("steady")).map_or(0, |progress| progress.count);
        let told: u64 = edges.iter().filter(|edge| edge.name.ends_with("steady.in")).map(|edge| edge.received).sum();
        if steady != told {
            faults.push(format!("steady had {steady} messages, and the ledger says {told}"));
        }
        // Those of the run, and for each port those that were not read when the present one came.
        let behind = PORTS * BURST as usize;
        let segments = SURVIVORS.len() + MORTALS.len() + PORTS + behind;
        faults.extend(after.leaked_since(&self.before, behind, segments));
        let left = processes_with(&self.mark);
        if !left.is_empty() {
            faults.push(format!("{left:?} are left"));
        }
        Outcome { seen: self.seen, before: self.before, after, restarts, edges, crowded: crowded.len(), faults }
    }

    fn pass(&self, time: Duration) {
        assert!(!has_ended_within(Pid::from_child(&self.runner), time), "the run ended by itself");
    }

    fn pid(&self) -> u32 {
        self.runner.id()
    }
}

fn restarts(report: &Value, faults: &mut Vec<String>) -> BTreeMap<String, u64> {
    let mut restarts = BTreeMap::new();
    for made in report["restarts"].as_array().unwrap() {
        *restarts.entry(made["backend"].as_str().unwrap().to_owned()).or_default() += 1;
        let cause = made["cause"].as_str().unwrap();
        if !cause.contains("SIGKILL") {
            faults.push(format!("{}: {cause}", made["backend"]));
        }
    }
    restarts
}

fn edges(report: &Value, restarts: &BTreeMap<String, u64>, faults: &mut Vec<String>) -> Vec<EdgeOutcome> {
    let backend_of = |end: &Value| {
        let node = end.as_str().unwrap().split('.').next().unwrap();
        format!("b_{}", if ["inner", "near"].contains(&node) { "pair" } else { node })
    };
    let mut outcomes = Vec::new();
    for edge in report["edges"].as_array().unwrap() {
        let count = |what: &str| edge[what].as_u64().unwrap();
        let [sent, received, dropped] = ["sent", "received", "dropped"].map(count);
        let name = format!("{} -> {}", edge["from"].as_str().unwrap(), edge["to"].as_str().unwrap());
        if sent != received + dropped || count("in_flight") != 0 {
            faults.push(format!("{name} does not balance: {edge}"));
        }
        let ends = [backend_of(&edge["from"]), backend_of(&edge["to"])];
        let deaths = ends.clone().map(|end| restarts.get(&end).copied().unwrap_or(0));
        let drops = ["lossy", "tree"].iter().any(|node| name.contains(node));
        // What a consumer had in hand, and what a producer had counted and not published; within a process also what
        // was queued there.
        let allowed = if ends[0] == ends[1] { deaths[0] * 10 } else { deaths.iter().sum() };
        let allowed = (!drops).then_some(allowed);
        if allowed.is_some_and(|allowed| dropped > allowed) {
            faults.push(format!("{name} lost {dropped} messages, {allowed:?} at most to kills"));
        }
        let delivery = edge["delivery"].as_str().unwrap().to_owned();
        outcomes.push(EdgeOutcome { name, delivery, sent, received, dropped, allowed });
    }
    outcomes
}
