//! What SECURITY.md promises, beside what a peer may do to a segment, which `tests/doctor.rs` tries.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder with a file called `graph.yaml`.
fn folder(graph: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("graph.yaml"), graph).unwrap();
    dir
}

fn ezrun(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ezrun")).args(args).current_dir(dir).stdin(Stdio::null()).output().unwrap()
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

const SMALL: &str = "ezrun: 1\nnodes: { a: { use: counter, with: { count: 1 } }, b: { use: check } }\n\
                     edges: [{ from: a, to: b }]\n";

#[test]
fn a_graph_that_every_user_may_write_to_is_not_run_unless_that_is_allowed() {
    let dir = folder(SMALL);
    let path = dir.path().join("graph.yaml");
    for (mode, code) in [(0o644, 0), (0o664, 0), (0o660, 0), (0o666, 2), (0o646, 2)] {
        set_mode(&path, mode);
        let output = ezrun(dir.path(), &["graph.yaml"]);
        assert_eq!(output.status.code(), Some(code), "{mode:o}: {}", stderr(&output));
        if code == 2 {
            let said = stderr(&output);
            assert!(said.starts_with("error: graph.yaml is not run: every user may write to it"), "{said}");
            assert!(said.contains("chmod o-w") && said.contains("--allow-writable"), "{said}");
        }
        assert_eq!(ezrun(dir.path(), &["graph.yaml", "--allow-writable"]).status.code(), Some(0));
        assert_eq!(ezrun(dir.path(), &["validate", "graph.yaml"]).status.code(), Some(0), "nothing is run there");
    }
}

#[test]
fn a_part_that_every_user_may_write_to_is_not_run_unless_that_is_allowed() {
    let dir =
        folder("ezrun: 1\nnodes: { p: { use: ./part.yaml }, b: { use: check } }\nedges: [{ from: p.out, to: b }]\n");
    let part =
        "ezrun: 1\nports: { outputs: { out: a } }\nnodes: { a: { use: counter, with: { count: 1 } } }\nedges: []\n";
    let path = dir.path().join("part.yaml");
    std::fs::write(&path, part).unwrap();
    assert_eq!(ezrun(dir.path(), &["graph.yaml"]).status.code(), Some(0));
    set_mode(&path, 0o666);
    let output = ezrun(dir.path(), &["graph.yaml"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("part.yaml is not run: every user may write to it"), "{said}");
    assert!(said.contains("help: `chmod o-w`") && said.contains("--allow-writable"), "{said}");
    assert!(!said.contains("correct the path"), "{said}");
    assert_eq!(ezrun(dir.path(), &["graph.yaml", "--allow-writable"]).status.code(), Some(0));
}

#[test]
fn a_pack_that_every_user_may_write_to_is_never_executed_unless_that_is_allowed() {
    let dir = folder("ezrun: 1\npacks: { p: ./pack }\nnodes: { a: { use: p/x } }\nedges: []\n");
    let (pack, trace) = (dir.path().join("pack"), dir.path().join("trace"));
    std::fs::write(&pack, format!("#!/bin/sh\necho executed > '{}'\n", trace.display())).unwrap();
    set_mode(&pack, 0o777);
    for args in
        [&["graph.yaml"][..], &["validate", "--allow-exec", "graph.yaml"], &["plan", "--allow-exec", "graph.yaml"]]
    {
        let output = ezrun(dir.path(), args);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        let said = stderr(&output) + &String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("pack is not run: every user may write to it"), "{said}");
        assert!(said.contains("chmod o-w") && said.contains("--allow-writable"), "{said}");
        assert!(!trace.exists(), "{args:?} has executed it");
        ezrun(dir.path(), &[args, &["--allow-writable"]].concat());
        std::fs::remove_file(&trace).unwrap();
    }
}

#[test]
fn programs_have_their_standard_streams_open_and_nothing_else() {
    let dir = folder(
        "ezrun: 1\nnodes:\n  numbers: { use: counter, with: { count: 3 } }\n  \
         list: { use: command, with: { argv: [sh, -c, 'ls /proc/$$/fd; cat > /dev/null'] } }\n  \
         kept: { use: file_sink, with: { path: fds.txt } }\n  end: { use: check }\nedges:\n  \
         - { from: numbers, to: list }\n  - { from: numbers, to: end, zero_copy: true }\n  - { from: list, to: kept }\n",
    );
    for segments in ["sealed", "named"] {
        // Whoever started the run had more open than that.
        let script = "exec 7</dev/null 8>/dev/null; exec \"$@\"";
        let output = Command::new("sh")
            .args(["-c", script, "sh", env!("CARGO_BIN_EXE_ezrun"), "graph.yaml", "--segments", segments])
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let listed = std::fs::read_to_string(dir.path().join("fds.txt")).unwrap();
        assert_eq!(listed.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2"], "{segments}");
    }
}

#[test]
fn what_a_program_says_cannot_control_the_terminal_and_what_it_sends_stays_as_it_is() {
    let bytes = "\\033[31mred\\033[0m\\033]0;title\\007 \\302\\2332J \\2333J bell\\007 back\\010\\r.";
    let graph = format!(
        "ezrun: 1\nnodes:\n  says: {{ use: command, with: {{ argv: [printf, '{bytes}\\n'], framing: raw }} }}\n  \
         tells: {{ use: command, with: {{ argv: [sh, -c, 'printf \"{}\\n\" >&2'] }} }}\n  \
         screen: {{ use: stdout }}\n  kept: {{ use: file_sink, with: {{ path: kept.bin }} }}\n  none: {{ use: 'null' }}\n\
         edges:\n  - {{ from: says, to: screen }}\n  - {{ from: says, to: kept }}\n  - {{ from: tells, to: none }}\n",
        bytes
    );
    let dir = folder(&graph);
    let output = ezrun(dir.path(), &["graph.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let shown = stderr(&output);
    let line = shown.lines().find(|line| line.starts_with("tells | ")).unwrap_or_else(|| panic!("{shown}"));
    assert!(line.contains("red") && line.contains("bell"), "{line}");
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
    assert!(!output.stderr.contains(&0x1b));
    let sent = b"\x1b[31mred\x1b[0m\x1b]0;title\x07 \xc2\x9b2J \x9b3J bell\x07 back\x08\r.";
    assert_eq!(output.stdout.strip_suffix(b"\n").unwrap_or(&output.stdout), sent);
    assert!(std::fs::read(dir.path().join("kept.bin")).unwrap().starts_with(sent));
}

#[test]
fn backends_gain_no_privileges_but_where_a_program_may_be_meant_to() {
    let dir = folder(
        "ezrun: 1\nnodes:\n  clock: { use: timer, with: { interval: 10 ms } }\n  end: { use: 'null' }\n  \
         list: { use: command, with: { argv: [sh, -c, 'grep NoNewPrivs /proc/$$/status; cat > /dev/null'] } }\n  \
         screen: { use: stdout }\nedges:\n  - { from: clock, to: end }\n  - { from: clock, to: list }\n  \
         - { from: list, to: screen }\n",
    );
    let mut child = Command::new(env!("CARGO_BIN_EXE_ezrun"))
        .args(["graph.yaml", "--quiet"])
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["NoNewPrivs:", "0"], "the program of a `command`");
    // In the order in which they were started, which is that of the file.
    let pid = child.id();
    let backends = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let flags: Vec<char> = backends
        .split_whitespace()
        .map(|pid| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let flag = status.lines().find(|line| line.starts_with("NoNewPrivs:")).unwrap();
            flag.chars().last().unwrap()
        })
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(flags, ['1', '1', '0', '1']);
}

#[test]
fn programs_inherit_the_environment_of_the_run_and_what_the_graph_adds() {
    let dir = folder(
        "ezrun: 1\nnodes:\n  list: { use: command, with: { argv: [env], env: { OF_NODE: a } } }\n  \
         kept: { use: file_sink, with: { path: env.txt } }\nedges: [{ from: list, to: kept }]\n\
         backends: { b: { nodes: [list], env: { OF_BACKEND: b } } }\n",
    );
    let run = |command: &mut Command| {
        let output = command.arg("graph.yaml").current_dir(dir.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let text = std::fs::read_to_string(dir.path().join("env.txt")).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let path: PathBuf = std::env::var_os("PATH").unwrap().into();
    let path = path.to_str().unwrap();
    let lines = run(Command::new(env!("CARGO_BIN_EXE_ezrun")).env_clear().env("PATH", path).env("OF_RUN", "r"));
    assert_eq!(lines, ["OF_BACKEND=b", "OF_NODE=a", "OF_RUN=r", &format!("PATH={path}")], "and nothing of ezrun's own");
}

#[test]
fn there_is_no_shell_between_a_graph_and_a_program() {
    let dir = folder(
        "ezrun: 1\nnodes:\n  says: { use: command, with: { argv: [echo, '$(touch made); touch made', '`touch made`'] } }\n  \
         end: { use: 'null' }\nedges: [{ from: says, to: end }]\n",
    );
    assert_eq!(ezrun(dir.path(), &["graph.yaml"]).status.code(), Some(0));
    assert!(!dir.path().join("made").exists());
}
