//! Processes that are late, silent or stuck: who is named, and what becomes of the run.

use crate::support::{Run, TestGraph};
use rustix::process::Signal;

fn sluggard(with: &str, keys: &str) -> TestGraph {
    TestGraph::new()
        .node("numbers", "counter", "count: 20")
        .node_with("late", "faults/sluggard", with, keys)
        .node("behind", "check", "gaps: true")
        .edge("numbers", "late", "")
        .edge("late", "behind", "zero_copy: true")
}

#[test]
fn a_process_that_is_not_ready_in_time_is_a_failure_by_name() {
    let run = sluggard("never_ready: [1]", "startup_timeout: 2 s").run(&[]);
    run.assert_failed(3, &["error: node `late`: not ready within 2s (`startup_timeout`)"]);
    assert_eq!(run.report["failures"].as_array().unwrap().len(), 1);
}

#[test]
fn a_restarted_process_that_is_not_ready_in_time_has_failed_once_more() {
    let run = sluggard("never_ready: [2]", "restart: on_failure, backoff: 1ms, startup_timeout: 2 s").succeed();
    let line = "node `late`: not ready within 2s (`startup_timeout`); restart 2 of 3";
    assert!(run.stderr.contains(line), "{}", run.stderr);
    assert_eq!((run.node("late")["restarts"].as_u64(), run.read("sluggard.lives").len()), (Some(2), 3));
    assert_eq!(run.count("late.out", "behind.in", "received"), 19, "all but the one that was in hand");
}

#[test]
fn a_full_edge_that_blocks_is_named_with_who_takes_nothing_and_who_waits() {
    let running = TestGraph::new()
        .node("numbers", "counter", "")
        .node("relay", "merge", "")
        .node("stuck", "faults/deaf", "")
        .edge("numbers", "relay", "zero_copy: true, queue: 3")
        .edge("relay", "stuck", "")
        .start(&["--stall-warning", "200ms", "--grace", "1h"]);
    let line = running.wait_for("is full and blocks");
    let expected = "warning: the edge relay.out -> stuck.in is full and blocks: node `stuck` has taken nothing for ";
    assert!(line.starts_with(expected) && line.ends_with("; waiting for it: `numbers`, `relay`"), "{line}");
    // It does not come back.
    running.signal(Signal::INT);
    running.wait_for("ending the run");
    running.signal(Signal::INT);
    let run = running.finish();
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    assert_eq!(run.stderr.matches("is full and blocks").count(), 1, "told once:\n{}", run.stderr);
    run.assert_balanced();
}

#[test]
fn a_node_that_takes_nothing_for_too_long_is_restarted_where_it_may_be() {
    let keys = "restart: on_failure, max_restarts: 1, backoff: 1ms, stall_timeout: 1 s";
    let run = sluggard("stuck: [1]", keys).succeed();
    let cause = "node `late`: it took nothing for 1s while messages waited at the edge numbers.out -> late.in (`stall_timeout`)";
    assert!(run.stderr.contains(&format!("{cause}; restart 1 of 1 after 1ms")), "{}", run.stderr);
    assert_eq!(run.count("numbers.out", "late.in", "dropped"), 1, "what it had in hand");
    assert_eq!(run.count("late.out", "behind.in", "received"), 19);
    let run = sluggard("stuck: [1, 2]", keys).run(&[]);
    run.assert_failed(3, &[&format!("error: {cause}; it was restarted 1 times within 1m")]);
    run.assert_balanced();
}

#[test]
fn a_node_that_waits_for_a_stuck_one_is_not_taken_for_it() {
    let run = TestGraph::new()
        .node("numbers", "counter", "")
        .node_with("relay", "merge", "", "stall_timeout: 1 s")
        .node_with("stuck", "faults/deaf", "", "stall_timeout: 2 s")
        .edge("numbers", "relay", "zero_copy: true")
        .edge("relay", "stuck", "queue: 2")
        .run(&[]);
    run.assert_failed(3, &["error: node `stuck`: it took nothing for 2s while messages waited at the edge relay.out"]);
    assert_eq!(run.report["failures"].as_array().unwrap().len(), 1, "{}", run.stderr);
}

const TIMED: &str = "zero_copy: true, input_timeout: 1 s";

#[test]
fn a_source_that_falls_silent_is_restarted_where_it_may_be() {
    let run = TestGraph::new()
        .node_with("quiet", "faults/quiet", "count: 50", "restart: on_failure, backoff: 1ms")
        .node("relay", "merge", "")
        .node("end", "null", "")
        .edge("quiet", "relay", "zero_copy: true")
        .edge("relay", "end", TIMED)
        .succeed();
    let line = "node `quiet`: nothing came through the edge relay.out -> end.in for 1s (`input_timeout`): what is before that \
                edge waits for this node, which sends nothing; restart 1 of 3 after 1ms";
    assert!(run.stderr.contains(line), "{}", run.stderr);
    assert_eq!((run.node("quiet")["restarts"].as_u64(), run.node("relay")["restarts"].as_u64()), (Some(1), Some(0)));
    assert_eq!(run.count("relay.out", "end.in", "received"), 100);
}

#[test]
fn a_silent_edge_ends_the_run_with_the_name_of_the_node_that_is_to_blame() {
    let nothing = |edge: &str| format!("nothing came through the edge {edge} for 1s (`input_timeout`)");
    let run = TestGraph::new()
        .node("quiet", "faults/quiet", "count: 5")
        .node("end", "null", "")
        .edge("quiet", "end", TIMED)
        .run(&[]);
    run.assert_failed(3, &[&format!("error: node `quiet`: {}: it sends nothing", nothing("quiet.out -> end.in"))]);

    let run = TestGraph::new()
        .node("numbers", "counter", "")
        .node("late", "faults/sluggard", "stuck: [1]")
        .node("end", "null", "")
        .edge("numbers", "late", "")
        .edge("late", "end", TIMED)
        .run(&[]);
    let why = "messages wait at the edge numbers.out -> late.in, and it takes none";
    run.assert_failed(3, &[&format!("error: node `late`: {}: {why}", nothing("late.out -> end.in"))]);

    let run = TestGraph::new()
        .node("numbers", "counter", "")
        .node("stuck", "faults/deaf", "")
        .node("end", "null", "")
        .edge("numbers", "stuck", "queue: 2")
        .edge("numbers", "end", TIMED)
        .run(&[]);
    let why = "the edge numbers.out -> stuck.in is full, which holds up what is before it";
    run.assert_failed(3, &[&format!("error: node `stuck`: {}: {why}", nothing("numbers.out -> end.in"))]);
}

/// 3000 messages to a node that fails and to one that gets every one.
fn with_bad(with: &str, keys: &str, behind: &str) -> TestGraph {
    TestGraph::new()
        .node("numbers", "counter", "count: 3000")
        .node_with("bad", "faults/faulty", with, keys)
        .node("behind", "check", behind)
        .node("sibling", "check", "count: 3000")
        .edge("numbers", "bad", "zero_copy: true")
        .edge("bad", "behind", "zero_copy: true")
        .edge("numbers", "sibling", "zero_copy: true")
}

fn ignored(run: &Run) -> Vec<bool> {
    run.report["failures"].as_array().unwrap().iter().map(|failure| failure["ignored"].as_bool().unwrap()).collect()
}

#[test]
fn the_others_go_on_without_a_node_whose_failure_is_ignored() {
    for how in ["kill", "error", "panic", "exit"] {
        let run = with_bad(&format!("at: process, how: {how}, after: 100"), "on_exit: ignore", "count: 100").succeed();
        assert!(run.stderr.contains("warning: node `bad`: "), "{}", run.stderr);
        assert!(
            run.stderr.contains("(ignored, as its `on_exit` says)") && !run.stderr.contains("error:"),
            "{}",
            run.stderr
        );
        assert_eq!(ignored(&run), [true], "{how}");
        let status = run.node("bad")["status"].as_str().unwrap();
        assert!(["failed", "killed"].contains(&status), "{status}");
        let lost = run.count("numbers.out", "bad.in", "sent") - run.count("numbers.out", "bad.in", "received");
        assert_eq!(run.count("numbers.out", "bad.in", "dropped"), lost, "{how}");
    }
}

#[test]
fn a_failure_is_ignored_once_no_restart_is_left() {
    let keys = "on_exit: ignore, restart: on_failure, max_restarts: 1, backoff: 1ms";
    let run = with_bad("at: process, how: error, after: 50", keys, "gaps: true").succeed();
    let line = "node `bad`: it was told to fail; it was restarted 1 times within 1m; the run goes on without it";
    assert!(run.stderr.contains(line), "{}", run.stderr);
    assert_eq!(ignored(&run), [true]);
}

#[test]
fn the_stream_of_a_source_whose_failure_is_ignored_ends() {
    let run = TestGraph::new()
        .node_with("dies", "faults/phoenix", "count: 40, lives: 2", "on_exit: ignore")
        .node("end", "null", "")
        .edge("dies", "end", "zero_copy: true")
        .succeed();
    assert_eq!(run.count("dies.out", "end.in", "received"), 40);
    assert_eq!(run.node("end")["status"], "finished");
}

#[test]
fn a_failure_that_is_ignored_hides_no_other_and_no_failed_start() {
    let run = with_bad("at: process, how: kill, after: 99", "on_exit: ignore", "count: 100").run(&[]);
    run.assert_failed(3, &["warning: node `bad`", "error: node `behind`: "]);
    assert_eq!(ignored(&run)[..2], [true, false]);
    let run = with_bad("at: start, how: error", "on_exit: ignore", "").run(&[]);
    run.assert_failed(3, &["error: node `bad`: it was told to fail"]);
}

#[test]
fn a_process_that_is_started_again_knows_who_is_gone_for_good() {
    let run = TestGraph::new()
        .node("numbers", "counter", "count: 1500")
        .node_with("relay", "faults/faulty", "at: process, how: kill, after: 1000", "restart: on_failure, backoff: 1ms")
        .node_with("gone", "faults/faulty", "at: process, how: kill, after: 10", "on_exit: ignore")
        .node("end", "null", "")
        .node("behind", "null", "")
        .edge("numbers", "relay", "zero_copy: true")
        .edge("relay", "gone", "zero_copy: true")
        .edge("gone", "behind", "zero_copy: true")
        .edge("relay", "end", "zero_copy: true")
        .succeed();
    assert_eq!(run.count("relay.out", "end.in", "received"), 1499, "{}", run.stderr);
}

#[test]
fn what_is_queued_when_a_node_fails_is_delivered_within_the_grace_period_or_however_long_that_takes() {
    for (on_exit, is_lost) in [("fail", true), ("drain", false)] {
        let run = TestGraph::new()
            .node("numbers", "counter", "")
            .node_with("bad", "faults/faulty", "at: process, how: error, after: 50", &format!("on_exit: {on_exit}"))
            .node("behind", "null", "")
            .node("slow", "rate_limit", "rate: 200")
            .node("end", "null", "")
            .edge("numbers", "bad", "zero_copy: true")
            .edge("bad", "behind", "zero_copy: true")
            .edge("numbers", "slow", "queue: 100")
            .edge("slow", "end", "zero_copy: true")
            .run(&["--grace", "1ms"]);
        run.assert_failed(3, &["error: node `bad`: it was told to fail"]);
        run.assert_balanced();
        assert_eq!(run.count("numbers.out", "slow.in", "dropped") > 0, is_lost, "{on_exit}: {}", run.stderr);
    }
}
