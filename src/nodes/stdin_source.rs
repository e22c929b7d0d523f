//! `stdin_source`: what comes in at ezrun's own standard input.

use super::support::framing::Cut;
use super::support::stream::{MessageReader, cut_from};
use crate::message::Capture;
use crate::node::{Context, Flow, NodeType, Outputs, PortType, Result, Source, Stream};
use anyhow::bail;
use schemars::JsonSchema;
use serde::Deserialize;
use std::fs::File;
use std::num::NonZeroU32;
use std::os::fd::AsFd as _;

pub fn node_type() -> NodeType {
    NodeType::source("stdin_source", "Reads ezrun's standard input as bytes: as they come, in chunks, or by lines.")
        .output("out", PortType::Bytes)
        .uses(Stream::Stdin)
        .example("{ lines: true }")
        .source_node(|settings: Settings| {
            let cut = cut_from(settings.chunk, settings.lines, settings.length32, Cut::AsItComes)?;
            Ok(StdinSource { cut, reader: None })
        })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Bytes per message; the last message may be shorter. Default: bytes are sent as they come, at most 65536 in a
    /// message, unless `lines` or `length32` is chosen.
    chunk: Option<NonZeroU32>,
    /// Whether each line is a message, without its line end. Default: false.
    #[serde(default)]
    lines: bool,
    /// Whether each message has its length before it, as 32 bits, little endian. Default: false.
    #[serde(default)]
    length32: bool,
}

struct StdinSource {
    cut: Cut,
    reader: Option<MessageReader<File>>,
}

impl Source for StdinSource {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        let stdin = File::from(context.take_stdin()?);
        self.reader = Some(MessageReader::new(stdin, "standard input", self.cut));
        Ok(())
    }

    fn produce(&mut self, out: &mut Outputs) -> Result<Flow> {
        let Some(reader) = &mut self.reader else { bail!("standard input is not open") };
        let more = reader.send_next(out, Capture::now, |stdin, out| out.wait_readable(stdin.as_fd()))?;
        Ok(if more { Flow::Continue } else { Flow::Complete })
    }
}
