//! `rms`: the root of the mean square of each channel, one value per block.

use super::signal::{BLOCK_RATE, Layout, Stream, rows, samples, send};
use crate::message::{DType, Metadata, Received};
use crate::node::{Cadence, Flow, InputId, NoSettings, Node, NodeType, Outputs, PortType, Result};
use std::sync::Arc;

pub fn node_type() -> NodeType {
    NodeType::transform(
        "rms",
        "Root mean square of each channel over each block: a signal with one sample per block. Its rate is that of the \
         blocks, as `window` states it or as the length of the first block tells.",
    )
    .input("in", PortType::signal())
    .output("out", PortType::Tensor { dtypes: vec![DType::F64], dims: vec!["time".to_owned(), "channel".to_owned()] })
    .cadence(Cadence::OneSample)
    .node(|_: NoSettings| Ok(Rms { stream: Stream::default() }))
}

struct Rms {
    /// Metadata of what is sent.
    stream: Stream<Arc<Metadata>>,
}

impl Node for Rms {
    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        let described = message.metadata();
        let rows = rows(&message)?;
        if rows == 0 {
            return Ok(Flow::Continue);
        }
        let metadata = self.stream.state(described, Layout::of, |layout| {
            let stated = described.attributes.get(BLOCK_RATE).and_then(|rate| rate.parse().ok());
            let block_rate = stated.or(layout.rate_hz.map(|rate| rate / rows as f64));
            let blocks = Layout { dtype: DType::F64, ..layout.clone() };
            Ok(Arc::new(blocks.metadata(block_rate, described)))
        })?;
        let tensor = message.tensor()?;
        let channels = tensor.shape[1];
        let mut squares = vec![0.0; channels];
        for row in samples(&tensor)?.chunks_exact(channels) {
            squares.iter_mut().zip(row).for_each(|(sum, x)| *sum += x * x);
        }
        squares.iter_mut().for_each(|sum| *sum = (*sum / rows as f64).sqrt());
        send(out, metadata, &squares, message.header().capture)?;
        Ok(Flow::Continue)
    }
}
