//! `command` in real runs: how its program ends, and that it never outlives the run.

#![allow(clippy::unwrap_used, reason = "clippy allows it in test functions, but not in what they share")]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A run that takes longer is a hang.
const DEADLINE: Duration = Duration::from_secs(60);

/// A run of a graph that a test has written.
struct Run {
    child: Child,
    folder: TempDir,
}

impl Run {
    /// Starts a graph that is given from `nodes:` on.
    fn start(graph: &str, args: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("graph.yaml");
        std::fs::write(&path, format!("ezrun: 1\n{graph}")).unwrap();
        let mut ezrun = Command::new(env!("CARGO_BIN_EXE_ezrun"));
        ezrun.arg(path).args(args).stdin(Stdio::null()).stdout(Stdio::null());
        let child = ezrun.stderr(std::fs::File::create(folder.path().join("stderr")).unwrap()).spawn().unwrap();
        Run { child, folder }
    }

    /// Waits for its end: the exit code, and what it said.
    fn finish(&mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + DEADLINE;
        let status = wait_for("the run to end", deadline, || self.child.try_wait().unwrap());
        (status.code(), std::fs::read_to_string(self.path("stderr")).unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What is in a file of the run, once there is a whole line in it.
    fn line_in(&self, name: &str) -> String {
        let read = || std::fs::read_to_string(self.path(name)).ok().filter(|text| text.ends_with('\n'));
        wait_for(name, Instant::now() + DEADLINE, read).trim().to_owned()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_for<T>(what: &str, deadline: Instant, mut look: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waiting for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Waits until a process is gone, or dead and not yet reaped.
fn wait_until_dead(pid: &str) {
    let stat = format!("/proc/{pid}/stat");
    let dead = || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
    wait_for("the program to die", Instant::now() + DEADLINE, || dead().then_some(()));
}

#[test]
fn lines_pass_through_a_program_in_another_process() {
    let graph = "nodes:
  seconds: { use: timer, with: { interval: 1 ms, count: 50 } }
  double:  { use: command, with: { argv: [awk, -F, \",\", \"{ print $1 * 2 }\"] } }
  result:  { use: file_sink, with: { path: out.txt } }
edges:
  - { from: seconds, to: double, zero_copy: true }
  - { from: double, to: result }
";
    let mut run = Run::start(graph, &[]);
    assert_eq!(run.finish().0, Some(0));
    let expected: String = (0..50).map(|i| format!("{}\n", i * 2)).collect();
    assert_eq!(std::fs::read_to_string(run.path("out.txt")).unwrap(), expected);
}

#[test]
fn what_stands_in_a_param_that_is_a_mapping_keeps_its_words() {
    let graph = "params:
  vars: { A: 1, B: true, C: x, D: 1.50, E: ~ }
nodes:
  tick: { use: timer, with: { interval: 1 ms, count: 1 } }
  told: { use: command, with: { argv: [sh, -c, \"echo $A $B $C $D _$E; cat >&2\"] } }
  result: { use: file_sink, with: { path: out.txt } }
edges:
  - { from: tick, to: told, zero_copy: true }
  - { from: told, to: result, zero_copy: true }
backends:
  one: { nodes: [told], env: \"${vars}\" }
";
    let mut run = Run::start(graph, &[]);
    assert_eq!(run.finish().0, Some(0));
    assert_eq!(std::fs::read_to_string(run.path("out.txt")).unwrap(), "1 true x 1.50 _\n");
}

#[test]
fn a_program_that_fails_ends_a_run_whose_next_message_is_far_away() {
    let graph = "nodes:
  hours: { use: timer, with: { interval: 1 h } }
  prog:  { use: command, with: { argv: [sh, -c, \"echo no luck >&2; exit 3\"] } }
edges:
  - { from: hours, to: prog }
";
    let (code, said) = Run::start(graph, &[]).finish();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("sh ended with exit status 3"), "{said}");
    assert!(said.contains("no luck"), "{said}");
    assert!(said.contains("prog"), "{said}");
}

#[test]
fn a_program_that_is_not_there_is_told_before_anything_flows() {
    let graph = "nodes:
  ticks: { use: timer }
  prog:  { use: command, with: { argv: [./no-such-program] } }
edges:
  - { from: ticks, to: prog }
";
    let (code, said) = Run::start(graph, &[]).finish();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("error[environment/missing-program]: `prog` cannot run `./no-such-program`"), "{said}");
    assert!(said.contains("nothing was started") && said.contains("relative to the graph file"), "{said}");
}

/// A program that tells its process number, and then does nothing for ever.
fn waiting_program(to: &str) -> String {
    format!(
        "nodes:
  ticks: {{ use: timer, with: {{ interval: 1 h }} }}
  prog:  {{ use: command, with: {{ argv: [sh, -c, \"echo $$; exec sleep 10000\"] }} }}
  pid:   {{ use: file_sink, with: {{ path: {to} }} }}
"
    )
}

#[test]
fn a_program_without_an_input_is_ended_by_the_stop() {
    let graph = "nodes:
  prog: { use: command, with: { argv: [sh, -c, \"trap 'echo bye; exit 0' TERM; echo $$; while :; do sleep 0.01; done\"] } }
  said: { use: file_sink, with: { path: said } }
edges:
  - { from: prog, to: said }
";
    let mut run = Run::start(graph, &[]);
    let pid = run.line_in("said");
    let ezrun = rustix::process::Pid::from_child(&run.child);
    rustix::process::kill_process(ezrun, rustix::process::Signal::INT).unwrap();
    let (code, said) = run.finish();
    assert_eq!(code, Some(130), "{said}");
    assert_eq!(run.line_in("said"), format!("{pid}\nbye"), "its last words are kept");
    wait_until_dead(&pid);
}

#[test]
fn a_program_dies_with_the_runner_whatever_kills_it() {
    let graph = waiting_program("pid") + "edges:\n  - { from: ticks, to: prog }\n  - { from: prog, to: pid }\n";
    let mut run = Run::start(&graph, &[]);
    let pid = run.line_in("pid");
    run.child.kill().unwrap();
    run.finish();
    wait_until_dead(&pid);
}

#[test]
fn a_program_dies_with_a_run_that_fails_elsewhere() {
    let graph = waiting_program("pid")
        + "  full: { use: csv_sink, with: { path: /dev/full } }
edges:
  - { from: ticks, to: prog }
  - { from: prog, to: pid }
  - { from: ticks, to: full }
";
    let mut run = Run::start(&graph, &["--grace", "100ms"]);
    let (code, said) = run.finish();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("/dev/full: No space left on device"), "{said}");
    if let Ok(pid) = std::fs::read_to_string(run.path("pid"))
        && !pid.trim().is_empty()
    {
        wait_until_dead(pid.trim());
    }
}

#[test]
fn reading_standard_input_and_writing_standard_output() {
    let folder = TempDir::new().unwrap();
    let graph = "ezrun: 1
nodes:
  typed: { use: stdin_source, with: { lines: true } }
  shown: { use: stdout }
edges:
  - { from: typed, to: shown }
";
    std::fs::write(folder.path().join("graph.yaml"), graph).unwrap();
    std::fs::write(folder.path().join("typed"), "one\ntwo").unwrap();
    let typed = std::fs::File::open(folder.path().join("typed")).unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_ezrun")).arg(folder.path().join("graph.yaml")).stdin(typed).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, b"one\ntwo\n");
}
