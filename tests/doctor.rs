//! `ezrun doctor`: what it tries must be refused on the machine that runs the tests, and what it reckons must suffice.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod killing;

use killing::has_ended_within;
use killing::holdings::children;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn ezrun(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ezrun")).args(args).current_dir(project()).output().unwrap()
}

/// Under a limit that the shell sets first, as in `limited("-n 40", …)`.
fn limited(limit: &str, args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit {limit} && exec \"$@\""), "sh", env!("CARGO_BIN_EXE_ezrun")]).args(args);
    command.current_dir(project());
    command
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

/// What was found of a thing, and how it stands.
fn check<'r>(report: &'r Value, about: &str, what: &str) -> (&'r str, &'r str) {
    let checks = report["checks"].as_array().unwrap();
    let found =
        checks.iter().find(|check| check["about"] == about && check["what"].as_str().unwrap().starts_with(what));
    let found = found.unwrap_or_else(|| panic!("no check of {what:?}"));
    (found["found"].as_str().unwrap(), found["verdict"].as_str().unwrap())
}

/// Everything that is tried on a segment, and what the kernel says where it is sealed.
const TRIED: [(&str, &str); 14] = [
    ("a store into a view", "SIGSEGV"),
    ("a store by a forked child of the producer", "SIGSEGV"),
    ("a write to a view through /proc/self/mem", "EIO"),
    ("a new writable mapping", "EPERM"),
    ("mprotect of a view to writable", "EACCES"),
    ("a hole punched by way of a view (MADV_REMOVE)", "EACCES"),
    ("a write to the descriptor", "EPERM"),
    ("ftruncate to less", "EPERM"),
    ("ftruncate to more", "EPERM"),
    ("a hole punched by fallocate", "EPERM"),
    ("the file reopened, then a write", "EPERM"),
    ("the file reopened, then a writable mapping", "EPERM"),
    ("the file reopened, emptied", "EPERM"),
    ("another set of seals", "EPERM"),
];

#[test]
fn everything_that_a_peer_tries_on_a_sealed_segment_is_refused() {
    let output = ezrun(&["doctor", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report = report(&output);
    assert_eq!(report["holds"], true);
    for (what, word) in TRIED {
        assert_eq!(check(&report, "sealed", what), (format!("refused: {word}").as_str(), "holds"), "{what}");
    }
    let sealed = report["checks"].as_array().unwrap().iter().filter(|check| check["about"] == "sealed");
    assert_eq!(sealed.count(), TRIED.len(), "each attempt has its line here");
}

#[test]
fn a_named_segment_refuses_what_it_promises_to_and_is_not_said_to_refuse_more() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ezrun"));
    command.args(["doctor", "--format", "json", "--segments", "named"]).stdout(Stdio::piped());
    let child = command.spawn().unwrap();
    let name = format!("ezrun-{}-", child.id());
    let output = child.wait_with_output().unwrap();
    let report = report(&output);
    for what in ["a store into a view", "a store by a forked child of the producer", "a write to a view through"] {
        assert_eq!(check(&report, "named", what).1, "holds", "{what}");
    }
    for what in ["a new writable mapping", "mprotect of a view to writable", "a write to the descriptor", "ftruncate"] {
        assert_eq!(check(&report, "named", what), ("done", "not_promised"), "{what}");
    }
    let mut left = std::fs::read_dir("/dev/shm").unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!left.any(|left| left.to_string_lossy().starts_with(&name)), "nothing is left behind");
}

#[test]
fn the_table_has_a_line_for_each_attempt_and_says_what_it_comes_to() {
    let text = String::from_utf8(ezrun(&["doctor", "graphs/isolation.yaml"]).stdout).unwrap();
    for (what, word) in TRIED {
        assert!(
            text.lines().any(|line| line.contains(what) && line.contains(word) && line.contains("holds")),
            "{text}"
        );
    }
    for words in ["Linux ", "futex_waitv", "/dev/shm", "descriptors", "processors", "A run of isolation"] {
        assert!(text.contains(words), "{words:?} is missing in:\n{text}");
    }
    assert!(text.ends_with("everything that a run needs holds\n"), "{text}");
}

#[test]
fn the_report_fits_its_schema() {
    let schema: Value = serde_json::from_slice(&ezrun(&["schema", "doctor"]).stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for args in [&["doctor", "--format", "json"][..], &["doctor", "graphs/command.yaml", "--format", "json"]] {
        let report = report(&ezrun(args));
        assert!(validator.is_valid(&report), "{:?}", validator.validate(&report).map_err(|e| e.to_string()));
    }
}

/// A source for each reader, and everybody reads everything.
fn dense(nodes: usize) -> String {
    let mut text = "ezrun: 1\nnodes:\n".to_owned();
    for i in 0..nodes {
        text += &format!("  s{i}: {{ use: counter, with: {{ count: 3 }} }}\n  m{i}: {{ use: merge }}\n");
        text += &format!("  e{i}: {{ use: 'null' }}\n");
    }
    text += "edges:\n";
    for i in 0..nodes {
        text += &format!("  - {{ from: m{i}, to: e{i} }}\n");
        (0..nodes).for_each(|j| text += &format!("  - {{ from: s{i}, to: m{j}, zero_copy: true }}\n"));
    }
    text
}

#[test]
fn as_many_descriptors_as_are_reckoned_suffice() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("graph.yaml");
    let path = path.to_str().unwrap();
    for nodes in [1, 4] {
        std::fs::write(path, dense(nodes)).unwrap();
        for segments in ["sealed", "named"] {
            let reckoned = report(&ezrun(&["doctor", path, "--format", "json", "--segments", segments]));
            let descriptors = reckoned["graph"]["descriptors"].as_u64().unwrap();
            assert_eq!(reckoned["graph"]["processes"], 1 + 3 * nodes);
            let limit = format!("-n {descriptors}");
            let run = limited(&limit, &[path, "--segments", segments, "--quiet"]).output().unwrap();
            assert_eq!(run.status.code(), Some(0), "{nodes} {segments} {limit}: {run:?}");
            let doctor = limited(&limit, &["doctor", path, "--segments", segments]).output().unwrap();
            assert_eq!(doctor.status.code(), Some(0), "{doctor:?}");
        }
    }
}

#[test]
fn they_suffice_where_everybody_is_killed_and_started_again_at_once() {
    const PAIRS: usize = 6;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("graph.yaml");
    let restart = "restart: on_failure, max_restarts: 1000, window: 1ms, backoff: 1us";
    let mut text = "ezrun: 1\nnodes:\n".to_owned();
    for i in 0..PAIRS {
        text += &format!("  s{i}: {{ use: counter, with: {{ interval: 1 ms }}, {restart} }}\n");
        text += &format!("  e{i}: {{ use: file_sink, with: {{ path: 'e{i}' }}, {restart} }}\n");
    }
    text += "edges:\n";
    (0..PAIRS).for_each(|i| text += &format!("  - {{ from: s{i}, to: e{i}, zero_copy: true }}\n"));
    std::fs::write(&path, text).unwrap();
    let reckoned = report(&ezrun(&["doctor", path.to_str().unwrap(), "--format", "json"]));
    let limit = format!("-n {}", reckoned["graph"]["descriptors"]);
    let mut command = limited(&limit, &["--quiet", path.to_str().unwrap()]);
    let mut runner = command.stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    let goes_on = || {
        assert!(!has_ended_within(Pid::from_child(&runner), Duration::from_millis(1)), "the run ended");
        assert!(began.elapsed() < Duration::from_secs(120), "not everybody is back");
    };
    let receives = |i: usize| std::fs::metadata(dir.path().join(format!("e{i}"))).is_ok_and(|file| file.len() > 0);
    // Once messages flow, nobody's end is that of the run.
    while !(0..PAIRS).all(receives) {
        goes_on();
    }
    for _ in 0..20 {
        let mut backends = Vec::new();
        while backends.len() < 2 * PAIRS {
            goes_on();
            backends = children(runner.id());
        }
        for pid in backends {
            kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).ok();
        }
    }
    kill_process(Pid::from_child(&runner), Signal::KILL).unwrap();
    let mut stderr = String::new();
    runner.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    runner.wait().unwrap();
    assert!(stderr.contains("restart 1 of 1000"), "{stderr}");
    assert!(!stderr.contains("open files") && !stderr.contains("too many files"), "{stderr}");
}

#[test]
fn what_does_not_fit_is_named_with_exit_code_1() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("graph.yaml");
    std::fs::write(&path, dense(4)).unwrap();
    let output = limited("-n 30", &["doctor", path.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.ends_with("a run needs what fails here: descriptors in the runner\n"), "{text}");
}

#[test]
fn an_invalid_graph_has_findings_and_no_report() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("graph.yaml");
    std::fs::write(&path, "ezrun: 1\nnodes: { a: { use: nothing_such } }\n").unwrap();
    let output = ezrun(&["doctor", path.to_str().unwrap()]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{output:?}");
}
