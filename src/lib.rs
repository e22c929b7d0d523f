//! ezrun runs a YAML graph of nodes as operating-system processes.
//!
//! This page is the map of the code; the invariants that it keeps stand at its end.

#![deny(clippy::unwrap_used)]

extern crate self as ezrun;

pub mod backend;
pub mod channel;
pub mod cli;
pub mod control;
pub mod graph;
pub mod message;
pub mod node;
pub mod nodes;
pub mod plan;
pub mod runner;

pub use backend::pack_main;
#[doc(hidden)]
pub use bincode;
