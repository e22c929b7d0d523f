//! `select`: keeps some channels, in the order in which they are named.

use super::channels::{ChannelName, all_there};
use super::signal::{Layout, Stream};
use crate::message::{Axis, Metadata, Received};
use crate::node::{Cadence, Flow, InputId, Node, NodeType, Outputs, PortType, Result, SettingError};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub fn node_type() -> NodeType {
    let dims = ["time", "channel"].map(str::to_owned).to_vec();
    NodeType::transform("select", "Keeps some channels of a signal, in the order in which they are named.")
        .input("in", PortType::Tensor { dtypes: Vec::new(), dims })
        .output("out", PortType::same_as("in"))
        .cadence(Cadence::Selected { channels: "channels".to_owned() })
        .example("{ channels: [C3, C4] }")
        .node(|settings: Settings| {
            if settings.channels.is_empty() {
                return Err(SettingError::at("channels", "`channels` names no channel: name those to keep"));
            }
            Ok(Select { channels: settings.channels, stream: Stream::default() })
        })
        .fits(|settings: Settings, signal| all_there("channels", &settings.channels, signal))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Channels to keep, by label or by index from 0, in the order in which they are to come out.
    #[schemars(length(min = 1))]
    channels: Vec<ChannelName>,
}

struct Select {
    channels: Vec<ChannelName>,
    stream: Stream<Kept>,
}

/// What is kept of one stream.
struct Kept {
    indices: Vec<usize>,
    row_bytes: usize,
    element_bytes: usize,
    metadata: Arc<Metadata>,
}

impl Kept {
    fn new(names: &[ChannelName], layout: &Layout, like: &Metadata) -> Result<Self> {
        let indices = names.iter().map(|name| layout.channel(name)).collect::<Result<Vec<_>>>()?;
        let channel_axis = match &layout.channel_axis {
            Axis::Labels(labels) => Axis::Labels(indices.iter().map(|&i| labels[i].clone()).collect()),
            // The first of them are counted as before.
            axis if indices.iter().copied().eq(0..indices.len()) => axis.clone(),
            // What is left would otherwise be counted from 0 again.
            _ => Axis::Labels(indices.iter().map(ToString::to_string).collect()),
        };
        let kept = Layout { channels: indices.len(), channel_axis, ..layout.clone() };
        Ok(Kept {
            indices,
            row_bytes: layout.row_bytes(),
            element_bytes: layout.dtype.bytes(),
            metadata: Arc::new(kept.metadata(layout.rate_hz, like)),
        })
    }
}

impl Node for Select {
    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        let kept = self.stream.state(message.metadata(), Layout::of_any_type, |layout| {
            Kept::new(&self.channels, layout, message.metadata())
        })?;
        let rows = message.bytes().chunks_exact(kept.row_bytes);
        let mut loan = out.loan(&kept.metadata, rows.len() * kept.indices.len() * kept.element_bytes)?;
        let mut room = loan.chunks_exact_mut(kept.element_bytes);
        for row in rows {
            for (&index, room) in kept.indices.iter().zip(&mut room) {
                room.copy_from_slice(&row[index * kept.element_bytes..][..kept.element_bytes]);
            }
        }
        loan.publish()?;
        Ok(Flow::Continue)
    }
}
