//! `ezrun plan`: what it says would run is what runs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;

use command::graph;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs ezrun in the project: exit code, standard output and standard error.
fn ezrun(args: &[&str]) -> (i32, String, String) {
    command::ezrun(project(), args)
}

fn planned(path: &str) -> Value {
    let (code, stdout, stderr) = ezrun(&["plan", "--format", "json", path]);
    assert_eq!(code, 0, "{path}: {stderr}");
    serde_json::from_str(&stdout).unwrap()
}

/// One text of each edge, by the edge's names.
fn of_edges(plan: &Value, key: &str) -> Vec<(String, String)> {
    let edges = plan["edges"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    edges.map(|edge| (format!("{} -> {}", text(&edge["from"]), text(&edge["to"])), text(&edge[key]))).collect()
}

/// One process: a source with two readers that write in place, and a chain behind one of them. Beside it, readers of
/// every other kind.
const EVERY_WAY: &str = "
ezrun: 1
nodes:
  signal: { use: sine, with: { rate: 100, count: 20, block: 10 } }
  loud:   { use: scale, with: { gain: 2 } }
  quiet:  { use: scale, with: { gain: 0.5 } }
  steep:  { use: highpass, with: { cutoff: 1 } }
  seen:   { use: null }
  taken:  { use: null }
  apart:  { use: null }
edges:
  - { from: signal, to: loud }
  - { from: signal, to: quiet }
  - { from: loud, to: steep }
  - { from: quiet, to: seen, zero_copy: true }
  - { from: quiet, to: taken, zero_copy: false }
  - { from: steep, to: apart, queue: 3, overflow: drop_newest, max_message: 1 MiB }
backends:
  one: [signal, loud, quiet, steep, seen]
";

#[test]
fn each_edge_is_told_with_its_reason() {
    let (_dir, path) = graph(EVERY_WAY);
    let whys: Vec<String> = of_edges(&planned(&path), "why").into_iter().map(|(_, why)| why).collect();
    let needless = "as the file asks for no view; `null` only reads, so `zero_copy: true` would do";
    assert_eq!(
        whys,
        [
            "as `scale` writes in place; moved, to the last of 2 readers in its process",
            "as `scale` writes in place; moved, to the last of 2 readers in its process",
            "as `highpass` writes in place; moved, to the one reader in its process",
            "as the file says",
            needless,
            needless,
        ]
    );
}

#[test]
fn a_run_receives_as_its_plan_says() {
    let (dir, path) = graph(EVERY_WAY);
    let plan = planned(&path);
    let report = dir.path().join("report.json");
    let (code, _, stderr) = ezrun(&[&path, "--quiet", "--report", &format!("json={}", report.display())]);
    assert_eq!(code, 0, "{stderr}");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(report).unwrap()).unwrap();
    for key in ["transport", "delivery"] {
        assert_eq!(of_edges(&plan, key), of_edges(&report, key));
    }
    for (edge, ledger) in plan["edges"].as_array().unwrap().iter().zip(report["edges"].as_array().unwrap()) {
        let count = |key: &str| ledger[key].as_u64().unwrap();
        let taken = count("received");
        assert!(taken > 0, "{edge}");
        let ways = [count("copies"), count("moves"), count("views")];
        match edge["receives"].as_str().unwrap() {
            "copy" => assert_eq!(ways, [taken, 0, 0], "{edge}"),
            "move" => assert_eq!(ways, [0, taken, 0], "{edge}"),
            "view" => assert_eq!(ways, [0, 0, taken], "{edge}"),
            "move_or_copy" => assert_eq!((ways[0] + ways[1], ways[2]), (taken, 0), "{edge}"),
            other => panic!("{other}"),
        }
    }
    assert_eq!(plan["backends"].as_array().unwrap().len(), 3);
    assert_eq!(plan["totals"]["copying_edges"], 5);
}

#[test]
fn memory_follows_from_queues_and_views() {
    let (_dir, path) = graph(EVERY_WAY);
    let plan = planned(&path);
    let segments = plan["memory"].as_array().unwrap();
    let segment = |name: &str| segments.iter().find(|s| s["holds"] == "messages" && s["name"] == name).unwrap();
    // Private memory of one process: no message lies in the segment.
    assert_eq!(segment("signal.out")["slots"], 0);
    assert!(segment("signal.out")["at_most_bytes"].as_u64().unwrap() < 64 << 10);
    // 8 in each queue, one view that is held, one that is being filled and one to spare.
    assert_eq!(segment("quiet.out")["slots"], 8 + 1 + 8 + 2);
    assert!(segment("quiet.out")["reserved_bytes"].as_u64().unwrap() > 19 * (64 << 20));
    assert_eq!(segment("steep.out")["slots"], 3 + 2);
    assert!((5 << 20..8 << 20).contains(&segment("steep.out")["at_most_bytes"].as_u64().unwrap()));
    let receipts = segments.iter().filter(|segment| segment["holds"] == "receipts").count();
    assert_eq!(receipts, 3);
    for key in ["reserved_bytes", "at_start_bytes", "at_most_bytes"] {
        let sum: u64 = segments.iter().map(|segment| segment[key].as_u64().unwrap()).sum();
        assert_eq!(plan["totals"][key], sum, "{key}");
    }
}

#[test]
fn memory_that_is_fetched_before_the_first_message_is_there_at_the_start() {
    let at_start = |prefault: bool| {
        let (_dir, path) = graph(&format!(
            "ezrun: 1\nname: early\nnodes:\n  a: {{ use: sine }}\n  b: {{ use: null }}\n  c: {{ use: null }}\nedges:\n  - {{ from: a, \
             to: b, zero_copy: true, max_message: 1 MiB, prefault: {prefault} }}\n  - {{ from: a, to: c, zero_copy: true }}\n"
        ));
        let plan = planned(&path);
        let segment = &plan["memory"][0];
        (segment["slots"].as_u64().unwrap(), segment["at_start_bytes"].as_u64().unwrap())
    };
    let (slots, early) = at_start(true);
    // No message may be larger than the least of both limits. Each slot with its header and a page of metadata.
    assert!((slots * (1 << 20)..slots * (1 << 20) + slots * (16 << 10)).contains(&early), "{slots}: {early}");
    assert!(at_start(false).1 < 64 << 10);
}

#[test]
fn a_cell_may_be_as_wide_as_it_likes() {
    let variables: String = (0..11_000).map(|i| format!("V{i}: 1, ")).collect();
    let (_dir, path) = graph(&format!(
        "ezrun: 1\nnodes:\n  a: {{ use: counter }}\n  b: {{ use: null }}\nedges:\n  - {{ from: a, to: b, zero_copy: true }}\n\
         backends:\n  wide: {{ nodes: [a], env: {{ {variables} }} }}\n"
    ));
    let (code, stdout, stderr) = ezrun(&["plan", &path]);
    assert!(code == 0 && stdout.contains("V10999"), "{stderr}");
}

#[test]
fn the_tables_of_a_graph_that_ships_fit_a_page() {
    let (code, stdout, stderr) = ezrun(&["plan", "graphs/isolation.yaml"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.lines().all(|line| line.chars().count() <= 120), "{stdout}");
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = stdout.lines().map(words).collect();
    for line in [
        "isolation: 5 nodes in 3 backends, 4 edges (1 copying), sealed segments",
        "together ezrun - - - signal (sine), mute (scale), recording (npy_sink)",
        "signal.out -> mute.in copy local 8 block 64 MiB 8 as `scale` writes in place",
        "signal.out -> recorded.in zero_copy sealed 8 block 64 MiB 9 as the file says",
        "messages of signal.out together 28 4 KiB 1.76 GiB 1.76 GiB",
    ] {
        assert!(lines.iter().any(|printed| printed == line), "no `{line}` in\n{stdout}");
    }
}

#[test]
fn a_backends_settings_are_told_and_the_values_of_its_variables_are_not() {
    let plan = planned("tests/graphs/ok/everything.yaml");
    let backends = plan["backends"].as_array().unwrap();
    let ends = backends.iter().find(|backend| backend["name"] == "ends").unwrap();
    assert_eq!((&ends["cpu"], &ends["priority"], &ends["is_pack"]), (&0.into(), &(-5).into(), &true.into()));
    assert_eq!(ends["env"], serde_json::json!(["RUST_LOG", "THREADS"]));
    let restart = serde_json::json!({
        "when": "on_failure", "max_restarts": 5, "window_ms": 120_000, "backoff_ms": 500
    });
    assert_eq!(ends["restart"], restart);
    assert_eq!((&ends["startup_timeout_ms"], &ends["stall_timeout_ms"]), (&90_000.into(), &30_000.into()));
    assert_eq!(ends["on_exit"], "drain");
    let segments = plan["memory"].as_array().unwrap().iter().filter(|segment| segment["written_by"] == "ends");
    let at_most: Vec<_> = segments.map(|segment| segment["segments_at_most"].as_u64().unwrap()).collect();
    assert_eq!(at_most, [4, 4, 4, 1], "three outputs, and what it has taken");
    assert_eq!(ends["args"][0], "backend");
    assert!(ends["program"].as_str().unwrap().ends_with("packs/demo"), "{ends}");
    let nodes: Vec<&str> = ends["nodes"].as_array().unwrap().iter().map(|n| n["type"].as_str().unwrap()).collect();
    assert_eq!(nodes, ["demo/split", "demo/join", "null"]);
}

#[test]
fn every_plan_fits_its_schema() {
    let (_, schema, _) = ezrun(&["schema", "plan"]);
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let mut plans = 0;
    for dir in ["graphs", "tests/graphs/ok"] {
        let entries = std::fs::read_dir(project().join(dir)).unwrap().map(|entry| entry.unwrap().path());
        let graphs = entries.filter(|path: &PathBuf| path.extension().is_some_and(|e| e == "yaml"));
        // Those with packs that nobody has described are planned only once they are built.
        for path in graphs.filter(|path| !path.ends_with("examples.yaml")) {
            let plan = planned(path.to_str().unwrap());
            validator.validate(&plan).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            plans += 1;
        }
    }
    assert!(plans >= 9, "only {plans} plans");
}

#[test]
fn named_segments_and_params_are_those_of_the_command_line() {
    let (code, stdout, _) = ezrun(&["plan", "graphs/ecg.yaml", "--segments", "named", "--set", "rate=500"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("named segments: read-only by how they are mapped, not by the kernel"), "{stdout}");
    assert!(stdout.contains("zero_copy  named"), "{stdout}");
    let (code, stdout, stderr) = ezrun(&["plan", "graphs/ecg.yaml", "--set", "speed=500"]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.contains("schema/unknown-param"), "{stderr}");
}

#[test]
fn an_invalid_graph_has_findings_and_no_plan() {
    let (code, stdout, stderr) = ezrun(&["plan", "--format", "json", "tests/graphs/err/cycle.yaml"]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.starts_with("error[flow/cycle]: "), "{stderr}");
    assert!(stderr.ends_with("1 error in tests/graphs/err/cycle.yaml\n"), "{stderr}");
    let (code, _, stderr) = ezrun(&["plan", "nowhere.yaml"]);
    assert_eq!(code, 2);
    assert!(stderr.starts_with("error: cannot read nowhere.yaml"), "{stderr}");
}

#[test]
fn nodes_of_packs_that_nobody_has_described_are_no_plan() {
    let (_dir, path) = graph("ezrun: 1\npacks: { p: ./pack }\nnodes:\n  a: { use: p/thing }\n");
    let (code, stdout, stderr) = ezrun(&["plan", &path]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(
        stderr.ends_with("error: the graph has nodes of unknown types; `--allow-exec` asks their packs\n"),
        "{stderr}"
    );
}

#[test]
fn a_file_over_the_limit_is_planned_only_where_the_limit_is_raised() {
    let (_dir, path) = graph(&format!("{EVERY_WAY}{}", "#\n".repeat(600_000)));
    let (code, _, stderr) = ezrun(&["plan", &path]);
    assert!(code == 2 && stderr.contains("--max-file-size"), "{stderr}");
    let (code, _, stderr) = ezrun(&["plan", "--max-file-size", "2 MiB", &path]);
    assert_eq!(code, 0, "{stderr}");
}
