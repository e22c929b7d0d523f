//! `ezrun fmt`: white space in order, and nothing else changed.

use super::formats::Unread;
use super::inputs::{self, Input};
use super::out_file::rewrite;
use super::{exit, memory, nodes};
use crate::graph::{self, FormatError, SourceFile};
use std::path::{Path, PathBuf};

/// Put the white space of graph files in order; comments, quotes and what stands in columns stay as they are.
///
/// Spaces at the ends of lines and empty lines at the end of the file go away, there is a space inside braces and behind
/// commas, and all line breaks become as the first one is, of Unix or of Windows.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Graph files; directories, for all graphs below them but in hidden folders and `out`; `-` for standard input, which
    /// is written to standard output.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write nothing; name the files that are not in order, and fail if there are any.
    #[arg(long)]
    check: bool,
    /// Read graph files up to this size, such as `64 MiB`.
    #[arg(long, value_name = "SIZE", value_parser = memory::size, default_value_t = graph::MAX_FILE_BYTES)]
    max_file_size: u64,
}

/// What became of a file.
enum Outcome {
    InOrder,
    Formatted,
    /// To be printed, since it came from standard input.
    Printed(String),
    /// Found below a directory, and no graph.
    LeftAlone,
}

/// Formats all files and returns the exit code.
pub fn run(args: &Args) -> u8 {
    let mut unread = Vec::new();
    let files = inputs::gather(&args.files, &mut unread);
    let mut is_empty = unread.is_empty();
    let mut code = exit::OK;
    for input in files {
        let outcome = format(&input, args);
        is_empty &= matches!(outcome, Ok(Outcome::LeftAlone));
        code = code.max(tell(&input, outcome, args.check));
    }
    if is_empty {
        unread.push(inputs::no_graph(&args.files));
    }
    for Unread { cause, .. } in unread {
        nodes::complain(&cause);
        code = code.max(exit::USAGE);
    }
    code
}

/// Says what became of a file, and returns the exit code for it.
fn tell(input: &Input, outcome: Result<Outcome, (String, u8)>, check: bool) -> u8 {
    match outcome {
        Ok(Outcome::Formatted) if check => nodes::print(&format!("{} is not in order\n", input.name()), exit::INVALID),
        Ok(Outcome::Formatted) => nodes::print(&format!("formatted {}\n", input.name()), exit::OK),
        Ok(Outcome::Printed(text)) => nodes::print(&text, exit::OK),
        Ok(Outcome::InOrder | Outcome::LeftAlone) => exit::OK,
        Err((message, code)) => {
            nodes::complain(&message);
            code
        }
    }
}

fn format(input: &Input, args: &Args) -> Result<Outcome, (String, u8)> {
    // One that was found below a directory and is no graph is left alone.
    let Some(file) = input.read_to_change(args.max_file_size).map_err(|cause| (cause, exit::USAGE))? else {
        return Ok(Outcome::LeftAlone);
    };
    let formatted = graph::format(file.text()).map_err(|error| (refusal(&file, error), exit::INVALID))?;
    let is_in_order = formatted == file.text();
    if input.path == Path::new("-") && !args.check {
        return Ok(Outcome::Printed(formatted));
    }
    if !is_in_order && !args.check {
        rewrite(&input.path, &formatted).map_err(|message| (message, exit::USAGE))?;
    }
    Ok(if is_in_order { Outcome::InOrder } else { Outcome::Formatted })
}

/// Why a file is not formatted: what cannot be read in it, and where, if that is it.
fn refusal(file: &SourceFile, error: FormatError) -> String {
    let name = file.name();
    match graph::syntax_fault(file) {
        Some(fault) => {
            let place = fault.place;
            format!("cannot format {name}: {}:{}: {}", place.line, place.column, fault.message)
        }
        None => format!("cannot format {name}: {error}"),
    }
}
