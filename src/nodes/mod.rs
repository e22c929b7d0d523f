//! The built-in node types, one file each. They use what every pack can use: [`crate::node`] and [`crate::message`].

mod check;
mod counter;
mod csv_sink;
mod csv_source;
mod digest;
mod file_sink;
mod merge;
mod null;
mod settings;
mod sine;
mod stdout;
mod support;

use crate::node::Registry;

/// All built-in node types.
#[must_use]
pub fn registry() -> Registry {
    Registry::new()
        .with(check::node_type())
        .with(counter::node_type())
        .with(csv_sink::node_type())
        .with(csv_source::node_type())
        .with(digest::node_type())
        .with(file_sink::node_type())
        .with(merge::node_type())
        .with(null::node_type())
        .with(sine::node_type())
        .with(stdout::node_type())
}
