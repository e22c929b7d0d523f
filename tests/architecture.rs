//! The directions in which the modules may depend on each other, as `src/lib.rs` states them.

use std::collections::BTreeSet;
use std::path::Path;

/// Each module, and every other one that it may name.
const MAY_USE: [(&str, &[&str]); 12] = [
    ("message", &[]),
    ("node", &["message", "nodes"]), // `nodes` in examples and tests of its documentation alone
    ("nodes", &["message", "node"]),
    ("graph", &["node", "nodes", "message"]),
    ("channel", &["message", "graph"]), // only what an edge's policy is called
    ("plan", &["channel", "graph", "node"]),
    ("picture", &["graph"]),
    ("control", &["channel", "graph", "message"]),
    ("backend", &["channel", "control", "graph", "message", "node", "nodes"]), // of `graph` only Delivery
    ("runner", &["channel", "control", "graph", "message", "node", "plan"]),
    ("pack", &["backend", "node", "nodes"]),
    ("cli", &["channel", "control", "graph", "node", "nodes", "pack", "picture", "plan", "runner"]),
];

fn sources(path: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|e| e == "rs") {
            let name = entry.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
            found.push((name.display().to_string(), std::fs::read_to_string(&entry).unwrap()));
        }
    }
}

fn all_sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut found);
    found
}

/// The modules that a file names as `crate::module`.
fn used(text: &str) -> BTreeSet<String> {
    let names = text
        .split("crate::")
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>());
    names.collect()
}

#[test]
fn modules_depend_on_each_other_in_one_direction_only() {
    for (file, text) in all_sources() {
        let module = file.split(['/', '.']).next().unwrap();
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else { continue };
        for name in used(&text) {
            let is_module = MAY_USE.iter().any(|(module, _)| *module == name);
            assert!(!is_module || name == module || allowed.contains(&name.as_str()), "src/{file} names crate::{name}");
        }
    }
}

#[test]
fn a_backend_knows_nothing_of_graph_files() {
    for (file, text) in
        all_sources().iter().filter(|(file, _)| file.starts_with("backend/") || file.starts_with("channel/"))
    {
        for rest in text.split("crate::graph::").skip(1) {
            let list = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(list, _)| list);
            let single = rest.split([';', '\n', ' ', ')']).next().unwrap();
            for named in list.unwrap_or(single).split(',').map(str::trim) {
                assert!(["Delivery", "Overflow", "Wait"].contains(&named), "src/{file} names crate::graph::{named}");
            }
        }
    }
}

#[test]
fn only_the_channel_has_unsafe_code_and_only_the_graph_names_petgraph() {
    for (file, text) in all_sources() {
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        assert!(file.starts_with("channel/") || !code.contains("unsafe {"), "src/{file} has unsafe code");
        assert!(file.starts_with("graph/") || !code.contains("petgraph"), "src/{file} names petgraph");
        assert!(text.starts_with("//!"), "src/{file} does not say what it is for");
    }
}
