//! ezrun runs a YAML graph of nodes as operating-system processes. Every edge says how its consumer receives: a private
//! copy, or an enforced read-only view of the producer's memory.
//!
//! # The map
//!
//! ```text
//! cli ──► runner ──► plan ──► graph        the process that the user started
//!  │         │         └────► channel
//! pack    control
//!  │         │
//!  └────► backend ──► channel, node         the processes that run the nodes
//! cli ──► picture ──► graph                 what a graph looks like
//! nodes ──► node ──► message                what the nodes are written against
//! ```
//!
//! - [`graph`]: from a YAML file to a valid, immutable [`graph::Graph`], or to all findings at once.
//! - [`plan`](mod@plan): from a graph to processes and segments. Pure data.
//! - [`picture`]: from a graph to DOT, Mermaid and SVG.
//! - [`runner`]: one loop that starts the backends, introduces them to each other, and sees the run to its end.
//! - [`control`]: what the runner and a backend say to each other.
//! - [`backend`]: one process that runs one or more nodes. [`pack_main`] makes an executable that can be one, with node
//!   types of your own.
//! - [`channel`]: how a message crosses an edge.
//! - [`message`], [`node`]: what a node author sees. Start at [`node::NodeType`].
//! - [`nodes`]: the built-in types, written against the same.
//! - [`cli`]: argv to exit code; the only place that prints results.
//!
//! On systems other than Linux the half that reads graphs builds (`cli`, `graph`, `plan`, `picture`, `node`, `nodes`,
//! `message`); the half that runs them is left out.
//!
//! # The invariants
//!
//! 1. A segment has exactly one writer. Everybody else maps it read-only.
//! 2. A producer uses a slot again only after every edge has taken its message and no borrow table names it.
//! 3. What another process writes is believed only as far as it fits one's own account. No pointer, size or offset is
//!    read from shared memory without being checked against the layout, which both sides compute.
//! 4. An edge's delivery decides how messages are received in one place: where one is taken (`backend::inputs`).
//! 5. Every wait ends when the run is cut short, and when the peer that is waited for dies.
//! 6. Each number of the ledger has one writer, and is counted where it happens.
//! 7. Messages never pass through the runner or through an async executor.
//! 8. Unsafe code lies in [`channel`] alone; petgraph in [`graph`] alone. Modules depend on each other in one direction.
//!
//! The tests hold 2, 4 and 6 by behaviour, and 8 by reading the sources (`tests/architecture.rs`).
#![deny(clippy::unwrap_used)]
// What only runs use is used nowhere else.
#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

extern crate self as ezrun;

#[cfg(target_os = "linux")]
pub mod backend;
pub mod channel;
pub mod cli;
#[cfg(target_os = "linux")]
pub mod control;
pub mod graph;
pub mod message;
pub mod node;
pub mod nodes;
mod pack;
pub mod picture;
pub mod plan;
#[cfg(target_os = "linux")]
pub mod runner;

#[doc(hidden)]
pub use bincode;
pub use pack::pack_main;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
