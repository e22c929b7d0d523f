//! Processes that die and are started again: what the graph says of it, what becomes of messages, what the run tells.

use crate::support::{Run, Running, TestGraph, Transport};
use rustix::process::{Pid, Signal, kill_process};

const RESTART: &str = "restart: on_failure, backoff: 1ms";
const BETWEEN: [Transport; 2] = [Transport::Sealed, Transport::Named];

/// Kills the process whose node has just written a line that ends with its number, as in `name | pid 123`.
fn kill(line: &str) {
    let pid = line.rsplit(' ').next().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

fn restarts_of(run: &Run, name: &str) -> u64 {
    run.node(name)["restarts"].as_u64().unwrap()
}

fn finish_well(running: Running) -> Run {
    let run = running.finish();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    run.assert_balanced();
    run
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
            let run = finish_well(running);
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
        }
    }
}
