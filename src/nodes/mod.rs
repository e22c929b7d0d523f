//! The built-in node types, one file each. They use what every pack can use: [`crate::node`] and [`crate::message`].

mod band_power;
mod bandpass;
mod channels;
mod downsample;
mod event_rate;
mod filter;
mod highpass;
mod lowpass;
mod merge;
mod notch;
mod peaks;
mod rate_limit;
mod rereference;
mod resample;
mod rms;
mod scale;
mod select;
mod signal;
mod spectrum;
mod window;

use crate::node::Registry;

/// All built-in node types.
#[must_use]
pub fn registry() -> Registry {
    Registry::new()
        .with(band_power::node_type())
        .with(bandpass::node_type())
        .with(downsample::node_type())
        .with(event_rate::node_type())
        .with(highpass::node_type())
        .with(lowpass::node_type())
        .with(merge::node_type())
        .with(notch::node_type())
        .with(peaks::node_type())
        .with(rate_limit::node_type())
        .with(rereference::node_type())
        .with(resample::node_type())
        .with(rms::node_type())
        .with(scale::node_type())
        .with(select::node_type())
        .with(spectrum::node_type())
        .with(window::node_type())
}
