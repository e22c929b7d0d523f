//! Any bytes as a graph file.
//!
//! `cargo +nightly fuzz run graph fuzz/corpus/graph tests/corpus tests/graphs/ok tests/graphs/err -- -max_len=4096
//! -dict=fuzz/graph.dict`. What it found worth keeping is minimised into `tests/corpus`, which the ordinary tests read.
#![no_main]

#[path = "../exercise.rs"]
mod exercise;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        exercise::exercise(text);
    }
});
