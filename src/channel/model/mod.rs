//! Models: the two ends of an edge, as they are, in every order of their steps that a model checker finds worth trying,
//! with the atomics that the language promises instead of those that this processor has.
//!
//! `RUSTC_WORKSPACE_WRAPPER="$PWD/.ci/rustc-for-models" cargo test --lib channel::model`. `LOOM_MAX_PREEMPTIONS` says how
//! often a thread may be interrupted where it does not wait by itself; where it is not set, each model has its own bound.
#![allow(missing_docs, reason = "tests")]

pub mod atomics;
mod checked;
mod death;
mod delivery;
mod ends;
mod overwriting;
mod sleeping;

pub use checked::Checked;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Positions are counted from here: in one of these cases the low half of a word that is slept on goes through 0.
const STARTS: [u64; 3] = [0, (1 << 30) - 1, (1 << 31) - 1];

/// Tries the orders of what `model` does with so many preemptions, and says how many those were.
fn check(name: &str, preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let orders = Arc::new(AtomicUsize::new(0));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.max_branches = 20_000;
    let counted = Arc::clone(&orders);
    builder.check(move || {
        counted.fetch_add(1, Relaxed);
        model();
    });
    println!("{name}: {} orders", orders.load(Relaxed));
}
