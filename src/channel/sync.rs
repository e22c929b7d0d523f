//! The atomics with which the two ends of an edge come to terms: the processor's, or those of a model checker, which tries
//! the orders that the language allows.

/// Words that nobody decides by: counters, and what is as old as the word of the other kind beside it. The model checker
/// does not look at them.
pub use std::sync::atomic::{AtomicU32 as Plain32, AtomicU64 as Plain64};

#[cfg(all(target_os = "linux", not(ezrun_loom)))]
pub use std::sync::atomic::{AtomicBool, fence};
#[cfg(not(ezrun_loom))]
pub use std::sync::atomic::{AtomicU32, AtomicU64};

#[cfg(ezrun_loom)]
pub use super::model::atomics::{AtomicBool, AtomicU32, AtomicU64, fence};
