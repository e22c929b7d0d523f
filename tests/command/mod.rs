//! The real binary, run to its end, for tests that look at what it says.

#![allow(dead_code, reason = "not every test uses all of it")]

use assert_cmd::Command;
use std::path::Path;

/// Runs ezrun in `dir`: exit code, standard output and standard error.
pub fn ezrun(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("ezrun").unwrap().current_dir(dir).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A graph in a scratch folder.
pub fn graph(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("graph.yaml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}
