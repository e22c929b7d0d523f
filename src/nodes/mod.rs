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

use crate::node::Registry;

/// All built-in node types.
#[must_use]
pub fn registry() -> Registry {
    Registry::new()
        .with(band_power::node_type())
        .with(bandpass::node_type())
        .with(check::node_type())
        .with(command::node_type())
        .with(counter::node_type())
        .with(csv_sink::node_type())
        .with(csv_source::node_type())
        .with(digest::node_type())
        .with(downsample::node_type())
        .with(event_rate::node_type())
        .with(file_sink::node_type())
        .with(file_source::node_type())
        .with(highpass::node_type())
        .with(lowpass::node_type())
        .with(merge::node_type())
        .with(notch::node_type())
        .with(npy_sink::node_type())
        .with(npy_source::node_type())
        .with(null::node_type())
        .with(peaks::node_type())
        .with(rate_limit::node_type())
        .with(rereference::node_type())
        .with(resample::node_type())
        .with(rms::node_type())
        .with(scale::node_type())
        .with(select::node_type())
        .with(sine::node_type())
        .with(spectrum::node_type())
        .with(stdin_source::node_type())
        .with(stdout::node_type())
        .with(timer::node_type())
        .with(wav_sink::node_type())
        .with(wav_source::node_type())
        .with(window::node_type())
}
