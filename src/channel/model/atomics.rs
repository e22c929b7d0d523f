//! The model checker's atomics, through which a thread can die: from a chosen step on, nothing that it stores is seen.
//!
//! `EZRUN_WEAKEN=src/channel/FILE.rs:LINE` makes the accesses in that line relaxed, or its fence none, to see which model
//! notices.

use loom::sync::atomic as checked;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::LazyLock;
use std::sync::atomic::Ordering::{self, Relaxed};

/// What a dead thread unwinds with.
pub struct Died;

loom::thread_local! {
    /// Steps that this thread has left to live, and one; none where it lives for ever.
    static LEFT: Cell<Option<usize>> = Cell::new(None);
}

/// Runs `life` as a process that is killed before its step `steps`, counted from 0: whatever it does while its values are
/// dropped, nobody sees. Whether it was killed.
pub fn killed_before(steps: usize, life: impl FnOnce()) -> bool {
    LEFT.with(|left| left.set(Some(steps + 1)));
    let result = catch_unwind(AssertUnwindSafe(life));
    LEFT.with(|left| left.set(None));
    match result {
        Ok(()) => false,
        Err(panic) if panic.is::<Died>() => true,
        Err(panic) => resume_unwind(panic),
    }
}

/// One step of this thread that others may see; whether it is made.
pub fn acts() -> bool {
    let left = LEFT.with(Cell::get);
    if let Some(left @ 1..) = left {
        LEFT.with(|cell| cell.set(Some(left - 1)));
        if left == 1 {
            resume_unwind(Box::new(Died));
        }
    }
    left != Some(0)
}

static WEAKENED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("EZRUN_WEAKEN").ok());

/// Whether the accesses that are made here are to be weaker than they are written.
fn is_weakened(here: &Location<'_>) -> bool {
    WEAKENED.as_ref().is_some_and(|at| *at == format!("{}:{}", here.file(), here.line()))
}

fn order_at(here: &Location<'_>, order: Ordering) -> Ordering {
    if is_weakened(here) { Relaxed } else { order }
}

#[track_caller]
pub fn fence(order: Ordering) {
    if !is_weakened(Location::caller()) {
        checked::fence(order);
    }
}

macro_rules! atomics {
    ($($name:ident of $value:ty),*) => { $(
        #[derive(Debug, Default)]
        pub struct $name(checked::$name);

        #[allow(dead_code, reason = "every kind has what one of them needs")]
        impl $name {
            pub fn new(value: $value) -> Self {
                $name(checked::$name::new(value))
            }

            #[track_caller]
            pub fn load(&self, order: Ordering) -> $value {
                self.0.load(order_at(Location::caller(), order))
            }

            #[track_caller]
            pub fn store(&self, value: $value, order: Ordering) {
                if acts() {
                    self.0.store(value, order_at(Location::caller(), order));
                }
            }
        }
    )* };
}
atomics!(AtomicBool of bool, AtomicU32 of u32, AtomicU64 of u64);

impl AtomicU32 {
    pub fn fetch_add(&self, value: u32, order: Ordering) -> u32 {
        self.0.fetch_add(value, order)
    }

    pub fn fetch_max(&self, value: u32, order: Ordering) -> u32 {
        self.0.fetch_max(value, order)
    }
}
