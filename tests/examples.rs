//! The packs of `examples/`: by themselves, and in the graph that ships with them, run by the real binary.

use ezrun::message::{Buffer, Capture, DType, Metadata, Owned, TensorSpec};
use ezrun::node::{InputId, NodeType, testing::Harness};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use tempfile::TempDir;

#[allow(dead_code, reason = "their main is that of a pack")]
#[path = "../examples/pack1_transform.rs"]
mod pack1_transform;
#[allow(dead_code, reason = "as above")]
#[path = "../examples/pack2_source.rs"]
mod pack2_source;
#[allow(dead_code, reason = "as above")]
#[path = "../examples/pack3_two_inputs.rs"]
mod pack3_two_inputs;
#[allow(dead_code, reason = "as above")]
#[path = "../examples/pack4_own_loop.rs"]
mod pack4_own_loop;
#[allow(dead_code, reason = "as above")]
#[path = "../examples/pack5_owned_beside_view.rs"]
mod pack5_owned_beside_view;

const PACKS: [&str; 5] =
    ["pack1_transform", "pack2_source", "pack3_two_inputs", "pack4_own_loop", "pack5_owned_beside_view"];
const GRAPH: &str = include_str!("../graphs/examples.yaml");
const BEATS: usize = 40;

/// A folder with a graph file, where its results go too.
struct Bench(TempDir);

impl Bench {
    fn new(graph: &str) -> Self {
        // Beside the packs, so that they can be linked into it.
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::write(folder.path().join("graph.yaml"), graph).unwrap();
        Bench(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `ezrun VERB graph.yaml ARGS`, with the packs in `packs`.
    fn ezrun_with(&self, packs: &Path, verb: &str, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ezrun"));
        command.args([verb, "graph.yaml"]).args(args).current_dir(self.0.path()).env("EZRUN_EXAMPLES", packs);
        command.output().unwrap()
    }

    fn run(&self, args: &[&str]) -> Output {
        self.ezrun_with(&built_packs(), "run", args)
    }

    /// Runs the graph, which must end well, and returns the report.
    fn report(&self, args: &[&str]) -> Value {
        let args = [&["--report", "json=report.json"], args].concat();
        let output = self.run(&args);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        serde_json::from_slice(&std::fs::read(self.file("report.json")).unwrap()).unwrap()
    }

    /// A CSV file that the graph wrote, without its names.
    fn rows(&self, name: &str) -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(self.file("out/examples").join(name)).unwrap();
        text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
    }

    /// Its second column.
    fn numbers(&self, name: &str) -> Vec<f64> {
        self.rows(name).iter().map(|row| row[1].parse().unwrap()).collect()
    }
}

/// Where cargo builds examples to: beside the binary. `cargo test` builds them, `cargo test --test examples` does not.
fn built_packs() -> PathBuf {
    let packs = Path::new(env!("CARGO_BIN_EXE_ezrun")).with_file_name("examples");
    assert!(packs.join(PACKS[4]).exists(), "build the packs first: cargo build --examples");
    packs
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A block of one channel at 10 Hz whose first sample is number `first`.
fn block(first: usize, samples: &[f64]) -> Owned {
    let metadata = Arc::new(Metadata::tensor(TensorSpec::signal(DType::F64, 10.0, 1)));
    let payload = Buffer::from_slice(bytemuck::cast_slice(samples));
    Owned::new(metadata, payload, Capture::stream_seconds(first as f64 / 10.0))
}

fn harness(node_type: &NodeType, settings: Value) -> Harness {
    Harness::new(node_type, settings).unwrap()
}

fn samples(messages: &[Owned]) -> Vec<Vec<f64>> {
    messages.iter().map(|message| message.tensor().unwrap().to_f64()).collect()
}

#[test]
fn rectify_reads_a_view_and_leaves_it_as_it_was() {
    for (half, expected) in [(false, [1.0, 2.0, 3.0]), (true, [1.0, 0.0, 3.0])] {
        let mut node = harness(&pack1_transform::node_type(), json!({ "half": half }));
        let message = block(7, &[1.0, -2.0, 3.0]);
        node.show(InputId(0), &message).unwrap();
        let sent = node.sent(0);
        assert_eq!(samples(&sent), [expected]);
        assert_eq!(sent[0].header.capture, message.header.capture);
        assert!(Arc::ptr_eq(&sent[0].metadata, &message.metadata));
        assert_eq!(samples(&[message]), [[1.0, -2.0, 3.0]]);
    }
}

#[test]
fn heartbeat_beats_at_its_rate_and_inverts_every_tenth() {
    let settings = json!({ "rate": 500, "bpm": 75, "block": 100, "count": 120, "ectopic": 10 });
    let mut node = harness(&pack2_source::node_type(), settings);
    node.produce(1000).unwrap();
    let sent = node.sent(0);
    assert_eq!(sent.len(), 120);
    assert_eq!(sent[3].header.capture, Capture::stream_seconds(0.6));
    let signal: Vec<f64> = samples(&sent).concat();
    let is_peak = |w: &[f64]| w[1].abs() > 0.8 && w[1].abs() > w[0].abs() && w[1].abs() >= w[2].abs();
    let peaks: Vec<bool> = signal.windows(3).filter(|w| is_peak(w)).map(|w| w[1] > 0.0).collect();
    assert_eq!(peaks.len(), 30, "24 seconds at 75 to the minute");
    assert!(peaks.iter().enumerate().all(|(i, &upright)| upright == ((i + 1) % 10 != 0)), "{peaks:?}");
}

#[test]
fn heartbeat_takes_its_time_where_it_is_told_to() {
    let settings = json!({ "rate": 1000, "bpm": 60, "block": 20, "count": 2, "realtime": true });
    let mut node = harness(&pack2_source::node_type(), settings);
    let began = std::time::Instant::now();
    node.produce(10).unwrap();
    assert!(began.elapsed().as_millis() >= 40);
}

#[test]
fn subtract_pairs_blocks_by_time_whatever_comes_first() {
    let (signal, estimate) = (InputId(0), InputId(1));
    let (a, b) = ([block(0, &[5.0, 6.0]), block(2, &[7.0, 8.0])], [block(0, &[1.0, 1.0]), block(2, &[2.0, 3.0])]);
    for order in [[0, 1, 2, 3], [2, 3, 0, 1], [0, 2, 3, 1], [2, 0, 1, 3]] {
        let mut node = harness(&pack3_two_inputs::node_type(), json!({}));
        for step in order {
            match step {
                0 | 1 => node.send(signal, a[step].clone()).unwrap(),
                _ => node.show(estimate, &b[step - 2]).unwrap(),
            };
        }
        assert_eq!(samples(&node.sent(0)), [[4.0, 5.0], [5.0, 5.0]], "in the order {order:?}");
    }
}

#[test]
fn subtract_passes_over_a_block_whose_partner_is_missing() {
    let mut node = harness(&pack3_two_inputs::node_type(), json!({}));
    node.send(InputId(0), block(0, &[5.0])).unwrap();
    node.send(InputId(0), block(1, &[6.0])).unwrap();
    node.show(InputId(1), &block(1, &[1.0])).unwrap();
    assert_eq!(samples(&node.sent(0)), [[5.0]]);
    node.show(InputId(1), &block(2, &[1.0, 1.0])).unwrap();
    let error = node.send(InputId(0), block(2, &[1.0])).unwrap_err();
    assert_eq!(error.to_string(), "a block of [1, 1] and one of [2, 1] differ");
}

#[test]
fn novelty_takes_away_the_median_of_the_sweeps_that_it_holds() {
    let sweeps = [[1.0, 1.0], [2.0, 1.0], [9.0, 1.0], [2.0, 5.0], [2.0, 1.0]];
    let numbered = sweeps.iter().enumerate().map(|(i, sweep)| {
        let mut message = block(2 * i, sweep);
        message.header.sequence = i as u64;
        message
    });
    let both = numbered.flat_map(|message| [(InputId(0), message.clone()), (InputId(1), message)]);
    let mut node = harness(&pack4_own_loop::node_type(), json!({ "sweeps": 3 }));
    node.run(both.collect()).unwrap();
    assert_eq!(samples(&node.sent(0)), [[0.0, 0.0], [0.5, 0.0], [7.0, 0.0], [0.0, 4.0], [0.0, 0.0]]);
}

#[test]
fn level_writes_into_its_own_and_only_looks_at_a_view() {
    use pack5_owned_beside_view::Change;
    let mut node = harness(&pack5_owned_beside_view::node_type(), json!({}));
    let (first, second) = (block(0, &[1.0, 3.0]), block(2, &[4.0, 6.0]));
    for message in [&first, &second] {
        node.send(InputId(0), message.clone()).unwrap();
        node.show(InputId(1), message).unwrap();
    }
    assert_eq!(samples(&node.sent(0)), [[-1.0, 1.0], [-1.0, 1.0]]);
    node.send(InputId(1), second).unwrap();
    let changes: Vec<Change> =
        node.sent(1).into_iter().map(|m| ezrun::message::Received::Owned(m).record().unwrap()).collect();
    let moved = Change { time_s: 0.2, moved: 3.0, distance: 3.0, viewed: true };
    assert_eq!(changes[0], Change { time_s: 0.0, moved: 0.0, distance: 0.0, viewed: true });
    assert_eq!(changes[1..], [moved.clone(), Change { viewed: false, ..moved }]);
}

#[test]
fn the_graph_finds_the_odd_beats_and_the_baseline() {
    let bench = Bench::new(GRAPH);
    let report = bench.report(&[]);
    assert!(report["nodes"].as_array().unwrap().iter().all(|node| node["status"] == "finished"), "{report}");

    let novel = bench.numbers("novel.csv");
    assert_eq!(novel.len(), BEATS * 250);
    let high: Vec<f64> = novel.chunks(250).map(|beat| beat.iter().copied().fold(0.0, f64::max)).collect();
    for (beat, high) in high.iter().enumerate() {
        let odd = (beat + 1) % 10 == 0;
        assert!(if odd { *high > 1.5 } else { *high < 0.3 }, "beat {beat} has {high}");
    }

    let settings = json!({ "rate": 250, "bpm": 60, "block": 250, "count": BEATS, "wander": 0.1, "ectopic": 10 });
    let mut heart = harness(&pack2_source::node_type(), settings);
    heart.produce(BEATS).unwrap();
    let baseline = bench.numbers("baseline.csv");
    assert_eq!(baseline.len(), BEATS * 250);
    for (made, found) in samples(&heart.sent(0)).iter().zip(baseline.chunks(250)) {
        let mean = made.iter().sum::<f64>() / 250.0;
        assert!(found.iter().all(|x| (x - mean).abs() < 1e-12), "mean {mean}, found {}", found[0]);
    }

    let changes = bench.rows("changes.csv");
    assert_eq!(changes.len(), BEATS);
    assert_eq!(changes[0], ["0", "0", "0", "true"]);
    assert!(changes.iter().all(|row| row[3] == "true"));
}

#[test]
fn every_edge_of_the_graph_delivers_as_it_says_and_drops_nothing() {
    let bench = Bench::new(GRAPH);
    let report = bench.report(&["--max-drops", "0"]);
    let edges = report["edges"].as_array().unwrap();
    assert_eq!(edges.len(), 10);
    for edge in edges {
        let count = |name: &str| edge[name].as_u64().unwrap();
        assert_eq!([count("sent"), count("received"), count("dropped"), count("in_flight")], [40, 40, 0, 0], "{edge}");
        let delivered = [count("copies"), count("moves"), count("views")];
        match edge["delivery"].as_str().unwrap() {
            "copy" => assert_eq!((delivered, count("copied_bytes")), ([40, 0, 0], 40 * 2000), "{edge}"),
            _ => assert_eq!((delivered, count("copied_bytes")), ([0, 0, 40], 0), "{edge}"),
        }
    }
}

#[test]
fn copies_in_place_of_views_change_no_result() {
    let (views, copies) = (Bench::new(GRAPH), Bench::new(&copying_graph()));
    views.report(&[]);
    let report = copies.report(&[]);
    let edges = report["edges"].as_array().unwrap();
    assert_eq!(edges.iter().filter(|edge| edge["delivery"] == "zero_copy").count(), 1);
    for name in ["novel.csv", "baseline.csv"] {
        assert!(views.rows(name) == copies.rows(name), "{name} differs");
    }
    for (seen, copied) in views.rows("changes.csv").iter().zip(copies.rows("changes.csv")) {
        assert_eq!(seen[..3], copied[..3]);
        assert_eq!((seen[3].as_str(), copied[3].as_str()), ("true", "false"));
    }
}

/// The graph with copies on all edges but the one whose consumer asks for views.
fn copying_graph() -> String {
    let lines = GRAPH.lines().map(|line| match line.contains("novel.history") {
        true => line.to_owned(),
        false => line.replace(", zero_copy: true", ""),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_program_that_asks_for_views_is_refused_before_the_start_where_the_edge_copies() {
    let bench = Bench::new(&GRAPH.replace("novel.history, zero_copy: true", "novel.history"));
    let output = bench.run(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("asks for views at `novel.history`"), "{}", stderr(&output));
}

#[test]
fn settings_that_a_pack_refuses_name_the_node_and_the_setting() {
    let bench = Bench::new(&GRAPH.replace("bpm: 60", "bpm: 300"));
    let output = bench.run(&["--set", "rate=50"]);
    assert_ne!(output.status.code(), Some(0));
    let text = stderr(&output);
    assert!(text.contains("heart") && text.contains("`rate`"), "{text}");
    assert!(text.contains("a beat has 10.0 samples, and needs 20"), "{text}");
}

/// The graph with a setting out of range, a port that is not there, and a view where the node writes in place.
fn faulty_graph() -> String {
    GRAPH
        .replace("sweeps: 7", "sweeps: 99")
        .replace("novel.newest", "novel.latest")
        .replace("to: level.signal }", "to: level.signal, zero_copy: true }")
}

#[test]
fn saved_descriptions_check_a_graph_as_fully_as_running_the_packs() {
    for (graph, code) in [(GRAPH.to_owned(), 0), (faulty_graph(), 1)] {
        let bench = Bench::new(&graph);
        let packs = bench.file("packs");
        std::fs::create_dir(&packs).unwrap();
        for pack in PACKS {
            std::fs::hard_link(built_packs().join(pack), packs.join(pack)).unwrap();
        }
        let unsaved = bench.ezrun_with(&packs, "validate", &[]);
        assert!(String::from_utf8_lossy(&unsaved.stdout).contains("describe --save"), "{unsaved:?}");

        for pack in PACKS {
            let saved = Command::new(packs.join(pack)).args(["describe", "--save"]).output().unwrap();
            assert!(saved.status.success(), "{saved:?}");
            let described = Command::new(packs.join(pack)).arg("describe").output().unwrap();
            let beside = std::fs::read(packs.join(format!("{pack}.ezrun.json"))).unwrap();
            let read = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap();
            assert_eq!(read(&described.stdout), read(&beside));
            assert_eq!(read(&beside)["types"].as_array().unwrap().len(), 1);
        }
        let saved = bench.ezrun_with(&packs, "validate", &["--deny-warnings"]);
        let asked = bench.ezrun_with(&packs, "validate", &["--deny-warnings", "--allow-exec"]);
        assert_eq!(saved.status.code(), Some(code), "{}", String::from_utf8_lossy(&saved.stdout));
        assert_eq!(asked.status.code(), Some(code));
        assert_eq!(String::from_utf8_lossy(&saved.stdout), String::from_utf8_lossy(&asked.stdout));
    }
}

#[test]
fn the_faults_of_a_graph_with_packs_are_all_found() {
    let bench = Bench::new(&faulty_graph());
    let output = bench.ezrun_with(&built_packs(), "validate", &["--allow-exec"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for expected in ["the setting `sweeps` of `novel` is 99", "latest", "`level` writes into what it receives"] {
        assert!(text.contains(expected), "no {expected:?} in\n{text}");
    }
}

/// A beat of too few samples: what the schema of the settings cannot say.
#[test]
fn settings_that_only_the_pack_can_judge_are_refused_before_anything_starts() {
    let graph = GRAPH.replace("params: { rate: 250,", "params: { rate: 15,");
    let bench = Bench::new(&graph);
    let validated = bench.ezrun_with(&built_packs(), "validate", &["--allow-exec"]);
    let ran = bench.ezrun_with(&built_packs(), "run", &[]);
    for (output, text) in [(&validated, &validated.stdout), (&ran, &ran.stderr)] {
        let text = String::from_utf8_lossy(text);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("error[schema/bad-setting]: the setting `rate`"), "{text}");
        assert!(text.contains("raise `rate` or lower `bpm`"), "{text}");
    }
}

#[test]
fn a_pack_judges_settings_by_the_signal_that_comes_in() {
    let graph = |names: &str, channels: u32| {
        format!(
            "ezrun: 1\npacks: {{ strange: \"${{env:EZRUN_EXAMPLES}}/faults\" }}\nnodes:\n  \
             hum: {{ use: sine, with: {{ rate: 250, channels: {channels}, count: 4 }} }}\n  \
             named: {{ use: strange/picky, with: {{ names: {names} }} }}\nedges:\n  \
             - {{ from: hum, to: named, zero_copy: true }}\n"
        )
    };
    for (names, channels, found) in [
        ("[left, right]", 2, None),
        (
            "[left, right]",
            3,
            Some("error[types/setting-mismatch]: the setting `names` of `named`: there are 3 channels"),
        ),
        ("[]", 3, Some("error[schema/bad-setting]: the setting `names` of `named`: there is no name")),
    ] {
        let bench = Bench::new(&graph(names, channels));
        let validated = bench.ezrun_with(&built_packs(), "validate", &["--allow-exec"]);
        let ran = bench.ezrun_with(&built_packs(), "run", &[]);
        for (output, text) in [(&validated, &validated.stdout), (&ran, &ran.stderr)] {
            let text = String::from_utf8_lossy(text);
            assert_eq!(output.status.code(), Some(i32::from(found.is_some())), "{text}");
            assert_eq!(text.matches("error[").count(), usize::from(found.is_some()), "{text}");
            assert!(text.contains(found.unwrap_or_default()), "{text}");
        }
    }
}

#[test]
fn a_pack_that_is_started_by_hand_says_what_it_is() {
    for pack in PACKS {
        let output = Command::new(built_packs().join(pack)).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{pack}");
        assert!(output.stdout.is_empty());
        assert!(stderr(&output).starts_with("this is a pack of node types for ezrun"), "{}", stderr(&output));
        assert!(stderr(&output).contains("describe [--save]"), "{}", stderr(&output));
    }
}

/// A signal over a window of 20 of its blocks, and past it, to a node that takes both in turn.
fn graph_in_turn(queue: u32) -> String {
    format!(
        "ezrun: 1\npacks: {{ four: \"${{env:EZRUN_EXAMPLES}}/pack4_own_loop\" }}\nnodes:\n  \
         wave: {{ use: sine, with: {{ rate: 250, block: 25, count: 60 }} }}\n  \
         long: {{ use: window, with: {{ length: 2 s, hop: 100 ms }} }}\n  \
         novel: {{ use: four/novelty, with: {{ sweeps: 3 }} }}\n  end: {{ use: null }}\nedges:\n  \
         - {{ from: wave, to: long, zero_copy: true }}\n  \
         - {{ from: long, to: novel.history, zero_copy: true }}\n  \
         - {{ from: wave, to: novel.newest, queue: {queue} }}\n  - {{ from: novel, to: end, zero_copy: true }}\n"
    )
}

#[test]
fn a_deadlock_is_warned_of_exactly_where_a_run_would_stall() {
    for (queue, stalls) in [(18, true), (19, false)] {
        let bench = Bench::new(&graph_in_turn(queue));
        let validated = bench.ezrun_with(&built_packs(), "validate", &["--allow-exec"]);
        let text = String::from_utf8_lossy(&validated.stdout).into_owned();
        assert_eq!(text.contains("warning[flow/deadlock]"), stalls, "{text}");
        assert_eq!(text.contains("write `queue: 19` or more"), stalls, "{text}");

        // The end of the source is not waited for where it stalls, since it never comes.
        let time = if stalls { "1s" } else { "1h" };
        let output = bench.run(&["--report", "json=report.json", "--stop-after", time, "--grace", "100ms"]);
        let report: Value = serde_json::from_slice(&std::fs::read(bench.file("report.json")).unwrap()).unwrap();
        let edges = report["edges"].as_array().unwrap();
        let last = edges.iter().find(|edge| edge["from"] == "novel.out").unwrap();
        let expected = if stalls { 0 } else { 41 };
        assert_eq!(last["received"], json!(expected), "{queue}: {}", stderr(&output));
    }
}

#[test]
fn views_that_are_kept_take_no_place_in_the_queue() {
    let bench = Bench::new(
        "ezrun: 1\npacks: { four: \"${env:EZRUN_EXAMPLES}/pack4_own_loop\" }\nnodes:\n  \
         wave: { use: sine, with: { rate: 250, block: 25, count: 60 } }\n  \
         novel: { use: four/novelty, with: { sweeps: 15 } }\n  end: { use: null }\nedges:\n  \
         - { from: wave, to: novel.history, zero_copy: true, queue: 1 }\n  \
         - { from: wave, to: novel.newest, queue: 1 }\n  - { from: novel, to: end, zero_copy: true }\n",
    );
    let report = bench.report(&[]);
    let edges = report["edges"].as_array().unwrap();
    assert!(edges.iter().all(|edge| edge["received"] == json!(60)), "{report:#}");
    let validated = bench.ezrun_with(&built_packs(), "validate", &["--allow-exec", "--deny-warnings"]);
    assert_eq!(validated.status.code(), Some(0), "{}", String::from_utf8_lossy(&validated.stdout));
}
