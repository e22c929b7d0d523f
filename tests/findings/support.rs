//! A folder of graph files, and the real binary in it.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A graph without findings.
pub const GOOD: &str = "ezrun: 1\nnodes: { a: { use: counter }, b: { use: 'null' } }\n\
                        edges: [{ from: a, to: b, zero_copy: true }]\n";
/// A graph with a hint at 3:24.
pub const COPYING: &str = "ezrun: 1\nnodes: { a: { use: counter }, b: { use: 'null' } }\nedges: [{ from: a, to: b }]\n";
/// A graph with a warning at 4:3, and nothing else.
pub const WARNED: &str = "ezrun: 1\nnodes:\n  a: { use: counter }\n  c: { use: counter }\n  b: { use: 'null' }\n\
                          edges: [{ from: a, to: b, zero_copy: true }]\n";
/// A graph with an error at 3:17.
pub const BROKEN: &str = "ezrun: 1\nnodes: { a: { use: counter }, b: { use: 'null' } }\n\
                          edges: [{ from: x, to: b, zero_copy: true }, { from: a, to: b, zero_copy: true }]\n";

/// A folder that goes with the test.
pub struct Folder(tempfile::TempDir);

/// What a command came to.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Folder {
    pub fn with(files: &[(&str, &str)]) -> Self {
        let folder = Folder(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let path = folder.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn ezrun(&self, args: &[&str]) -> Outcome {
        self.ezrun_with(args, "")
    }

    pub fn validate(&self, args: &[&str]) -> Outcome {
        self.ezrun(&[&["validate"], args].concat())
    }

    /// Runs ezrun with `stdin` as its standard input.
    pub fn ezrun_with(&self, args: &[&str], stdin: &str) -> Outcome {
        let input = self.path(".stdin");
        std::fs::write(&input, stdin).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ezrun"));
        command.current_dir(self.0.path()).args(args).env_remove("EZRUN_TEST_NOT_SET");
        let output = command.stdin(Stdio::from(std::fs::File::open(input).unwrap())).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().expect("ezrun is not killed");
        Outcome { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Outcome {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// `file:line:column code` of each line of the concise format.
    pub fn concise(&self) -> Vec<String> {
        let line = |line: &str| {
            let (place, rest) = line.split_once(": ").unwrap();
            format!("{place} {}", rest.split(['[', ']']).nth(1).unwrap())
        };
        self.stdout.lines().map(line).collect()
    }
}

pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
