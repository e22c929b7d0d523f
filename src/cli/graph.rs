//! `ezrun graph`: the picture of a graph.

use super::out_file::OutFile;
use super::{exit, loading, nodes};
use crate::graph::{SourceFile, Sources};
use crate::picture::Picture;
use std::path::{Path, PathBuf};

/// Draw a graph: nodes, backends, and how each edge delivers.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: loading::Which,
    /// SVG needs no other program; DOT is for graphviz; Mermaid is for Markdown.
    #[arg(long, value_enum, default_value_t = Format::Svg)]
    format: Format,
    /// Where to write it; standard output, where nothing or `-` is said.
    #[arg(long, short, value_name = "PATH")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Svg,
    Dot,
    Mermaid,
}

/// Draws the graph and returns the exit code.
pub fn run(args: &Args) -> u8 {
    let (graph, sources) = match loading::load(&args.which) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let picture = Picture::of(&graph);
    let drawn = match args.format {
        Format::Svg => picture.svg(),
        Format::Dot => picture.dot(),
        Format::Mermaid => picture.mermaid(),
    };
    let Some(path) = args.output.as_deref().filter(|path| *path != Path::new("-")) else {
        return nodes::print(&drawn, exit::OK);
    };
    match write(path, &drawn, &sources) {
        Ok(()) => exit::OK,
        Err(message) => {
            nodes::complain(&message);
            exit::USAGE
        }
    }
}

fn write(path: &Path, drawn: &str, sources: &Sources) -> Result<(), String> {
    let file = OutFile::open(path)?;
    file.must_not_be(sources.iter().map(SourceFile::path))?;
    file.write(drawn)
}
