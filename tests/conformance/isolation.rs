//! Isolation: behaviours 8 to 14. Nobody ever sees what another consumer did to its message.

use crate::support::{TRANSPORTS, TestGraph, Transport};
use serde_json::json;

/// Every consumer of a source, each with its flag; `true` in `writers` where it writes into its copy.
fn matrix_cell(transport: Transport, flags: &[bool], writers: &[bool]) {
    let mut graph = TestGraph::over(transport).node("numbers", "counter", "count: 300, bytes: 5000");
    for (i, (&zero_copy, &writes)) in flags.iter().zip(writers).enumerate() {
        let consumer = format!("c{i}");
        graph = if writes {
            // Twice inverted is as it was: what arrives at the end shows that the copies were its own, and whole.
            let (second, check) = (format!("again{i}"), format!("check{i}"));
            graph
                .node(&consumer, "faults/inverter", "")
                .node(&second, "faults/inverter", "")
                .node(&check, "check", "count: 300")
                .edge("numbers", &consumer, "zero_copy: false")
                .edge(&consumer, &second, "zero_copy: false")
                .edge(&second, &check, "zero_copy: true")
        } else {
            graph.node(&consumer, "check", "count: 300").edge("numbers", &consumer, &format!("zero_copy: {zero_copy}"))
        };
    }
    let run = graph.succeed();
    for (i, (&zero_copy, &writes)) in flags.iter().zip(writers).enumerate() {
        let edge = run.edge("numbers.out", &format!("c{i}.in"));
        let views = if zero_copy && !writes { 300 } else { 0 };
        assert_eq!(edge["views"], views, "{edge}");
        assert_eq!(edge["copies"].as_u64().unwrap() + edge["moves"].as_u64().unwrap(), 300 - views, "{edge}");
    }
}

#[test]
fn b08_the_matrix_with_one_consumer() {
    for transport in TRANSPORTS {
        matrix_cell(transport, &[false], &[false]);
        matrix_cell(transport, &[false], &[true]);
        matrix_cell(transport, &[true], &[false]);
    }
}

#[test]
fn b08_the_matrix_with_two_consumers() {
    for transport in TRANSPORTS {
        for flags in [[false, false], [false, true], [true, true]] {
            matrix_cell(transport, &flags, &[false, false]);
            if !flags[0] {
                matrix_cell(transport, &flags, &[true, false]);
            }
        }
    }
}

#[test]
fn b08_the_matrix_with_four_consumers() {
    for transport in TRANSPORTS {
        matrix_cell(transport, &[false, false, false, false], &[true, true, false, false]);
        matrix_cell(transport, &[false, false, true, true], &[true, true, false, false]);
        matrix_cell(transport, &[true, true, true, true], &[false; 4]);
    }
}

#[test]
fn b09_a_recording_is_the_same_with_and_without_an_in_place_node_beside_it() {
    for transport in TRANSPORTS {
        let recorded = |with_writer: bool| {
            let mut graph = TestGraph::over(transport)
                .node(
                    "eeg",
                    "sine",
                    "rate: 250, channels: 4, frequency: 10, noise: 0.1, seed: 7, block: 25, count: 400",
                )
                .node("record", "npy_sink", "path: record.npy")
                .edge("eeg", "record", "zero_copy: true");
            if with_writer {
                graph = graph.node("mute", "scale", "gain: 0").node("end", "null", "").edge("eeg", "mute", "").edge(
                    "mute",
                    "end",
                    "zero_copy: true",
                );
            }
            std::fs::read(graph.succeed().path("record.npy")).unwrap()
        };
        let alone = recorded(false);
        assert!(alone.len() > 400 * 25 * 4 * 8);
        assert!(recorded(true) == alone, "{transport:?}: the recording differs");
    }
}

#[test]
fn b10_a_store_into_a_view_kills_the_writer_alone_and_is_told_exactly() {
    for segments in ["sealed", "named"] {
        let run = TestGraph::new()
            .node("numbers", "counter", "count: 500, bytes: 3000")
            .node("writer", "faults/scribbler", "message: 17, offset: 123")
            .node("view", "check", "")
            .node("copy", "check", "")
            .edge("numbers", "writer", "zero_copy: true")
            .edge("numbers", "view", "zero_copy: true")
            .edge("numbers", "copy", "")
            .run(&["--segments", segments]);
        let told = ["node `writer`", "numbers.out -> writer.in", "message 17, offset 123", "SIGSEGV"];
        run.assert_failed(3, &told);
        run.assert_balanced();
        assert_eq!(run.report["failures"].as_array().unwrap().len(), 1, "the others saw right bytes: {}", run.stderr);
        assert_eq!(run.node("writer")["status"], "killed");
        assert_eq!(run.node("view")["status"], "finished");
        assert_eq!(run.count("numbers.out", "writer.in", "received"), 17);
    }
}

#[test]
fn b10_a_store_into_a_view_is_refused_inside_one_backend_too() {
    let run = TestGraph::new()
        .node("numbers", "counter", "count: 500, bytes: 3000")
        .node("writer", "faults/scribbler", "message: 3, offset: 0")
        .node("other", "check", "")
        .edge("numbers", "writer", "zero_copy: true")
        .edge("numbers", "other", "zero_copy: true")
        .backend("one", "numbers, writer")
        .run(&[]);
    run.assert_failed(3, &["node `writer`", "numbers.out -> writer.in", "message 3, offset 0", "SIGSEGV"]);
    assert_eq!(run.node("other")["status"], "finished", "{}", run.stderr);
}

#[test]
fn b10_the_edge_that_is_told_is_the_writers_own_whoever_else_reads_the_port_in_its_process() {
    let run = TestGraph::new()
        .node("numbers", "counter", "count: 500, bytes: 3000")
        .node("before", "check", "")
        .node("writer", "faults/scribbler", "message: 3, offset: 7")
        .node("after", "check", "")
        .node("copy", "check", "")
        .edge("numbers", "before", "zero_copy: true")
        .edge("numbers", "writer", "zero_copy: true")
        .edge("numbers", "after", "zero_copy: true")
        .edge("numbers", "copy", "")
        .backend("readers", "before, writer, after, copy")
        .run(&[]);
    run.assert_failed(3, &["node `writer`", "numbers.out -> writer.in: message 3, offset 7"]);
}

#[test]
fn b10_a_store_into_a_copy_is_nobodys_business() {
    for transport in TRANSPORTS {
        TestGraph::over(transport)
            .node("numbers", "counter", "count: 100, bytes: 3000")
            .node("writer", "faults/scribbler", "message: 17, offset: 123")
            .node("other", "check", "count: 100")
            .edge("numbers", "writer", "")
            .edge("numbers", "other", "zero_copy: true")
            .succeed();
    }
}

#[test]
fn b11_what_was_received_zero_copy_can_be_sent_on_to_a_slow_consumer() {
    for transport in TRANSPORTS {
        let run = TestGraph::over(transport)
            .node("numbers", "counter", "count: 50000, bytes: 200")
            .node("relay", "merge", "")
            .node("slow", "check", "count: 50000")
            .edge("numbers", "relay", "zero_copy: true, queue: 1")
            .edge("relay", "slow", "zero_copy: true, queue: 1")
            .succeed();
        assert_eq!(run.count("relay.out", "slow.in", "views"), 50_000);
    }
}

#[test]
fn b12_a_producer_that_overwrites_its_buffer_changes_nothing_that_was_sent() {
    for transport in TRANSPORTS {
        TestGraph::over(transport)
            .node("reuser", "faults/reuser", "count: 2000, bytes: 3000")
            .node("view", "faults/witness", "")
            .node("copy", "faults/witness", "")
            .edge("reuser", "view", "zero_copy: true")
            .edge("reuser", "copy", "zero_copy: false")
            .succeed();
    }
}

#[test]
fn b13_two_inputs_of_one_node_with_different_flags_each_get_theirs() {
    for transport in TRANSPORTS {
        let run = TestGraph::over(transport)
            .node("a", "counter", "count: 100")
            .node("b", "counter", "count: 100")
            .node("both", "merge", "")
            .node("end", "null", "")
            .edge("a", "both", "zero_copy: true")
            .edge("b", "both", "zero_copy: false")
            .edge("both", "end", "zero_copy: true")
            .succeed();
        let (view, copy) = (run.edge("a.out", "both.in"), run.edge("b.out", "both.in"));
        assert_eq!((&view["views"], &view["copies"], &view["moves"]), (&json!(100), &json!(0), &json!(0)));
        assert_eq!(copy["views"], 0);
        assert_eq!(copy["copies"].as_u64().unwrap() + copy["moves"].as_u64().unwrap(), 100);
    }
}

#[test]
fn b13_a_copying_edge_has_freed_its_slot_before_the_node_is_called() {
    // The node never comes back from its first message. With a copy in its hand the whole queue is free for others;
    // with a view one slot is not, but the queue is, since what is held is held beside it.
    for flag in ["zero_copy: true", "zero_copy: false"] {
        let running = TestGraph::new()
            .node("numbers", "counter", "")
            .node("deaf", "faults/deaf", "")
            .node("talks", "faults/talker", "")
            .edge("numbers", "deaf", &format!("{flag}, queue: 4"))
            .edge("numbers", "talks", "")
            .start(&["--grace", "100ms"]);
        running.wait_for("printed 5");
        running.signal(rustix::process::Signal::INT);
        let run = running.finish();
        assert_eq!(run.count("numbers.out", "deaf.in", "sent"), 5, "{}", run.stderr);
        let copies = u64::from(flag.ends_with("false"));
        assert_eq!(run.count("numbers.out", "deaf.in", "copies"), copies);
        assert_eq!(run.count("numbers.out", "deaf.in", "views"), 1 - copies);
    }
}

#[test]
fn a_program_that_asks_for_what_its_edge_is_not_is_refused() {
    TestGraph::new()
        .node("numbers", "counter", "count: 10")
        .node("asks", "faults/asks_wrongly", "")
        .edge("numbers", "asks", "zero_copy: true")
        .run(&[])
        .assert_failed(3, &["node `asks`", "`recv`", "numbers.out -> asks.in", "zero_copy: true"]);
}

/// A source with one consumer that writes random words, and two that do not.
fn beside_a_garbler(transport: Transport, into: &str, terms: &str) -> TestGraph {
    TestGraph::over(transport)
        .node("numbers", "counter", "count: 3000, bytes: 5000")
        .node("garbler", "faults/garbler", &format!("into: {into}, after: 100"))
        .node("viewer", "check", "count: 3000")
        .node("copier", "check", "count: 3000")
        .edge("numbers", "garbler", terms)
        .edge("numbers", "viewer", "zero_copy: true")
        .edge("numbers", "copier", "")
}

#[test]
fn a_consumer_that_writes_random_words_into_its_station_breaks_its_own_edge_alone_and_by_name() {
    for transport in [Transport::Sealed, Transport::Named] {
        for terms in ["zero_copy: true", "", "zero_copy: true, overflow: drop_oldest"] {
            let run = beside_a_garbler(transport, "station", terms).run(&[]);
            run.assert_failed(4, &["numbers.out -> garbler.in", "quarantine"]);
            for sibling in ["viewer.in", "copier.in"] {
                assert_eq!(
                    run.count("numbers.out", sibling, "received"),
                    3000,
                    "{transport:?} {terms}: {}",
                    run.stderr
                );
            }
        }
    }
}

#[test]
fn a_backend_that_sends_random_frames_ends_the_run_by_its_name_and_the_others_drain() {
    for transport in [Transport::Sealed, Transport::Named] {
        let run = beside_a_garbler(transport, "control", "zero_copy: true").run(&[]);
        run.assert_failed(3, &["node `garbler`", "of the control protocol"]);
        for sibling in ["viewer.in", "copier.in"] {
            assert_eq!(run.count("numbers.out", sibling, "dropped"), 0, "{transport:?}: {}", run.stderr);
        }
        run.assert_balanced();
    }
}

#[test]
fn a_backend_that_sends_descriptors_which_it_does_not_announce_ends_the_run_by_its_name() {
    let run = beside_a_garbler(Transport::Sealed, "descriptors", "zero_copy: true").run(&[]);
    run.assert_failed(3, &["node `garbler`", "a control frame makes no sense", "descriptors came"]);
    run.assert_balanced();
}
