//! What a run says of itself: the report, the table, log lines, contracts, refusals of the command line.

use crate::support::{TRANSPORTS, TestGraph, Transport, output};
use serde_json::Value;

#[test]
fn the_report_has_every_name_and_a_copying_edge_shows_copies_or_moves_and_no_views() {
    for transport in TRANSPORTS {
        let run = TestGraph::over(transport)
            .node("numbers", "counter", "count: 70, bytes: 100")
            .node("a", "check", "")
            .node("b", "check", "")
            .edge("numbers", "a", "zero_copy: true")
            .edge("numbers", "b", "")
            .succeed();
        assert_eq!(run.report["exit_code"], 0);
        for key in ["name", "type", "backend", "pid", "status"] {
            assert!(!run.node("a")[key].is_null(), "{key} is missing");
        }
        let (view, copy) = (run.edge("numbers.out", "a.in"), run.edge("numbers.out", "b.in"));
        for edge in [view, copy] {
            for key in ["sent", "received", "dropped", "in_flight", "copies", "copied_bytes", "moves", "views"] {
                assert!(edge[key].is_u64(), "{key} is missing in {edge}");
            }
            for key in ["p50", "p99", "max"] {
                assert!(edge["latency_ns"][key].as_u64().unwrap() > 0, "{key} is missing in {edge}");
            }
            assert_eq!(edge["transport"], transport.name());
        }
        assert_eq!((&view["delivery"], &view["views"], &view["copies"]), (&"zero_copy".into(), &70.into(), &0.into()));
        assert_eq!((&copy["delivery"], &copy["views"], &copy["copies"]), (&"copy".into(), &0.into(), &70.into()));
        assert_eq!(copy["copied_bytes"], 7000);
    }
}

#[test]
fn the_last_owner_inside_one_backend_receives_by_move() {
    let run = TestGraph::over(Transport::Local)
        .node("numbers", "counter", "count: 70, bytes: 100")
        .node("a", "check", "")
        .edge("numbers", "a", "")
        .succeed();
    let edge = run.edge("numbers.out", "a.in");
    assert_eq!(
        (edge["moves"].as_u64(), edge["copies"].as_u64(), edge["copied_bytes"].as_u64()),
        (Some(70), Some(0), Some(0))
    );
}

#[test]
fn the_table_shows_the_same_as_the_report() {
    let run = TestGraph::new()
        .node("numbers", "counter", "count: 70, bytes: 100")
        .node("b", "check", "")
        .edge("numbers", "b", "")
        .succeed();
    let row = run.stderr.lines().find(|line| line.starts_with("numbers.out -> b.in")).unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells[3..12], ["copy", "sealed", "70", "70", "0", "0", "70", "7000", "0"], "{row}");
    assert!(!run.stderr.contains("restarts:"), "nothing was started again: {}", run.stderr);
    assert_eq!(run.stdout, "", "standard output belongs to the stdout sink alone");
}

#[test]
fn log_lines_carry_the_name_of_their_node_and_no_terminal_codes() {
    let graph = TestGraph::new()
        .node("numbers", "counter", "count: 2")
        .node("talks", "faults/talker", "")
        .edge("numbers", "talks", "");
    let run = graph.run(&["--log-level", "debug"]);
    for line in [
        "talks | printed 1",
        "talks | complained 1 in red",
        "talks | logged sequence=1",
        "talks | debug: whispered sequence=1",
    ] {
        assert!(run.stderr.lines().any(|l| l == line), "{line:?} is missing in:\n{}", run.stderr);
    }
    let run = graph.run(&[]);
    assert!(!run.stderr.contains("whispered"), "debug lines are off by default");
    let run = graph.run(&["--quiet"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
}

#[test]
fn more_drops_than_allowed_break_the_contract_with_exit_code_4() {
    let graph = TestGraph::new()
        .node("numbers", "counter", "count: 100")
        .node("late", "faults/latecomer", "")
        .edge("numbers", "late.in", "queue: 3, overflow: drop_oldest")
        .edge("numbers", "late.gate", "queue: 1000");
    graph.run(&["--max-drops", "0"]).assert_failed(4, &["97 messages were dropped", "97 on numbers.out -> late.in"]);
    assert_eq!(graph.run(&["--max-drops", "97"]).code, Some(0));
}

#[test]
fn the_command_line_is_checked_with_exit_code_2() {
    let cases: [(&[&str], &str); 7] = [
        (&["/no/such/graph.yaml"], "/no/such/graph.yaml"),
        (&["g.yaml", "--set", "rate"], "name=value"),
        (&["g.yaml", "--report", "xml=x"], "json=PATH"),
        (&["g.yaml", "--stop-after", "soon"], "--stop-after"),
        (&["g.yaml", "--segments", "paper"], "paper"),
        (&["g.yaml", "--no-such-flag"], "--no-such-flag"),
        (&["."], "directory"),
    ];
    for (args, words) in cases {
        let output = output(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains(words), "{words:?} is missing in: {stderr}");
    }
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_the_run() {
    let graph = TestGraph::new().node("numbers", "counter", "count: 1").node(
        "sink",
        "file_sink",
        "path: out.bin, framing: raw",
    );
    let run = graph.edge("numbers", "sink", "").run(&["--report", "json=/no/such/folder/r.json"]);
    // The last of two `--report` counts nowhere: clap refuses the second.
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(!run.path("out.bin").exists());
}

#[test]
fn a_graph_with_errors_starts_nothing_and_names_every_one() {
    let run = TestGraph::new()
        .node("numbers", "countre", "count: 1")
        .node("sink", "file_sink", "pth: out.bin")
        .edge("numbers", "snk", "")
        .run(&[]);
    run.assert_failed(1, &["countre", "did you mean `counter`", "`pth`", "`snk`", "nothing was started"]);
    assert_eq!(run.report["exit_code"], 1);
    assert_eq!(run.report["edges"], Value::Array(Vec::new()));
}
