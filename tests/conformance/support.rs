//! Runs the real binary on a graph that a test writes, and reads what it says.

use serde_json::Value;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A run that takes longer is a hang.
const DEADLINE: Duration = Duration::from_secs(100);

/// Where the two ends of an edge are, and what lies between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Transport {
    Sealed,
    Named,
    Local,
}

pub const TRANSPORTS: [Transport; 3] = [Transport::Sealed, Transport::Named, Transport::Local];

impl Transport {
    pub fn name(self) -> &'static str {
        match self {
            Transport::Sealed => "sealed",
            Transport::Named => "named",
            Transport::Local => "local",
        }
    }
}

/// A graph that a test puts together.
#[derive(Default)]
pub struct TestGraph {
    nodes: Vec<(String, String)>,
    edges: Vec<String>,
    backends: String,
    transport: Option<Transport>,
}

impl TestGraph {
    pub fn new() -> Self {
        TestGraph::default()
    }

    /// All edges as `transport` says: for `Local`, every node in one backend.
    pub fn over(transport: Transport) -> Self {
        TestGraph { transport: Some(transport), ..TestGraph::default() }
    }

    /// A node called `name`, as in `node("numbers", "counter", "count: 10")`.
    pub fn node(mut self, name: &str, uses: &str, with: &str) -> Self {
        let uses = if uses == "null" { "'null'" } else { uses };
        self.nodes.push((name.to_owned(), format!("{{ use: {uses}, with: {{ {with} }} }}")));
        self
    }

    /// As [`TestGraph::node`], with keys beside `use` and `with`, as in `restart: on_failure`.
    pub fn node_with(mut self, name: &str, uses: &str, with: &str, keys: &str) -> Self {
        self.nodes.push((name.to_owned(), format!("{{ use: {uses}, with: {{ {with} }}, {keys} }}")));
        self
    }

    /// An edge, as in `edge("numbers", "check", "zero_copy: true")`.
    pub fn edge(mut self, from: &str, to: &str, terms: &str) -> Self {
        let comma = if terms.is_empty() { "" } else { ", " };
        self.edges.push(format!("{{ from: {from}, to: {to}{comma}{terms} }}"));
        self
    }

    /// Nodes that share a process.
    pub fn backend(mut self, name: &str, nodes: &str) -> Self {
        let _ = writeln!(self.backends, "  {name}: [{nodes}]");
        self
    }

    /// As [`TestGraph::backend`], with keys beside `nodes`.
    pub fn backend_with(mut self, name: &str, nodes: &str, keys: &str) -> Self {
        let _ = writeln!(self.backends, "  {name}: {{ nodes: [{nodes}], {keys} }}");
        self
    }

    pub fn yaml(&self) -> String {
        let mut text = "ezrun: 1\n".to_owned();
        if self.nodes.iter().any(|(_, node)| node.contains("faults/")) {
            let _ = writeln!(text, "packs: {{ faults: '{}' }}", example("faults").display());
        }
        text.push_str("nodes:\n");
        for (name, node) in &self.nodes {
            let _ = writeln!(text, "  {name}: {node}");
        }
        text.push_str("edges:\n");
        for edge in &self.edges {
            let _ = writeln!(text, "  - {edge}");
        }
        let mut backends = self.backends.clone();
        if self.transport == Some(Transport::Local) {
            let names: Vec<&str> = self.nodes.iter().map(|(name, _)| name.as_str()).collect();
            let _ = writeln!(backends, "  all: [{}]", names.join(", "));
        }
        if !backends.is_empty() {
            let _ = write!(text, "backends:\n{backends}");
        }
        text
    }

    /// Runs it to its end.
    pub fn run(&self, args: &[&str]) -> Run {
        self.start(args).finish()
    }

    /// Runs it to its end, which must be a good one, with a ledger that balances.
    pub fn succeed(&self) -> Run {
        self.start(&[]).finish_well()
    }

    pub fn start(&self, args: &[&str]) -> Running {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("graph.yaml"), self.yaml()).unwrap();
        let mut args: Vec<&str> = args.to_vec();
        if self.transport == Some(Transport::Named) {
            args.extend(["--segments", "named"]);
        }
        Running::start(dir, &args)
    }
}

/// A run that has not ended.
pub struct Running {
    pub child: Child,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
    lines: std::sync::mpsc::Receiver<String>,
    dir: tempfile::TempDir,
}

impl Running {
    fn start(dir: tempfile::TempDir, args: &[&str]) -> Self {
        let report = format!("json={}", dir.path().join("report.json").display());
        let mut child = ezrun()
            .arg(dir.path().join("graph.yaml"))
            .args(["--report", &report])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        let stdout = std::thread::spawn(move || {
            let mut text = Vec::new();
            out.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        let err = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = std::sync::mpsc::channel();
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            for line in err.lines().map_while(Result::ok) {
                text.push_str(&line);
                text.push('\n');
                let _ = sender.send(line);
            }
            text
        });
        Running { child, stdout, stderr, lines, dir }
    }

    /// Waits until a line of standard error contains `text`.
    pub fn wait_for(&self, text: &str) -> String {
        let end = Instant::now() + DEADLINE;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(e) => panic!("no line with {text:?}: {e}"),
            }
        }
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// To the runner and to all its backends, as a terminal or a supervisor does.
    pub fn signal_all(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process_group(self.pid(), signal).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Waits for the end, which must be a good one, with a ledger that balances.
    pub fn finish_well(self) -> Run {
        let run = self.finish();
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        run.assert_balanced();
        run
    }

    /// Waits for the end.
    pub fn finish(mut self) -> Run {
        let end = Instant::now() + DEADLINE;
        let pidfd = rustix::process::pidfd_open(self.pid(), rustix::process::PidfdFlags::empty()).unwrap();
        let left = end.saturating_duration_since(Instant::now()).try_into().unwrap();
        let mut watched = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
        if rustix::event::poll(&mut watched, Some(&left)).unwrap() == 0 {
            self.child.kill().unwrap();
            panic!("the run did not end within {DEADLINE:?}:\n{}", self.stderr.join().unwrap());
        }
        let code = self.child.wait().unwrap().code();
        let report = std::fs::read_to_string(self.dir.path().join("report.json")).unwrap_or_default();
        Run {
            code,
            stdout: self.stdout.join().unwrap(),
            stderr: self.stderr.join().unwrap(),
            report: serde_json::from_str(&report).unwrap_or(Value::Null),
            dir: self.dir,
        }
    }
}

/// A run that has ended.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub report: Value,
    dir: tempfile::TempDir,
}

impl Run {
    /// The report's entry of the edge from `from` to `to`, named with their ports.
    pub fn edge(&self, from: &str, to: &str) -> &Value {
        let edges = self.report["edges"].as_array().unwrap_or_else(|| panic!("no report:\n{}", self.stderr));
        edges.iter().find(|e| e["from"] == from && e["to"] == to).unwrap_or_else(|| panic!("no edge {from} -> {to}"))
    }

    /// A counter of an edge.
    pub fn count(&self, from: &str, to: &str, what: &str) -> u64 {
        self.edge(from, to)[what].as_u64().unwrap()
    }

    pub fn node(&self, name: &str) -> &Value {
        self.report["nodes"].as_array().unwrap().iter().find(|n| n["name"] == name).unwrap()
    }

    /// Every message of every edge is accounted for, and at the end of a run none is in flight.
    pub fn assert_balanced(&self) {
        for edge in self.report["edges"].as_array().unwrap() {
            let count = |what: &str| edge[what].as_u64().unwrap();
            assert_eq!(count("sent"), count("received") + count("dropped") + count("in_flight"), "{edge}");
            assert_eq!(count("in_flight"), 0, "{edge}");
        }
    }

    pub fn assert_failed(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is missing in:\n{}", self.stderr);
        }
        assert!(!self.stderr.contains("thread '"), "the text of a panic reached the user:\n{}", self.stderr);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}

/// The command, with an environment that no variable of the developer's changes.
pub fn ezrun() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ezrun"));
    command.env("NO_COLOR", "1").env_remove("RUST_BACKTRACE").env("EZRUN_EXAMPLES", example(""));
    command
}

/// Runs the command to its end.
pub fn output(args: &[&str]) -> Output {
    ezrun().args(args).stdin(Stdio::null()).output().unwrap()
}

/// An executable among the examples.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_ezrun")).parent().unwrap().join("examples").join(name)
}

/// Waits until `condition` holds.
/// The process whose number ends a line, as in `name | pid 123`.
pub fn pid_in(line: &str) -> rustix::process::Pid {
    let number = line.rsplit(' ').next().unwrap().parse().unwrap();
    rustix::process::Pid::from_raw(number).unwrap()
}

pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "{what} did not come to be");
        std::thread::yield_now();
    }
}
