//! `ezrun new`: a first graph that is right and runs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;

use command::ezrun;

#[test]
fn a_new_graph_has_no_findings_and_runs_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = ezrun(dir.path(), &["new", "first.yaml"]);
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "wrote first.yaml; run it: ezrun first.yaml\n", ""));
    let (code, stdout, _) = ezrun(dir.path(), &["validate", "--deny-warnings", "first.yaml"]);
    assert_eq!((code, stdout.as_str()), (0, "no findings in first.yaml\n"));
    let (code, _, stderr) = ezrun(dir.path(), &["first.yaml"]);
    assert_eq!(code, 0, "{stderr}");
    let rows = |name: &str| std::fs::read_to_string(dir.path().join("out").join(name)).unwrap().lines().count();
    // A line of names; a row for each of ten seconds, and for each of five thousand samples.
    assert_eq!((rows("level.csv"), rows("raw.csv")), (1 + 10, 1 + 5000));
}

#[test]
fn a_file_that_is_there_is_never_written_over() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("graph.yaml"), "mine\n").unwrap();
    let (code, stdout, stderr) = ezrun(dir.path(), &["new"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert_eq!(stderr, "error: graph.yaml is there already; give another path, or `-` to print it\n");
    assert_eq!(std::fs::read_to_string(dir.path().join("graph.yaml")).unwrap(), "mine\n");
    let (code, _, stderr) = ezrun(dir.path(), &["new", "nowhere/graph.yaml"]);
    assert_eq!(code, 2);
    assert_eq!(stderr, "error: cannot write nowhere/graph.yaml: there is no folder nowhere; make it first\n");
}

#[test]
fn what_to_run_is_quoted_as_a_shell_needs_it() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("odd path")).unwrap();
    let (code, stdout, _) = ezrun(dir.path(), &["new", "odd path/it's.yaml"]);
    assert_eq!(code, 0);
    assert_eq!(stdout, "wrote odd path/it's.yaml; run it: ezrun 'odd path/it'\\''s.yaml'\n");
    let (code, stdout, _) = ezrun(dir.path(), &["new", "--", "-x.yaml"]);
    assert_eq!((code, stdout.as_str()), (0, "wrote -x.yaml; run it: ezrun ./-x.yaml\n"));
}

#[test]
fn a_dash_prints_what_would_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let (code, printed, _) = ezrun(dir.path(), &["new", "-"]);
    assert_eq!(code, 0);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    assert_eq!(ezrun(dir.path(), &["new"]).0, 0);
    assert_eq!(std::fs::read_to_string(dir.path().join("graph.yaml")).unwrap(), printed);
    assert!(printed.lines().all(|line| line.chars().count() <= 120 && line == line.trim_end()));
}
