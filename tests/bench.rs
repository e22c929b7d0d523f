//! `ezrun bench`, through the real binary: every topology, delivery and place; counts, reports, comparisons, faults.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a condition is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder to work in, and one beside it for temporary files.
struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("tmp")).unwrap();
        Bench { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ezrun"));
        command.arg("bench").args(args).current_dir(self.dir.path());
        command.env("TMPDIR", self.path("tmp")).env("NO_COLOR", "1");
        command
    }

    /// Exit code, standard output and standard error.
    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let output = self.command(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// The report of a measurement, which fits the schema.
    fn measure(&self, args: &[&str]) -> Value {
        let (code, stdout, stderr) = self.run(&[args, &["--format", "json", "--quiet"]].concat());
        assert_eq!((code, stderr.as_str()), (0, ""), "{args:?}");
        let report: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(complaint(&report), None);
        report
    }

    fn write(&self, name: &str, report: &Value) {
        std::fs::write(self.path(name), report.to_string()).unwrap();
    }

    /// What lies in the folder for temporary files.
    fn left_over(&self) -> usize {
        std::fs::read_dir(self.path("tmp")).unwrap().count()
    }
}

fn complaint(report: &Value) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/bench.schema.json");
    let schema = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator.validate(report).err().map(|error| format!("{}: {error}", error.instance_path))
}

fn cases(report: &Value) -> &Vec<Value> {
    report["cases"].as_array().unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// What must be true of the figures of any run.
fn plausible(run: &Value) {
    for (name, figure) in run.as_object().unwrap() {
        assert!(number(figure) > 0.0, "{name} is {figure}");
    }
    let rising = ["latency_p50_ns", "latency_p99_ns", "latency_p999_ns", "latency_max_ns"];
    assert!(rising.map(|name| number(&run[name])).is_sorted(), "{run}");
    assert!(number(&run["first_message_ms"]) <= number(&run["exit_ms"]), "{run}");
}

/// Measures every delivery at every place, 20 messages from each source, of which `arrive` arrive at sinks.
fn every_way(topology: &[&str], arrive: f64) {
    let bench = Bench::new();
    let flags = ["--size", "100", "--messages", "20", "--runs", "1", "--place", "sealed,named,local"];
    let report = bench.measure(&[&["--topology"], topology, &flags].concat());
    let ways: Vec<(&str, &str)> = cases(&report)
        .iter()
        .map(|c| (c["case"]["delivery"].as_str().unwrap(), c["case"]["place"].as_str().unwrap()))
        .collect();
    let places = |delivery| [(delivery, "sealed"), (delivery, "named"), (delivery, "local")];
    assert_eq!(ways, [places("copy"), places("zero_copy")].concat());
    for case in cases(&report) {
        let run = &case["runs"][0];
        plausible(run);
        assert_eq!(number(&run["messages"]), arrive, "{case}");
        let payload = number(&run["bytes_per_s"]) / number(&run["messages_per_s"]);
        assert!((payload - 100.0).abs() < 1e-6, "{case}");
    }
    assert_eq!(bench.left_over(), 0);
}

#[test]
fn a_pair_is_measured_every_way() {
    every_way(&["pair"], 20.0);
}

#[test]
fn a_fan_out_sends_every_message_to_every_sink() {
    every_way(&["fan-out", "--clients", "3"], 60.0);
}

#[test]
fn a_fan_in_collects_from_every_source() {
    every_way(&["fan-in", "--clients", "3"], 60.0);
}

#[test]
fn a_chain_hands_every_message_on() {
    every_way(&["chain", "--clients", "4"], 20.0);
}

#[test]
fn a_relay_hands_every_message_of_every_source_to_every_sink() {
    every_way(&["relay", "--clients", "2"], 80.0);
}

#[test]
fn a_ping_pong_counts_round_trips() {
    every_way(&["ping-pong"], 20.0);
}

#[test]
fn several_pairs_run_side_by_side() {
    let report = Bench::new().measure(&[
        "--topology",
        "pair,ping-pong",
        "--clients",
        "2",
        "--size",
        "64",
        "--messages",
        "10",
        "--runs",
        "1",
        "--pin",
        "--prefault",
    ]);
    for case in cases(&report) {
        assert_eq!(number(&case["runs"][0]["messages"]), 20.0, "{case}");
        assert_eq!((&case["case"]["pinned"], &case["case"]["prefault"]), (&json!(true), &json!(true)));
    }
}

#[test]
fn large_messages_pass_however_much_of_them_is_touched_and_however_nodes_wait() {
    for (touch, written, read, wait) in
        [("ends", "ends", "ends", "block"), ("full/ends", "full", "ends", "busy"), ("full", "full", "full", "adaptive")]
    {
        let flags = ["--size", "16,1MiB", "--depth", "2", "--messages", "5", "--runs", "1", "--touch", touch];
        let report = Bench::new().measure(&[&flags[..], &["--wait", wait]].concat());
        let sizes: Vec<&Value> = cases(&report).iter().map(|case| &case["case"]["size_bytes"]).collect();
        assert_eq!(sizes, [16, 16, 1 << 20, 1 << 20]);
        for case in cases(&report) {
            plausible(&case["runs"][0]);
            let case = &case["case"];
            assert_eq!(case["touch"], json!({ "written": written, "read": read }));
            assert_eq!((&case["wait"], &case["depth"]), (&json!(wait), &json!(2)));
        }
    }
}

#[test]
fn a_paced_source_takes_its_time() {
    let flags = ["--size", "64", "--delivery", "copy", "--rate", "200", "--messages", "11", "--runs", "1"];
    let report = Bench::new().measure(&flags);
    let run = &cases(&report)[0]["runs"][0];
    assert!(number(&run["exit_ms"]) >= 50.0, "ten intervals of 5 ms: {run}");
    assert_eq!(number(&run["messages"]), 11.0);
}

#[test]
fn a_duration_is_kept_and_the_spread_is_that_of_the_runs() {
    let report = Bench::new().measure(&["--size", "64", "--delivery", "copy", "--duration", "30ms", "--runs", "3"]);
    let case = &cases(&report)[0];
    let runs = case["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 3);
    assert!(runs.iter().all(|run| number(&run["exit_ms"]) >= 30.0));
    for (name, spread) in case["figures"].as_object().unwrap() {
        let mut values: Vec<f64> = runs.iter().map(|run| number(&run[name])).collect();
        values.sort_by(f64::total_cmp);
        assert_eq!(["min", "median", "max"].map(|of| number(&spread[of])).to_vec(), values, "{name}");
    }
}

#[test]
fn runs_take_turns_and_the_table_has_a_row_for_each_bound() {
    let bench = Bench::new();
    let flags = ["--size", "64,4KiB", "--delivery", "zero_copy", "--messages", "5", "--runs", "2"];
    let (code, stdout, stderr) =
        bench.run(&[&flags[..], &["--format", "json=report.json", "--format", "text"]].concat());
    let turns = ["1 of 2: pair 64 B", "1 of 2: pair 4 KiB", "2 of 2: pair 64 B", "2 of 2: pair 4 KiB"];
    let turns = turns.map(|turn| format!("run {turn} zero_copy sealed\n"));
    assert_eq!((code, stderr), (0, turns.concat()));
    let starts: Vec<&str> = stdout.lines().map(|line| &line[..line.len().min(33)]).collect();
    let rows =
        ["pair 64 B zero_copy sealed   medi", "                             min ", "                             max "];
    assert_eq!(starts[1..4], rows, "{stdout}");
    assert_eq!(starts.len(), 7, "{stdout}");
    assert!(["messages/s", "p99.9", "CPU/million", "peak RSS"].iter().all(|title| stdout.contains(title)), "{stdout}");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(bench.path("report.json")).unwrap()).unwrap();
    assert_eq!((complaint(&report), cases(&report).len()), (None, 2));
}

#[test]
fn mistakes_name_their_place_and_the_way_out() {
    let bench = Bench::new();
    std::fs::write(bench.path("garbage.json"), "no json").unwrap();
    std::fs::write(bench.path("other.json"), r#"{"bench": 1, "ezrun": "0", "cpus": 1, "cases": [{}]}"#).unwrap();
    std::fs::write(bench.path("later.json"), r#"{"bench": 2, "ezrun": "0", "cpus": 1, "cases": []}"#).unwrap();
    std::fs::write(bench.path("empty.json"), r#"{"bench": 1, "ezrun": "0", "cpus": 1, "cases": []}"#).unwrap();
    let wrong: &[(&[&str], &[&str])] = &[
        (&["--size", "64,huge"], &["'huge'", "--size", "such as `4KiB`"]),
        (&["--size", "8"], &["--size", "16 bytes or more"]),
        (&["--size", "2GiB"], &["--size", "1 GiB or less"]),
        (&["--topology", "star"], &["'star'", "--topology", "fan-out"]),
        (&["--delivery", "view"], &["'view'", "`copy` or `zero_copy`"]),
        (&["--place", "moon"], &["'moon'", "sealed"]),
        (&["--touch", "ends/full"], &["'ends/full'", "`full`, `ends` or `full/ends`"]),
        (&["--wait", "never"], &["'never'", "possible values: block, adaptive, busy"]),
        (&["--clients", "0"], &["--clients", "1..=1024"]),
        (&["--topology", "chain", "--clients", "1"], &["--clients 1", "2 nodes or more"]),
        (&["--depth", "0"], &["--depth", "1..=65536"]),
        (&["--rate", "0"], &["--rate", "messages per second"]),
        (&["--messages", "1"], &["--messages", "from 2"]),
        (&["--duration", "0s"], &["--duration", "1ms to 1day"]),
        (&["--duration", "soon"], &["--duration", "such as `500ms`"]),
        (&["--messages", "5", "--duration", "1s"], &["--messages", "--duration", "cannot be used with"]),
        (&["--runs", "0"], &["--runs", "1..=1000"]),
        (&["--format", "xml"], &["`xml`", "text and json"]),
        (&["--format", "json=none/report.json"], &["none/report.json", "cannot write"]),
        (&["--compare", "garbage.json"], &["--compare", "2 values"]),
        (&["--compare", "none.json", "empty.json"], &["cannot read none.json"]),
        (&["--compare", "garbage.json", "empty.json"], &["garbage.json is no report", "--format json=PATH"]),
        (&["--compare", "empty.json", "other.json"], &["other.json is no report", "cases[0]", "`case`"]),
        (&["--compare", "later.json", "empty.json"], &["later.json has form 2", "--format json=PATH"]),
        (&["--compare", "empty.json", "empty.json"], &["no case in common", "same flags"]),
        (&["--runs", "2", "--compare", "empty.json", "empty.json"], &["--compare", "cannot be used with"]),
    ];
    for (args, said) in wrong {
        let (code, stdout, stderr) = bench.run(args);
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}: {stderr}");
        assert!(said.iter().all(|words| stderr.contains(words)), "{args:?}: {stderr}");
    }
}

#[test]
fn a_run_too_short_for_a_rate_says_so() {
    let flags = ["--size", "64", "--delivery", "copy", "--rate", "1", "--duration", "1ms", "--runs", "1", "--quiet"];
    let (code, _, stderr) = Bench::new().run(&flags);
    let said = "error: pair 64 B copy sealed: a sink received fewer than two messages: give a longer `--duration` or a \
                higher `--rate`\n";
    assert_eq!((code, stderr.as_str()), (2, said));
}

/// A report of one case whose figures are all `scale`, 10 % up and down.
fn report_of(template: &Value, scale: f64) -> Value {
    let mut report = template.clone();
    for (_, spread) in report["cases"][0]["figures"].as_object_mut().unwrap() {
        *spread = json!({ "median": scale, "min": scale * 0.9, "max": scale * 1.1 });
    }
    report
}

#[test]
fn a_comparison_tells_faster_from_slower_and_both_from_noise() {
    let bench = Bench::new();
    let flags = ["--size", "64", "--delivery", "copy", "--messages", "5"];
    let template = bench.measure(&[&flags[..], &["--runs", "2"]].concat());
    for (name, scale) in [("old.json", 1000.0), ("more.json", 2000.0), ("near.json", 1050.0)] {
        bench.write(name, &report_of(&template, scale));
    }
    let rows = |old: &str, new: &str| -> Vec<String> {
        let (code, stdout, stderr) = bench.run(&["--compare", old, new]);
        assert_eq!((code, stderr.as_str()), (0, ""));
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        stdout.lines().skip(1).map(words).collect()
    };
    assert_eq!(
        rows("old.json", "more.json"),
        [
            "pair 64 B copy sealed messages/s faster 1.00 k 2.00 k 2.00 1.64 to 2.44",
            "p50 slower 1.00 µs 2.00 µs 2.00 1.64 to 2.44",
            "p99 slower 1.00 µs 2.00 µs 2.00 1.64 to 2.44",
            "CPU/million slower 1000 s 2000 s 2.00 1.64 to 2.44",
        ]
    );
    assert!(rows("more.json", "old.json")[0].contains("messages/s slower"));
    assert!(rows("more.json", "old.json")[1].contains("p50 faster"));
    assert!(rows("old.json", "near.json").iter().all(|row| row.contains("within noise")));

    bench.write("once.json", &bench.measure(&[&flags[..], &["--runs", "1"]].concat()));
    assert!(rows("old.json", "once.json").iter().all(|row| row.contains("one run")));
}

#[test]
fn a_comparison_names_what_only_one_report_has() {
    let bench = Bench::new();
    let report = bench.measure(&["--size", "64,128", "--delivery", "copy", "--messages", "5", "--runs", "1"]);
    let mut shorter = report.clone();
    shorter["cases"].as_array_mut().unwrap().pop();
    // For however long it was measured, it is the same case.
    shorter["cases"][0]["case"]["amount"] = json!({ "duration_ms": 100 });
    bench.write("both.json", &report);
    bench.write("one.json", &shorter);
    let (code, stdout, stderr) = bench.run(&["--compare", "both.json", "one.json"]);
    assert_eq!((code, stderr.as_str()), (0, "only in both.json: pair 128 B copy sealed\n"));
    assert_eq!(stdout.lines().count(), 5, "{stdout}");
}

/// Starts a measurement that would take a minute.
fn start_long(bench: &Bench) -> Child {
    let flags = ["--size", "64", "--delivery", "copy", "--duration", "60s", "--runs", "1", "--quiet"];
    bench.command(&flags).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The two backends of a measurement, once it has started them.
fn backends_of(ezrun: &Child) -> Vec<Pid> {
    let (pid, deadline) = (ezrun.id(), Instant::now() + PATIENCE);
    loop {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        let children = children.split_whitespace().map(|pid| pid.parse().unwrap());
        let children: Vec<Pid> = children.filter_map(Pid::from_raw).collect();
        if children.len() == 2 {
            return children;
        }
        assert!(Instant::now() < deadline, "no backends were started");
        std::thread::yield_now();
    }
}

#[test]
fn an_interrupted_measurement_has_no_figures_and_leaves_nothing() {
    let bench = Bench::new();
    let child = start_long(&bench);
    backends_of(&child);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert_eq!(stderr, "error: pair 64 B copy sealed: interrupted\n");
    assert_eq!((output.stdout.len(), bench.left_over()), (0, 0));
}

#[test]
fn a_killed_node_ends_the_measurement_by_name() {
    let bench = Bench::new();
    let child = start_long(&bench);
    kill_process(backends_of(&child)[1], Signal::KILL).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("`sink0`"), "{stderr}");
    assert_eq!((output.stdout.len(), bench.left_over()), (0, 0));
}

#[test]
fn nobody_else_can_use_its_node_types() {
    let bench = Bench::new();
    let ezrun = |args: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_ezrun")).args(args).current_dir(bench.dir.path()).output().unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, listed) = ezrun(&["nodes"]);
    assert!(code == 0 && listed.contains("counter") && !listed.contains("bench"), "{listed}");
    let graph = "ezrun: 1\nnodes:\n  a: { use: bench_umpire }\n  b: { use: null }\nedges: [{ from: a, to: b }]\n";
    std::fs::write(bench.path("graph.yaml"), graph).unwrap();
    let (code, said) = ezrun(&["graph.yaml"]);
    assert!(code == 1 && said.contains("schema/unknown-type"), "{said}");
}
