//! `digest`: one hash over all payload bytes, to compare runs.

use super::support::files::OutFile;
use crate::message::Received;
use crate::node::{Context, Flow, InputId, Node, NodeType, Outputs, PortType, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use std::io::Write as _;
use std::path::PathBuf;

pub fn node_type() -> NodeType {
    NodeType::sink("digest", "Writes one hash over all payload bytes, and the number of messages, to compare runs.")
        .input("in", PortType::Any)
        .records()
        .example("{ path: out/digest.txt }")
        .node(|settings: Settings| {
            Ok(Digest { path: settings.path, file: OutFile::default(), state: State::default() })
        })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The file to write, relative to the graph file: one line with the BLAKE3 hash in hex, a space, and the number of
    /// messages. It is written at the end.
    #[schemars(length(min = 1))]
    path: PathBuf,
}

struct Digest {
    path: PathBuf,
    file: OutFile,
    state: State,
}

#[derive(Default)]
struct State {
    hasher: blake3::Hasher,
    messages: u64,
}

impl Node for Digest {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        self.file = OutFile::create(context, &self.path)?;
        Ok(())
    }

    fn process(&mut self, _: InputId, message: Received<'_>, _: &mut Outputs) -> Result<Flow> {
        if self.state.messages == 0 {
            // From here on the hash of an earlier run must not be taken for that of this one.
            self.file.flush()?;
        }
        self.state.hasher.update(message.bytes());
        self.state.messages += 1;
        Ok(Flow::Continue)
    }

    fn stop(&mut self, _: &mut Outputs) -> Result<()> {
        let State { hasher, messages } = &self.state;
        writeln!(self.file.pending(), "{} {messages}", hasher.finalize().to_hex())?;
        self.file.flush()
    }
}
