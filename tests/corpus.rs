//! What fuzzing found worth keeping: every file goes through everything that is done with a graph short of running it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../fuzz/exercise.rs"]
mod exercise;

use std::path::Path;

#[test]
fn whatever_a_file_says_it_is_read_shown_formatted_mended_planned_and_drawn() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut count = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let done = std::panic::catch_unwind(|| exercise::exercise(&text));
        assert!(done.is_ok(), "{}", path.display());
        count += 1;
    }
    assert!(count > 100, "only {count} files");
}
