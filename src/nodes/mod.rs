//! The built-in node types, one file each. They use what every pack can use: [`crate::node`] and [`crate::message`].

mod bandpass;
mod channels;
mod filter;
mod highpass;
mod lowpass;
mod merge;
mod notch;
mod rereference;
mod scale;
mod select;
mod signal;

use crate::node::Registry;

/// All built-in node types.
#[must_use]
pub fn registry() -> Registry {
    Registry::new()
        .with(bandpass::node_type())
        .with(highpass::node_type())
        .with(lowpass::node_type())
        .with(merge::node_type())
        .with(notch::node_type())
        .with(rereference::node_type())
        .with(scale::node_type())
        .with(select::node_type())
}
