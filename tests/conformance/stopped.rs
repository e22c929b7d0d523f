//! A process that is stopped with SIGSTOP, as by a debugger, a full machine or a job control, and then goes on.

use crate::support::{Run, Running, TestGraph, Transport, eventually, pid_in};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;

const BETWEEN: [Transport; 2] = [Transport::Sealed, Transport::Named];

/// Stops the process of `held`, which has its first message in hand.
fn stop(running: &Running) -> Pid {
    let pid = pid_in(&running.wait_for("held | pid"));
    kill_process(pid, Signal::STOP).unwrap();
    let stat = format!("/proc/{}/stat", pid.as_raw_nonzero());
    // The state stands behind the name, which is in brackets.
    let is_stopped = || std::fs::read_to_string(&stat).unwrap().rsplit(')').next().unwrap().starts_with(" T");
    eventually("a stopped process", is_stopped);
    pid
}

/// Lets `held` go on, and take whatever comes, to the end of the run.
fn let_go(held: Pid, running: Running) -> Run {
    kill_process(held, Signal::USR1).unwrap();
    kill_process(held, Signal::CONT).unwrap();
    running.finish_well()
}

/// Memory behind the segments of all processes of a run, in bytes.
fn shared_memory(running: &Running) -> u64 {
    let pid = running.pid().as_raw_nonzero();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let descriptors =
        children.split_whitespace().flat_map(|child| std::fs::read_dir(format!("/proc/{child}/fd")).unwrap());
    let mut segments = BTreeMap::new();
    for path in descriptors.map(|entry| entry.unwrap().path()) {
        let Ok(target) = std::fs::read_link(&path) else { continue };
        let target = target.display().to_string();
        if target.starts_with("/memfd:") || target.starts_with("/dev/shm/") {
            let segment = std::fs::metadata(&path).unwrap();
            segments.insert(segment.ino(), segment.blocks() * 512);
        }
    }
    segments.into_values().sum()
}

#[test]
fn a_lossless_edge_whose_consumer_is_stopped_blocks_within_its_memory_is_named_and_goes_on() {
    for transport in BETWEEN {
        for terms in ["zero_copy: true, queue: 4", "queue: 4"] {
            let running = TestGraph::over(transport)
                .node("numbers", "counter", "count: 1000, bytes: 5000")
                .node("held", "faults/held", "")
                .node("brisk", "check", "count: 1000")
                .node("beside", "null", "")
                .edge("numbers", "held", terms)
                .edge("numbers", "brisk", "zero_copy: true")
                .edge("numbers", "beside", "zero_copy: true, overflow: drop_oldest, queue: 16")
                .start(&["--stall-warning", "500ms"]);
            let held = stop(&running);
            let line = running.wait_for("is full and blocks");
            let (edge, waiting) = ("the edge numbers.out -> held.in", "; waiting for it: `numbers`");
            assert!(line.contains(edge) && line.contains("node `held`") && line.ends_with(waiting), "{line}");
            // Slots for the queues, for what is held, and two, each of which may begin and end within a page.
            let slots = 4 + 1 + 8 + 1 + 16 + 1 + 2;
            let bytes = shared_memory(&running);
            assert!(bytes > 5000 && bytes <= slots * 3 * 4096 + 128 * 1024, "{bytes} bytes");
            kill_process(held, Signal::CONT).unwrap();
            running.wait_for("node `held` goes on: the edge numbers.out -> held.in had blocked for");
            kill_process(held, Signal::USR1).unwrap();
            let run = running.finish_well();
            let counts = |to: &str| ["sent", "received", "dropped"].map(|what| run.count("numbers.out", to, what));
            assert_eq!((counts("held.in"), counts("brisk.in")), ([1000, 1000, 0], [1000, 1000, 0]));
            assert_eq!(counts("beside.in")[0], 1000);
        }
    }
}

#[test]
fn a_dropping_edge_whose_consumer_is_stopped_loses_what_its_queue_cannot_hold_and_slows_nobody() {
    for transport in BETWEEN {
        for terms in [
            "zero_copy: true, overflow: drop_oldest, queue: 4",
            "overflow: drop_oldest, queue: 4",
            "zero_copy: true, overflow: drop_newest, queue: 4",
        ] {
            let running = TestGraph::over(transport)
                .node("numbers", "counter", "count: 500, bytes: 5000")
                .node("held", "faults/held", "")
                .node("talker", "faults/talker", "")
                .edge("numbers", "held", terms)
                .edge("numbers", "talker", "zero_copy: true")
                .start(&[]);
            let held = stop(&running);
            // Everything goes through beside it.
            running.wait_for("talker | printed 499");
            let run = let_go(held, running);
            let counts = |to: &str| ["sent", "received", "dropped"].map(|what| run.count("numbers.out", to, what));
            assert_eq!(counts("talker.in"), [500, 500, 0]);
            assert_eq!(counts("held.in"), [500, 5, 495], "one in hand, four in the queue: {terms}");
            if terms.contains("drop_oldest") {
                (496..500)
                    .for_each(|last| assert!(run.stderr.contains(&format!("held | took {last}\n")), "{}", run.stderr));
            }
        }
    }
}

/// Kills the process of `spout` once it has begun to send its message of this number, in this of its lives.
fn kill_spout(running: &Running, life: u64, message: u64) {
    let progress = || -> Option<[u64; 3]> {
        let text = std::fs::read_to_string(running.path("spout.progress")).ok()?;
        text.split(' ').map(|number| number.parse().unwrap()).collect::<Vec<_>>().try_into().ok()
    };
    let is_there = || progress().is_some_and(|[in_life, _, sent]| in_life == life && sent >= message);
    eventually("a message of the producer", is_there);
    let pid = Pid::from_raw(progress().unwrap()[1] as i32).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn an_edge_never_holds_more_than_two_queues_however_often_its_producer_dies() {
    for transport in BETWEEN {
        let running = TestGraph::over(transport)
            .node_with("spout", "faults/spout", "lives: 3, count: 10", "restart: on_failure, backoff: 1ms")
            .node("held", "faults/held", "")
            .edge("spout", "held", "zero_copy: true, queue: 4")
            .start(&["--stall-warning", "0s"]);
        let held = stop(&running);
        // One in hand, four that wait; then four more.
        kill_spout(&running, 1, 5);
        kill_spout(&running, 2, 4);
        running.wait_for(
            "`spout` is started again once more of what it sent through the edge spout.out -> held.in has been taken",
        );
        let run = let_go(held, running);
        let counts = ["sent", "received", "dropped"].map(|what| run.count("spout.out", "held.in", what));
        assert_eq!(counts, [19, 19, 0]);
    }
}

#[test]
fn an_output_never_has_more_than_four_segments_however_often_its_process_dies() {
    for transport in BETWEEN {
        let keys = "restart: on_failure, max_restarts: 9, backoff: 1ms";
        let running = TestGraph::over(transport)
            .node_with("spout", "faults/spout", "lives: 5, count: 10", keys)
            .node("held", "faults/held", "")
            .node("beside", "null", "")
            .edge("spout", "held", "zero_copy: true, overflow: drop_oldest, queue: 4")
            .edge("spout", "beside", "zero_copy: true")
            .start(&[]);
        let held = stop(&running);
        (1..=4).for_each(|life| kill_spout(&running, life, 20));
        running.wait_for(
            "`spout` is started again once more of what it sent through the edge spout.out -> held.in has been taken",
        );
        let run = let_go(held, running);
        assert_eq!(run.node("spout")["restarts"], 4);
        let dropped = run.count("spout.out", "beside.in", "dropped");
        assert!(
            dropped <= 4,
            "{dropped}: one that reads lacks no more than what each life was sending when it was killed"
        );
    }
}
