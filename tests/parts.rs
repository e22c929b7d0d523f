//! A file in the place of a node does what its nodes would do, written out in that place.

#![allow(clippy::unwrap_used, reason = "clippy allows it in test functions, but not in what they share")]

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

/// Reads the signal twice, writes into one of its copies, and records the other.
const PART: &str = r#"
ezrun: 1
params: { gain: , name: raw }
ports:
  inputs: { in: [louder, kept] }
  outputs: { out: louder.out }
nodes:
  louder: { use: scale, with: { gain: "${gain}" } }
  kept: { use: digest, with: { path: "out/${name}.txt" } }
"#;

/// Two of them, one after the other.
const CHAIN: &str = r#"
ezrun: 1
params: { first: 2 }
ports: { inputs: { in: one }, outputs: { out: two } }
nodes:
  one: { use: ./part.yaml, with: { gain: "${first}", name: one } }
  two: { use: ./part.yaml, with: { gain: 3, name: two } }
edges:
  - { from: one, to: two.in }
"#;

const PARTED: &str = r#"
ezrun: 1
nodes:
  wave: { use: sine, with: { rate: 250, channels: 3, frequency: 10, count: 40, block: 25 } }
  chain: { use: parts/chain.yaml, with: { first: 5 } }
  heard: { use: digest, with: { path: out/heard.txt } }
edges:
  - { from: wave, to: chain }
  - { from: chain.out, to: heard, zero_copy: true }
backends:
  together: [wave, chain/one/louder]
"#;

/// The same, written out.
const FLAT: &str = r#"
ezrun: 1
nodes:
  wave: { use: sine, with: { rate: 250, channels: 3, frequency: 10, count: 40, block: 25 } }
  one_louder: { use: scale, with: { gain: 5 } }
  one_kept: { use: digest, with: { path: parts/out/one.txt } }
  two_louder: { use: scale, with: { gain: 3 } }
  two_kept: { use: digest, with: { path: parts/out/two.txt } }
  heard: { use: digest, with: { path: out/heard.txt } }
edges:
  - { from: wave, to: one_louder }
  - { from: wave, to: one_kept }
  - { from: one_louder, to: two_louder }
  - { from: one_louder, to: two_kept }
  - { from: two_louder, to: heard, zero_copy: true }
backends:
  together: [wave, one_louder]
"#;

struct Bench(TempDir);

impl Bench {
    fn new(graph: &str) -> Self {
        let bench = Bench(TempDir::new().unwrap());
        std::fs::create_dir(bench.path("parts")).unwrap();
        for (name, text) in [("graph.yaml", graph), ("parts/part.yaml", PART), ("parts/chain.yaml", CHAIN)] {
            std::fs::write(bench.path(name), text).unwrap();
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn ezrun(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_ezrun")).args(args).current_dir(self.0.path()).output().unwrap()
    }

    /// Runs the graph to its good end, and returns the edges of the report.
    fn run(&self) -> Vec<Value> {
        let output = self.ezrun(&["run", "graph.yaml", "--report", "json=report.json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report: Value = serde_json::from_str(&std::fs::read_to_string(self.path("report.json")).unwrap()).unwrap();
        report["edges"].as_array().unwrap().clone()
    }

    fn outputs(&self) -> Vec<String> {
        let read = |name| std::fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        ["out/heard.txt", "parts/out/one.txt", "parts/out/two.txt"].map(read).to_vec()
    }
}

/// What an edge did, its names in the style of the flat graph.
fn account(edge: &Value) -> (String, String, Value, Value, u64, u64) {
    let name = |key: &str| edge[key].as_str().unwrap().replace("chain/", "").replace('/', "_");
    let count = |key: &str| edge[key].as_u64().unwrap();
    let made = count("copies") + count("moves");
    (name("from"), name("to"), edge["delivery"].clone(), edge["transport"].clone(), count("received"), made)
}

#[test]
fn a_graph_of_parts_runs_as_if_it_had_been_written_out_flat() {
    let (parted, flat) = (Bench::new(PARTED), Bench::new(FLAT));
    let sorted = |edges: Vec<Value>| {
        let mut accounts: Vec<_> = edges.iter().map(account).collect();
        accounts.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        accounts
    };
    assert_eq!(sorted(parted.run()), sorted(flat.run()));
    assert_eq!(parted.outputs(), flat.outputs());
    let [heard, one, two] = <[String; 3]>::try_from(parted.outputs()).unwrap();
    assert!(heard != one && one != two && heard != two, "each part had its own params, and its own copy");
}

#[test]
fn names_in_the_report_are_paths_through_the_parts() {
    let edges = Bench::new(PARTED).run();
    let to: Vec<&str> = edges.iter().map(|edge| edge["to"].as_str().unwrap()).collect();
    for name in ["chain/one/louder.in", "chain/one/kept.in", "chain/two/louder.in", "chain/two/kept.in", "heard.in"] {
        assert!(to.contains(&name), "{name} is missing in {to:?}");
    }
}

#[test]
fn a_part_is_checked_by_itself_and_refuses_to_run_by_itself() {
    let bench = Bench::new(PARTED);
    let checked = bench.ezrun(&["validate", "--deny-warnings", "parts/part.yaml", "parts/chain.yaml", "graph.yaml"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let ran = bench.ezrun(&["parts/part.yaml"]);
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(1), "{said}");
    for expected in
        ["parts/part.yaml:3:11", "the param `gain` has no value", "nothing is connected to the input `in` of `louder`"]
    {
        assert!(said.contains(expected), "no {expected:?} in\n{said}");
    }
    let given = bench.ezrun(&["validate", "parts/part.yaml", "--set", "gain=loud"]);
    assert!(String::from_utf8_lossy(&given.stdout).contains("the setting `gain` of `louder` is a number"));
}

#[test]
fn a_failure_inside_of_a_part_is_told_by_its_whole_name() {
    let bench = Bench::new(&PARTED.replace("{ first: 5 } }", "{ first: 5 } }\n  broken: { use: parts/reader.yaml }"));
    let reader = "ezrun: 1\nnodes:\n  file: { use: npy_source, with: { path: reader.yaml } }\n  end: { use: 'null' }\n\
                  edges:\n  - { from: file, to: end, zero_copy: true }\n";
    std::fs::write(bench.path("parts/reader.yaml"), reader).unwrap();
    let output = bench.ezrun(&["graph.yaml"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("node `broken/file`") && said.contains("parts/reader.yaml"), "{said}");
}

#[test]
fn parts_without_end_and_files_beyond_counting_are_refused_in_time() {
    let bench = Bench::new(PARTED);
    // Each level uses the next one ten times: a thousand uses are allowed, a million are not made.
    for level in 0..6 {
        let uses: String = (0..10).map(|i| format!("  n{i}: {{ use: ./level{}.yaml }}\n", level + 1)).collect();
        std::fs::write(bench.path(&format!("parts/level{level}.yaml")), format!("ezrun: 1\nnodes:\n{uses}")).unwrap();
    }
    std::fs::write(bench.path("parts/level6.yaml"), "ezrun: 1\nnodes: { a: { use: counter } }\n").unwrap();
    let output = bench.ezrun(&["validate", "parts/level0.yaml"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.matches("files are used more than 1000 times").count(), 1, "{said}");
}

/// A graph whose nodes are these files.
fn user_of(files: &[String]) -> String {
    let nodes: String = files.iter().enumerate().map(|(i, file)| format!("  n{i}: {{ use: {file} }}\n")).collect();
    format!("ezrun: 1\nnodes:\n{nodes}")
}

const SMALL: &str =
    "ezrun: 1\nnodes:\n  a: { use: timer }\n  b: { use: 'null' }\nedges:\n  - { from: a, to: b, zero_copy: true }\n";

/// What `validate` says of the graph `name`, which has an error.
fn refusal(bench: &Bench, name: &str) -> String {
    let output = bench.ezrun(&["validate", name]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

#[test]
fn parts_within_parts_are_refused_beyond_a_depth_and_not_before() {
    let bench = Bench::new(PARTED);
    for depth in 0..20 {
        std::fs::write(bench.path(&format!("{depth}.yaml")), user_of(&[format!("{}.yaml", depth + 1)])).unwrap();
    }
    std::fs::write(bench.path("20.yaml"), SMALL).unwrap();
    let said = refusal(&bench, "0.yaml");
    assert!(said.contains("error[schema/out-of-range]: files are nested deeper than 16\n --> 16.yaml:3:14"), "{said}");
    assert!(refusal(&bench, "3.yaml").contains("files are nested deeper than 16\n --> 19.yaml:3:14"));
    assert!(bench.ezrun(&["validate", "4.yaml"]).status.success());
}

#[test]
fn the_size_of_all_parts_together_is_bounded() {
    let bench = Bench::new(PARTED);
    for name in ["large1.yaml", "large2.yaml"] {
        std::fs::write(bench.path(name), format!("# {}\n{SMALL}", "x".repeat(600 << 10))).unwrap();
    }
    std::fs::write(bench.path("one.yaml"), user_of(&vec!["large1.yaml".to_owned(); 3])).unwrap();
    assert!(bench.ezrun(&["validate", "one.yaml"]).status.success(), "a file that is used again is no larger");
    std::fs::write(bench.path("two.yaml"), user_of(&["large1.yaml".to_owned(), "large2.yaml".to_owned()])).unwrap();
    let said = refusal(&bench, "two.yaml");
    assert!(said.contains("two.yaml:4:14") && said.contains("more than 1048576 bytes in all"), "{said}");

    let values = format!("{SMALL}# {}\nparams: {{ p: [{}] }}\n", "p: ${p}", "0, ".repeat(100_000));
    std::fs::write(bench.path("long.yaml"), values).unwrap();
    std::fs::write(bench.path("longer.yaml"), user_of(&vec!["long.yaml".to_owned(); 500])).unwrap();
    let said = refusal(&bench, "longer.yaml");
    assert!(said.contains("longer.yaml:6:14") && said.contains("more than 400000 values in all"), "{said}");
    assert_eq!(said.matches("in all").count(), 1);
}

#[test]
fn what_the_ports_and_names_of_parts_stand_for_together_is_bounded() {
    let bench = Bench::new(PARTED);
    let sinks: Vec<String> = (0..300).map(|i| format!("a{i}")).collect();
    let nodes: String = sinks.iter().map(|name| format!("  {name}: {{ use: merge }}\n")).collect();
    let part = format!("ezrun: 1\nports: {{ inputs: {{ in: [{}] }} }}\nnodes:\n{nodes}", sinks.join(", "));
    std::fs::write(bench.path("wide.yaml"), part).unwrap();
    let graph = |sources: usize, backends: usize| {
        let nodes: String = (0..sources).map(|i| format!("  s{i}: {{ use: counter }}\n")).collect();
        let edges: String = (0..sources).map(|i| format!("  - {{ from: s{i}, to: x, zero_copy: true }}\n")).collect();
        let backends: String = (0..backends).map(|i| format!("  b{i}: [x]\n")).collect();
        format!("ezrun: 1\nnodes:\n  x: {{ use: ./wide.yaml }}\n{nodes}edges:\n{edges}backends:\n{backends}")
    };
    std::fs::write(bench.path("edges.yaml"), graph(200, 1)).unwrap();
    let said = refusal(&bench, "edges.yaml");
    // 300 for each edge: the 167th is too many.
    assert!(said.contains("edges.yaml:371:23\n"), "{said}");
    assert_eq!(said.matches("stand for too many").count(), 1, "{said}");
    assert!(!said.contains("unconnected-input"), "{said}");
    std::fs::write(bench.path("backends.yaml"), graph(1, 200)).unwrap();
    assert_eq!(refusal(&bench, "backends.yaml").matches("stand for too many").count(), 1);
}

#[test]
fn a_part_that_is_no_file_is_not_waited_for() {
    let bench = Bench::new(&user_of(&["./pipe.yaml".to_owned()]));
    assert!(Command::new("mkfifo").arg(bench.path("pipe.yaml")).status().unwrap().success());
    let said = refusal(&bench, "graph.yaml");
    assert!(said.contains("error[environment/unreadable-file]: cannot read pipe.yaml: it is no file"), "{said}");
}

#[test]
fn a_pack_is_asked_once_however_many_parts_declare_it() {
    let uses = user_of(&vec!["parts/packed.yaml".to_owned(); 3]);
    let bench = Bench::new(&format!("{uses}  own: {{ use: own/thing }}\npacks: {{ own: parts/pack }}\n"));
    let packed = "ezrun: 1\npacks: { own: ./pack }\nnodes: { a: { use: own/thing } }\n";
    std::fs::write(bench.path("parts/packed.yaml"), packed).unwrap();
    let pack = bench.path("parts/pack");
    std::fs::write(&pack, "#!/bin/sh\necho asked >> parts/trace\necho '{\"ezrun_pack\": 1, \"types\": []}'\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&pack, mode).unwrap();
    let output = bench.ezrun(&["validate", "--allow-exec", "graph.yaml"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said.matches("the pack `own` has no node type `thing`").count(), 2, "once for each file: {said}");
    assert_eq!(std::fs::read_to_string(bench.path("parts/trace")).unwrap(), "asked\n");
}
