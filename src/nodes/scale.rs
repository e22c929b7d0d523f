//! `scale`: multiplies every sample and adds to it.

use super::signal::change_rows;
use crate::message::Received;
use crate::node::{Cadence, Flow, InputId, Node, NodeType, Outputs, PortType, Result, SettingError};
use schemars::JsonSchema;
use serde::Deserialize;

pub fn node_type() -> NodeType {
    NodeType::transform("scale", "Multiplies every sample by `gain`, then adds `offset`; in place.")
        .input("in", PortType::signal())
        .writes_in_place()
        .output("out", PortType::same_as("in"))
        .cadence(Cadence::Same)
        .example("{ gain: 1000 }")
        .node(|Settings { gain, offset }| match (gain.is_finite(), offset.is_finite()) {
            (true, true) => Ok(Scale { gain, offset }),
            (false, _) => Err(SettingError::at("gain", format!("`gain` is {gain}, and it must be finite"))),
            _ => Err(SettingError::at("offset", format!("`offset` is {offset}, and it must be finite"))),
        })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Every sample is multiplied by this. Default: 1.
    #[serde(default = "one")]
    gain: f64,
    /// This is added after that, in the unit that comes out. Default: 0.
    #[serde(default)]
    offset: f64,
}

fn one() -> f64 {
    1.0
}

struct Scale {
    gain: f64,
    offset: f64,
}

impl Node for Scale {
    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        let mut message = message.into_owned();
        change_rows(&mut message, |row| row.iter_mut().for_each(|x| *x = *x * self.gain + self.offset))?;
        out.forward(message.into())?;
        Ok(Flow::Continue)
    }
}
