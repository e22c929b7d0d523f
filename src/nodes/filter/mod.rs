//! The node behind `bandpass`, `lowpass`, `highpass` and `notch`: a cascade of second-order sections, in place.

mod cascade;
mod design;

pub use cascade::Cascade;
pub use design::{Design, Section};

use super::signal::{Layout, Stream, change_rows};
use crate::message::Received;
use crate::node::{Cadence, Flow, InputId, Node, NodeType, Outputs, PortType, Result, SettingError};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// A node type that filters in place; `design` turns its settings into a filter.
pub fn filter_type<S>(
    name: &str,
    summary: &str,
    example: &str,
    design: fn(S) -> Result<Design, SettingError>,
) -> NodeType
where
    S: DeserializeOwned + JsonSchema + 'static,
{
    NodeType::transform(name, summary)
        .input("in", PortType::signal())
        .writes_in_place()
        .output("out", PortType::same_as("in"))
        .cadence(Cadence::Same)
        .example(example)
        .node(move |settings| Ok(Filter { design: design(settings)?, stream: Stream::default() }))
        .fits(move |settings, signal| match signal.rate_hz {
            Some(rate_hz) => design(settings)?.sections(rate_hz).map(drop),
            None => Ok(()),
        })
}

/// Filters each channel of a signal, where it lies. The state is kept from message to message and never reset.
struct Filter {
    design: Design,
    stream: Stream<Cascade>,
}

impl Node for Filter {
    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        let mut message = message.into_owned();
        let cascade = self.stream.state(&message.metadata, Layout::of, |layout| {
            Ok(Cascade::new(self.design.sections(layout.rate()?)?, layout.channels))
        })?;
        change_rows(&mut message, |row| cascade.filter(row))?;
        out.forward(message.into())?;
        Ok(Flow::Continue)
    }
}

/// The order of a filter that was not given one.
pub fn default_order() -> u32 {
    2
}

/// `value` if it is an order that a filter can have.
///
/// # Errors
/// Where it is not.
pub fn order(value: u32) -> Result<u32, SettingError> {
    if (1..=MAX_ORDER).contains(&value) {
        return Ok(value);
    }
    Err(SettingError::at("order", format!("`order` is {value}, and it must be 1 to {MAX_ORDER}")))
}

const MAX_ORDER: u32 = 20;
