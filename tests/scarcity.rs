//! Too little of everything: a run comes to a good end with all of its output, or fails with words that name what there is
//! too little of. Never a hang, a panic, a SIGBUS, or a file that is not what it is taken for.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, geteuid, pidfd_open};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A run that takes longer is a hang.
const DEADLINE: Duration = Duration::from_secs(60);

/// A copy, views, a program, three files.
const GRAPH: &str = "ezrun: 1
nodes:
  numbers: { use: sine, with: { rate: 250, channels: 4, frequency: 10, block: 25, count: 50 } }
  scaled: { use: scale, with: { gain: 2 } }
  kept: { use: csv_sink, with: { path: out/kept.csv } }
  seen: { use: digest, with: { path: out/seen.txt } }
  cat: { use: command, with: { argv: [cat] } }
  told: { use: file_sink, with: { path: out/told.txt } }
edges:
  - { from: numbers, to: scaled }
  - { from: scaled, to: kept, zero_copy: true }
  - { from: numbers, to: seen, zero_copy: true }
  - { from: numbers, to: cat, zero_copy: true }
  - { from: cat, to: told, zero_copy: true }
";

/// A folder with a graph, and what came out of running it where nothing was scarce.
struct Bench {
    dir: tempfile::TempDir,
    outputs: Vec<Vec<u8>>,
}

struct Said {
    code: Option<i32>,
    stderr: String,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
        std::fs::write(dir.path().join("graph.yaml"), GRAPH).unwrap();
        let mut bench = Bench { dir, outputs: Vec::new() };
        let said = bench.run("exec \"$@\"", &[]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        bench.outputs = bench.outputs();
        bench
    }

    fn outputs(&self) -> Vec<Vec<u8>> {
        let read = |name: &str| std::fs::read(self.dir.path().join("out").join(name)).unwrap_or_default();
        ["kept.csv", "seen.txt", "told.txt"].map(read).into()
    }

    /// Runs the graph by way of a shell, whose `"$@"` is the run.
    fn run(&self, script: &str, args: &[&str]) -> Said {
        self.run_as(script, env!("CARGO_BIN_EXE_ezrun").as_ref(), args, None)
    }

    fn run_as(&self, script: &str, ezrun: &Path, args: &[&str], user: Option<u32>) -> Said {
        let _ = std::fs::remove_dir_all(self.dir.path().join("out"));
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(ezrun).args(["graph.yaml", "--quiet"]).args(args);
        command.current_dir(self.dir.path()).env_remove("RUST_BACKTRACE");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        if let Some(user) = user {
            command.uid(user);
        }
        let mut child = command.spawn().unwrap();
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
        let ended = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&DEADLINE.try_into().unwrap())).unwrap();
        if ended == 0 {
            child.kill().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        let said = Said { code: output.status.code(), stderr: String::from_utf8_lossy(&output.stderr).into_owned() };
        assert_ne!(ended, 0, "{script} hangs: {}", said.stderr);
        said
    }

    /// Whether the run came to a good end, which must then be a whole one; else it must say all of `words`.
    fn judge(&self, what: &str, said: &Said, words: &[&str]) -> bool {
        for wrong in ["panicked", "thread '", "SIGBUS", "SIGSEGV", "SIGABRT"] {
            assert!(!said.stderr.contains(wrong), "{what}: {}", said.stderr);
        }
        if said.code == Some(0) {
            assert!(self.outputs() == self.outputs, "{what}: the files are not whole");
            return true;
        }
        assert_eq!(said.code, Some(3), "{what}: {}", said.stderr);
        for word in words {
            assert!(said.stderr.contains(word), "{what}: {word:?} is missing in:\n{}", said.stderr);
        }
        false
    }
}

#[test]
fn however_few_files_may_be_open() {
    let bench = Bench::new();
    let mut good = 0;
    for limit in 3..=64 {
        let said = bench.run(&format!("ulimit -n {limit}; exec \"$@\""), &[]);
        // With three the system cannot even load the program.
        if limit > 3 || said.code != Some(127) {
            // What one process cannot open, another cannot be handed: "Too many open files", "too many files are open".
            let words = ["oo many ", "note: ", "`ulimit -n`"];
            good += usize::from(bench.judge(&format!("ulimit -n {limit}"), &said, &words));
        }
    }
    assert!((1..55).contains(&good), "{good} runs came to a good end");
}

#[test]
fn however_little_address_space_there_is() {
    let bench = Bench::new();
    for segments in ["sealed", "named"] {
        for mebibytes in [32, 64, 128, 256, 512, 1024, 2048, 4096] {
            let what = format!("ulimit -v {}", mebibytes * 1024);
            let said = bench.run(&format!("{what}; exec \"$@\""), &["--segments", segments]);
            bench.judge(&what, &said, &["shared memory", "note: "]);
        }
    }
}

#[test]
fn however_small_files_must_be() {
    let bench = Bench::new();
    for blocks in [0, 1, 100] {
        let what = format!("ulimit -f {blocks}");
        let said = bench.run(&format!("{what}; exec \"$@\""), &[]);
        assert!(!bench.judge(&what, &said, &["SIGXFSZ", "`ulimit -f`"]));
    }
}

#[test]
fn however_few_processes_a_user_may_have() {
    if !geteuid().is_root() || Command::new("prlimit").arg("--version").output().is_err() {
        println!("skipped: it takes root, whom the limit does not bind, and prlimit");
        return;
    }
    let bench = Bench::new();
    let ezrun = bench.dir.path().join("ezrun");
    std::fs::copy(env!("CARGO_BIN_EXE_ezrun"), &ezrun).unwrap();
    let mut good = 0;
    for limit in [1, 2, 4, 7, 9, 12, 14, 16, 18, 40] {
        // The system takes its time to forget the processes of a user.
        let user = 61_000 + limit;
        let script = format!("exec prlimit --nproc={limit} \"$@\"");
        let said = bench.run_as(&script, &ezrun, &[], Some(user));
        good += usize::from(bench.judge(&script, &said, &["os error 11", "`ulimit -u`"]));
    }
    assert!(good >= 1);
}

/// Whether this process may have a mount namespace of its own; says so where it may not.
fn may_unshare() -> bool {
    let may = Command::new("unshare").args(["-m", "true"]).output().is_ok_and(|output| output.status.success());
    if !may {
        println!("skipped: no mount namespace may be had here");
    }
    may
}

#[test]
fn sealed_segments_need_no_dev_shm_and_named_ones_say_that_they_do() {
    if !may_unshare() {
        return;
    }
    let bench = Bench::new();
    let small = "mount -t tmpfs -o size=64k none /dev/shm";
    let none = "mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9";
    for (what, words) in [(small, "No space left on device"), (none, "is /dev/shm there")] {
        let script = format!("exec unshare -m sh -c '{what} && exec \"$@\"' sh \"$@\"");
        assert!(bench.judge(what, &bench.run(&script, &[]), &[]), "sealed");
        let said = bench.run(&script, &["--segments", "named"]);
        assert!(!bench.judge(what, &said, &["shared memory", words, "/dev/shm", "sealed"]), "named");
    }
}

#[test]
fn a_file_on_a_full_disk_is_named_and_is_not_taken_for_whole() {
    if !may_unshare() {
        return;
    }
    let bench = Bench::new();
    let sinks =
        [("csv_sink", "kept.csv"), ("npy_sink", "kept.npy"), ("wav_sink", "kept.wav"), ("file_sink", "kept.bin")];
    for (sink, name) in sinks {
        let graph = format!(
            "ezrun: 1\nnodes:\n  s: {{ use: sine, with: {{ rate: 250, channels: 4, block: 250, count: 100 }} }}\n  \
             k: {{ use: {sink}, with: {{ path: full/{name} }} }}\nedges: [{{ from: s, to: k, zero_copy: true }}]\n"
        );
        std::fs::write(bench.dir.path().join("graph.yaml"), graph).unwrap();
        std::fs::create_dir_all(bench.dir.path().join("full")).unwrap();
        let script = "exec unshare -m sh -c 'mount -t tmpfs -o size=64k none full && exec \"$@\"' sh \"$@\"";
        let said = bench.run(script, &["--report", "json=report.json"]);
        assert!(!bench.judge(sink, &said, &["node `k`", name, "No space left on device"]));
        let report: serde_json::Value =
            serde_json::from_slice(&std::fs::read(bench.dir.path().join("report.json")).unwrap()).unwrap();
        let node = report["nodes"].as_array().unwrap().iter().find(|node| node["name"] == "k").unwrap();
        assert_eq!(node["status"], "failed", "{sink}");
    }
}
