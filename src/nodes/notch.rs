//! `notch`: takes one frequency out.

use super::filter::{self, Design};
use crate::node::settings::Positive;
use crate::node::{NodeType, Result, SettingError};
use schemars::JsonSchema;
use serde::Deserialize;

pub fn node_type() -> NodeType {
    filter::filter_type(
        "notch",
        "Takes one frequency out, such as the hum of the mains: one second-order section, in place.",
        "{ frequency: 50, width: 2 }",
        design,
    )
}

const DEFAULT_Q: f64 = 30.0;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Frequency to take out in Hz, below half the sampling rate.
    frequency: Positive,
    /// Quality: the frequency divided by the width. Default: 30. Not together with `width`.
    #[serde(default)]
    q: Option<Positive>,
    /// Width in Hz between the two corners where power is halved. Not together with `q`.
    #[serde(default)]
    width: Option<Positive>,
}

fn design(settings: Settings) -> Result<Design, SettingError> {
    let frequency = settings.frequency.get();
    let (q, setting) = match (settings.q, settings.width) {
        (Some(_), Some(_)) => {
            return Err(SettingError::at("width", "`q` and `width` say the same thing: give one of them"));
        }
        (None, Some(width)) => (frequency / width.get(), "width"),
        (Some(q), None) => (q.get(), "q"),
        (None, None) => (DEFAULT_Q, "q"),
    };
    Ok(Design::Notch { frequency, q, setting })
}
