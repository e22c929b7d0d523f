//! A backend: one operating-system process that runs one or more nodes.
//!
//! It is told what to be over the control socket, makes its segments, attaches to those of the others, starts its nodes
//! and waits for the word to begin. Each node has a thread of its own; the main thread listens to the runner.

mod attach;
mod crew;
mod entry;
mod guard;
mod inputs;
mod logs;
mod outputs;

pub use entry::serve;
pub use guard::guard;
