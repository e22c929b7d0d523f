//! `bandpass`: lets a band of frequencies through.

use super::filter::{self, Design, default_order};
use crate::node::settings::Positive;
use crate::node::{NodeType, Result, SettingError};
use schemars::JsonSchema;
use serde::Deserialize;

pub fn node_type() -> NodeType {
    filter::filter_type(
        "bandpass",
        "Lets the frequencies between two corners through: a Butterworth filter, in place.",
        "{ low: 5, high: 15, order: 2 }",
        design,
    )
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Lower corner in Hz, where power is halved.
    low: Positive,
    /// Upper corner in Hz, below half the sampling rate.
    high: Positive,
    /// Order, 1 to 20, counted as SciPy counts it: each edge falls by 6 dB per octave and order. Default: 2.
    #[serde(default = "default_order")]
    #[schemars(range(min = 1, max = 20))]
    order: u32,
}

fn design(settings: Settings) -> Result<Design, SettingError> {
    let (low, high) = (settings.low.get(), settings.high.get());
    if low >= high {
        return Err(SettingError::at("low", format!("`low` is {low} Hz, and it must be below `high`, {high} Hz")));
    }
    Ok(Design::Bandpass { low, high, order: filter::order(settings.order)? })
}
