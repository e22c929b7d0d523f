//! Delivery: behaviours 1 to 7, each over every transport.

use crate::support::{Run, TRANSPORTS, TestGraph, Transport};

const FLAGS: [&str; 2] = ["zero_copy: true", "zero_copy: false"];

#[test]
fn b01_n_sent_are_n_received_in_order_in_the_same_and_in_other_backends() {
    for transport in TRANSPORTS {
        for flag in FLAGS {
            let run = TestGraph::over(transport)
                .node("numbers", "counter", "count: 2000, bytes: 64")
                .node("check", "check", "count: 2000")
                .edge("numbers", "check", flag)
                .succeed();
            assert_eq!(run.count("numbers.out", "check.in", "sent"), 2000);
            assert_eq!(run.count("numbers.out", "check.in", "received"), 2000);
            assert_eq!(run.edge("numbers.out", "check.in")["transport"], transport.name());
        }
    }
}

#[test]
fn b01_a_graph_may_be_written_in_any_order() {
    let run = TestGraph::new()
        .node("check", "check", "count: 100")
        .node("middle", "merge", "")
        .node("numbers", "counter", "count: 100")
        .edge("middle", "check", "")
        .edge("numbers", "middle", "")
        .succeed();
    assert_eq!(run.count("middle.out", "check.in", "received"), 100);
}

#[test]
fn b02_several_producers_into_one_input_keep_their_order() {
    for transport in TRANSPORTS {
        let mut graph = TestGraph::over(transport).node("all", "merge", "").node(
            "sink",
            "file_sink",
            "path: out.bin, framing: raw",
        );
        for producer in 0..4 {
            let name = format!("p{producer}");
            // Sizes tell the producers apart: the first eight bytes of a message are its number.
            graph = graph.node(&name, "counter", "count: 500, bytes: 8").edge(&name, "all", FLAGS[producer % 2]);
        }
        let run = graph.edge("all", "sink", "").succeed();
        let bytes = std::fs::read(run.path("out.bin")).unwrap();
        let numbers: Vec<u64> = bytes.chunks(8).map(|c| u64::from_le_bytes(c.try_into().unwrap())).collect();
        assert_eq!(numbers.len(), 2000);
        // Four interleaved rising sequences: each number comes four times, and never before all those of its
        // producer that precede it, so its k-th copy comes after the k-th copy of the number before.
        let mut seen = [0u32; 500];
        for &number in &numbers {
            let at = number as usize;
            seen[at] += 1;
            assert!(at == 0 || seen[at - 1] >= seen[at], "{transport:?}: {number} came too early");
        }
        assert!(seen.iter().all(|&n| n == 4));
    }
}

#[test]
fn b03_two_edges_from_one_output_to_the_same_input_are_refused() {
    let run = TestGraph::new()
        .node("numbers", "counter", "count: 1")
        .node("check", "check", "")
        .edge("numbers", "check", "")
        .edge("numbers", "check", "zero_copy: true")
        .run(&[]);
    run.assert_failed(1, &["duplicate-edge", "graph.yaml:7:"]);
    assert_eq!(run.report["exit_code"], 1);
}

#[test]
fn b04_ten_megabytes_cross_intact_and_in_order() {
    for transport in TRANSPORTS {
        for flag in FLAGS {
            TestGraph::over(transport)
                .node("numbers", "counter", "count: 24, bytes: 10000000")
                .node("check", "check", "count: 24")
                .edge("numbers", "check", flag)
                .succeed();
        }
    }
}

#[test]
fn b04_sizes_may_jump_also_while_older_views_are_kept() {
    for transport in TRANSPORTS {
        let run = TestGraph::over(transport)
            .node("sizes", "faults/sizes", "sizes: [8, 16384, 8, 65536, 10000000, 8, 0], times: 3")
            .node("keeper", "faults/keeper", "")
            .node("digest", "digest", "path: out.txt")
            .edge("sizes", "keeper", "zero_copy: true")
            .edge("sizes", "digest", "zero_copy: false, queue: 2, max_message: 10000000")
            .succeed();
        assert!(run.stderr.contains("kept to the end"));
        let mut expected = blake3::Hasher::new();
        for (i, size) in [8, 16384, 8, 65536, 10_000_000, 8, 0].into_iter().cycle().take(21).enumerate() {
            let payload: Vec<u8> = (0..size).map(|at| (i + at) as u8).collect();
            expected.update(&payload);
        }
        assert!(run.read("out.txt").contains(expected.finalize().to_hex().as_str()), "{transport:?}");
    }
}

#[test]
fn b04_memory_that_one_large_message_needed_is_not_kept_to_the_end() {
    for transport in [Transport::Sealed, Transport::Named] {
        let sizes = format!("30000000{}", ", 8".repeat(2500));
        let run = TestGraph::over(transport)
            .node("sizes", "faults/sizes", &format!("sizes: [{sizes}], times: 3"))
            .node("keeper", "faults/keeper", "")
            .node("digest", "digest", "path: out.txt")
            .node("slow", "null", "")
            .edge("sizes", "keeper", "zero_copy: true, queue: 2")
            .edge("sizes", "digest", "zero_copy: false, queue: 2")
            .edge("sizes", "slow", "overflow: drop_oldest, queue: 1, zero_copy: true")
            .succeed();
        let mut expected = blake3::Hasher::new();
        for (i, size) in std::iter::once(30_000_000).chain([8; 2500]).cycle().take(3 * 2501).enumerate() {
            let payload: Vec<u8> = (0..size).map(|at| (i + at) as u8).collect();
            expected.update(&payload);
        }
        assert!(run.read("out.txt").contains(expected.finalize().to_hex().as_str()), "{transport:?}");
        let bytes = shared_memory_at_the_end(&run);
        assert!(bytes < 4 << 20, "{transport:?}: {bytes}");
    }
}

#[test]
fn memory_for_the_whole_queue_is_there_before_the_first_message_where_the_edge_asks_for_it() {
    for transport in [Transport::Sealed, Transport::Named] {
        let at_the_end = |prefault: bool| {
            let run = TestGraph::over(transport)
                .node("sizes", "faults/sizes", "sizes: [8], times: 1")
                .node("keeper", "faults/keeper", "")
                .edge(
                    "sizes",
                    "keeper",
                    &format!("zero_copy: true, queue: 4, max_message: 1 MiB, prefault: {prefault}"),
                )
                .succeed();
            shared_memory_at_the_end(&run)
        };
        let (early, late) = (at_the_end(true), at_the_end(false));
        // The queue, what the keeper holds, and two.
        assert!(early >= (4 + 3 + 2) << 20 && late < 1 << 20, "{transport:?}: {early}, {late}");
    }
}

/// How much memory is behind the segment of a node `sizes` at its end.
fn shared_memory_at_the_end(run: &Run) -> u64 {
    let said = run.stderr.lines().find(|line| line.contains("bytes of shared memory at the end")).unwrap();
    said.split_whitespace().find_map(|word| word.parse().ok()).unwrap()
}

#[test]
fn b04_a_quarter_of_a_gigabyte_crosses_where_the_edge_allows_it() {
    for flag in FLAGS {
        let run = TestGraph::new()
            .node("numbers", "counter", "count: 2, bytes: 268435456")
            .node("check", "check", "count: 2")
            .edge("numbers", "check", &format!("{flag}, max_message: 256 MiB, queue: 1"))
            .succeed();
        assert_eq!(run.count("numbers.out", "check.in", "received"), 2);
    }
}

#[test]
fn a_message_over_the_limit_ends_the_run_and_names_the_edge_and_the_limit() {
    for transport in TRANSPORTS {
        TestGraph::over(transport)
            .node("numbers", "counter", "count: 2, bytes: 1001")
            .node("check", "check", "")
            .edge("numbers", "check", "max_message: 1000")
            .run(&[])
            .assert_failed(
                3,
                &["node `numbers`", "1001 bytes", "1000 bytes", "numbers.out -> check.in", "max_message"],
            );
    }
}

#[test]
fn b05_a_message_stays_until_its_last_reader_has_released_it() {
    // Three readers at different speeds, more messages than slots: a slot freed early or twice would be overwritten
    // under a reader, and one that is never freed would end the run with no slot left.
    for transport in TRANSPORTS {
        let run = TestGraph::over(transport)
            .node("numbers", "counter", "count: 3000, bytes: 4096")
            .node("quick", "check", "count: 3000")
            .node("slow", "command", "argv: [cat], framing: length32")
            .node("slow_check", "check", "count: 3000")
            .node("keeper", "faults/keeper", "")
            .edge("numbers", "quick", "zero_copy: true, queue: 1")
            .edge("numbers", "slow", "zero_copy: true, queue: 3")
            .edge("slow", "slow_check", "")
            .edge("numbers", "keeper", "zero_copy: true, queue: 2")
            .succeed();
        assert_eq!(run.count("numbers.out", "keeper.in", "views"), 3000);
    }
}

#[test]
fn b06_at_depth_1_the_second_publish_waits_for_a_consumer_that_does_not_take() {
    for transport in TRANSPORTS {
        for flag in FLAGS {
            let running = TestGraph::over(transport)
                .node("numbers", "counter", "count: 100")
                .node("deaf", "faults/deaf", "")
                .node("talks", "faults/talker", "")
                .edge("numbers", "deaf", &format!("{flag}, queue: 1"))
                .edge("numbers", "talks", "")
                .start(&["--grace", "100ms"]);
            // The third message has gone where there was room, and waits for the deaf node: so the source is inside
            // its third publish, and stays there whatever else happens.
            running.wait_for("printed 2");
            running.signal(rustix::process::Signal::INT);
            let run = running.finish();
            // One in the node's hand, one in the queue.
            assert_eq!(run.count("numbers.out", "deaf.in", "sent"), 2, "{transport:?} {flag}:\n{}", run.stderr);
            assert_eq!(run.count("numbers.out", "deaf.in", "received"), 0);
            assert_eq!(run.count("numbers.out", "talks.in", "sent"), 3);
            run.assert_balanced();
        }
    }
}

#[test]
fn b07_drop_oldest_leaves_the_newest_and_counts_every_drop() {
    for transport in TRANSPORTS {
        let run = TestGraph::over(transport)
            .node("numbers", "counter", "count: 100")
            .node("late", "faults/latecomer", "")
            .edge("numbers", "late.in", "queue: 3, overflow: drop_oldest")
            .edge("numbers", "late.gate", "queue: 1000")
            .succeed();
        assert!(run.stderr.contains("left: 97 98 99\n"), "{transport:?}:\n{}", run.stderr);
        assert_eq!(run.count("numbers.out", "late.in", "dropped"), 97);
        assert_eq!(run.count("numbers.out", "late.in", "received"), 3);
    }
}

#[test]
fn b07_drop_newest_leaves_the_oldest_and_counts_every_drop() {
    for transport in TRANSPORTS {
        let run = TestGraph::over(transport)
            .node("numbers", "counter", "count: 100")
            .node("late", "faults/latecomer", "")
            .edge("numbers", "late.in", "queue: 3, overflow: drop_newest")
            .edge("numbers", "late.gate", "queue: 1000")
            .succeed();
        assert!(run.stderr.contains("left: 0 1 2\n"), "{transport:?}:\n{}", run.stderr);
        assert_eq!(run.count("numbers.out", "late.in", "dropped"), 97);
    }
}

#[test]
fn b07_overflow_fail_ends_the_run_and_names_the_edge() {
    for transport in TRANSPORTS {
        TestGraph::over(transport)
            .node("numbers", "counter", "count: 100")
            .node("late", "faults/latecomer", "")
            .edge("numbers", "late.in", "queue: 3, overflow: fail")
            .edge("numbers", "late.gate", "queue: 1000")
            .run(&[])
            .assert_failed(3, &["node `numbers`", "numbers.out -> late.in", "full (3 messages)"]);
    }
}

#[test]
fn b07_a_dropping_consumer_that_does_not_take_never_delays_its_producer() {
    for transport in [Transport::Sealed, Transport::Local] {
        for flag in FLAGS {
            for overflow in ["drop_oldest", "drop_newest"] {
                // Ends the run with its 2000th message, which it only gets if the source never waited for the deaf one.
                let run = TestGraph::over(transport)
                    .node("numbers", "counter", "count: 2000")
                    .node("ends", "faults/finisher", "after: 2000, whole_run: true")
                    .node("deaf", "faults/deaf", "")
                    .edge("numbers", "deaf", &format!("{flag}, queue: 1, overflow: {overflow}"))
                    .edge("numbers", "ends", "zero_copy: true")
                    .run(&["--grace", "100ms"]);
                assert_eq!(run.count("numbers.out", "ends.in", "received"), 2000, "{}", run.stderr);
                assert_eq!(run.count("numbers.out", "deaf.in", "dropped"), 2000);
                run.assert_balanced();
            }
        }
    }
}
