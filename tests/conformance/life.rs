//! Life and death: behaviours 15 to 19.

use crate::support::{Run, TRANSPORTS, TestGraph, Transport, eventually, example, ezrun, output};
use rustix::process::Signal;
use std::path::Path;

#[test]
fn b15_sources_end_everything_drains_and_the_exit_code_is_0() {
    let run = TestGraph::new()
        .node("numbers", "counter", "count: 500")
        .node("first", "merge", "")
        .node("second", "merge", "")
        .node("check", "check", "count: 500")
        .edge("numbers", "first", "zero_copy: true, queue: 100")
        .edge("first", "second", "queue: 100")
        .edge("second", "check", "queue: 100")
        .succeed();
    for name in ["numbers", "first", "second", "check"] {
        assert_eq!(run.node(name)["status"], "finished");
    }
}

#[test]
fn b15_a_node_that_completes_ends_its_part_and_what_is_left_counts_as_dropped() {
    for transport in TRANSPORTS {
        let run = TestGraph::over(transport)
            .node("numbers", "counter", "count: 1000")
            .node("short", "faults/finisher", "after: 10, whole_run: false")
            .node("long", "check", "count: 1000")
            .edge("numbers", "short", "")
            .edge("numbers", "long", "zero_copy: true")
            .succeed();
        assert_eq!(run.count("numbers.out", "short.in", "received"), 10);
        assert!(run.count("numbers.out", "short.in", "sent") >= 10);
        assert_eq!(run.count("numbers.out", "long.in", "received"), 1000);
    }
}

#[test]
fn b15_an_endless_source_ends_when_no_reader_remains() {
    for transport in TRANSPORTS {
        TestGraph::over(transport)
            .node("numbers", "counter", "")
            .node("short", "faults/finisher", "after: 10, whole_run: false")
            .edge("numbers", "short", "")
            .succeed();
    }
}

#[test]
fn b15_a_transform_ends_when_no_reader_remains_and_so_does_what_feeds_it() {
    for transport in TRANSPORTS {
        TestGraph::over(transport)
            .node("numbers", "counter", "")
            .node("relay", "merge", "")
            .node("short", "faults/finisher", "after: 10, whole_run: false")
            .edge("numbers", "relay", "zero_copy: true")
            .edge("relay", "short", "")
            .succeed();
    }
}

#[test]
fn b15_a_source_that_waits_for_its_next_message_ends_when_no_reader_remains() {
    for transport in TRANSPORTS {
        TestGraph::over(transport)
            .node("ticks", "timer", "interval: 1h")
            .node("short", "faults/finisher", "after: 1, whole_run: false")
            .edge("ticks", "short", "")
            .succeed();
    }
}

#[test]
fn b15_normal_termination_of_any_node_ends_all_with_exit_code_0() {
    for transport in TRANSPORTS {
        let run = TestGraph::over(transport)
            .node("numbers", "counter", "")
            .node("other", "counter", "")
            .node("ends", "faults/finisher", "after: 10, whole_run: true")
            .node("check", "check", "")
            .edge("numbers", "ends", "")
            .edge("other", "check", "")
            .succeed();
        assert_eq!(run.report["failures"].as_array().unwrap().len(), 0);
    }
}

#[test]
fn b15_a_graph_with_a_feedback_edge_ends_when_its_source_does() {
    for transport in TRANSPORTS {
        let run = TestGraph::over(transport)
            // Time between two of them for what comes back: it is younger than what waits.
            .node("numbers", "counter", "count: 200, interval: 1 ms")
            .node("first", "merge", "")
            .node("second", "merge", "")
            .node("end", "null", "")
            .edge("numbers", "first", "zero_copy: true")
            .edge("first", "second", "zero_copy: true")
            .edge("second", "first", "zero_copy: true, queue: 4, overflow: drop_oldest, feedback: true")
            .edge("second", "end", "")
            .succeed();
        assert_eq!(run.count("numbers.out", "first.in", "received"), 200);
        assert!(run.count("second.out", "first.in", "received") > 0, "nothing went round");
    }
}

fn endless() -> TestGraph {
    TestGraph::new()
        .node("numbers", "counter", "bytes: 1000")
        .node("check", "check", "")
        .node("talks", "faults/talker", "")
        .edge("numbers", "check", "zero_copy: true")
        .edge("numbers", "talks", "overflow: drop_newest")
}

#[test]
fn b16_one_interrupt_ends_an_endless_graph_in_order() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let running = endless().start(&[]);
        running.wait_for("printed 0");
        running.signal(signal);
        let run = running.finish();
        assert_eq!(run.code, Some(code), "{}", run.stderr);
        assert_eq!(run.report["exit_code"], code);
        run.assert_balanced();
        let all = run.count("numbers.out", "check.in", "sent");
        assert_eq!(run.count("numbers.out", "check.in", "received"), all, "lossless to the end");
    }
}

#[test]
fn b16_a_signal_to_the_whole_group_ends_an_endless_graph_in_order() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 143)] {
        let running = endless().start(&[]);
        running.wait_for("printed 0");
        if signal == Signal::HUP {
            running.signal(signal)
        } else {
            running.signal_all(signal)
        }
        let run = running.finish();
        assert_eq!(run.code, Some(code), "{}", run.stderr);
        run.assert_balanced();
    }
}

#[test]
fn b16_the_grace_period_ends_however_much_a_node_has_to_say() {
    let mut graph = TestGraph::new().node("end", "null", "");
    for i in 0..4 {
        let name = format!("loud{i}");
        graph = graph.node(&name, "command", "argv: [sh, -c, 'trap \"\" TERM; yes >&2']");
    }
    let run = graph.node("numbers", "counter", "").edge("numbers", "end", "").run(&[
        "--stop-after",
        "200ms",
        "--grace",
        "200ms",
    ]);
    assert!(matches!(run.code, Some(0 | 3)), "{:?}", run.code);
}

#[test]
fn b16_a_node_that_ignores_the_stop_is_killed_after_the_grace_period_and_named() {
    let running = TestGraph::new()
        .node("numbers", "counter", "")
        .node("deaf", "faults/deaf", "")
        .edge("numbers", "deaf", "")
        .start(&["--grace", "200ms"]);
    running.wait_for("deaf from now on");
    running.signal(Signal::INT);
    let run = running.finish();
    run.assert_failed(3, &["node `deaf`", "grace period of 200ms", "killed"]);
    assert_eq!(run.node("deaf")["status"], "killed");
}

#[test]
fn b16_a_second_interrupt_kills_at_once() {
    let running = TestGraph::new()
        .node("numbers", "counter", "")
        .node("deaf", "faults/deaf", "")
        .edge("numbers", "deaf", "")
        .start(&["--grace", "1h"]);
    running.wait_for("deaf from now on");
    running.signal(Signal::INT);
    running.wait_for("once more to end it at once");
    running.signal(Signal::INT);
    assert_eq!(running.finish().code, Some(130));
}

#[test]
fn stop_after_ends_an_endless_graph_in_order_with_exit_code_0() {
    let run = endless().run(&["--stop-after", "300ms"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    run.assert_balanced();
}

/// A node that fails, between a source and a sink, with another branch beside it.
fn with_fault(transport: Transport, at: &str, how: &str) -> Run {
    let mut graph = TestGraph::new()
        .node("numbers", "counter", "count: 100000, bytes: 100")
        .node("bad", "faults/faulty", &format!("at: {at}, how: {how}, after: 50"))
        .node("behind", "check", "")
        .node("beside", "file_sink", "path: out/beside.bin, framing: length32")
        .edge("numbers", "bad", "")
        .edge("bad", "behind", "zero_copy: true")
        .edge("numbers", "beside", "zero_copy: true");
    if transport == Transport::Local {
        graph = graph.backend("group", "numbers, bad");
    }
    graph.run(if transport == Transport::Named { &["--segments", "named"] } else { &[] })
}

#[test]
fn b17_a_node_that_fails_in_any_way_at_any_time_ends_the_run_by_name() {
    let words = |how: &str| match how {
        "error" => "it was told to fail",
        "panic" => "it was told to panic",
        "exit" => "exited with status 7",
        _ => "signal 9 (SIGKILL)",
    };
    for how in ["error", "panic", "exit", "kill"] {
        for at in ["start", "process", "stop"] {
            let run = with_fault(Transport::Sealed, at, how);
            run.assert_failed(3, &["node `bad`", words(how)]);
            if how == "panic" {
                assert!(run.stderr.contains("faults.rs:"), "the place of the panic is named: {}", run.stderr);
            }
            let killed = ["exit", "kill"].contains(&how);
            assert_eq!(run.node("bad")["status"], if killed { "killed" } else { "failed" }, "{how} at {at}");
            if killed {
                let last_lines = run.report["failures"][0]["last_lines"].to_string();
                assert!(last_lines.contains("about to fail after"), "{how} at {at}: {last_lines}");
            }
            run.assert_balanced();
        }
    }
}

#[test]
fn b17_what_was_written_before_a_failure_stays_whole() {
    for transport in TRANSPORTS {
        let run = with_fault(transport, "process", "kill");
        assert_eq!(run.code, Some(3), "{}", run.stderr);
        let bytes = std::fs::read(run.path("out/beside.bin")).unwrap();
        assert!(bytes.len().is_multiple_of(104), "{} bytes are no whole messages", bytes.len());
        let messages = (bytes.len() / 104) as u64;
        assert_eq!(messages, run.count("numbers.out", "beside.in", "received"), "{transport:?}");
        if transport != Transport::Local {
            assert_eq!(run.count("numbers.out", "bad.in", "received"), 50);
            assert_eq!(run.count("bad.out", "behind.in", "received"), 50);
        }
        run.assert_balanced();
    }
}

#[test]
fn b17_nothing_is_left_behind_whatever_way_a_run_ends() {
    for how in ["error", "panic", "exit", "kill"] {
        let run = with_fault(Transport::Named, "process", how);
        assert_eq!(run.code, Some(3));
        for node in run.report["nodes"].as_array().unwrap() {
            let pid = node["pid"].as_u64().unwrap();
            assert!(!is_alive(pid), "process {pid} of {node} is left");
            assert_eq!(segments_of(pid), Vec::<String>::new());
        }
    }
}

#[test]
fn b17_backends_and_the_children_of_commands_die_with_the_runner() {
    let running = TestGraph::new()
        .node("numbers", "counter", "interval: 5 ms")
        .node("sleeper", "command", "argv: [sh, -c, 'echo $$ >&2; exec sleep 1000'], framing: lines")
        .node("check", "check", "")
        .edge("numbers", "sleeper", "overflow: drop_newest")
        .edge("numbers", "check", "")
        .start(&["--segments", "named"]);
    let line = running.wait_for("sleeper | ");
    let child: u64 = line.rsplit(' ').next().unwrap().parse().unwrap();
    let backends = children_of(running.pid().as_raw_nonzero().get() as u64);
    assert_eq!(backends.len(), 3);
    running.signal(Signal::KILL);
    eventually("the end of every process", || !is_alive(child) && backends.iter().all(|&pid| !is_alive(pid)));
    for pid in backends {
        assert_eq!(segments_of(pid), Vec::<String>::new());
    }
}

#[test]
fn b17_whatever_the_program_of_a_command_has_started_dies_with_the_runner_too() {
    let running = TestGraph::new()
        .node("tree", "command", "argv: [sh, -c, \"sh -c 'echo $$ >&2; exec sleep 1000' | cat; true\"]")
        .node("end", "null", "")
        .edge("tree", "end", "")
        .start(&[]);
    let line = running.wait_for("tree | ");
    let grandchild: u64 = line.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(is_alive(grandchild));
    running.signal(Signal::KILL);
    eventually("the end of the grandchild", || !is_alive(grandchild));
}

#[test]
fn segments_that_a_dead_run_left_are_swept_by_the_next_one() {
    // As a run leaves it that is killed before its backends have attached: the number of a process that is no more.
    let mut gone = std::process::Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let name = format!("/dev/shm/ezrun-{}-1-{:032x}", gone.id(), u128::from(gone.id()));
    std::fs::write(&name, b"left").unwrap();
    let run =
        TestGraph::new().node("numbers", "counter", "count: 1").node("end", "null", "").edge("numbers", "end", "");
    run.succeed();
    assert!(!Path::new(&name).exists());
}

#[test]
fn b18_a_program_that_is_not_there_or_cannot_be_run_or_is_no_pack_is_refused_before_anything_flows() {
    let dir = tempfile::tempdir().unwrap();
    let graph = dir.path().join("graph.yaml");
    let plain = dir.path().join("plain.txt");
    std::fs::write(&plain, "no program").unwrap();
    let cases = [
        ("./nowhere".to_owned(), "there is no program"),
        ("./plain.txt".to_owned(), "cannot be executed"),
        ("/bin/true".to_owned(), "not a pack"),
    ];
    for (pack, words) in cases {
        let text = format!(
            "ezrun: 1\npacks:\n  p: {pack}\nnodes:\n  a: {{ use: p/x }}\n  b: {{ use: 'null' }}\nedges:\n  - {{ from: a, to: b }}\n"
        );
        std::fs::write(&graph, text).unwrap();
        let output = output(&[graph.to_str().unwrap()]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(words) && stderr.contains("graph.yaml:3:6"), "{words:?} in:\n{stderr}");
    }
}

#[test]
fn b18_a_program_of_another_version_is_refused_before_anything_flows() {
    let dir = tempfile::tempdir().unwrap();
    let pack = dir.path().join("old_pack");
    let script = "#!/bin/sh\necho '{\"ezrun_pack\": 99, \"types\": []}'\n";
    std::fs::write(&pack, script).unwrap();
    std::fs::set_permissions(&pack, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let graph = dir.path().join("graph.yaml");
    std::fs::write(&graph, "ezrun: 1\npacks: { p: ./old_pack }\nnodes: { a: { use: p/x } }\nedges: []\n").unwrap();
    let output = output(&[graph.to_str().unwrap()]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("version 99") && stderr.contains("graph.yaml:2:"), "{stderr}");
}

#[test]
fn b18_a_command_that_is_not_there_is_refused_before_anything_flows() {
    TestGraph::new()
        .node("numbers", "counter", "")
        .node("nowhere", "command", "argv: [no-such-program-anywhere]")
        .edge("numbers", "nowhere", "")
        .run(&[])
        .assert_failed(1, &["`nowhere` cannot run `no-such-program-anywhere`", "nothing was started"]);
}

#[test]
fn b19_nothing_is_lost_at_the_start_however_late_a_backend_comes_up() {
    // Twelve backends on few cores start at very different times; the first messages would be the ones to be lost.
    let mut graph = TestGraph::new().node("numbers", "counter", "count: 20");
    for i in 0..12 {
        let name = format!("c{i}");
        let flag = if i % 2 == 0 { "zero_copy: true" } else { "" };
        graph = graph.node(&name, "check", "count: 20").edge("numbers", &name, flag);
    }
    let run = graph.succeed();
    for i in 0..12 {
        assert_eq!(run.count("numbers.out", &format!("c{i}.in"), "received"), 20);
    }
}

#[test]
fn several_graphs_run_at_once_without_meeting() {
    let graph = |count: u64| {
        TestGraph::over(Transport::Named)
            .node("numbers", "counter", &format!("count: {count}"))
            .node("check", "check", &format!("count: {count}"))
            .edge("numbers", "check", "zero_copy: true")
    };
    let runs: Vec<_> = (1..=6).map(|i| graph(i * 1000).start(&[])).collect();
    for (i, run) in (1..=6).zip(runs) {
        let run = run.finish();
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert_eq!(run.count("numbers.out", "check.in", "received"), i * 1000);
    }
}

#[test]
fn backends_are_not_for_starting_by_hand() {
    for args in [&["backend", "--parent", "1"][..], &["backend", "--parent", "what"]] {
        let output = ezrun().args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
    }
    let output = std::process::Command::new(example("faults")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("pack of node types"));
}

#[test]
fn a_node_that_is_busy_never_sleeps_and_the_others_do() {
    for wait in ["block", "adaptive", "busy"] {
        let graph = TestGraph::new()
            .node("clock", "timer", "interval: 1 h")
            .node("end", &format!("'null', wait: {wait}"), "")
            .edge("clock", "end", "zero_copy: true");
        let running = graph.start(&[]);
        let runner = running.pid().as_raw_nonzero().get() as u64;
        let end = || threads_of(runner).into_iter().find(|thread| thread.0 == "end").map(|(_, stat)| stat);
        // The tick has come, and no other will for an hour.
        match wait {
            "busy" => eventually("the node has used a processor", || end().is_some_and(|stat| stat.ticks > 30)),
            _ => eventually("the node sleeps for good", || end().is_some_and(|stat| stat.sleeps_in_futex)),
        }
        running.signal(Signal::INT);
        assert_eq!(running.finish().code, Some(130), "{wait}");
    }
}

/// What the kernel tells of a thread.
struct ThreadStat {
    /// Processor time in hundredths of a second.
    ticks: u64,
    sleeps_in_futex: bool,
}

/// The threads of the backends of `runner`, by name.
fn threads_of(runner: u64) -> Vec<(String, ThreadStat)> {
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_default();
    let tasks = children_of(runner).into_iter().filter_map(|pid| std::fs::read_dir(format!("/proc/{pid}/task")).ok());
    let threads = tasks.flatten().map(|task| {
        let path = task.unwrap().path();
        let stat = read(&path.join("stat"));
        let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
        let field = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        // User and system time are the 14th and 15th of all fields, the state the 3rd.
        let ticks = field(11) + field(12);
        let sleeps_in_futex = fields.first() == Some(&"S") && read(&path.join("wchan")).contains("futex");
        (read(&path.join("comm")).trim().to_owned(), ThreadStat { ticks, sleeps_in_futex })
    });
    threads.collect()
}

fn is_alive(pid: u64) -> bool {
    // A zombie that nobody has waited for yet is dead too.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn children_of(pid: u64) -> Vec<u64> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.split_whitespace().map(|child| child.parse().unwrap()).collect()
}

fn segments_of(pid: u64) -> Vec<String> {
    let names = std::fs::read_dir("/dev/shm").unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(&format!("ezrun-{pid}-"))).collect()
}
