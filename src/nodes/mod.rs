//! The built-in node types, one file each. They use what every pack can use: [`crate::node`] and [`crate::message`].

mod merge;

use crate::node::Registry;

/// All built-in node types.
#[must_use]
pub fn registry() -> Registry {
    Registry::new().with(merge::node_type())
}
