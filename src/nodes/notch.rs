//! `notch`: takes one frequency out.

use super::filter::{self, Design, frequency};
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
    #[schemars(extend("exclusiveMinimum" = 0))]
    frequency: f64,
    /// Quality: the frequency divided by the width. Default 30. Not together with `width`.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0))]
    q: Option<f64>,
    /// Width in Hz between the two corners where power is halved. Not together with `q`.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0))]
    width: Option<f64>,
}

fn design(settings: Settings) -> Result<Design, SettingError> {
    let at = frequency("frequency", settings.frequency)?;
    let q = match (settings.q, settings.width) {
        (Some(_), Some(_)) => {
            return Err(SettingError::at("width", "`q` and `width` say the same thing: give one of them"));
        }
        (None, Some(width)) => at / frequency("width", width)?,
        (Some(q), None) if q > 0.0 && q.is_finite() => q,
        (Some(q), None) => return Err(SettingError::at("q", format!("`q` is {q}, and it must be above 0"))),
        (None, None) => DEFAULT_Q,
    };
    Ok(Design::Notch { frequency: at, q })
}
