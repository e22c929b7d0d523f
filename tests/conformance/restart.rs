//! Processes that die and are started again: what the graph says of it, what becomes of messages, what the run tells.

use crate::support::{Run, TestGraph, Transport, pid_in};
use rustix::process::{Signal, kill_process};

const RESTART: &str = "restart: on_failure, backoff: 1ms";
const BETWEEN: [Transport; 2] = [Transport::Sealed, Transport::Named];

/// Kills the process whose node has just written a line that ends with its number, as in `name | pid 123`.
fn kill(line: &str) {
    kill_process(pid_in(line), Signal::KILL).unwrap();
}

fn restarts_of(run: &Run, name: &str) -> u64 {
    run.node(name)["restarts"].as_u64().unwrap()
}

/// 3000 messages to a consumer that is killed after every thousandth and to a sibling that must get every one.
fn with_mortal_consumer(transport: Transport, terms: &str) -> TestGraph {
    TestGraph::over(transport)
        .node("numbers", "counter", "count: 3000, bytes: 5000")
        .node_with("mortal", "faults/mortal", "every: 1000", RESTART)
        .node("behind", "check", "gaps: true")
        .node("sibling", "check", "count: 3000")
        .edge("numbers", "mortal", terms)
        .edge("mortal", "behind", "zero_copy: true")
        .edge("numbers", "sibling", "zero_copy: true")
}

#[test]
fn a_killed_consumer_goes_on_with_the_next_message_and_its_sibling_gets_every_one() {
    for transport in BETWEEN {
        for terms in ["zero_copy: true", "zero_copy: false", "zero_copy: true, queue: 1"] {
            let running = with_mortal_consumer(transport, terms).start(&[]);
            // Asks to be killed with message 999, and with message 1999.
            kill(&running.wait_for("mortal | pid"));
            kill(&running.wait_for("mortal | pid"));
            kill(&running.wait_for("mortal | pid"));
            let run = running.finish_well();
            assert_eq!(restarts_of(&run, "mortal"), 3, "{transport:?} {terms}");
            assert_eq!(run.count("numbers.out", "mortal.in", "sent"), 3000);
            assert_eq!(run.count("numbers.out", "mortal.in", "dropped"), 3, "what it had in hand, and nothing else");
            assert_eq!(run.count("numbers.out", "sibling.in", "received"), 3000);
            assert_eq!(run.count("mortal.out", "behind.in", "received"), 2997, "what it sent before it died counts");
            for attempt in 1..=3 {
                let line =
                    format!("node `mortal`: its process was killed by signal 9 (SIGKILL); restart {attempt} of 3");
                assert!(run.stderr.contains(&line), "{line:?} is missing in:\n{}", run.stderr);
            }
            assert!(run.stderr.ends_with("\nrestarts: `mortal` 3\n"), "{}", run.stderr);
        }
    }
}

#[test]
fn a_source_that_is_killed_begins_anew_and_nothing_of_its_first_life_is_lost() {
    for transport in BETWEEN {
        // A source that sends 40 messages and then waits to be killed, until it has been so twice.
        let run = TestGraph::over(transport)
            .node_with("phoenix", "faults/phoenix", "count: 40, lives: 3", RESTART)
            .node("relay", "merge", "")
            .node("late", "faults/latecomer", "")
            .edge("phoenix", "relay", "zero_copy: true, queue: 2")
            .edge("phoenix", "late.in", "queue: 200")
            .edge("relay", "late.gate", "queue: 3")
            .node("kin", "faults/kin", "")
            .edge("phoenix", "kin", "zero_copy: true")
            .succeed();
        // The late one reads nothing before the others have ended: three segments are waiting for it by then.
        let left: Vec<String> = (0..120).map(|number| number.to_string()).collect();
        let left = format!("left: {}\n", left.join(" "));
        assert!(run.stderr.contains(&left), "{transport:?}: numbers count on:\n{}", run.stderr);
        assert_eq!(run.count("phoenix.out", "late.in", "received"), 120);
        assert_eq!(run.count("phoenix.out", "relay.in", "received"), 120);
        assert_eq!(run.count("phoenix.out", "kin.in", "received"), 120);
        assert_eq!(restarts_of(&run, "phoenix"), 2);
    }
}

#[test]
fn both_ends_of_an_edge_die_in_turn_and_together() {
    for transport in BETWEEN {
        for terms in [
            "zero_copy: true, queue: 3",
            "",
            "overflow: drop_oldest, queue: 2",
            "zero_copy: true, overflow: drop_oldest",
        ] {
            let run = TestGraph::over(transport)
                .node_with("phoenix", "faults/phoenix", "count: 500, lives: 4", RESTART)
                .node_with("faulty", "faults/faulty", "at: process, how: kill, after: 700", RESTART)
                .node("sibling", "null", "")
                .node("behind", "null", "")
                .edge("phoenix", "faulty", terms)
                .edge("faulty", "behind", "")
                .edge("phoenix", "sibling", "zero_copy: true")
                .succeed();
            assert_eq!(run.count("phoenix.out", "sibling.in", "received"), 2000, "{}", run.stderr);
            assert_eq!(run.count("phoenix.out", "faulty.in", "sent"), 2000);
            if !terms.contains("drop") {
                assert_eq!(run.count("phoenix.out", "faulty.in", "dropped"), restarts_of(&run, "faulty"));
                assert_eq!(restarts_of(&run, "faulty"), 2);
            }
        }
    }
}

#[test]
fn a_node_that_fails_by_error_panic_or_exit_is_restarted_too() {
    for how in ["error", "panic", "exit"] {
        let run = TestGraph::new()
            .node("numbers", "counter", "count: 250")
            .node_with("bad", "faults/faulty", &format!("at: process, how: {how}, after: 100"), RESTART)
            .node("behind", "check", "gaps: true")
            .edge("numbers", "bad", "zero_copy: true")
            .edge("bad", "behind", "")
            .succeed();
        assert_eq!((restarts_of(&run, "bad"), run.count("numbers.out", "bad.in", "dropped")), (2, 2), "{how}");
        assert_eq!(run.count("bad.out", "behind.in", "received"), 248);
        assert_eq!(run.report["failures"].as_array().unwrap().len(), 0);
    }
}

#[test]
fn a_program_with_a_loop_of_its_own_that_fails_is_restarted_too() {
    let run = TestGraph::new()
        .node("numbers", "counter", "count: 250")
        .node_with("program", "faults/loses", "after: 100", RESTART)
        .edge("numbers", "program", "zero_copy: true")
        .succeed();
    assert_eq!((restarts_of(&run, "program"), run.count("numbers.out", "program.in", "dropped")), (2, 2));
}

#[test]
fn nodes_that_share_a_process_are_restarted_together_and_what_was_between_them_is_dropped() {
    for terms in ["", "zero_copy: true"] {
        let run = TestGraph::new()
            .node("numbers", "counter", "count: 2000")
            .node("first", "merge", "")
            .node("bad", "faults/faulty", "at: process, how: kill, after: 700")
            .node("behind", "check", "gaps: true")
            .edge("numbers", "first", terms)
            .edge("first", "bad", terms)
            .edge("bad", "behind", "")
            .backend_with("shared", "first, bad", RESTART)
            .succeed();
        assert_eq!((restarts_of(&run, "first"), restarts_of(&run, "bad")), (2, 2), "{}", run.stderr);
        assert_eq!(run.count("numbers.out", "first.in", "sent"), 2000);
        let dropped = run.count("first.out", "bad.in", "dropped");
        assert!((2..=20).contains(&dropped), "{dropped}: in hand, and in a queue of 8, twice");
    }
}

#[test]
fn a_node_that_has_ended_well_is_not_started_again_with_the_others_of_its_process() {
    let run = TestGraph::new()
        .node("numbers", "counter", "count: 500")
        .node("short", "faults/finisher", "after: 10, whole_run: false")
        .node("once", "faults/phoenix", "count: 5, lives: 1")
        .node("bad", "faults/faulty", "at: process, how: kill, after: 300")
        .node("behind", "null", "")
        .node("end", "null", "")
        .edge("numbers", "short", "zero_copy: true")
        .edge("once", "end", "zero_copy: true")
        .edge("numbers", "bad", "")
        .edge("bad", "behind", "")
        .backend_with("shared", "short, once, bad", RESTART)
        .succeed();
    assert_eq!(run.count("numbers.out", "short.in", "received"), 10);
    assert_eq!(run.count("numbers.out", "bad.in", "received"), 499);
    assert_eq!((run.read("phoenix.lives"), restarts_of(&run, "bad")), (".".to_owned(), 1));
}

#[test]
fn a_node_that_keeps_failing_ends_the_run_after_as_many_restarts_as_it_may_have() {
    for at in ["start", "process"] {
        let run = TestGraph::new()
            .node("numbers", "counter", "")
            .node_with(
                "bad",
                "faults/faulty",
                &format!("at: {at}, how: error"),
                "restart: on_failure, max_restarts: 4, window: 1 h, backoff: 2ms",
            )
            .node("sibling", "check", "")
            .edge("numbers", "bad", "zero_copy: true")
            .edge("numbers", "sibling", "zero_copy: true");
        let run = run.run(&[]);
        if at == "start" {
            // Nothing has flowed, and what is wrong from the start is told at once.
            run.assert_failed(3, &["node `bad`", "it was told to fail"]);
            assert_eq!(restarts_of(&run, "bad"), 0);
            continue;
        }
        run.assert_failed(3, &["error: node `bad`: it was told to fail; it was restarted 4 times within 1h"]);
        run.assert_balanced();
        let made = run.report["restarts"].as_array().unwrap();
        let told = |key: &str| made.iter().map(|made| made[key].as_u64().unwrap()).collect::<Vec<_>>();
        assert_eq!(told("pause_ms"), [2, 4, 8, 16]);
        assert_eq!((told("attempt"), told("of")), (vec![1, 2, 3, 4], vec![4; 4]));
        assert!(made.iter().all(|made| made["cause"] == "it was told to fail" && made["backend"] == "bad"));
        assert_eq!(run.count("numbers.out", "sibling.in", "dropped"), 0, "the others drain");
    }
}

#[test]
fn an_interrupt_ends_a_run_whose_node_is_away() {
    let running = TestGraph::new()
        .node("numbers", "counter", "")
        .node_with("bad", "faults/faulty", "at: process, how: kill", "restart: on_failure, backoff: 1 h")
        .edge("numbers", "bad", "")
        .start(&["--grace", "1h"]);
    running.wait_for("restart 1 of 3 after 1h");
    running.signal(Signal::INT);
    let run = running.finish();
    run.assert_failed(3, &["node `bad`", "SIGKILL", "the run ended before it was restarted"]);
    run.assert_balanced();
}

const ALWAYS: &str = "restart: always, backoff: 1ms";

#[test]
fn a_consumer_that_ends_by_itself_goes_on_with_the_next_message_and_nothing_is_lost() {
    for transport in BETWEEN {
        for (uses, with) in
            [("faults/finisher", "after: 10, whole_run: false"), ("faults/loses", "after: 10, returns: true")]
        {
            let run = TestGraph::over(transport)
                .node("numbers", "counter", "count: 35")
                .node_with("brief", uses, with, ALWAYS)
                .edge("numbers", "brief", "zero_copy: true, queue: 3")
                .succeed();
            let counts = ["received", "dropped"].map(|what| run.count("numbers.out", "brief.in", what));
            assert_eq!((restarts_of(&run, "brief"), counts), (3, [35, 0]), "{uses} {transport:?}: {}", run.stderr);
            assert!(
                run.stderr.contains("node `brief`: it ended by itself; restart 3 of 3 after 4ms"),
                "{}",
                run.stderr
            );
            assert!(!run.stderr.contains("warning"), "that is as it should be:\n{}", run.stderr);
        }
    }
}

#[test]
fn a_source_that_always_begins_anew_has_failed_once_it_has_done_so_too_often() {
    let keys = "restart: always, max_restarts: 2, window: 1 h, backoff: 1ms";
    let run = TestGraph::new()
        .node_with("numbers", "counter", "count: 5", keys)
        .node("end", "null", "")
        .edge("numbers", "end", "zero_copy: true")
        .run(&[]);
    run.assert_failed(3, &["error: node `numbers`: it ended by itself; it was restarted 2 times within 1h"]);
    run.assert_balanced();
    assert_eq!(run.count("numbers.out", "end.in", "received"), 15);
    assert_eq!(run.node("numbers")["status"], "failed");
}

#[test]
fn who_has_nothing_more_to_come_or_ends_the_run_is_not_started_again() {
    let run = TestGraph::new()
        .node("numbers", "counter", "count: 100")
        .node_with("relay", "merge", "", ALWAYS)
        .node_with("end", "null", "", ALWAYS)
        .edge("numbers", "relay", "zero_copy: true")
        .edge("relay", "end", "zero_copy: true")
        .succeed();
    assert_eq!((restarts_of(&run, "relay"), restarts_of(&run, "end")), (0, 0), "all that could come has come");
    let run = TestGraph::new()
        .node_with("numbers", "counter", "", ALWAYS)
        .node_with("brief", "faults/finisher", "after: 10, whole_run: true", ALWAYS)
        .edge("numbers", "brief", "zero_copy: true")
        .succeed();
    assert_eq!((restarts_of(&run, "numbers"), restarts_of(&run, "brief")), (0, 0), "one has ended the run");
    let run = TestGraph::new()
        .node_with("numbers", "counter", "", ALWAYS)
        .node("brief", "faults/finisher", "after: 10, whole_run: false")
        .edge("numbers", "brief", "zero_copy: true")
        .succeed();
    assert_eq!(restarts_of(&run, "numbers"), 0, "nobody reads any more");
}

#[test]
fn a_run_ends_well_while_one_that_ended_by_itself_is_away() {
    let running = TestGraph::new()
        .node("numbers", "counter", "")
        .node_with("brief", "faults/finisher", "after: 10, whole_run: false", "restart: always, backoff: 1 h")
        .edge("numbers", "brief", "zero_copy: true")
        .start(&["--grace", "1h"]);
    running.wait_for("restart 1 of 3 after 1h");
    running.signal(Signal::INT);
    let run = running.finish();
    assert_eq!((run.code, run.node("brief")["status"].as_str()), (Some(130), Some("finished")), "{}", run.stderr);
    run.assert_balanced();
}

#[test]
fn nodes_that_share_a_process_are_started_again_when_one_of_them_ends_by_itself() {
    let run = TestGraph::new()
        .node("numbers", "counter", "count: 40")
        .node("brief", "faults/finisher", "after: 15, whole_run: false")
        .node("relay", "merge", "")
        .node("end", "null", "")
        .edge("numbers", "brief", "zero_copy: true")
        .edge("numbers", "relay", "zero_copy: true")
        .edge("relay", "end", "zero_copy: true")
        .backend_with("shared", "brief, relay", ALWAYS)
        .succeed();
    assert_eq!((restarts_of(&run, "brief"), restarts_of(&run, "relay")), (2, 2), "{}", run.stderr);
    assert_eq!(run.count("numbers.out", "brief.in", "received"), 40);
}
