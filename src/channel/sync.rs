//! The atomics with which the two ends of an edge come to terms: the processor's, or those of a model checker, which tries
//! the orders that the language allows.

/// Words that nobody decides by: counters, and what is as old as the word of the other kind beside it. The model checker
/// does not look at them.
pub use std::sync::atomic::{AtomicU32 as Plain32, AtomicU64 as Plain64};

#[cfg(all(target_os = "linux", not(ezrun_loom)))]
pub use std::sync::atomic::AtomicBool;
#[cfg(all(target_os = "linux", not(any(ezrun_loom, ezrun_tsan))))]
pub use std::sync::atomic::fence;
#[cfg(not(ezrun_loom))]
pub use std::sync::atomic::{AtomicU32, AtomicU64};

#[cfg(ezrun_loom)]
pub use super::model::atomics::{AtomicBool, AtomicU32, AtomicU64, fence};

/// The thread sanitizer knows no fences. Instead of a full one all threads change one word, which orders no less; one that
/// only keeps loads in their order has nothing in its place, so that it hides no race of payloads.
#[cfg(ezrun_tsan)]
pub fn fence(order: std::sync::atomic::Ordering) {
    use std::sync::atomic::Ordering::SeqCst;
    static WORD: AtomicU64 = AtomicU64::new(0);
    if order == SeqCst {
        WORD.fetch_add(1, SeqCst);
    }
}
