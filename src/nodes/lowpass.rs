//! `lowpass`: lets the frequencies below a corner through.

use super::filter::{self, Design, default_order};
use crate::node::settings::Positive;
use crate::node::{NodeType, Result, SettingError};
use schemars::JsonSchema;
use serde::Deserialize;

pub fn node_type() -> NodeType {
    filter::filter_type(
        "lowpass",
        "Lets the frequencies below a corner through: a Butterworth filter, in place.",
        "{ cutoff: 40 }",
        design,
    )
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Corner in Hz, where power is halved; below half the sampling rate.
    cutoff: Positive,
    /// Order, 1 to 20: beyond the corner it falls by 6 dB per octave and order. Default: 2.
    #[serde(default = "default_order")]
    #[schemars(range(min = 1, max = 20))]
    order: u32,
}

fn design(settings: Settings) -> Result<Design, SettingError> {
    Ok(Design::Lowpass { cutoff: settings.cutoff.get(), order: filter::order(settings.order)? })
}
