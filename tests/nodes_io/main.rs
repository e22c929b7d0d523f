//! Sources and sinks on real files, without a graph.

mod csv;
mod support;
