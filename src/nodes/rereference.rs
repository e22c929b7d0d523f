//! `rereference`: subtracts the mean over channels from each channel.

use super::channels::{ChannelName, all_there};
use super::signal::{Layout, Stream, change_rows};
use crate::message::Received;
use crate::node::{Cadence, Flow, InputId, Node, NodeType, Outputs, PortType, Result, SettingError};
use schemars::JsonSchema;
use serde::Deserialize;

pub fn node_type() -> NodeType {
    NodeType::transform("rereference", "Subtracts the mean over channels from every channel; in place.")
        .input("in", PortType::signal())
        .writes_in_place()
        .output("out", PortType::same_as("in"))
        .cadence(Cadence::Same)
        .example("{ reference: [M1, M2] }")
        .node(|settings: Settings| match &settings.reference {
            Some(names) if names.is_empty() => {
                Err(SettingError::at("reference", "`reference` names no channel: leave it out to take them all"))
            }
            _ => Ok(Rereference { reference: settings.reference, stream: Stream::default() }),
        })
        .fits(|settings: Settings, signal| {
            all_there("reference", settings.reference.as_deref().unwrap_or_default(), signal)
        })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Channels whose mean is subtracted, by label or by index from 0. Default: all, the common average.
    #[serde(default)]
    #[schemars(length(min = 1))]
    reference: Option<Vec<ChannelName>>,
}

struct Rereference {
    reference: Option<Vec<ChannelName>>,
    /// Indices of the reference channels.
    stream: Stream<Vec<usize>>,
}

impl Node for Rereference {
    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        let mut message = message.into_owned();
        let reference = self.stream.state(&message.metadata, Layout::of, |layout| match &self.reference {
            Some(names) => names.iter().map(|name| layout.channel(name)).collect(),
            None => Ok((0..layout.channels).collect()),
        })?;
        change_rows(&mut message, |row| {
            let mean = reference.iter().map(|&i| row[i]).sum::<f64>() / reference.len() as f64;
            row.iter_mut().for_each(|x| *x -= mean);
        })?;
        out.forward(message.into())?;
        Ok(Flow::Continue)
    }
}
