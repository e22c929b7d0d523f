//! Sources and sinks on real files, without a graph.

#![allow(clippy::unwrap_used, reason = "clippy allows it in test functions, but not in what they share")]

mod bytes;
mod csv;
mod recordings;
mod support;
