//! The built-in node types, one file each. They use what every pack can use: [`crate::node`] and [`crate::message`].

mod band_power;
mod bandpass;
pub mod bench;
mod channels;
mod check;
mod command;
mod counter;
mod csv_sink;
mod csv_source;
mod digest;
mod downsample;
mod event_rate;
mod file_sink;
mod file_source;
mod filter;
mod highpass;
mod lowpass;
mod merge;
mod notch;
mod npy_sink;
mod npy_source;
mod null;
mod peaks;
mod rate_limit;
mod rereference;
mod resample;
mod rms;
mod scale;
mod select;
mod signal;
mod sine;
mod spectrum;
mod stdin_source;
mod stdout;
mod support;
mod timer;
mod wav_sink;
mod wav_source;
mod window;

pub use command::{COMMAND, ProgramFault, find_program};

use crate::node::{NodeType, Registry};

/// What is built in, by modules that are called as their types.
macro_rules! built_in {
    ($($module:ident),* $(,)?) => {
        &[$((stringify!($module), $module::node_type)),*]
    };
}

/// The name of a type, and what makes it.
type BuiltIn = (&'static str, fn() -> NodeType);

const BUILT_IN: &[BuiltIn] = built_in![
    band_power,
    bandpass,
    check,
    command,
    counter,
    csv_sink,
    csv_source,
    digest,
    downsample,
    event_rate,
    file_sink,
    file_source,
    highpass,
    lowpass,
    merge,
    notch,
    npy_sink,
    npy_source,
    null,
    peaks,
    rate_limit,
    rereference,
    resample,
    rms,
    scale,
    select,
    sine,
    spectrum,
    stdin_source,
    stdout,
    timer,
    wav_sink,
    wav_source,
    window,
];

/// All built-in node types.
#[must_use]
pub fn registry() -> Registry {
    BUILT_IN.iter().fold(Registry::new(), |registry, (_, node_type)| registry.with(node_type()))
}

/// The built-in type called `name`, without making the others: a backend has few.
pub(crate) fn node_type(name: &str) -> Option<NodeType> {
    BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, node_type)| node_type())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_called_as_its_module() {
        for (name, node_type) in BUILT_IN {
            assert_eq!(node_type().description().name, *name);
        }
        assert_eq!(registry().iter().count(), BUILT_IN.len());
        assert!(node_type("no_such_type").is_none());
    }
}
