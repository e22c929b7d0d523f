//! `file_source`: the bytes of a file.

use super::support::files;
use super::support::framing::Cut;
use super::support::stream::{MessageReader, cut_from};
use crate::message::Capture;
use crate::node::{Cadence, Context, Flow, NodeType, Outputs, PortType, Quantity, Result, Source};
use anyhow::bail;
use schemars::JsonSchema;
use serde::Deserialize;
use std::fs::File;
use std::num::NonZeroU32;
use std::path::PathBuf;

/// Length of the messages where nothing was said, in bytes.
const CHUNK_BYTES: usize = 64 << 10;

pub fn node_type() -> NodeType {
    NodeType::source("file_source", "Reads a file as bytes: in chunks, by lines, or by the length before each message.")
        .output("out", PortType::Bytes)
        .cadence(Cadence::Timed {
            interval: Quantity::default(),
            bytes: Quantity::of("chunk"),
            count: Quantity::default(),
        })
        .example("{ path: data/notes.txt, lines: true }")
        .source_node(|settings: Settings| {
            let cut = cut_from(settings.chunk, settings.lines, settings.length32, Cut::Chunks(CHUNK_BYTES))?;
            Ok(FileSource { path: settings.path, cut, opened: None })
        })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The file to read, relative to the graph file.
    #[schemars(length(min = 1))]
    path: PathBuf,
    /// Bytes per message; the last message may be shorter. Default: 65536, unless `lines` or `length32` is chosen.
    chunk: Option<NonZeroU32>,
    /// Whether each line is a message, without its line end. Default: false.
    #[serde(default)]
    lines: bool,
    /// Whether each message has its length before it, as 32 bits, little endian: what `file_sink` writes with
    /// `framing: length32`. Default: false.
    #[serde(default)]
    length32: bool,
}

struct FileSource {
    path: PathBuf,
    cut: Cut,
    opened: Option<Opened>,
}

struct Opened {
    reader: MessageReader<File>,
    expected: Option<u64>,
}

impl Source for FileSource {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        let (mut file, path) = files::open(context, &self.path)?;
        let expected = match self.cut {
            Cut::Chunks(chunk) => {
                let metadata = file.metadata()?;
                metadata.is_file().then(|| metadata.len().div_ceil(chunk as u64))
            }
            Cut::Lines => files::count_lines(&mut file)?,
            Cut::Length32 | Cut::AsItComes => None,
        };
        self.opened =
            Some(Opened { reader: MessageReader::new(file, &path.display().to_string(), self.cut), expected });
        Ok(())
    }

    fn produce(&mut self, out: &mut Outputs) -> Result<Flow> {
        let Some(opened) = &mut self.opened else { bail!("the file is not open") };
        if let Some(messages) = opened.expected.take() {
            out.expect(messages);
        }
        let more = opened.reader.send_next(out, Capture::now, |_, _| Ok(()))?;
        Ok(if more { Flow::Continue } else { Flow::Complete })
    }
}
