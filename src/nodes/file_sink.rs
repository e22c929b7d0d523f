//! `file_sink`: payload bytes to a file.

use super::support::files::OutFile;
use super::support::framing::Framing;
use super::support::table::Tables;
use crate::message::Received;
use crate::node::{Context, Flow, InputId, Node, NodeType, Outputs, PortType, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

pub fn node_type() -> NodeType {
    NodeType::sink("file_sink", "Writes the payload bytes of all messages to a file.")
        .input("in", PortType::Any)
        .records()
        .example("{ path: out/log.txt, framing: lines }")
        .node(|settings: Settings| Ok(FileSink { settings, file: OutFile::default(), rows: Tables::new(Some(false)) }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The file to write, relative to the graph file. Its folder is made where it is missing; a file that is there is
    /// replaced.
    #[schemars(length(min = 1))]
    path: PathBuf,
    /// What separates the messages. Default: `lines` for messages that were read as lines, `raw` for all others.
    framing: Option<Framing>,
}

struct FileSink {
    settings: Settings,
    file: OutFile,
    rows: Tables,
}

impl Node for FileSink {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        self.file = OutFile::create(context, &self.settings.path)?;
        Ok(())
    }

    fn process(&mut self, _: InputId, message: Received<'_>, _: &mut Outputs) -> Result<Flow> {
        let framing = self.settings.framing.unwrap_or_else(|| Framing::natural(message.metadata()));
        framing.append(&message, &mut self.rows, self.file.pending())?;
        self.file.wrote()?;
        Ok(Flow::Continue)
    }

    fn stop(&mut self, _: &mut Outputs) -> Result<()> {
        self.file.flush()
    }
}
