//! ezrun runs a YAML graph of nodes as operating-system processes.
//!
//! This page is the map of the code; the invariants that it keeps stand at its end.

extern crate self as ezrun;

pub mod cli;
pub mod graph;
pub mod message;
pub mod node;
pub mod nodes;

#[doc(hidden)]
pub use bincode;
