//! Random processes of a busy graph are killed again and again: nothing is lost but what they had in hand, nothing leaks,
//! and everybody goes on. `cargo bench --bench kill_storm` does the same many times.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod killing;

use killing::storm::Storm;
use std::path::Path;

const KILLS: usize = 200;

fn weather(segments: &str, seed: u64) {
    let pack = Path::new(env!("CARGO_BIN_EXE_ezrun")).with_file_name("examples").join("storm");
    let mut storm = Storm::start(seed, segments, &pack);
    storm.kill(KILLS);
    let outcome = storm.finish();
    assert!(outcome.faults.is_empty(), "after {} kills: {:#?}", outcome.seen.kills, outcome.faults);
    assert_eq!(outcome.restarts.len(), 7, "everybody was killed who may be: {:?}", outcome.restarts);
    assert!(outcome.edges.iter().any(|edge| edge.dropped > 0), "no kill cost anything");
}

#[test]
fn whoever_is_killed_over_sealed_segments_the_others_go_on_and_nothing_leaks() {
    weather("sealed", 1);
}

#[test]
fn whoever_is_killed_over_named_segments_the_others_go_on_and_nothing_leaks() {
    weather("named", 2);
}
